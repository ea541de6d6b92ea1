//! Over sockets, from other runtimes, and at the end.

use std::time::Duration;

use besom_coordinator::CoordinatorConfig;
use besom_proto::v1::sweep_service_client::SweepServiceClient;
use besom_proto::v1::{ListSweepsRequest, ListWorkersRequest};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ListServiceResponse, ServerReflectionRequest};

use crate::support::{Bench, LIMIT, named};

#[tokio::test]
async fn services_health_and_reflection_are_served_until_the_shutdown() {
    let bench = Bench::with(CoordinatorConfig { reflection: true, ..CoordinatorConfig::default() }).await;
    bench.clients().submit("grid", 1).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let client = async move {
        let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
        let mut health = HealthClient::new(channel.clone());
        for service in ["", "besom.v1.SweepService", "besom.v1.WorkerService", "besom.v1.ArtifactService"] {
            let request = HealthCheckRequest { service: service.to_owned() };
            assert_eq!(health.check(request).await.unwrap().into_inner().status(), ServingStatus::Serving);
        }
        let services = reflected(ServerReflectionClient::new(channel.clone())).await;
        assert!(services.contains(&"besom.v1.WorkerService".to_owned()), "{services:?}");

        let mut sweeps = SweepServiceClient::new(channel);
        let mut watch = sweeps.watch_sweep(named("grid")).await.unwrap().into_inner();
        watch.next().await.unwrap().unwrap();
        stop.cancel();
        let ends = watch.filter_map(Result::err).next().await.expect("the watch is told that the coordinator stops");
        assert_eq!(ends.code(), Code::Unavailable, "{ends}");
    };
    let both = async { tokio::join!(bench.coordinator.serve(listener, shutdown), client) };
    tokio::time::timeout(LIMIT, both).await.expect("serving ends").0.unwrap();
    // The coordinator itself goes on.
    bench.clients().sweeps.list_sweeps(ListSweepsRequest {}).await.unwrap();
}

async fn reflected(mut client: ServerReflectionClient<tonic::transport::Channel>) -> Vec<String> {
    let request = MessageRequest::ListServices(String::new());
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let answers = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap().into_inner();
    let answer = answers.map(Result::unwrap).next().await.unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(ListServiceResponse { service }) = answer else { panic!("{answer:?}") };
    service.into_iter().map(|service| service.name).collect()
}

#[tokio::test]
async fn more_calls_than_a_connection_may_have_are_refused_not_queued() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let worker = clients.register().await;
    let mut calls = JoinSet::new();
    for _ in 0..300 {
        let mut clients = clients.clone();
        let wish = worker.wish(vec![0], Duration::from_secs(20));
        calls.spawn(async move { clients.workers.acquire(wish).await });
    }
    // The calls that are taken wait for jobs; the first to be answered are those that are not.
    let first = tokio::time::timeout(LIMIT, calls.join_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(first.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn other_runtimes_of_the_process_connect_as_well() {
    let bench = Bench::new().await;
    let connector = bench.coordinator.connector();
    let elsewhere = tokio::task::spawn_blocking(move || {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut client = SweepServiceClient::new(connector.channel());
                client.list_workers(ListWorkersRequest::default()).await.unwrap().into_inner().workers.len()
            })
        })
        .join()
        .unwrap()
    });
    assert_eq!(tokio::time::timeout(LIMIT, elsewhere).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_stopped_coordinator_refuses_connections_and_ends_waiting_calls() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let worker = clients.register().await;
    let mut waiting = clients.clone();
    let waiting =
        tokio::spawn(async move { waiting.workers.acquire(worker.wish(vec![0], Duration::from_secs(20))).await });
    let connector = bench.coordinator.connector();
    tokio::time::timeout(LIMIT, bench.coordinator.stop()).await.expect("stopping ends");
    // Answered with nothing, or refused: as it came before or after the stop.
    if let Ok(answer) = tokio::time::timeout(LIMIT, waiting).await.unwrap().unwrap() {
        assert!(answer.into_inner().assignments.is_empty());
    }
    let mut late = SweepServiceClient::new(connector.channel());
    assert_eq!(late.list_sweeps(ListSweepsRequest {}).await.unwrap_err().code(), Code::Unavailable);
}
