//! A server that stops, with peers that say nothing.

use std::time::Duration;

use besom_proto::v1;
use besom_proto::v1::artifact_service_client::ArtifactServiceClient;
use besom_proto::v1::sweep_service_client::SweepServiceClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use crate::support::{Bench, LIMIT, sha256, upload};

/// Half of what open calls are given: without any, stopping takes far less.
const SOON: Duration = Duration::from_secs(5);

/// The preface of HTTP/2 with empty settings, and nothing after it.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A peer that connects and sends so much, once the server has accepted it: the server speaks
/// first.
async fn peer(address: &str, says: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.read_u8().await.unwrap();
    stream.write_all(says).await.unwrap();
    stream
}

async fn channel(address: &str) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// Returns when the server has closed the connection.
async fn closed(mut stream: TcpStream) {
    // The server may reset what it did not read to its end.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn a_stop_waits_for_no_peer_without_an_open_call() {
    let bench = Bench::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let shutdown = CancellationToken::new();
    let peers = async {
        let mut silent = Vec::new();
        for says in [&b""[..], b"PRI * HTT", PREFACE] {
            silent.push(peer(&address, says).await);
        }
        // One that called, and is not polled any more: it answers no goodbye.
        let idle = channel(&address).await;
        SweepServiceClient::new(idle.clone()).list_sweeps(v1::ListSweepsRequest {}).await.unwrap();
        shutdown.cancel();
        for stream in silent {
            closed(stream).await;
        }
        idle
    };
    let all = async { tokio::join!(bench.coordinator.serve(listener, shutdown.clone()), peers) };
    tokio::time::timeout(SOON, all).await.expect("the server stops without waiting for them").0.unwrap();
}

#[tokio::test]
async fn a_stop_closes_silent_peers_while_an_open_call_gets_its_time() {
    let bench = Bench::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let shutdown = CancellationToken::new();
    let talk = async {
        let silent = peer(&address, PREFACE).await;
        let bytes = vec![7; 3 << 20];
        let mut parts = upload(&sha256(&bytes), &bytes, v1::ArtifactKind::Model).into_iter();
        let (sender, receiver) = mpsc::channel(1);
        let mut artifacts = ArtifactServiceClient::new(channel(&address).await);
        let call = tokio::spawn(async move { artifacts.put(ReceiverStream::new(receiver)).await });
        // What was taken in so far shows that the call is open on the server: it has given out more
        // room for bytes.
        for part in parts.by_ref().take(3) {
            sender.send(part).await.unwrap();
        }
        shutdown.cancel();
        tokio::time::timeout(SOON, closed(silent)).await.expect("the silent peer is not waited for");
        for part in parts {
            sender.send(part).await.unwrap();
        }
        drop(sender);
        let stored = call.await.unwrap().expect("the upload is finished").into_inner();
        assert_eq!(stored.size, 3 << 20);
    };
    let all = async { tokio::join!(bench.coordinator.serve(listener, shutdown.clone()), talk) };
    tokio::time::timeout(LIMIT, all).await.expect("the server stops after the call").0.unwrap();
}
