//! Transfers over a link that breaks, stands still or damages what it carries.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use besom_client::transfer::{Artifacts, Caller, Party, TransferError};
use besom_proto::v1;
use besom_proto::v1::artifact_service_server::{ArtifactService, ArtifactServiceServer};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

const PIECE: usize = 64 << 10;

/// Transfers are judged over a second here, not over a minute.
const WINDOW: Duration = Duration::from_secs(1);

/// What becomes of one call that carries bytes.
#[derive(Clone)]
enum Fate {
    /// So many pieces pass, then the call ends with this.
    Ends(usize, Status),
    /// So many pieces pass, then nothing more does.
    StandsStill(usize),
    /// One bit of what passes is another.
    Damaged,
}

#[derive(Default)]
struct State {
    artifacts: BTreeMap<String, Vec<u8>>,
    unfinished: BTreeMap<String, Vec<u8>>,
    fates: VecDeque<Fate>,
    away: u32,
    /// Bytes of chunks in either direction.
    carried: usize,
    calls: u32,
}

/// A coordinator at the other end of a bad link.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

impl Fake {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    fn artifacts(&self) -> Artifacts {
        let (pipes, incoming) = mpsc::unbounded_channel::<std::io::Result<DuplexStream>>();
        let server = Server::builder().add_service(ArtifactServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(UnboundedReceiverStream::new(incoming)));
        let connector = tower::service_fn(move |_uri| {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let sent = pipes.send(Ok(far)).map_err(std::io::Error::other);
            async move { sent.map(|()| TokioIo::new(near)) }
        });
        Artifacts::judged_over(
            WINDOW,
            Endpoint::from_static("http://fake.invalid").connect_with_connector_lazy(connector),
        )
    }
}

#[tonic::async_trait]
impl ArtifactService for Fake {
    type GetStream = ReceiverStream<Result<v1::GetResponse, Status>>;

    async fn stat(&self, request: Request<v1::StatRequest>) -> Result<Response<v1::StatResponse>, Status> {
        let request = request.into_inner();
        self.with(|state| {
            if state.away > 0 {
                state.away -= 1;
                return Err(Status::unavailable("nobody listens"));
            }
            let stored = state.artifacts.get(&request.digest);
            let received = state.unfinished.get(&request.upload).map_or(0, Vec::len) as u64;
            let size = stored.map_or(0, Vec::len) as u64;
            Ok(Response::new(v1::StatResponse { present: stored.is_some(), size, received }))
        })
    }

    async fn put(&self, request: Request<Streaming<v1::PutRequest>>) -> Result<Response<v1::PutResponse>, Status> {
        let mut parts = request.into_inner();
        let Some(v1::put_request::Part::Head(head)) = parts.message().await?.unwrap().part else { panic!("no head") };
        let fate = self.with(|state| {
            state.calls += 1;
            let kept = state.unfinished.entry(head.upload.clone()).or_default();
            assert_eq!(kept.len() as u64, head.offset, "it goes on where it stopped");
            state.fates.pop_front()
        });
        let mut passed = 0;
        loop {
            match &fate {
                Some(Fate::Ends(pieces, status)) if passed == *pieces => return Err(status.clone()),
                // The coordinator's verdict.
                Some(Fate::StandsStill(pieces)) if passed == *pieces => {
                    tokio::time::sleep(WINDOW).await;
                    return Err(Status::deadline_exceeded("expected at least 1 KiB/s over 1 s, got nothing"));
                }
                _ => {}
            }
            let Some(part) = parts.message().await? else { break };
            let Some(v1::put_request::Part::Chunk(chunk)) = part.part else { panic!("a second head") };
            assert!(chunk.len() <= PIECE);
            passed += 1;
            self.with(|state| {
                state.carried += chunk.len();
                state.unfinished.get_mut(&head.upload).unwrap().extend(chunk);
            });
        }
        self.with(|state| {
            let bytes = state.unfinished.remove(&head.upload).unwrap();
            if matches!(fate, Some(Fate::Damaged)) {
                return Err(Status::data_loss("those of another digest"));
            }
            assert_eq!(sha256(&bytes), head.digest);
            let size = bytes.len() as u64;
            state.artifacts.insert(head.digest, bytes);
            Ok(Response::new(v1::PutResponse { size }))
        })
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        let request = request.into_inner();
        let offset = usize::try_from(request.offset).unwrap();
        let (mut bytes, fate) = self.with(|state| {
            state.calls += 1;
            (state.artifacts[&request.digest][offset..].to_vec(), state.fates.pop_front())
        });
        if matches!(fate, Some(Fate::Damaged)) {
            bytes[0] ^= 1;
        }
        let (line, receiver) = mpsc::channel(1);
        let fake = self.clone();
        tokio::spawn(async move {
            for (passed, piece) in bytes.chunks(PIECE).enumerate() {
                match &fate {
                    Some(Fate::Ends(pieces, status)) if passed == *pieces => {
                        let _ = line.send(Err(status.clone())).await;
                        return;
                    }
                    Some(Fate::StandsStill(pieces)) if passed == *pieces => line.closed().await,
                    _ => {}
                }
                if line.send(Ok(v1::GetResponse { chunk: piece.to_vec() })).await.is_err() {
                    return;
                }
                fake.with(|state| state.carried += piece.len());
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// Whose patience with an absent coordinator is counted.
struct Somebody {
    patience: u32,
    done: u64,
}

impl Party for Somebody {
    async fn caller(&mut self) -> Caller {
        Caller::default()
    }

    fn away(&mut self, _: &Status) -> bool {
        self.patience -= 1;
        self.patience > 0
    }

    async fn unknown(&mut self) -> bool {
        false
    }

    fn refused(&mut self, _: &Status) -> bool {
        false
    }

    fn progress(&mut self, done: u64, of: u64) {
        assert!(done <= of);
        self.done = done;
    }
}

fn somebody() -> Somebody {
    Somebody { patience: 3, done: 0 }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Ten pieces and a bit.
fn bytes() -> Vec<u8> {
    (0..10 * PIECE as u32 + 77).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn broken() -> Status {
    Status::deadline_exceeded("too slow")
}

#[tokio::test]
async fn an_upload_that_breaks_again_and_again_sends_no_piece_twice() {
    let (fake, bytes) = (Fake::default(), bytes());
    // More breaks than tries in vain are allowed: each of them moved something.
    fake.with(|state| state.fates.extend((0..9).map(|_| Fate::Ends(1, broken()))));
    let mut somebody = somebody();
    let digest = fake.artifacts().put(&mut somebody, v1::ArtifactKind::Model, &bytes).await.unwrap();
    assert_eq!(somebody.done, bytes.len() as u64);
    fake.with(|state| {
        assert!(state.artifacts[&digest] == bytes);
        assert_eq!((state.carried, state.calls), (bytes.len(), 10));
    });
    fake.artifacts().put(&mut somebody, v1::ArtifactKind::Model, &bytes).await.unwrap();
    fake.with(|state| assert_eq!(state.calls, 10, "what is there is not sent"));
}

#[tokio::test]
async fn a_download_that_breaks_again_and_again_sends_no_piece_twice() {
    let (fake, bytes) = (Fake::default(), bytes());
    let digest = sha256(&bytes);
    fake.with(|state| {
        state.artifacts.insert(digest.clone(), bytes.clone());
        let ends = (0..9).map(|n| if n % 2 == 0 { Fate::Ends(1, broken()) } else { Fate::StandsStill(1) });
        state.fates.extend(ends);
    });
    let mut somebody = somebody();
    assert!(fake.artifacts().get(&mut somebody, &digest).await.unwrap() == bytes);
    assert_eq!(somebody.done, bytes.len() as u64);
    fake.with(|state| assert_eq!((state.carried, state.calls), (bytes.len(), 10)));
}

#[tokio::test]
async fn a_transfer_that_comes_to_nothing_is_given_up_with_the_cause() {
    let (fake, bytes) = (Fake::default(), bytes());
    let digest = sha256(&bytes);
    let never = || (0..20).map(|_| Fate::StandsStill(0));
    fake.with(|state| state.fates.extend(never()));
    let error = fake.artifacts().put(&mut somebody(), v1::ArtifactKind::Model, &bytes).await.unwrap_err().to_string();
    let said = "6 tries in a row brought next to nothing (0 of 655437 bytes are there); the last one: expected at least 1 \
                KiB/s over 1 s, got nothing";
    assert_eq!(error, said);
    fake.with(|state| {
        assert_eq!(state.calls, 6);
        state.artifacts.insert(digest.clone(), bytes);
        (state.fates, state.calls) = (never().collect(), 0);
    });
    let error = fake.artifacts().get(&mut somebody(), &digest).await.unwrap_err().to_string();
    assert!(error.starts_with("6 tries in a row brought next to nothing (0 of 655437 bytes"), "{error}");
    assert!(error.ends_with("expected at least 1 KiB/s over 1 s, got nothing"), "{error}");
    fake.with(|state| assert_eq!(state.calls, 6));
}

#[tokio::test]
async fn an_upload_that_is_driven_out_again_and_again_is_given_up_with_the_cause() {
    let (fake, bytes) = (Fake::default(), bytes());
    let crowded = || Status::aborted("too many uploads are unfinished here");
    fake.with(|state| state.fates.extend((0..20).map(|_| Fate::Ends(0, crowded()))));
    let error = fake.artifacts().put(&mut somebody(), v1::ArtifactKind::Model, &bytes).await.unwrap_err();
    assert!(matches!(error, TransferError::Stuck { .. }), "{error}");
    assert!(error.to_string().ends_with("the last one: too many uploads are unfinished here"), "{error}");
}

#[tokio::test]
async fn damaged_bytes_are_sent_anew_a_few_times() {
    let (fake, bytes) = (Fake::default(), bytes());
    let digest = sha256(&bytes);
    fake.with(|state| state.fates = [Fate::Damaged, Fate::Damaged].into());
    fake.artifacts().put(&mut somebody(), v1::ArtifactKind::Model, &bytes).await.unwrap();
    fake.with(|state| state.fates = [Fate::Damaged, Fate::Damaged].into());
    assert!(fake.artifacts().get(&mut somebody(), &digest).await.unwrap() == bytes);

    fake.with(|state| state.fates = (0..9).map(|_| Fate::Damaged).collect());
    let error = fake.artifacts().get(&mut somebody(), &digest).await.unwrap_err();
    assert!(matches!(error, TransferError::Damaged { times: 3, .. }), "{error}");
    fake.with(|state| state.artifacts.clear());
    let error = fake.artifacts().put(&mut somebody(), v1::ArtifactKind::Model, &bytes).await.unwrap_err();
    assert!(matches!(error, TransferError::Damaged { times: 3, .. }), "{error}");
}

#[tokio::test]
async fn an_absent_coordinator_is_asked_as_long_as_its_caller_wants() {
    let (fake, bytes) = (Fake::default(), bytes());
    fake.with(|state| state.away = 2);
    fake.artifacts().put(&mut somebody(), v1::ArtifactKind::Model, &bytes).await.unwrap();
    fake.with(|state| state.away = 3);
    let error = fake.artifacts().get(&mut somebody(), &sha256(&bytes)).await.unwrap_err();
    assert!(matches!(error, TransferError::Away(_)), "{error}");
    let error = fake.artifacts().get(&mut somebody(), &"0".repeat(64)).await.unwrap_err().to_string();
    assert_eq!(error, format!("no artifact {}", "0".repeat(64)));
}
