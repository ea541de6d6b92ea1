//! The examples that people copy: the files of `examples/`, every one in `docs/sweep-file.md` and
//! `docs/data.md`, and those of `docs/classic-sweep.md`.

use besom_sweep::{Expansion, Hyperparameters, Plan, SweepSpec, parse};

fn expand(text: &str) -> Expansion {
    let spec = parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(SweepSpec::from_canonical_json(&spec.canonical_json()).expect("what was written"), spec, "{text}");
    Expansion::new(&spec, None).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn counts(plan: &Plan) -> (u64, u64, u64, u64) {
    (plan.points, plan.merged, plan.jobs, plan.jobs_cut)
}

fn short(point: &Hyperparameters) -> (&'static str, u32, f64, u32) {
    (point.optimizer.name(), point.batch_size, point.learning_rate, point.epochs)
}

const CLASSIC_FILE: &str = include_str!("../../examples/classic.yaml");

const CLASSIC: [(&str, u32, f64, u32); 9] = [
    ("adadelta", 32, 0.01, 25),
    ("adam", 32, 0.01, 25),
    ("sgd", 32, 0.01, 25),
    ("sgd", 8, 0.01, 25),
    ("sgd", 512, 0.01, 25),
    ("sgd", 4096, 0.01, 25),
    ("sgd", 32, 0.0001, 25),
    ("sgd", 32, 0.5, 25),
    ("sgd", 32, 1.0, 25),
];

#[test]
fn the_eleven_points_of_the_classic_sweep_are_nine_jobs_a_seed() {
    for text in [include_str!("../../examples/quickdraw10.yaml"), include_str!("../../examples/sketches.yaml")] {
        let expansion = expand(text);
        assert_eq!(counts(expansion.plan()), (9, 2, 9, 0));
        assert_eq!(expansion.plan().swept, ["optimizer", "batch_size", "learning_rate"]);
        assert_eq!(expansion.plan().notes, ["2 of 11 points are equal to earlier ones and were merged"]);
        let points: Vec<_> = (0..9).map(|index| short(&expansion.point(index))).collect();
        assert_eq!(points, CLASSIC);
    }
}

#[test]
fn work_goes_seed_by_seed_and_point_by_point() {
    let expansion = expand(CLASSIC_FILE);
    assert_eq!(counts(expansion.plan()), (9, 2, 27, 0));
    for index in 0..27 {
        let job = expansion.job(index, "digest");
        assert_eq!(short(&job.config.hyperparameters), CLASSIC[index as usize % 9]);
        assert_eq!(job.seed, 1 + index as i64 / 9);
        assert_eq!(job.config.dataset, "digest");
    }
}

#[test]
fn the_grid_of_the_tutorial_is_sixteen_points_under_three_seeds() {
    let expansion = expand(include_str!("../../examples/classic-grid.yaml"));
    assert_eq!(counts(expansion.plan()), (16, 0, 48, 0));
    assert_eq!(expansion.plan().swept, ["batch_size", "learning_rate"]);
    assert_eq!(short(&expansion.point(0)), ("sgd", 32, 0.01, 25));
    assert_eq!(short(&expansion.point(15)), ("sgd", 4096, 1.0, 25));
}

#[test]
fn the_tutorial_shows_its_sweep_file_as_it_is() {
    let page = include_str!("../../docs/classic-sweep.md");
    let (_, rest) = page.split_once("```yaml\n").expect("a sweep file in the page");
    let shown = rest.split("```").next().expect("split gives one part at least");
    let lines: Vec<_> = CLASSIC_FILE.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(shown.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn the_grid_example_is_twenty_four_jobs() {
    let expansion = expand(include_str!("../../examples/grid.yaml"));
    assert_eq!(counts(expansion.plan()), (12, 0, 24, 0));
    assert_eq!(expansion.plan().notes, [""; 0]);
    // Sorted by name, the last fastest: hidden, learning_rate, optimizer.
    let points: Vec<_> =
        (0..4).map(|index| expansion.point(index)).map(|p| (p.hidden, p.learning_rate, p.optimizer.name())).collect();
    let narrow = vec![32];
    assert_eq!(
        points,
        [
            (narrow.clone(), 0.001, "sgd"),
            (narrow.clone(), 0.001, "adam"),
            (narrow.clone(), 0.01, "sgd"),
            (narrow, 0.01, "adam"),
        ]
    );
}

#[test]
fn every_example_of_the_reference_is_a_right_sweep_file() {
    let mut found = 0;
    for page in [include_str!("../../docs/sweep-file.md"), include_str!("../../docs/data.md")] {
        for block in page.split("```yaml\n").skip(1) {
            let text = block.split("```").next().expect("split gives one part at least");
            expand(text);
            found += 1;
        }
    }
    assert!(found >= 6, "{found} examples");
}

#[test]
fn the_reference_names_every_hyperparameter_with_its_default() {
    let page = include_str!("../../docs/sweep-file.md");
    let optimizers = ["sgd", "rmsprop", "adam", "adamw", "adadelta", "adagrad", "adamax", "nadam", "ftrl", "lion"]
        .map(|o| ("optimizer", o));
    let schedules = ["constant", "exponential", "cosine", "step", "plateau"].map(|schedule| ("schedule", schedule));
    for (name, word) in optimizers.into_iter().chain(schedules) {
        let mut params = besom_sweep::Params::new();
        params.insert(name.to_owned(), word.into());
        params.insert("patience".to_owned(), 5.into());
        let mut defaults = Hyperparameters::from_params(&params).expect("a word alone is enough").to_params();
        defaults.insert("optimizer".to_owned(), "sgd".into());
        defaults.insert("schedule".to_owned(), "constant".into());
        defaults.insert("patience".to_owned(), serde_json::Value::Null);
        for (name, default) in defaults {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{name}`")));
            let row = row.unwrap_or_else(|| panic!("{name} is not in the table"));
            let number = default.as_f64().map(|number| number.to_string());
            let shown = [default.to_string(), default.to_string().replace('"', "").replace(',', ", ")];
            let shown = shown.into_iter().chain(number).any(|text| row.contains(&text));
            assert!(shown || default.is_null() && row.contains("none"), "{row} lacks the default {default}");
        }
    }
}
