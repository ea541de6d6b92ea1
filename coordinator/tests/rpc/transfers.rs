//! Slow is not dead, and slow senders are nobody's burden but their own.

use std::time::Duration;

use besom_coordinator::CoordinatorConfig;
use besom_proto::v1;
use besom_proto::v1::put_request::Part;
use besom_testkit::eventually;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use crate::support::{Bench, Clients, LIMIT, grid, sha256, success, upload};

/// Makes a test of each behaviour on each database.
macro_rules! on_both {
    ($config:ident: $($behaviour:ident),* $(,)?) => {
        mod $config {
            use crate::support::Bench;

            mod on_sqlite {
                $(#[tokio::test] async fn $behaviour() {
                    super::super::$behaviour(super::Bench::with(super::super::$config()).await).await;
                })*
            }
            mod on_postgres {
                $(#[tokio::test] async fn $behaviour() {
                    super::super::$behaviour(super::Bench::on_postgres(super::super::$config()).await).await;
                })*
            }
        }
    };
}

on_both!(as_users_have_it:
    four_trickling_uploads_keep_nobody_waiting,
    twelve_trickling_uploads_keep_nobody_waiting,
    two_hundred_trickling_uploads_keep_nobody_waiting,
    a_completion_names_models_and_a_sweep_a_dataset,
    what_a_completion_does_not_keep_is_removed,
);

on_both!(judged_soon: an_upload_that_stands_still_ends_with_words_and_goes_on_later);

fn as_users_have_it() -> CoordinatorConfig {
    CoordinatorConfig::default()
}

/// Uploads are judged over some seconds here, not over a minute.
fn judged_soon() -> CoordinatorConfig {
    CoordinatorConfig { transfer_window: Duration::from_secs(3), ..CoordinatorConfig::default() }
}

/// An upload that the test feeds by hand.
struct Line {
    parts: mpsc::Sender<v1::PutRequest>,
    call: tokio::task::JoinHandle<Result<v1::PutResponse, Status>>,
}

impl Line {
    fn open(clients: &Clients) -> Self {
        let (parts, receiver) = mpsc::channel(1);
        let mut client = clients.artifacts.clone();
        let call =
            tokio::spawn(
                async move { client.put(ReceiverStream::new(receiver)).await.map(tonic::Response::into_inner) },
            );
        Self { parts, call }
    }

    async fn send(&self, part: Part) {
        self.parts.send(v1::PutRequest { part: Some(part) }).await.unwrap();
    }
}

fn head(bytes: &[u8], kind: v1::ArtifactKind, name: &str, offset: u64) -> v1::PutHead {
    let (digest, size, upload) = (sha256(bytes), bytes.len() as u64, name.to_owned());
    v1::PutHead { digest, size, kind: kind.into(), offset, upload, ..v1::PutHead::default() }
}

async fn four_trickling_uploads_keep_nobody_waiting(bench: Bench) {
    trickling(bench, 4).await;
}

async fn twelve_trickling_uploads_keep_nobody_waiting(bench: Bench) {
    trickling(bench, 12).await;
}

async fn two_hundred_trickling_uploads_keep_nobody_waiting(bench: Bench) {
    trickling(bench, 200).await;
}

/// Another client has so many uploads open that never end, half of them under the digests that
/// honest clients store.
async fn trickling(bench: Bench, uploads: usize) {
    let mut clients = bench.clients();
    let model = vec![3; 2 << 20];
    let stranger = bench.clients();
    let mut trickles = JoinSet::new();
    let mut begun = Vec::new();
    for number in 0..uploads {
        let own = vec![1; 1000 + number];
        let (bytes, kind) = match number % 4 {
            0 => (&model, v1::ArtifactKind::Model),
            1 => (&clients.dataset(), v1::ArtifactKind::Dataset),
            _ => (&own, v1::ArtifactKind::Model),
        };
        let line = Line::open(&stranger);
        let head = head(bytes, kind, &format!("trickle {number}"), 0);
        let (byte, (has_begun, is_begun)) = (bytes[..1].to_vec(), tokio::sync::oneshot::channel());
        begun.push(is_begun);
        trickles.spawn(async move {
            line.send(Part::Head(head)).await;
            let mut has_begun = Some(has_begun);
            for sent in 0.. {
                line.send(Part::Chunk(byte.clone())).await;
                if sent == 4 {
                    let _ = has_begun.take().unwrap().send(());
                }
                tokio::time::sleep(Duration::from_millis(if sent < 4 { 20 } else { 500 })).await;
            }
        });
    }
    for begun in begun {
        begun.await.unwrap();
    }

    let honest = async {
        let sweep = clients.submit("honest", 1).await;
        assert_eq!(sweep.jobs_total, 1);
        let worker = clients.register().await;
        let attempt = clients.acquire_one(worker).await;
        let model = clients.put(&model, v1::ArtifactKind::Model).await;
        let done = v1::Completion { final_model: model.clone(), best_model: model, ..success(attempt) };
        assert_eq!(clients.complete(worker, done).await, v1::Result::Accepted);
    };
    tokio::time::timeout(LIMIT, honest).await.expect("nobody waits for those who trickle");
    assert_eq!(trickles.len(), uploads);
    assert!(trickles.try_join_next().is_none(), "they trickle still");
}

async fn an_upload_that_stands_still_ends_with_words_and_goes_on_later(bench: Bench) {
    let mut clients = bench.clients();
    let bytes = vec![5; 300_000];
    let digest = sha256(&bytes);
    let stat = v1::StatRequest { digest: digest.clone(), upload: "mine".to_owned(), ..v1::StatRequest::default() };

    let silent = Line::open(&clients);
    let line = Line::open(&clients);
    line.send(Part::Head(head(&bytes, v1::ArtifactKind::Model, "mine", 0))).await;
    line.send(Part::Chunk(bytes[..100_000].to_vec())).await;
    line.send(Part::Chunk(bytes[100_000..100_004].to_vec())).await;
    let ended = line.call.await.unwrap().unwrap_err();
    let no_head = silent.call.await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::DeadlineExceeded);
    let said = format!(
        "upload of artifact {digest}, 100004 of 300000 bytes received: the link is too slow or stands still: \
                        expected at least 1 KiB/s over 3 s, got nothing"
    );
    assert_eq!(ended.message(), said);
    let said = "expected the head of an upload within 3s, got none";
    assert_eq!((no_head.code(), no_head.message()), (Code::DeadlineExceeded, said));

    let trickle = Line::open(&clients);
    trickle.send(Part::Head(head(&bytes, v1::ArtifactKind::Model, "trickle", 0))).await;
    let ended = loop {
        // It brings something, but too little.
        let _ = trickle.parts.send(v1::PutRequest { part: Some(Part::Chunk(vec![5; 4])) }).await;
        if trickle.call.is_finished() {
            break trickle.call.await.unwrap().unwrap_err();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(ended.code(), Code::DeadlineExceeded, "{ended}");

    let kept = clients.artifacts.stat(stat).await.unwrap().into_inner();
    assert_eq!((kept.received, kept.present), (100_004, false), "what came is kept for its sender");
    let rest = Line::open(&clients);
    rest.send(Part::Head(head(&bytes, v1::ArtifactKind::Model, "mine", 100_004))).await;
    rest.send(Part::Chunk(bytes[100_004..].to_vec())).await;
    drop(rest.parts);
    assert_eq!(rest.call.await.unwrap().unwrap().size, 300_000);
    let beyond = head(&[6; 10], v1::ArtifactKind::Model, "nobody's", 4);
    let line = Line::open(&clients);
    line.send(Part::Head(beyond)).await;
    let error = line.call.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::OutOfRange);
    assert!(error.message().ends_with("expected an offset of 0, got 4"), "{error}");
}

async fn a_completion_names_models_and_a_sweep_a_dataset(bench: Bench) {
    let mut clients = bench.clients();
    let model = clients.put(b"weights", v1::ArtifactKind::Model).await;
    let mut request = clients.request("kinds", &grid(1)).await;
    let dataset = request.dataset.clone().unwrap();
    request.dataset = Some(v1::DatasetRef { digest: model.clone(), ..dataset.clone() });
    let refused = clients.sweeps.create_sweep(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.message(), format!("dataset: expected {model} to be a dataset, but it is a model"));
    request.dataset = Some(dataset.clone());
    clients.sweeps.create_sweep(request).await.unwrap();

    let worker = clients.register().await;
    let attempt = clients.acquire_one(worker).await;
    for wrong in [
        v1::Completion { final_model: dataset.digest.clone(), best_model: model.clone(), ..success(attempt) },
        v1::Completion { final_model: model.clone(), best_model: dataset.digest.clone(), ..success(attempt) },
    ] {
        let refused = clients.try_complete(worker, wrong).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().ends_with("to be a model, but it is a dataset"), "{refused}");
    }
    let right = v1::Completion { final_model: model.clone(), best_model: model, ..success(attempt) };
    assert_eq!(clients.complete(worker, right).await, v1::Result::Accepted);
    let parts = upload(&dataset.digest, &clients.dataset(), v1::ArtifactKind::Model);
    let refused = clients.artifacts.put(tokio_stream::iter(parts)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().ends_with("expected a model, but it is stored as a dataset"), "{refused}");
}

async fn what_a_completion_does_not_keep_is_removed(bench: Bench) {
    let mut clients = bench.clients();
    let text = format!("{}  keep_models: best\n", grid(3));
    let request = clients.request("best", &text).await;
    clients.sweeps.create_sweep(request).await.unwrap();
    let worker = clients.register().await;
    let mut models = Vec::new();
    // The first leads, the second is worse, the third is better than both.
    for (number, accuracy) in [0.5, 0.25, 0.75].into_iter().enumerate() {
        let attempt = clients.acquire_one(worker).await;
        let last = clients.put(&vec![number as u8; 70_000], v1::ArtifactKind::Model).await;
        let best = clients.put(&vec![number as u8; 80_000], v1::ArtifactKind::Model).await;
        let mut done = v1::Completion { final_model: last.clone(), best_model: best.clone(), ..success(attempt) };
        for record in &mut done.epochs {
            record.metrics.insert("val_accuracy".to_owned(), accuracy);
        }
        assert_eq!(clients.complete(worker, done).await, v1::Result::Accepted);
        models.extend([last, best]);
    }
    let mut stored = Vec::new();
    for model in &models {
        let request = v1::GetRequest { digest: model.clone(), ..v1::GetRequest::default() };
        eventually("files follow their rows", LIMIT, async || {
            let rows = bench.opened.artifacts.find(&besom_coordinator::domain::Digest::parse(model).unwrap()).await;
            rows.unwrap().is_some() == clients.artifacts.get(request.clone()).await.is_ok()
        })
        .await;
        stored.push(clients.artifacts.get(request).await.is_ok());
    }
    assert_eq!(stored, [false, false, false, false, true, true]);
}
