//! Requests that are no messages.

use tonic::body::Body;
use tonic::codegen::http;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tower::{Service, ServiceExt};

use crate::support::{Bench, named};

/// Every call, by service.
const CALLS: [(&str, &[&str]); 3] = [
    ("WorkerService", &["Register", "Acquire", "Report", "Complete", "Release"]),
    (
        "SweepService",
        &[
            "CreateSweep",
            "GetSweep",
            "ListSweeps",
            "WatchSweep",
            "PauseSweep",
            "ResumeSweep",
            "CancelSweep",
            "ListWorkers",
        ],
    ),
    ("ArtifactService", &["Stat", "Put", "Get"]),
];

/// Calls with a body of these bytes; what the answer says.
async fn call(channel: &mut Channel, path: &str, body: Vec<u8>) -> Status {
    let body = Body::new(http_body_util::Full::from(body));
    let request = http::Request::post(format!("http://in-process/besom.v1.{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    let answer = channel.ready().await.unwrap().call(request).await.unwrap();
    Status::from_header_map(answer.headers()).unwrap_or_else(|| panic!("{path} was carried out"))
}

/// A message of a body: a flag, a length, bytes.
fn message(flag: u8, length: u32, bytes: &[u8]) -> Vec<u8> {
    [&[flag], &length.to_be_bytes()[..], bytes].concat()
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_an_invalid_argument_in_every_call() {
    let bench = Bench::new().await;
    let mut channel = bench.coordinator.connector().channel();
    let bodies = [
        ("an unknown kind of field", message(0, 1, &[0x0f])),
        ("a tag that does not end", message(0, 2, &[0xff, 0xff])),
        ("a field longer than the message", message(0, 3, &[0x0a, 0x7f, 0x61])),
        ("a flag for compression without one", message(1, 0, &[])),
        ("a flag that does not exist", message(9, 0, &[])),
        ("a message that is cut off", message(0, 100, b"abc")),
        ("a head that is cut off", vec![0, 0]),
    ];
    for (service, calls) in CALLS {
        for name in calls {
            for (what, body) in &bodies {
                let status = call(&mut channel, &format!("{service}/{name}"), body.clone()).await;
                assert_eq!(status.code(), Code::InvalidArgument, "{name}, {what}: {status}");
                assert!(status.message().contains("cannot be read ("), "{name}, {what}: {status}");
            }
            let status = call(&mut channel, &format!("{service}/{name}"), Vec::new()).await;
            assert_eq!(status.code(), Code::InvalidArgument, "{name} without a message: {status}");
            let status = call(&mut channel, &format!("{service}/{name}"), message(0, u32::MAX, b"abc")).await;
            assert_eq!(status.code(), Code::OutOfRange, "{name}, too large: {status}");
        }
    }
}

#[tokio::test]
async fn damage_of_the_store_is_not_taken_for_a_bad_request() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    clients.submit("grid", 1).await;
    let url = format!("sqlite:{}", bench.dir.path().join("besom.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("UPDATE sweeps SET dataset = 'no digest'").execute(&pool).await.unwrap();
    let status = clients.sweeps.get_sweep(named("grid")).await.unwrap_err();
    assert_eq!(status.code(), Code::DataLoss, "{status}");
    let status = clients.sweeps.pause_sweep(named("grid")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
}
