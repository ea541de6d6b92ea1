//! Making, following and steering sweeps.

use besom_coordinator::store::{StoreUrl, query::query};
use besom_coordinator::{Coordinator, CoordinatorConfig};
use besom_proto::v1;
use besom_sweep::Cell;
use besom_testkit::eventually;
use tokio_stream::StreamExt;
use tonic::Code;

use crate::support::{Bench, Clients, LIMIT, grid, named, record, rows, sqlite, success};

#[tokio::test]
async fn a_plan_writes_nothing() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let request = v1::CreateSweepRequest {
        peer: Some(besom_proto::peer()),
        text: grid(150),
        name: "planned".to_owned(),
        validate_only: true,
        ..v1::CreateSweepRequest::default()
    };
    let answer = clients.sweeps.create_sweep(request).await.unwrap().into_inner();
    let plan = answer.plan.unwrap();
    assert_eq!((plan.name.as_str(), plan.points, plan.jobs), ("planned", 150, 150));
    assert_eq!((plan.first_points.len(), plan.swept), (100, vec!["learning_rate".to_owned()]));
    assert_eq!(answer.sweep, None);
    let sweeps = clients.sweeps.list_sweeps(v1::ListSweepsRequest {}).await.unwrap().into_inner().sweeps;
    assert_eq!(sweeps, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_plans_at_once_a_few_are_worked_out_some_wait_and_the_rest_are_told_so() {
    let bench = Bench::new().await;
    let clients = bench.clients();
    let list = |count: u32| (1..=count).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let text = format!(
        "{{method: grid, parameters: {{batch_size: {{values: [{}]}}, epochs: {{values: [{}]}}}}, besom: {{dataset: \
         {{source: 'builtin:sketches'}}}}}}",
        list(250),
        list(200)
    );
    let request = v1::CreateSweepRequest {
        peer: Some(besom_proto::peer()),
        text,
        name: "planned".to_owned(),
        validate_only: true,
        ..v1::CreateSweepRequest::default()
    };
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (mut sweeps, request) = (clients.sweeps.clone(), request.clone());
        calls.spawn(async move { sweeps.create_sweep(request).await });
    }
    let (mut planned, mut refused) = (0, 0);
    for answer in calls.join_all().await {
        match answer {
            Ok(answer) => {
                assert_eq!(answer.into_inner().plan.unwrap().points, 50_000);
                planned += 1;
            }
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted);
                assert!(status.message().contains("many other sweeps; try again"), "{}", status.message());
                refused += 1;
            }
        }
    }
    assert!(planned >= 2 && refused >= 1, "{planned} planned, {refused} refused");
}

#[tokio::test]
async fn the_same_file_again_is_the_same_sweep_and_another_file_is_refused() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let request = clients.request("grid", &grid(3)).await;
    let first = clients.sweeps.create_sweep(request.clone()).await.unwrap().into_inner();
    let again = clients.sweeps.create_sweep(request.clone()).await.unwrap().into_inner();
    assert!(first.created && !again.created);
    assert_eq!(first.sweep, again.sweep);
    assert_eq!(first.sweep.unwrap().jobs_created, 3);

    let other = clients.request("grid", &grid(4)).await;
    let error = clients.sweeps.create_sweep(other.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::AlreadyExists);
    assert!(error.message().contains("--name"), "{}", error.message());
    // What differs is told, for the person who changed it.
    let (_, differs) = error.message().split_once("\n  parameters.learning_rate: ").unwrap();
    assert!(differs.contains(" -> ") && !differs.contains('\n'), "{}", error.message());
    let renamed = v1::CreateSweepRequest { name_override: "grid-2".to_owned(), ..other };
    assert!(clients.sweeps.create_sweep(renamed).await.unwrap().into_inner().created);
}

#[tokio::test]
async fn a_source_that_not_every_database_can_store_is_refused() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let text = grid(1).replace("'builtin:sketches'", r#""a\0b.npz""#);
    let request = clients.request("grid", &text).await;
    let error = clients.sweeps.create_sweep(request).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::InvalidArgument, "besom.dataset.source: contains a NUL character")
    );
}

#[tokio::test]
async fn the_names_in_the_order_of_their_weight_are_override_file_and_stem() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let text = format!("name: of-the-file\n{}", grid(1));
    let mut planned = async |text: &str, name_override: &str| {
        let request = v1::CreateSweepRequest {
            name_override: name_override.to_owned(),
            validate_only: true,
            ..clients.request("stem", text).await
        };
        clients.sweeps.create_sweep(request).await.map(|answer| answer.into_inner().plan.unwrap().name)
    };
    assert_eq!(planned(&grid(1), "").await.unwrap(), "stem");
    assert_eq!(planned(&text, "").await.unwrap(), "of-the-file");
    assert_eq!(planned(&text, "override").await.unwrap(), "override");
    let error = planned(&text, "17").await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().starts_with("name_override: must not be a number"), "{}", error.message());
}

#[tokio::test]
async fn what_cannot_be_a_sweep_is_refused_before_anything_is_written() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let good = clients.request("grid", &grid(3)).await;
    let text = grid(3).replace("learning_rate", "learning_rat");
    let dataset = |digest: &str| Some(v1::DatasetRef { digest: digest.to_owned(), ..v1::DatasetRef::default() });
    let cases = [
        (v1::CreateSweepRequest { peer: None, ..good.clone() }, Code::InvalidArgument, "peer: missing"),
        (
            v1::CreateSweepRequest { peer: Some(v1::Peer { protocol: 9, build: "b".into() }), ..good.clone() },
            Code::FailedPrecondition,
            "peer: b speaks protocol 9",
        ),
        (v1::CreateSweepRequest { text, ..good.clone() }, Code::InvalidArgument, "line 3: "),
        (
            v1::CreateSweepRequest { engine: "steam".into(), ..good.clone() },
            Code::InvalidArgument,
            "engine: unknown engine steam",
        ),
        (v1::CreateSweepRequest { dataset: None, ..good.clone() }, Code::InvalidArgument, "dataset: missing"),
        (
            v1::CreateSweepRequest { dataset: dataset("abc"), ..good.clone() },
            Code::InvalidArgument,
            "dataset.digest: not a SHA-256",
        ),
        (
            v1::CreateSweepRequest { dataset: dataset(&"0".repeat(64)), ..good },
            Code::FailedPrecondition,
            "dataset: no artifact 0000",
        ),
    ];
    for (request, code, message) in cases {
        let error = clients.sweeps.create_sweep(request).await.unwrap_err();
        assert_eq!(error.code(), code, "{message}");
        assert!(error.message().starts_with(message), "{} for {message}", error.message());
    }
    assert_eq!(bench.opened.store.list_sweeps().await.unwrap(), []);
}

#[tokio::test]
async fn one_row_per_point_although_the_first_coordinator_stops_before_all_jobs_are_created() {
    let (opened, dir) = sqlite().await;
    // Without an expander only the first batch is written.
    let stopped = Coordinator::read_only(opened.store.clone(), opened.artifacts.clone(), None);
    let mut clients = Clients::of(&stopped.connector());
    let sweep = clients.submit("large", 12_000).await;
    assert_eq!((sweep.jobs_created, sweep.jobs_total), (5_000, 12_000));
    let worker = clients.register().await;
    assert_eq!(clients.acquire(worker, vec![0]).await.assignments.len(), 1, "the first job need not wait for the last");
    stopped.stop().await;

    let store = opened.store.clone();
    let config = CoordinatorConfig::default();
    let one = Coordinator::start(store.clone(), opened.artifacts.clone(), config.clone()).unwrap();
    let _two = Coordinator::start(store, opened.artifacts.clone(), config).unwrap();
    let mut clients = Clients::of(&one.connector());
    eventually("all jobs created", LIMIT, async || clients.sweep("large").await.jobs_created == 12_000).await;

    let sql = "SELECT count(*), count(DISTINCT learning_rate) FROM runs WHERE sweep = 'large'";
    let counted = query(&StoreUrl::Sqlite(dir.path().join("besom.db")), sql).await.unwrap().rows;
    assert_eq!(counted, [[Cell::Integer(12_000), Cell::Integer(12_000)]]);
}

#[tokio::test]
async fn a_watch_ends_when_the_sweep_does() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    clients.submit("grid", 1).await;
    let mut watch = clients.sweeps.watch_sweep(named("grid")).await.unwrap().into_inner();
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!(first.sweep.unwrap().state(), v1::SweepState::Active);

    let worker = clients.register().await;
    let attempt = clients.acquire_one(worker).await;
    assert_eq!(clients.complete(worker, success(attempt)).await, v1::Result::Accepted);
    let rest: Vec<_> = tokio::time::timeout(LIMIT, watch.collect()).await.expect("the watch ends");
    let last = rest.into_iter().next_back().unwrap().unwrap();
    assert_eq!(last.sweep.unwrap().state(), v1::SweepState::Completed);
    assert_eq!((last.epochs_done, last.epochs_total), (2, 2));
    assert_eq!(last.best.unwrap().objective, 0.5);
}

#[tokio::test]
async fn what_workers_reported_is_read_in_sql() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    clients.submit("grid", 3).await;
    let importance = "SELECT parameter, second_parameter, value, cells, cells_total FROM importance";
    assert!(rows(&clients, importance).await.is_empty());
    let worker = clients.register().await;
    let mut attempts = Vec::new();
    for _ in 0..2 {
        let attempt = clients.acquire_one(worker).await;
        clients.complete(worker, success(attempt)).await;
        attempts.push(attempt);
    }
    let [first, second] = [0, 1].map(|n: usize| integer(attempts[n].job));
    let history =
        "SELECT job, epoch, loss, val_accuracy, seconds FROM history WHERE sweep = 'grid' ORDER BY job, epoch";
    let record = |job: &Cell, epoch: i64| {
        let told = record(epoch as u32);
        let [loss, accuracy] = ["loss", "val_accuracy"].map(|name| Cell::Float(told.metrics[name]));
        vec![job.clone(), integer(epoch), loss, accuracy, Cell::Float(told.seconds.unwrap())]
    };
    let expected = [record(&first, 1), record(&first, 2), record(&second, 1), record(&second, 2)];
    assert_eq!(rows(&clients, history).await, expected);
    let outcomes = "SELECT job, outcome FROM attempts WHERE sweep = 'grid' ORDER BY job, attempt";
    let succeeded = || Cell::Text("succeeded".to_owned());
    assert_eq!(rows(&clients, outcomes).await, [[first.clone(), succeeded()], [second.clone(), succeeded()]]);
    let pairs = "SELECT job, count(*) FROM confusion WHERE sweep = 'grid' GROUP BY job ORDER BY job";
    assert_eq!(rows(&clients, pairs).await, [[first.clone(), integer(3)], [second, integer(3)]]);

    let configs = "SELECT job, n, diverged, failed, mean_seconds, mean, final_val_accuracy_mean, length(config_hash),
                          learning_rate
                   FROM config_stats WHERE sweep = 'grid' ORDER BY job LIMIT 1";
    let [half, rate] = [0.5, 0.00001].map(Cell::Float);
    let expected = [first, integer(1), integer(0), integer(0), Cell::Float(1.5), half.clone(), half, integer(64), rate];
    assert_eq!(rows(&clients, configs).await, [expected]);

    // Right after the last run, whoever asks for it finds importance that counts all runs.
    let last = clients.acquire_one(worker).await;
    clients.complete(worker, success(last)).await;
    // All three cells are equal: there is no variance to share out.
    let rate = [Cell::Text("learning_rate".to_owned()), Cell::Null, Cell::Float(0.0), integer(3), integer(3)];
    assert_eq!(rows(&clients, importance).await, [rate]);
}

fn integer(value: i64) -> Cell {
    Cell::Integer(value)
}

#[tokio::test]
async fn an_unknown_sweep_is_not_found_in_every_call() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let errors = [
        clients.sweeps.get_sweep(named("x")).await.unwrap_err(),
        clients.sweeps.pause_sweep(named("x")).await.unwrap_err(),
        clients.sweeps.watch_sweep(named("x")).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.code(), Code::NotFound, "{}", error.message());
    }
}
