//! A worker that does as a test says, where a real one would be too well-behaved.

use besom_proto::{
    PROTOCOL_VERSION,
    v1::{
        AcquireRequest, CompleteRequest, Completion, Outcome, Peer, RegisterRequest, RegisterResponse,
        worker_service_client::WorkerServiceClient,
    },
};

/// Registers as `name`, takes up to `jobs` jobs and fails them for good with `error`.
pub(crate) fn fail_jobs(url: &str, name: &str, jobs: u32, error: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut client = WorkerServiceClient::connect(url.to_owned()).await.unwrap();
        let register = RegisterRequest {
            peer: Some(Peer { protocol: PROTOCOL_VERSION, build: "besom <i>0.0.0</i>".into() }),
            instance: "00000000-0000-4000-8000-000000000001".into(),
            name: name.into(),
            host: "host".into(),
            slots: jobs,
            trainers: [("mlp".to_owned(), besom_sweep::TRAINER_VERSION)].into(),
            device: "cpu".into(),
        };
        let RegisterResponse { worker, store, secret, .. } = client.register(register).await.unwrap().into_inner();
        let acquire = AcquireRequest {
            worker,
            request_id: "00000000-0000-4000-8000-000000000002".into(),
            free_slots: (0..jobs).collect(),
            wait_ms: 20_000,
            sweep: None,
            store: store.clone(),
            secret: secret.clone(),
        };
        let assigned = client.acquire(acquire).await.unwrap().into_inner().assignments;
        assert_eq!(assigned.len() as u32, jobs);
        let failed = assigned.into_iter().map(|assignment| Completion {
            attempt: assignment.attempt,
            outcome: Outcome::Failed.into(),
            error: error.into(),
            config_hash: assignment.config_hash,
            ..Completion::default()
        });
        client.complete(CompleteRequest { worker, jobs: failed.collect(), store, secret }).await.unwrap();
    });
}
