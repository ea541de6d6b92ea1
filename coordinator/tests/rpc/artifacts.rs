//! Bytes in and out.

use besom_proto::v1;
use besom_proto::v1::put_request::Part;
use tokio_stream::StreamExt;
use tonic::{Code, Status};

use crate::support::{Bench, Clients, sha256, upload};

/// Three chunks and a bit.
fn bytes() -> Vec<u8> {
    (0..3_200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

async fn put(clients: &mut Clients, parts: Vec<v1::PutRequest>) -> Result<u64, Status> {
    clients.artifacts.put(tokio_stream::iter(parts)).await.map(|answer| answer.into_inner().size)
}

async fn present(clients: &mut Clients, digest: &str) -> bool {
    let request = v1::StatRequest { digest: digest.to_owned(), ..v1::StatRequest::default() };
    clients.artifacts.stat(request).await.unwrap().into_inner().present
}

#[tokio::test]
async fn what_is_put_can_be_got_and_putting_it_again_is_fine() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let bytes = bytes();
    let digest = sha256(&bytes);
    assert!(!present(&mut clients, &digest).await);
    for _ in 0..3 {
        let parts = upload(&digest, &bytes, v1::ArtifactKind::Dataset);
        assert_eq!(put(&mut clients, parts).await.unwrap(), 3_200_000);
    }
    assert!(present(&mut clients, &digest).await);
    let request = v1::GetRequest { digest, ..v1::GetRequest::default() };
    let chunks = clients.artifacts.get(request).await.unwrap().into_inner();
    let chunks: Vec<_> = chunks.map(|part| part.unwrap().chunk).collect().await;
    assert!(chunks.iter().all(|chunk| chunk.len() <= 64 << 10));
    assert!(chunks.concat() == bytes, "the same bytes come back");
}

#[tokio::test]
async fn a_wrong_upload_is_refused_and_leaves_nothing() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let bytes = bytes();
    let digest = sha256(&bytes);
    let good = upload(&digest, &bytes, v1::ArtifactKind::Model);
    let part = |part| v1::PutRequest { part: Some(part) };
    let head =
        |size, kind| part(Part::Head(v1::PutHead { digest: digest.clone(), size, kind, ..v1::PutHead::default() }));
    let beyond = v1::PutHead { digest: digest.clone(), size: 5, kind: 2, offset: 6, ..v1::PutHead::default() };
    let mut corrupt = good.clone();
    corrupt[2] = part(Part::Chunk(vec![0; 1 << 20]));
    for damaged in [corrupt, good[..3].to_vec()] {
        let error = put(&mut clients, damaged).await.unwrap_err();
        assert_eq!(error.code(), Code::DataLoss, "{error}: sent again, they may arrive right");
        assert!(error.message().starts_with(&format!("artifact {digest}: ")), "{error}");
        assert!(!present(&mut clients, &digest).await);
    }
    let cases = [
        (vec![part(Part::Head(beyond))], "head.offset: 6; at most the size of 5".to_owned()),
        ([&good[..], &good[1..2]].concat(), "chunk: more bytes than the 3200000".to_owned()),
        (good[1..].to_vec(), "head: missing".to_owned()),
        ([&good[..2], &good[..1]].concat(), "head: comes once, first".to_owned()),
        (vec![head(5 << 30, v1::ArtifactKind::Model as i32)], "head.size: 5368709120 bytes".to_owned()),
        (vec![head(1, 0)], "head.kind: missing".to_owned()),
        (vec![head(1, 9)], "head.kind: unknown value 9".to_owned()),
        (vec![good[0].clone(), part(Part::Chunk(vec![0; 3 << 20]))], "chunk: 3145728 bytes".to_owned()),
    ];
    for (parts, message) in cases {
        let error = put(&mut clients, parts).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{message}: {error}");
        assert!(error.message().starts_with(&message), "{} for {message}", error.message());
        assert!(!present(&mut clients, &digest).await, "{message}");
    }
    assert_eq!(put(&mut clients, good).await.unwrap(), 3_200_000);
}

#[tokio::test]
async fn damage_in_storage_is_told_apart_from_an_unknown_artifact() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let bytes = bytes();
    let digest = clients.put(&bytes, v1::ArtifactKind::Model).await;
    let file = bench.dir.path().join("artifacts").join(&digest[..2]).join(&digest);
    let mut damaged = bytes;
    damaged[1_000_000] ^= 1;
    std::fs::write(file, damaged).unwrap();
    let parts =
        clients.artifacts.get(v1::GetRequest { digest, ..v1::GetRequest::default() }).await.unwrap().into_inner();
    let parts: Vec<_> = parts.collect().await;
    assert_eq!(parts.last().unwrap().as_ref().unwrap_err().code(), Code::DataLoss);

    let unknown = v1::GetRequest { digest: "0".repeat(64), ..v1::GetRequest::default() };
    assert_eq!(clients.artifacts.get(unknown).await.unwrap_err().code(), Code::NotFound);
    let path = v1::GetRequest { digest: "../../etc/passwd".to_owned(), ..v1::GetRequest::default() };
    assert_eq!(clients.artifacts.get(path).await.unwrap_err().code(), Code::InvalidArgument);
}
