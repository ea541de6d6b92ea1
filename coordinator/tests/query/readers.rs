//! The role that readers log in as, where the coordinator may make it and where it may not.

use std::sync::Arc;

use besom_coordinator::{
    CoordinatorConfig,
    open::open,
    store::{
        StoreUrl,
        query::{Queries, Rights, VIEWS},
    },
};
use besom_proto::v1::cell::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tonic::Code;

use crate::{
    statements::{ask, change, question},
    support::Bench,
};

/// The URL of the same database for another role.
fn as_role(url: &str, role: &str) -> String {
    let (_, rest) = url.split_once('@').unwrap();
    format!("postgres://{role}:word@{rest}")
}

async fn database() -> (String, StoreUrl) {
    let url = besom_testkit::postgres::database().await.url;
    (url.clone(), StoreUrl::Postgres(url))
}

/// A coordinator whose own role may make no roles.
pub(crate) async fn bench_without_rights(reader: Option<String>) -> (Bench, String) {
    let (url, admin) = database().await;
    let role = format!("plain_{}", uuid::Uuid::now_v7().simple());
    change(&admin, &format!("CREATE ROLE {role} LOGIN PASSWORD 'word'; GRANT ALL ON SCHEMA public TO {role}")).await;
    let own = StoreUrl::Postgres(as_role(&url, &role));
    let queries = Queries::new(&own, Rights::OfAReader { url: reader });
    let config = CoordinatorConfig { queries: Some(Arc::new(queries)), ..CoordinatorConfig::default() };
    (Bench::at(own, tempfile::tempdir().unwrap(), config).await, url)
}

#[tokio::test]
async fn the_role_of_readers_selects_from_the_views_and_does_nothing_else() {
    let bench = Bench::on_postgres(CoordinatorConfig::default()).await;
    let clients = bench.clients();
    ask(&clients, question("SELECT count(*) FROM runs")).await.unwrap();
    let StoreUrl::Postgres(url) = &bench.url else { unreachable!("a store on Postgres") };
    let mut connection = PgConnection::connect(url).await.unwrap();
    let (password, identity): (String, String) =
        sqlx::query_as("SELECT password, identity FROM reader, store").fetch_one(&mut connection).await.unwrap();
    let role = format!("besom_reader_{}", &identity[..16]);
    let (_, rest) = url.split_once('@').unwrap();
    // Without the guard of the coordinator, as if it had missed something.
    let mut reader = PgConnection::connect(&format!("postgres://{role}:{password}@{rest}")).await.unwrap();
    for view in VIEWS {
        sqlx::raw_sql(AssertSqlSafe(format!("SELECT * FROM {view}"))).execute(&mut reader).await.unwrap();
    }
    for sql in [
        "SELECT * FROM workers",
        "SELECT * FROM reader",
        "SELECT query_to_xml('SELECT * FROM workers', true, false, '')",
        "SELECT set_config('role', 'none', true), query_to_xml('SELECT * FROM workers', true, false, '')",
        "SELECT set_config('role', 'besom', false)",
        "SET ROLE besom",
        "SET SESSION AUTHORIZATION besom",
        "CREATE TABLE mine (x int)",
        "INSERT INTO runs (job) VALUES (1)",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "SELECT * FROM pg_authid",
        "SELECT pg_reload_conf()",
        "SELECT pg_create_physical_replication_slot('besom_hostile', true)",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'besom' AND usename <> current_user",
    ] {
        let refused = sqlx::raw_sql(sql).execute(&mut reader).await;
        assert!(refused.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn several_coordinators_make_one_role() {
    let (_, url) = database().await;
    let opened = open(&url).await.unwrap();
    let all: Vec<Queries> = (0..6).map(|_| Queries::new(&url, Rights::OfAReader { url: None })).collect();
    for made in futures_util::future::join_all(all.iter().map(Queries::prepare)).await {
        made.unwrap();
    }
    opened.close().await;
}

#[tokio::test]
async fn without_a_role_a_statement_is_answered_with_the_sql_that_makes_it() {
    let (bench, admin) = bench_without_rights(None).await;
    let status = ask(&bench.clients(), question("SELECT count(*) FROM runs")).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("--reader-url"), "{status}");
    // The lines are what they say.
    let lines: Vec<&str> = status.message().lines().filter(|line| line.ends_with(';')).collect();
    assert_eq!(lines.len(), 3, "{status}");
    let role = lines[0].split_whitespace().nth(2).unwrap();
    let admin = StoreUrl::Postgres(admin);
    change(&admin, &lines.concat().replace("'...'", "'word'")).await;
    let StoreUrl::Postgres(own) = &bench.url else { unreachable!("a store on Postgres") };
    let reader = as_role(own, role);
    let queries = Queries::new(&bench.url, Rights::OfAReader { url: Some(reader) });
    let config = CoordinatorConfig { queries: Some(Arc::new(queries)), ..CoordinatorConfig::default() };
    let second = Bench::at(bench.url.clone(), tempfile::tempdir().unwrap(), config).await;
    let answer = ask(&second.clients(), question("SELECT count(*) FROM runs")).await.unwrap();
    assert_eq!(answer.rows[0][0], Some(Value::Integer(0)));
}

#[tokio::test]
async fn a_reader_that_may_do_more_is_refused() {
    let (url, store) = database().await;
    let opened = open(&store).await.unwrap();
    let refused = |role: String, says: &'static str| {
        let store = store.clone();
        async move {
            let error = Queries::new(&store, Rights::OfAReader { url: Some(role) }).prepare().await.unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    };
    refused(url.clone(), "is a superuser").await;
    let role = format!("curious_{}", uuid::Uuid::now_v7().simple());
    let grants = format!("CREATE ROLE {role} LOGIN PASSWORD 'word'; GRANT SELECT ON runs, workers TO {role}");
    change(&store, &grants).await;
    refused(as_role(&url, &role), "can also read workers").await;
    opened.close().await;
}
