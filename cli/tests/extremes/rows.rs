//! The odd rows: what the types and constraints of the tables admit, written over what besom
//! trained.

use crate::world::World;

/// Jobs of the sweep `odd`: more than all odd values together, so that some stay as they were
/// trained.
pub(crate) const JOBS: usize = 20;

/// A sweep of two hyperparameters, whose values make a heat map.
pub(crate) const ODD: &str = "name: odd
method: grid
parameters:
  learning_rate: {values: [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1]}
  dropout: {values: [0.0, 0.1]}
  epochs: {value: 1}
  batch_size: {value: 32}
besom:
  dataset: {source: 'builtin:sketches', samples: 300}
  model: {hidden: [4]}
";

/// The largest, the smallest, the least, both zeros, and where the database has them what is no
/// number.
const REALS: [f64; 8] = [f64::MAX, f64::MIN, 5e-324, -0.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
const INTEGERS: [i64; 6] = [i64::MAX, i64::MIN, 0, -1, 1 << 32, i64::MAX];

/// The job with this place in its sweep.
fn job(sweep: &str, place: usize) -> String {
    format!("(SELECT min(id) + {place} FROM jobs WHERE sweep_id = (SELECT id FROM sweeps WHERE name = '{sweep}'))")
}

fn set(columns: &[&str], value: &str) -> String {
    columns.iter().map(|column| format!("{column} = {value}")).collect::<Vec<_>>().join(", ")
}

/// Texts of 64 KiB: one word, many words, and what steers a terminal or looks like markup.
pub(crate) fn texts() -> [String; 4] {
    let repeated = |part: &str| part.repeat((1 << 16) / part.len() + 1).chars().take(1 << 16).collect::<String>();
    [String::new(), repeated("x"), repeated("many words "), repeated("<b>\u{1b}[31m$&\u{202e}")]
}

/// Writes odd numbers and texts over the jobs of `odd`, a different one into each; the last ones
/// stay as they were.
pub(crate) fn odd_jobs(world: &World) {
    let mut place = 0;
    for value in REALS {
        let Some(real) = world.real(value) else { continue };
        let job = job("odd", place);
        let columns = [
            "objective",
            "score",
            "final_loss",
            "final_accuracy",
            "final_val_loss",
            "final_val_accuracy",
            "best_val_loss",
            "best_val_accuracy",
            "epoch_seconds",
            "seconds",
            "learning_rate",
            "dropout",
        ];
        world.execute(&format!("UPDATE jobs SET {} WHERE id = {job}", set(&columns, &real)));
        let columns = ["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"];
        world.execute(&format!("UPDATE epochs SET {} WHERE job_id = {job}", set(&columns, &real)));
        let columns = [
            "final_mean",
            "final_std",
            "final_low",
            "final_high",
            "best_mean",
            "best_std",
            "best_low",
            "best_high",
            "mean_seconds",
            "mean",
            "std",
            "low",
            "high",
        ];
        world.execute(&format!("UPDATE config_sums SET {} WHERE job_id = {job}", set(&columns, &real)));
        world.execute(&format!("UPDATE importances SET value = {real} WHERE place = {}", place + 1));
        if value.is_finite() {
            // A value of a hyperparameter of its own, so that axes have to hold it.
            let params = format!("{{\"learning_rate\":{value:?},\"dropout\":0.1,\"epochs\":1}}");
            world.execute(&format!("UPDATE jobs SET params = '{params}' WHERE id = {job}"));
        }
        place += 1;
    }
    for integer in INTEGERS {
        let job = job("odd", place);
        let integer = if integer == i64::MIN && !world.is_sqlite() {
            format!("'{integer}'::bigint")
        } else {
            integer.to_string()
        };
        let columns = [
            "batch_size",
            "epochs",
            "slot",
            "failures",
            "lost_attempts",
            "hindrances",
            "best_epoch",
            "epochs_done",
            "seed",
            "not_before",
            "started_at",
            "ended_at",
        ];
        world.execute(&format!("UPDATE jobs SET {} WHERE id = {job}", set(&columns, &integer)));
        let columns = ["slot", "started_at", "ended_at"];
        world.execute(&format!("UPDATE job_attempts SET {} WHERE job_id = {job}", set(&columns, &integer)));
        let columns = ["support", "predicted", "correct"];
        world.execute(&format!("UPDATE class_counts SET {} WHERE job_id = {job}", set(&columns, &integer)));
        place += 1;
    }
    for text in texts() {
        let job = job("odd", place);
        let (job, text) = (&job, text.replace('\'', "''"));
        let columns = ["trainer", "engine", "device", "optimizer", "hidden", "activation", "error"];
        world.execute(&format!("UPDATE jobs SET {} WHERE id = {job}", set(&columns, &format!("'{text}'"))));
        world.execute(&format!("UPDATE job_attempts SET error = '{text}', outcome = 'failed' WHERE job_id = {job}"));
        let json = serde_json::json!({"learning_rate": text, "dropout": 0.1, &text: [text]}).to_string();
        world.execute(&format!("UPDATE jobs SET params = '{json}' WHERE id = {job}"));
        world.execute(&format!(
            "UPDATE epochs SET metrics = '{{\"{}\":1}}' WHERE job_id = {job}",
            text.replace(char::is_control, "")
        ));
        place += 1;
    }
    assert!(place < JOBS, "some jobs stay as they were");
    // An attempt and an epoch with the largest numbers.
    let last = job("odd", place);
    world.execute(&format!(
        "INSERT INTO job_attempts (job_id, attempt, worker_id, slot, request_id, started_at, ended_at, outcome, error) \
         SELECT {last}, {max}, worker_id, {max}, 'odd', {max}, {max}, 'lost', NULL FROM job_attempts \
         WHERE job_id = {last}; \
         INSERT INTO epochs SELECT {last}, {max}, {max}, 1, 1, 1, 1, 1, 1, '{{}}' FROM job_attempts WHERE job_id = {last} AND \
         attempt = {max}; \
         UPDATE jobs SET attempt = {max} WHERE id = {last}",
        max = i64::MAX
    ));
    world.execute(&format!(
        "INSERT INTO artifacts (digest, kind, size, created_at, asked_at) VALUES ('odd', '{}', {max}, -{max}, {max})",
        texts()[1],
        max = i64::MAX
    ));
    let mut columns =
        "slots = 9223372036854775807, trainers = '{\"odd\": -1}', registered_at = 0, last_seen_at = 9223372036854775807, \
         gone_after = -9223372036854775807"
            .to_owned();
    columns.push_str(&format!(", {}", set(&["name", "host", "build", "device"], &format!("'{}'", texts()[1]))));
    world.execute(&format!("UPDATE workers SET {columns}"));
}

/// Counts of the sweep `odd` that no jobs add up to.
pub(crate) fn odd_counts(world: &World) {
    let (max, most) = (i64::MAX, world.real(f64::MAX).unwrap());
    let columns = ["succeeded", "stopped", "diverged", "failed", "cancelled", "epochs", "epochs_ended"];
    world.execute(&format!(
        "UPDATE sweep_counts SET {}, epoch_seconds = {most} WHERE sweep_id = (SELECT id FROM sweeps WHERE name = 'odd')",
        set(&columns, &max.to_string())
    ));
}

/// JSON that is none, or of another kind than besom writes.
pub(crate) fn odd_json(world: &World) {
    let odd: &[&str] = if world.is_sqlite() {
        &["", "{", "[1e999]", "null", "[]", "{\"a\":[{\"b\":null}]}"]
    } else {
        &["null", "[]", "\"text\"", "1e400", "{\"a\":[{\"b\":null}]}", "{\"learning_rate\":1e400}"]
    };
    for (place, json) in odd.iter().enumerate() {
        let job = job("odd", place);
        world.execute(&format!(
            "UPDATE jobs SET params = '{json}' WHERE id = {job}; UPDATE epochs SET metrics = '{json}' WHERE job_id = {job}; \
             UPDATE confusions SET counts = '{json}', classes = 4294967296 WHERE job_id = {job}"
        ));
    }
    let swept = if world.is_sqlite() { "{" } else { "\"text\"" };
    world.execute(&format!("UPDATE sweeps SET swept = '{swept}'"));
}

/// A sweep whose every column is as odd as it may be, beside the others.
pub(crate) fn odd_sweep(world: &World) {
    let [empty, long, ..] = texts();
    let max = i64::MAX;
    for (name, text) in [("empty", &empty), ("long", &long)] {
        world.execute(&format!(
            "INSERT INTO sweeps (name, digest, text, method, metric, goal, scored_epoch, keep_models, engine, dataset, \
             dataset_source, dataset_sha256, swept, trainer, trainer_version, shared_config, jobs_total, \
             jobs_created, state, created_at, ended_at) \
             SELECT '{name}', '{text}', '{text}', '{text}', metric, goal, scored_epoch, keep_models, '{text}', dataset, \
             '{text}', '{text}', '[\"\",\"{text}\"]', '{text}', {max}, '{text}', {max}, {max}, 'completed', {max}, {max} \
             FROM sweeps WHERE name = 'odd'"
        ));
    }
    let most = world.real(f64::MAX).unwrap();
    world.execute(&format!(
        "INSERT INTO sweep_counts SELECT id, {max}, {max}, {max}, {max}, {max}, {max}, {max}, {most} FROM sweeps \
         WHERE name IN ('empty', 'long')"
    ));
    // One that cannot be read at all.
    world.execute(
        "INSERT INTO sweeps (name, digest, text, method, metric, goal, scored_epoch, keep_models, dataset, dataset_source, \
         dataset_sha256, swept, trainer, trainer_version, shared_config, jobs_total, state, created_at) \
         SELECT 'damaged', '', '', '', metric, goal, scored_epoch, keep_models, 'no digest', '', '', '[]', '', -1, '', 1, 'paused', -1 \
         FROM sweeps WHERE name = 'odd'",
    );
}

/// So many epochs of one run, with one spike of its loss; the other runs keep their one.
pub(crate) fn many_epochs(world: &World, count: u32) {
    let job = job("odd", 0);
    let values = "1.0, 0.5, CASE n WHEN 500000 THEN 9.0 ELSE 1.0 + n / 2000000.0 END, n / 1000001.0, 0.1, 0.001, '{}'";
    let numbers = if world.is_sqlite() {
        format!(
            "(WITH RECURSIVE numbers (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) SELECT n FROM \
             numbers)"
        )
    } else {
        format!("(SELECT n FROM generate_series(2, {count}) n)")
    };
    world.execute(&format!(
        "INSERT INTO epochs SELECT j.id, j.attempt, n, {values} FROM jobs j CROSS JOIN {numbers} numbers WHERE j.id = {job}; \
         UPDATE jobs SET epochs = {count}, epochs_done = {count} WHERE id = {job}"
    ));
}

/// Two jobs that still run, with all that their rows and their last epochs may hold.
pub(crate) fn odd_running(world: &World) {
    world.execute("UPDATE sweeps SET state = 'active', ended_at = NULL");
    let (max, most) = (i64::MAX, world.real(f64::MAX).unwrap());
    for place in 0..2 {
        let job = job("odd", place);
        world.execute(&format!(
            "UPDATE jobs SET state = 'running', lease_until = {max}, ended_at = NULL, objective = NULL, score = NULL, \
             slot = {max}, epochs = {max}, seed = {max} WHERE id = {job}; \
             UPDATE epochs SET {} WHERE job_id = {job}",
            set(&["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"], &most)
        ));
    }
}
