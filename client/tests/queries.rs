//! Results in parts, from a coordinator whose bound on rows is met all the time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use besom_client::queries::{JobLength, OfJob, Paging, Parts, Queries, QueryError};
use besom_proto::v1::{
    self,
    cell::Value,
    query_service_server::{QueryService, QueryServiceServer},
};
use hyper_util::rt::TokioIo;
use tokio::{io::DuplexStream, sync::mpsc};
use tokio_stream::{Iter, wrappers::UnboundedReceiverStream};
use tonic::{
    Request, Response, Status,
    transport::{Endpoint, Server},
};

/// Rows of an answer, at most.
const MOST: usize = 40;

/// A coordinator that knows the steps of some jobs, and a few statements.
#[derive(Clone, Default)]
struct Fake {
    jobs: BTreeMap<i64, Vec<i64>>,
    asked: Arc<Mutex<Vec<usize>>>,
}

impl Fake {
    fn of(jobs: impl IntoIterator<Item = (i64, Vec<i64>)>) -> Self {
        Self { jobs: jobs.into_iter().collect(), ..Self::default() }
    }

    fn queries(&self) -> Queries {
        let (pipes, incoming) = mpsc::unbounded_channel::<std::io::Result<DuplexStream>>();
        let server = Server::builder().add_service(QueryServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(UnboundedReceiverStream::new(incoming)));
        let connector = tower::service_fn(move |_uri| {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let sent = pipes.send(Ok(far)).map_err(std::io::Error::other);
            async move { sent.map(|()| TokioIo::new(near)) }
        });
        Queries::new(Endpoint::from_static("http://fake.invalid").connect_with_connector_lazy(connector))
    }

    fn rows(&self, statement: &str, values: &[i64]) -> Vec<Vec<i64>> {
        let steps = |job: i64| self.jobs.get(&job).into_iter().flatten().map(move |&step| vec![job, step]);
        match (statement, values) {
            ("jobs", &[_, after, most]) => {
                self.jobs.range(after + 1..).take(most as usize).map(|(&job, _)| vec![job, 0]).collect()
            }
            ("several", &[_, after, to]) => (after + 1..=to).flat_map(steps).collect(),
            ("one", &[_, job, after, to]) => steps(job).filter(|row| row[1] > after && row[1] <= to).collect(),
            other => panic!("{other:?}"),
        }
    }
}

#[tonic::async_trait]
impl QueryService for Fake {
    type QueryStream = Iter<std::vec::IntoIter<Result<v1::QueryBatch, Status>>>;

    async fn query(&self, request: Request<v1::QueryRequest>) -> Result<Response<Self::QueryStream>, Status> {
        let v1::QueryRequest { statement, parameters, .. } = request.into_inner();
        let values: Vec<i64> = parameters
            .iter()
            .map(|cell| match cell.value {
                Some(Value::Integer(value)) => value,
                _ => panic!("{cell:?}"),
            })
            .collect();
        let (names, rows) = match statement.as_str() {
            "steps" => {
                let steps = &self.jobs[&values[1]];
                let ends = [steps.len() as i64, *steps.first().unwrap(), *steps.last().unwrap()];
                (vec!["records", "first", "last"], vec![ends.to_vec()])
            }
            _ => (vec!["job", "step"], self.rows(&statement, &values)),
        };
        self.asked.lock().unwrap().push(rows.len());
        if rows.len() > MOST {
            return Err(Status::resource_exhausted("the result has more than 40 rows, which is the bound"));
        }
        let column = |name: &str| v1::Column { name: name.to_owned(), r#type: v1::CellType::Integer.into() };
        let cell = |value| v1::Cell { value: Some(Value::Integer(value)) };
        let row = |row: Vec<i64>| v1::Row { cells: row.into_iter().map(cell).collect() };
        let batch = v1::QueryBatch {
            columns: names.into_iter().map(column).collect(),
            rows: rows.into_iter().map(row).collect(),
        };
        Ok(Response::new(tokio_stream::iter(vec![Ok(batch)])))
    }
}

#[tokio::test]
async fn a_page_that_meets_a_bound_is_asked_for_in_smaller_ones_and_no_row_is_lost() {
    let fake = Fake::of((1..=300).map(|job| (3 * job, vec![])));
    let queries = fake.queries();
    let jobs = |paging: Paging| {
        let pages = queries.pages(paging);
        async move {
            let table = pages.all().await.unwrap();
            table.iter().map(|row| row.integer("job").unwrap()).collect::<Vec<_>>()
        }
    };
    let all: Vec<i64> = (1..=300).map(|job| 3 * job).collect();
    assert_eq!(jobs(Paging::of_jobs("jobs", 1)).await, all);
    assert_eq!(jobs(Paging { after: 90, most: 50, ..Paging::of_jobs("jobs", 1) }).await, all[30..80]);
    assert!(fake.asked.lock().unwrap().len() < 60, "{:?}", fake.asked);
    // The columns are told also where there are no rows.
    let mut none = queries.pages(Paging { after: 900, ..Paging::of_jobs("jobs", 1) });
    assert_eq!(none.next().await.unwrap().unwrap().columns.len(), 2);
    assert!(none.next().await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_said_of_the_length_of_jobs_may_be_wrong() {
    let dense = |count: i64| (1..=count).collect::<Vec<_>>();
    // One with gaps, and one far behind all others.
    let gaps = (0..200).map(|n| n * 1_000).chain([i64::MAX]).collect::<Vec<_>>();
    let fake = Fake::of([(2, dense(10)), (3, dense(500)), (5, vec![]), (6, gaps), (9, dense(30))]);
    let said = [(2, 10), (3, 10), (5, 1), (6, u64::MAX), (9, 0)].map(|(job, rows)| JobLength { job, rows });
    let of_job = OfJob { steps: "steps", rows: "one" };
    let mut parts = Parts::new(&fake.queries(), "several", Some(of_job), 1, said);
    let mut found: BTreeMap<i64, Vec<i64>> = [(5, vec![])].into();
    while let Some(part) = parts.next().await.unwrap() {
        for row in part.iter() {
            found.entry(row.integer("job").unwrap()).or_default().push(row.integer("step").unwrap());
        }
    }
    assert_eq!(found, fake.jobs);
    // Without a statement on one job there is nothing smaller to ask for.
    let mut parts = Parts::new(&fake.queries(), "several", None, 1, said);
    let error = loop {
        match parts.next().await {
            Ok(part) => assert!(part.is_some(), "job 3 is too long"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, QueryError::Bound(_)), "{error}");
}
