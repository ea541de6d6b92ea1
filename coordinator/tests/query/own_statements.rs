//! The statements of besom's own commands: they run on both databases, with the same answers, and
//! on Postgres also where there is no role for readers.

use besom_sweep::{Cell, Table, statements};
use tonic::Code;

use crate::{
    readers::bench_without_rights,
    sql_support::{
        self, SWEEP,
        asking::{asking, question_with},
    },
    statements::{ask, question},
};

/// The values that a statement takes on the filled store, and how many rows it gives there.
fn asked(statement: &str) -> (Vec<Cell>, usize) {
    let (sweep, id) = (|| Cell::from(SWEEP), || Cell::Integer(1));
    let numbers = |numbers: &[i64]| numbers.iter().map(|&number| Cell::Integer(number)).collect::<Vec<_>>();
    match statement {
        statements::RUNS | statements::POINTS | statements::LENGTHS => (numbers(&[1, 10, 20]), 14),
        statements::FIRST_JOB => (vec![id()], 1),
        statements::RUNS_IN_STATE => ([numbers(&[1, 0, 20]), vec!["failed".into()]].concat(), 1),
        statements::RUNS_UNRANKED => (numbers(&[1, 0, 20]), 2),
        statements::RUN => (numbers(&[1, 7]), 1),
        statements::BEST_RUNS => (vec![sweep(), Cell::Integer(5)], 5),
        statements::HISTORY | statements::CURVES => ([vec![sweep()], numbers(&[20, 23])].concat(), 13),
        statements::HISTORY_OF_JOB | statements::CURVES_OF_JOB => ([vec![sweep()], numbers(&[1, 2, 4])].concat(), 2),
        statements::STEPS_OF_JOB => (vec![sweep(), Cell::Integer(1)], 1),
        statements::ATTEMPTS => (numbers(&[1, 3, 5]), 3),
        statements::ATTEMPTS_OF_JOB => (numbers(&[1, 5]), 2),
        statements::CONFIGS => (numbers(&[1, 2, 20]), 6),
        statements::CONFIGS_HIGHEST | statements::CONFIGS_LOWEST => (numbers(&[1, 3]), 3),
        statements::IMPORTANCE => (vec![id()], 6),
        statements::CONFUSION => (numbers(&[1, 3, 0, 2]), 5),
        statements::CLASSES => (numbers(&[1, 3]), 3),
        other => panic!("say what is asked with {other}"),
    }
}

async fn answers(filled: sql_support::Filled) -> Vec<Table> {
    let asking = asking(&filled);
    let mut answers = Vec::new();
    for statement in statements::ALL {
        let (parameters, rows) = asked(statement);
        let mut answer =
            asking.ask_with(statement, parameters).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        assert_eq!(answer.rows.len(), rows, "{statement}");
        if !statement.contains("ORDER BY") {
            answer.rows.sort_by_key(|row| format!("{row:?}"));
        }
        answers.push(answer);
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_statements_of_the_commands_give_the_same_on_both_databases() {
    let sqlite = answers(sql_support::sqlite().await).await;
    let postgres = answers(sql_support::postgres().await).await;
    for ((statement, sqlite), postgres) in statements::ALL.iter().zip(sqlite).zip(postgres) {
        assert_eq!(sqlite, postgres, "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_statements_of_the_commands_need_no_role_for_readers() {
    let (bench, _) = bench_without_rights(None).await;
    let mut clients = bench.clients();
    clients.submit(SWEEP, 60).await;
    for statement in statements::ALL {
        let answer = ask(&clients, question_with(statement, asked(statement).0)).await;
        answer.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    // Another spelling is another statement.
    for other in [statements::RUN.to_lowercase(), format!("{} ", statements::RUN), "SELECT 1".to_owned()] {
        let refused = ask(&clients, question(&other)).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{other}: {refused}");
    }
}
