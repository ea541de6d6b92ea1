//! The examples that people copy.

use besom_sweep::{Expansion, parse};

fn expand(text: &str) -> Expansion {
    Expansion::new(&parse(text).unwrap(), None).unwrap()
}

#[test]
fn the_eleven_points_of_the_classic_sweep_are_nine_jobs_a_seed() {
    let expansion = expand(include_str!("../../examples/quickdraw10.yaml"));
    let plan = expansion.plan();
    assert_eq!((plan.points, plan.merged, plan.jobs, plan.jobs_cut), (9, 2, 9, 0), "{plan:?}");
    assert_eq!(plan.swept, ["optimizer", "batch_size", "learning_rate"]);
    assert_eq!(plan.notes, ["2 of 11 points are equal to earlier ones and were merged"]);
    let rows: Vec<_> = (0..9)
        .map(|index| {
            let job = expansion.job(index, "d");
            let h = job.config.hyperparameters;
            (h.optimizer.name(), h.batch_size, h.learning_rate, h.epochs, job.seed)
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("adadelta", 32, 0.01, 25, 1),
            ("adam", 32, 0.01, 25, 1),
            ("sgd", 32, 0.01, 25, 1),
            ("sgd", 8, 0.01, 25, 1),
            ("sgd", 512, 0.01, 25, 1),
            ("sgd", 4096, 0.01, 25, 1),
            ("sgd", 32, 0.0001, 25, 1),
            ("sgd", 32, 0.5, 25, 1),
            ("sgd", 32, 1.0, 25, 1),
        ]
    );
}
