//! What a training means: Keras's words, seen from outside.

mod support;

use besom_mlp::{Control, Ending, train};
use besom_sweep::{EarlyStopping, Hyperparameters, Schedule, ScoredEpoch};
use serde_json::{Value, json};
use support::{VAL_LOSS, Watcher, config, data, job, run, tensor};

#[test]
fn every_optimizer_learns_and_every_epoch_is_reported() {
    let data = data(20, 4);
    for (optimizer, learning_rate) in [
        (json!({"optimizer": "sgd"}), 0.3),
        (json!({"optimizer": "sgd", "momentum": 0.9, "nesterov": true}), 0.05),
        (json!({"optimizer": "rmsprop"}), 0.01),
        (json!({"optimizer": "adam"}), 0.01),
        (json!({"optimizer": "adamw"}), 0.01),
        (json!({"optimizer": "adadelta"}), 2.0),
        (json!({"optimizer": "adagrad"}), 0.1),
        (json!({"optimizer": "adamax"}), 0.01),
        (json!({"optimizer": "nadam"}), 0.01),
        (json!({"optimizer": "lion"}), 0.003),
    ] {
        let config = config(&data, |h| {
            let Value::Object(options) = optimizer.clone() else { unreachable!() };
            h.optimizer = Hyperparameters::from_params(&options).unwrap().optimizer;
            h.learning_rate = learning_rate;
            h.epochs = 25;
        });
        let mut watcher = Watcher::silent();
        let trained = train(&[job(&config)], &data, &mut watcher).unwrap().remove(0);
        assert_eq!(trained.ending, Ending::Succeeded);
        assert_eq!(trained.records, watcher.told);
        assert_eq!(trained.records.iter().map(|r| r.step).collect::<Vec<_>>(), (1..=25).collect::<Vec<_>>());
        let (first, last) = (&trained.records[0], &trained.records[24]);
        assert!(last.metric("val_accuracy").unwrap() > 0.6, "{optimizer}: {last:?}");
        assert!(last.metric("loss").unwrap() < 0.7 * first.metric("loss").unwrap(), "{optimizer}: {first:?} {last:?}");
        assert_eq!(last.learning_rate, Some(learning_rate));
    }
}

#[test]
fn the_last_partial_batch_is_kept_and_control_is_asked_before_every_batch() {
    let data = data(20, 4);
    let config = config(&data, |h| h.epochs = 1);
    let mut watcher = Watcher::silent();
    train(&[job(&config)], &data, &mut watcher).unwrap();
    // 250 rows are fifteen batches of 16 and one of 10; 75 test rows are one batch.
    assert_eq!(watcher.asked, 16 + 1);
    // Shares of whole rows: 250 and 75 of them.
    let shares =
        (watcher.told[0].metric("accuracy").unwrap() * 250.0, watcher.told[0].metric("val_accuracy").unwrap() * 75.0);
    assert!((shares.0 - shares.0.round()).abs() < 1e-9 && (shares.1 - shares.1.round()).abs() < 1e-9, "{shares:?}");
}

#[test]
fn patience_ends_a_job_as_succeeded() {
    let data = data(20, 4);
    let config = config(&data, |h| {
        h.learning_rate = 0.5;
        h.epochs = 300;
        h.stopping = Some(EarlyStopping { patience: 3, min_delta: 0.0, restore_best_weights: false });
    });
    let trained = run(job(&config), &data);
    assert_eq!(trained.ending, Ending::Succeeded);
    let losses: Vec<f64> = trained.records.iter().map(|r| r.metric("val_loss").unwrap()).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(losses.len() < 300);
    assert_eq!(losses.iter().position(|&loss| loss == best).unwrap() + 1 + 3, losses.len(), "{losses:?}");
}

#[test]
fn the_best_weights_are_restored_and_the_records_stay() {
    let data = data(20, 4);
    let with = |restore_best_weights| {
        let config = config(&data, |h| {
            h.learning_rate = 0.8;
            h.epochs = 30;
            h.stopping = Some(EarlyStopping { patience: 3, min_delta: 0.0, restore_best_weights });
        });
        support::repeatable(run(job(&config), &data))
    };
    let (last, restored) = (with(false), with(true));
    assert_eq!(last.records, restored.records);
    let losses: Vec<f64> = last.records.iter().map(|r| r.metric("val_loss").unwrap()).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let epoch = losses.iter().position(|&loss| loss == best).unwrap() + 1;
    assert!(epoch < losses.len(), "the test needs a job whose best epoch is not its last");
    let short = config(&data, |h| {
        h.learning_rate = 0.8;
        h.epochs = epoch as u32;
    });
    let until_then = run(job(&short), &data);
    assert_eq!((&restored.final_model, &restored.confusion), (&until_then.final_model, &until_then.confusion));
    assert_ne!(restored.final_model, last.final_model);
}

#[test]
fn an_epoch_reports_the_learning_rate_of_its_last_step() {
    let data = data(20, 4);
    let config = config(&data, |h| h.schedule = Schedule::Step { decay_rate: 0.5, step_epochs: 2 });
    let rates: Vec<f64> = run(job(&config), &data).records.iter().filter_map(|r| r.learning_rate).collect();
    assert_eq!(rates, [0.1, 0.1, 0.05, 0.05]);
    let config = support::config(&data, |h| h.schedule = Schedule::Cosine { decay_steps: None, warmup_steps: 17 });
    let rates: Vec<f64> = run(job(&config), &data).records.iter().filter_map(|r| r.learning_rate).collect();
    // 16 steps an epoch: the last step of the first is the 15th of the warmup, counted from 0.
    assert_eq!(rates[0], 0.1 * (15.0 / 17.0));
    assert!(rates[1] > rates[2] && rates[3] < 0.001 && rates[3] > 0.0, "{rates:?}");
}

#[test]
fn a_job_stopped_in_mid_epoch_ends_at_its_last_full_epoch() {
    let data = data(20, 4);
    let config = config(&data, |_| ());
    let stopped =
        train(&[job(&config)], &data, &mut Watcher::answering(2 * 17 + 5, Control::StopEarly)).unwrap().remove(0);
    assert_eq!(stopped.ending, Ending::Stopped);
    let short = support::config(&data, |h| h.epochs = 2);
    let whole = run(job(&short), &data);
    assert_eq!(stopped.records.len(), 2);
    // The file names configuration, which differs in nothing that it holds.
    assert_eq!(stopped.final_model, whole.final_model);
    assert_eq!(stopped.confusion, whole.confusion);
}

#[test]
fn a_job_stopped_before_its_first_full_epoch_has_no_model() {
    let data = data(20, 4);
    let config = config(&data, |_| ());
    let stopped = train(&[job(&config)], &data, &mut Watcher::answering(3, Control::StopEarly)).unwrap().remove(0);
    assert_eq!((stopped.ending, stopped.records.len()), (Ending::Stopped, 0));
    assert!(stopped.final_model.is_empty() && stopped.best_model.is_empty() && stopped.confusion.is_none());
}

#[test]
fn an_aborted_job_asks_no_further_and_leaves_nothing() {
    let data = data(20, 4);
    let config = config(&data, |_| ());
    // The 17th question of an epoch is the one before validation.
    for after in [5, 16] {
        let mut watcher = Watcher::answering(after, Control::Abort);
        let aborted = train(&[job(&config)], &data, &mut watcher).unwrap().remove(0);
        assert_eq!(aborted.ending, Ending::Aborted);
        assert_eq!(watcher.asked, after + 1);
        assert!(aborted.final_model.is_empty() && aborted.confusion.is_none());
    }
}

#[test]
fn a_loss_that_is_not_finite_ends_a_job_as_diverged() {
    let data = data(20, 4);
    let config = config(&data, |h| h.learning_rate = 1e30);
    let mut watcher = Watcher::silent();
    let trained = train(&[job(&config)], &data, &mut watcher).unwrap().remove(0);
    assert_eq!(trained.ending, Ending::Diverged);
    let last = trained.records.last().unwrap();
    assert_eq!((last.metric("loss"), last.metric("val_loss"), last.metric("val_accuracy")), (None, None, None));
    assert_eq!(trained.records.len(), 1);
    assert_eq!(watcher.told, trained.records);
}

#[test]
fn the_best_model_is_that_of_the_earliest_best_epoch() {
    let data = data(20, 4);
    let config = config(&data, |h| {
        h.learning_rate = 0.8;
        h.epochs = 30;
    });
    for metric in [&support::VAL_ACCURACY, &VAL_LOSS] {
        let mut job = job(&config);
        job.metric = metric;
        job.scored_epoch = ScoredEpoch::Best;
        let trained = run(job, &data);
        let scores: Vec<f64> =
            trained.records.iter().map(|r| metric.goal.score(r.metric(metric.name.as_str()).unwrap())).collect();
        let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let epoch = scores.iter().position(|&score| score == best).unwrap() + 1;
        assert!(epoch < 30, "the test needs a job whose best epoch is not its last");
        let short = support::config(&data, |h| {
            *h = config.hyperparameters.clone();
            h.epochs = epoch as u32;
        });
        let until_then = run(support::job(&short), &data);
        assert_eq!(trained.best_model, until_then.final_model);
        assert_ne!(trained.best_model, trained.final_model);
        assert_eq!(trained.confusion, until_then.confusion, "with objective best, the confusion is the best model's");
    }
}

#[test]
fn the_confusion_matrix_counts_the_test_split_by_target_and_prediction() {
    let data = data(20, 4);
    let config = config(&data, |h| h.epochs = 6);
    let trained = run(job(&config), &data);
    let confusion = trained.confusion.unwrap();
    let counts = confusion.rows().unwrap();
    assert_eq!((confusion.classes, counts.len()), (4, 16));
    let tests = &data.labels()[250..];
    for target in 0..4 {
        let row: u32 = counts[target * 4..][..4].iter().sum();
        assert_eq!(row as usize, tests.iter().filter(|&&label| usize::from(label) == target).count());
    }
    let right: u32 = (0..4).map(|class| counts[class * 5]).sum();
    let accuracy = trained.records.last().unwrap().metric("val_accuracy").unwrap();
    assert_eq!(f64::from(right) / 75.0, accuracy);
}

/// Steps too small to move a weight: what is left is the loss of the initial model.
const STILL: f64 = 1e-30;

#[test]
fn penalties_on_kernels_are_part_of_loss_and_val_loss() {
    let data = data(20, 4);
    let plain = config(&data, |h| h.learning_rate = STILL);
    let penalised = config(&data, |h| {
        h.learning_rate = STILL;
        h.l1 = 0.01;
        h.l2 = 0.02;
    });
    let (plain, penalised) = (run(job(&plain), &data), run(job(&penalised), &data));
    let kernels = || (0..3).flat_map(|i| tensor(&plain.final_model, &format!("layers.{i}.weight"))).map(f64::from);
    let expected = 0.01 * kernels().map(f64::abs).sum::<f64>() + 0.02 * kernels().map(|w| w * w).sum::<f64>();
    let (a, b) = (&plain.records[0], &penalised.records[0]);
    assert!((b.metric("loss").unwrap() - a.metric("loss").unwrap() - expected).abs() < 1e-6, "{a:?} {b:?} {expected}");
    assert!((b.metric("val_loss").unwrap() - a.metric("val_loss").unwrap() - expected).abs() < 1e-6);
    assert_eq!(a.metric("val_accuracy"), b.metric("val_accuracy"));
}

#[test]
fn dropout_acts_in_training_only() {
    let data = data(20, 4);
    let plain = config(&data, |h| h.learning_rate = STILL);
    let dropping = config(&data, |h| {
        h.learning_rate = STILL;
        h.dropout = 0.4;
    });
    let (plain, dropping) = (run(job(&plain), &data), run(job(&dropping), &data));
    assert_eq!(plain.records[0].metric("val_loss"), dropping.records[0].metric("val_loss"));
    assert_ne!(plain.records[0].metric("loss"), dropping.records[0].metric("loss"));
    assert_ne!(
        dropping.records[0].metric("loss"),
        dropping.records[1].metric("loss"),
        "every epoch has masks of its own"
    );
}

#[test]
fn a_model_without_hidden_layers_trains() {
    let data = data(20, 4);
    let config = config(&data, |h| {
        h.hidden.clear();
        h.epochs = 20;
    });
    let trained = run(job(&config), &data);
    assert!(trained.records[19].metric("val_accuracy").unwrap() > 0.8);
    assert_eq!(tensor(&trained.final_model, "layers.0.weight").len(), 80);
}

#[test]
fn impossible_jobs_are_refused_and_not_worth_another_attempt() {
    let data = data(20, 4);
    let refusal = |config: &besom_sweep::JobConfig| train(&[job(config)], &data, &mut Watcher::silent()).unwrap_err();
    let error = refusal(&config(&data, |h| h.hidden = vec![4_000_000_000; 2]));
    assert!(!error.retryable && error.message.starts_with("hidden: "), "{error}");
    let mut other = config(&data, |_| ());
    other.dataset = "ab".repeat(32);
    let error = refusal(&other);
    assert!(!error.retryable && error.message.contains(&other.dataset), "{error}");
}
