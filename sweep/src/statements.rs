//! The statements that besom's own commands send to read results: one text each, the same on SQLite
//! and Postgres, over the documented views only.
//!
//! They take their values as `$1`, `$2`, ... and are compared as text: where a Postgres has no role
//! for readers, a coordinator runs these and no others. So a choice is another statement here, and
//! never a text that is put together.
//!
//! What can be large is read in pages, by job: `$2` is the job that the page before ended with, so
//! that a page costs the same wherever it is. The first page begins in front of the sweep's first
//! job ([`FIRST_JOB`]): Postgres may walk through all jobs by their number, and would come by those
//! of older sweeps. The sweep is asked for by its number where the view has it.
//!
//! ```
//! use besom_sweep::statements;
//!
//! assert!(statements::ALL.contains(&statements::RUNS));
//! ```

/// The first job of a sweep, by the one index that has it in front. `$1`: the sweep's number.
pub const FIRST_JOB: &str =
    "SELECT job FROM runs WHERE sweep_id >= $1 AND sweep_id <= $1 ORDER BY sweep_id, job LIMIT 1";

/// A page of runs, by job. `$1`: the sweep's number, `$2`: behind this job, `$3`: at most so many.
pub const RUNS: &str = "SELECT * FROM runs WHERE sweep_id = $1 AND job > $2 ORDER BY job LIMIT $3";

/// A page of the runs in one state, by job. As [`RUNS`], and `$4`: the state.
pub const RUNS_IN_STATE: &str =
    "SELECT * FROM runs WHERE sweep_id = $1 AND job > $2 AND state = $4 ORDER BY job LIMIT $3";

/// A page of the runs without an objective, by job. As [`RUNS`].
pub const RUNS_UNRANKED: &str =
    "SELECT * FROM runs WHERE sweep_id = $1 AND job > $2 AND objective IS NULL ORDER BY job LIMIT $3";

/// One run. `$1`: the sweep's number, `$2`: the job.
pub const RUN: &str = "SELECT * FROM runs WHERE sweep_id = $1 AND job = $2";

/// The best runs, the best first; the view has a thousand of them. `$1`: the sweep's name, `$2`: at
/// most so many.
pub const BEST_RUNS: &str = "SELECT * FROM best_runs WHERE sweep = $1 ORDER BY rank, job LIMIT $2";

/// A page of what is drawn of the runs, by job. As [`RUNS`].
pub const POINTS: &str = "SELECT job, seed, state, params, epochs, epochs_done, n_attempts FROM runs \
                          WHERE sweep_id = $1 AND job > $2 ORDER BY job LIMIT $3";

/// A page of what tells how many records the history of each job has, by job. As [`RUNS`].
pub const LENGTHS: &str =
    "SELECT job, epochs, epochs_done FROM runs WHERE sweep_id = $1 AND job > $2 ORDER BY job LIMIT $3";

/// The history of some jobs. `$1`: the sweep's name, `$2`: behind this job, `$3`: up to this one.
pub const HISTORY: &str = "SELECT * FROM history WHERE sweep = $1 AND job > $2 AND job <= $3 ORDER BY job, step";

/// Some of the history of one long job, by steps: a page that a `LIMIT` cut would cost Postgres the
/// rest of the job. `$1`: the sweep's name, `$2`: the job, `$3`: behind this step, `$4`: up to this
/// one.
pub const HISTORY_OF_JOB: &str =
    "SELECT * FROM history WHERE sweep = $1 AND job = $2 AND step > $3 AND step <= $4 ORDER BY step";

/// How many records the history of a job has, and their first and last step. `$1`: the sweep's
/// name, `$2`: the job.
pub const STEPS_OF_JOB: &str = "SELECT count(*) AS records, min(step) AS first, max(step) AS last FROM history \
                                WHERE sweep = $1 AND job = $2";

/// What is drawn of the history of some jobs. As [`HISTORY`].
pub const CURVES: &str = "SELECT job, step, val_accuracy, val_loss FROM history \
                          WHERE sweep = $1 AND job > $2 AND job <= $3 ORDER BY job, step";

/// What is drawn of the history of one long job. As [`HISTORY_OF_JOB`].
pub const CURVES_OF_JOB: &str = "SELECT job, step, val_accuracy, val_loss FROM history \
                                 WHERE sweep = $1 AND job = $2 AND step > $3 AND step <= $4 ORDER BY step";

/// The attempts at some jobs. `$1`: the sweep's number, `$2`: behind this job, `$3`: up to this
/// one.
pub const ATTEMPTS: &str = "SELECT job, attempt, worker, slot, outcome, error, started_at, ended_at FROM attempts \
                            WHERE sweep_id = $1 AND job > $2 AND job <= $3 ORDER BY job, attempt";

/// The attempts at one job. `$1`: the sweep's number, `$2`: the job.
pub const ATTEMPTS_OF_JOB: &str = "SELECT * FROM attempts WHERE sweep_id = $1 AND job = $2 ORDER BY attempt";

/// A page of the configurations, by first job. As [`RUNS`].
pub const CONFIGS: &str = "SELECT * FROM config_stats WHERE sweep_id = $1 AND job > $2 ORDER BY job LIMIT $3";

/// The configurations with the highest means, the highest first. Which they are is found without
/// their jobs, so that only theirs are read. `$1`: the sweep's number, `$2`: at
/// most so many.
pub const CONFIGS_HIGHEST: &str = "SELECT * FROM config_stats WHERE sweep_id = $1 AND job IN (\
                                   SELECT job FROM config_stats WHERE sweep_id = $1 \
                                   ORDER BY mean DESC NULLS LAST, job LIMIT $2) ORDER BY mean DESC NULLS LAST, job";

/// The configurations with the lowest means, the lowest first. As [`CONFIGS_HIGHEST`].
pub const CONFIGS_LOWEST: &str = "SELECT * FROM config_stats WHERE sweep_id = $1 AND job IN (\
                                  SELECT job FROM config_stats WHERE sweep_id = $1 \
                                  ORDER BY mean ASC NULLS LAST, job LIMIT $2) ORDER BY mean ASC NULLS LAST, job";

/// How much each hyperparameter and each pair matters, in no order. `$1`: the sweep's number.
pub const IMPORTANCE: &str =
    "SELECT kind, parameter, second_parameter, value, cells, cells_total FROM importance WHERE sweep_id = $1";

/// Some rows of the confusion matrix of a run, in no order. `$1`: the sweep's number, `$2`: the
/// job, `$3`: from this target, `$4`: up to it and without it.
pub const CONFUSION: &str = "SELECT target, predicted, count FROM confusion \
                             WHERE sweep_id = $1 AND job = $2 AND target >= $3 AND target < $4";

/// What is counted by class of a run's model. `$1`: the sweep's number, `$2`: the job.
pub const CLASSES: &str = "SELECT class, support, predicted, correct FROM per_class \
                           WHERE sweep_id = $1 AND job = $2 ORDER BY class";

/// All of them.
pub const ALL: &[&str] = &[
    FIRST_JOB,
    RUNS,
    RUNS_IN_STATE,
    RUNS_UNRANKED,
    RUN,
    BEST_RUNS,
    POINTS,
    LENGTHS,
    HISTORY,
    HISTORY_OF_JOB,
    STEPS_OF_JOB,
    CURVES,
    CURVES_OF_JOB,
    ATTEMPTS,
    ATTEMPTS_OF_JOB,
    CONFIGS,
    CONFIGS_HIGHEST,
    CONFIGS_LOWEST,
    IMPORTANCE,
    CONFUSION,
    CLASSES,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_statement_stands_there_twice() {
        let mut all = ALL.to_vec();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), ALL.len());
    }
}
