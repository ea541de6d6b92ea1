//! What a sweep file means: defaults, one spelling for equal values, limits, digests.

use besom_sweep::{
    Activation, Clipping, Engine, Expansion, Goal, Hyperparameters, Initializer, JobConfig, KeepModels, Method,
    Optimizer, Params, Scale, Schedule, ScoredEpoch, SweepSpec, job_config, parse, shared_config,
};
use serde_json::{Value, json};

fn spec(text: &str) -> SweepSpec {
    parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn expand(text: &str) -> Expansion {
    Expansion::new(&spec(text), None).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn params(value: serde_json::Value) -> Params {
    value.as_object().expect("an object").clone()
}

fn config(value: serde_json::Value) -> JobConfig {
    let hyperparameters = Hyperparameters::from_params(&params(value)).expect("right hyperparameters");
    JobConfig { hyperparameters, dataset: "0123".to_owned(), engine: Engine::Candle }
}

const SMALL: &str = "
method: grid
parameters:
  learning_rate: {values: [0.1, 0.01]}
  batch_size: {values: [8, 16]}
besom:
  dataset: {source: data.npz}
";

#[test]
fn what_a_file_leaves_out_has_its_default() {
    let spec = spec("method: grid\nparameters: {epochs: {value: 3}}\nbesom: {dataset: {source: data.npz}}");
    assert_eq!((spec.name, spec.description, spec.run_cap, spec.engine), (None, None, None, None));
    assert_eq!(spec.method, Method::Grid);
    assert_eq!((spec.metric.name.as_str(), spec.metric.goal), ("val_accuracy", Goal::Maximize));
    assert_eq!((spec.scored_epoch, spec.keep_models, spec.seeds), (ScoredEpoch::Final, KeepModels::All, vec![1]));
    assert_eq!((spec.dataset.test_fraction, spec.dataset.split_seed, spec.dataset.classes), (None, 42, None));
}

#[test]
fn a_split_by_class_and_a_scale_are_asked_for_by_name() {
    let of = |more: &str| {
        spec(&format!(
            "method: grid\nparameters: {{epochs: {{value: 3}}}}\nbesom: {{dataset: {{source: x.npz{more}}}}}"
        ))
        .dataset
    };
    assert_eq!((of("").stratify, of("").scale), (false, None));
    assert_eq!((of(", stratify: true").stratify, of(", stratify: false").stratify), (true, false));
    for (word, scale) in [("none", Scale::None), ("max", Scale::Max), ("standard", Scale::Standard)] {
        assert_eq!(of(&format!(", scale: {word}")).scale, Some(scale));
    }
}

#[test]
fn a_source_may_be_a_list_and_its_keys_are_read() {
    let of = |dataset: &str| {
        spec(&format!("method: grid\nparameters: {{epochs: {{value: 3}}}}\nbesom: {{dataset: {{{dataset}}}}}")).dataset
    };
    let list = of("source: [a.npy, 'b c.npy', https://host/d.npy], per_class: 10000");
    assert_eq!(list.sources().collect::<Vec<_>>(), ["a.npy", "b c.npy", "https://host/d.npy"]);
    assert_eq!((list.source.as_str(), list.per_class), ("a.npy", Some(10_000)));
    assert_eq!(list.source_text(str::to_uppercase), "A.NPY and 2 more");
    let one = of("source: ~/data, size: 28");
    assert_eq!((one.source_text(str::to_owned).as_str(), one.size, one.more_sources.len()), ("~/data", Some(28), 0));
    for (written, column) in [("0", "0"), ("-1", "-1"), ("kind", "kind"), ("'3'", "3")] {
        assert_eq!(of(&format!("source: x.csv, label_column: {written}")).label_column.as_deref(), Some(column));
    }
}

#[test]
fn keras_defaults_fill_in_what_a_point_leaves_out() {
    let none = Hyperparameters::from_params(&Params::new()).expect("the defaults");
    assert_eq!(
        none,
        Hyperparameters {
            optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false },
            learning_rate: 0.01,
            weight_decay: 0.0,
            clipping: Clipping::None,
            schedule: Schedule::Constant,
            batch_size: 32,
            epochs: 1,
            hidden: vec![32, 32],
            activation: Activation::Relu,
            initializer: Initializer::GlorotUniform,
            dropout: 0.0,
            l1: 0.0,
            l2: 0.0,
            label_smoothing: 0.0,
            stopping: None,
        }
    );
    let adam = config(json!({"optimizer": "adam"})).hyperparameters;
    assert_eq!(adam.optimizer, Optimizer::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad: false });
    assert_eq!(adam.learning_rate, 0.001);
    let adadelta = config(json!({"optimizer": "adadelta"})).hyperparameters;
    assert_eq!(adadelta.optimizer, Optimizer::Adadelta { rho: 0.95, epsilon: 1e-7 });
    assert_eq!(adadelta.learning_rate, 0.001);
}

#[test]
fn metric_seeds_and_words_are_read() {
    let text = SMALL.replace("method", "metric: {name: val_loss}\nmethod").replace(
        "besom:",
        "besom:\n  seeds: [7, 3]\n  objective: best\n  keep_models: none\n  engine: candle\n  model: {patience: null}",
    );
    let spec = spec(&text);
    assert_eq!((spec.metric.name.as_str(), spec.metric.goal), ("val_loss", Goal::Minimize));
    assert_eq!((spec.seeds, spec.scored_epoch, spec.keep_models), (vec![7, 3], ScoredEpoch::Best, KeepModels::None));
    assert_eq!((spec.engine, spec.model), (Some(Engine::Candle), params(json!({"patience": null}))));
}

#[test]
fn equal_values_have_one_spelling_and_one_hash() {
    let plain = config(json!({"batch_size": 32, "learning_rate": 1.0, "optimizer": "sgd", "hidden": [64], "l2": 0}));
    for other in [
        json!({"l2": 0.0, "hidden": [64.0], "optimizer": "SGD", "learning_rate": 1, "batch_size": 32.0}),
        json!({"hidden": [64], "learning_rate": 1e0}),
        json!({"hidden": [64], "learning_rate": 1, "momentum": -0.0, "patience": null, "epochs": 1, "dropout": 0}),
    ] {
        let other = config(other);
        assert_eq!(other.canonical_json(), plain.canonical_json());
        assert_eq!(other.config_hash(), plain.config_hash());
        assert_eq!(other.params(), plain.params());
    }
}

#[test]
fn a_configuration_is_composed_of_what_a_sweep_shares_and_what_a_database_gives_back() {
    let config = config(json!({"clipnorm": 1e6, "learning_rate": 1e-5, "optimizer": "adam"}));
    let engine = (Some(config.engine.as_str()), Some(config.engine.device()));
    let composed = |text: &str, (engine, device)| {
        let params = serde_json::from_str(text).unwrap();
        job_config(&shared_config(&config.dataset), params, engine, device).unwrap()
    };
    let kept = serde_json::to_string(&config.params()).unwrap();
    // A database may keep the value of a number and not how it was written.
    let digits = kept.replace("1000000.0", "1e6").replace("1e-5", "0.00001");
    assert_ne!(kept, digits);
    for text in [&kept, &digits] {
        assert_eq!(composed(text, engine), config.canonical_json());
    }
    let other = job_config(r#"{"trainer":"program","argv":["a"]}"#, params(json!({"x": 1})), None, None).unwrap();
    assert_eq!(other, r#"{"argv":["a"],"hyperparameters":{"x":1},"trainer":"program"}"#);
    let odd = job_config("[]", params(json!({})), None, None).unwrap_err().to_string();
    assert!(odd.contains("expected a JSON object"), "{odd}");
}

#[test]
fn the_canonical_form_is_this_text() {
    assert_eq!(
        config(json!({"epochs": 25})).canonical_json(),
        concat!(
            r#"{"dataset":"0123","device":"cpu","engine":"candle","hyperparameters":{"activation":"relu","#,
            r#""batch_size":32,"clipnorm":0.0,"clipvalue":0.0,"dropout":0.0,"epochs":25,"global_clipnorm":0.0,"#,
            r#""hidden":[32,32],"kernel_initializer":"glorot_uniform","l1":0.0,"l2":0.0,"label_smoothing":0.0,"#,
            r#""learning_rate":0.01,"momentum":0.0,"nesterov":false,"optimizer":"sgd","patience":null,"#,
            r#""schedule":"constant","weight_decay":0.0},"#,
            r#""scaling":"training_maximum","trainer":"mlp","trainer_version":4}"#
        )
    );
    let small = config(json!({"optimizer": "adam", "learning_rate": 1e-5}));
    assert!(small.canonical_json().contains(r#""epsilon":1e-7"#), "{}", small.canonical_json());
    assert!(small.canonical_json().contains(r#""learning_rate":1e-5"#), "{}", small.canonical_json());
}

#[test]
fn the_hash_is_the_sha256_of_the_canonical_text() {
    // printf %s '{"dataset":...}' | sha256sum
    assert_eq!(
        config(json!({"epochs": 25})).config_hash(),
        "6ba0781cc2d28d616771095e0aca7f1eb855ab51501658653217691318c874cb"
    );
}

#[test]
fn whatever_changes_numbers_changes_the_hash() {
    let plain = config(json!({}));
    for other in [
        config(json!({"learning_rate": 0.02})),
        config(json!({"hidden": [32]})),
        config(json!({"momentum": 0.5})),
        config(json!({"patience": 3})),
        JobConfig { dataset: "4567".to_owned(), ..plain.clone() },
    ] {
        assert_ne!(other.config_hash(), plain.config_hash());
    }
}

#[test]
fn a_configuration_of_another_build_is_refused() {
    let text = config(json!({})).canonical_json();
    JobConfig::from_canonical_json(&text).expect("its own");
    for (piece, replacement, message) in [
        (r#""trainer_version":4"#, r#""trainer_version":5"#, "trainer_version: 5 cannot be trained by this build"),
        (r#""trainer":"mlp""#, r#""trainer":"cnn""#, "trainer: \"cnn\" cannot be trained by this build"),
        (r#""device":"cpu""#, r#""device":"cuda""#, "device: \"cuda\" cannot be trained"),
        (r#""engine":"candle""#, r#""engine":"torch""#, "engine: \"torch\" is unknown to this build"),
        (r#","trainer":"mlp""#, "", "trainer: missing"),
        (r#""device""#, r#""extra":1,"device""#, "extra: unknown key of a configuration"),
        (r#""batch_size":32"#, r#""batch_size":0"#, "batch_size: must be an integer from 1 to 1048576, not 0"),
        (r#""momentum""#, r#""rho":0.5,"momentum""#, "rho: sgd has no such option"),
        (r#""momentum""#, r#""momentun""#, "momentun: unknown hyperparameter; did you mean momentum?"),
        ("{", "", "configuration: not JSON"),
    ] {
        let error = JobConfig::from_canonical_json(&text.replacen(piece, replacement, 1)).expect_err(message);
        assert!(error.to_string().starts_with(message), "{error}");
    }
}

#[test]
fn aliases_are_stored_under_the_full_name() {
    let text = SMALL.replace("learning_rate:", "lr:").replace("batch_size:", "batch:");
    assert_eq!(spec(&text), spec(SMALL));
    let model = spec(&SMALL.replace("besom:", "besom:\n  model: {epoch: 4.0}")).model;
    assert_eq!(model, params(json!({"epochs": 4})));
}

#[test]
fn a_range_of_integers_includes_both_ends() {
    let points = |range: &str| {
        let expansion = expand(&SMALL.replace("{values: [8, 16]}", range).replace("[0.1, 0.01]", "[0.1]"));
        (0..expansion.plan().points).map(|index| expansion.point(index).batch_size).collect::<Vec<_>>()
    };
    assert_eq!(points("{min: 3, max: 6}"), [3, 4, 5, 6]);
    assert_eq!(points("{min: 3.0, max: 3}"), [3]);
    assert_eq!(points("{distribution: int_uniform, min: 1, max: 2}"), [1, 2]);
    assert_eq!(points("{distribution: categorical, values: [9, 5]}"), [9, 5]);
    assert_eq!(points("{distribution: constant, value: 9}"), [9]);
}

#[test]
fn an_option_that_an_optimizer_does_not_have_is_dropped_before_equal_points_are_merged() {
    let text = "
method: grid
parameters:
  optimizer: {values: [sgd, adam, adadelta]}
  momentum: {values: [0, 0.9]}
besom:
  dataset: {source: data.npz}
  model: {epsilon: 1e-6}
";
    let expansion = expand(text);
    let plan = expansion.plan();
    assert_eq!((plan.points, plan.merged), (4, 2));
    assert_eq!(
        plan.notes,
        [
            "momentum does not apply to adam, adadelta: dropped from 4 points",
            "epsilon does not apply to sgd: dropped from 2 points",
            "2 of 6 points are equal to earlier ones and were merged",
        ]
    );
    let optimizers: Vec<_> = (0..4).map(|index| expansion.point(index).optimizer).collect();
    assert_eq!(
        optimizers,
        [
            Optimizer::Sgd { momentum: 0.0, nesterov: false },
            Optimizer::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-6, amsgrad: false },
            Optimizer::Adadelta { rho: 0.95, epsilon: 1e-6 },
            Optimizer::Sgd { momentum: 0.9, nesterov: false },
        ]
    );
}

#[test]
fn a_seed_among_the_parameters_is_the_seeds_of_the_sweep() {
    let with = |seed: &str, more: &str| {
        SMALL.replace("  batch_size", &format!("  seed: {seed}\n  batch_size")).replace("npz}", &format!("npz}}{more}"))
    };
    for (written, seeds) in
        [("{value: 3}", vec![3]), ("{values: [5, 1]}", vec![5, 1]), ("{min: 2, max: 4}", vec![2, 3, 4])]
    {
        let read = spec(&with(written, ""));
        assert_eq!(read.seeds, seeds, "{written}");
        assert_eq!(read.parameters.len(), 2, "a seed is no hyperparameter");
    }
    assert_eq!(spec(&with("{values: [1, 2]}", "\n  seeds: 2")).seeds, [1, 2], "both say the same");
    let digest = |text: &str| expand(text).sweep_digest("d");
    assert_eq!(digest(&with("{values: [1, 2]}", "")), digest(&with("{values: [1, 2]}", "\n  seeds: 2")));
    let refused = |text: String| parse(&text).expect_err("refused").to_string();
    assert_eq!(
        refused(with("{values: [1, 3]}", "\n  seeds: 2")),
        "line 9: besom.seeds: means the seeds 1, 2, but parameters.seed (line 5) lists 1, 3; keep one of the two"
    );
    assert_eq!(refused(with("{values: [7, 7]}", "")), "line 5: parameters.seed: seed 7 stands here twice");
    assert!(refused(with("{value: -1}", "")).starts_with("line 5: parameters.seed.value: must be an integer from 0"));
    assert!(refused(with("3", "")).contains("write `seed: {value: ...}`"));
    let alone = "method: grid\nparameters: {seed: {values: [4, 9]}}\nbesom: {dataset: {source: x}}";
    let expansion = expand(alone);
    assert_eq!((expansion.plan().points, expansion.job(1, "d").seed), (1, 9));
}

#[test]
fn run_cap_cuts_jobs_in_their_order_of_work() {
    let expansion = expand(&SMALL.replace("method", "run_cap: 5\nmethod").replace("besom:", "besom:\n  seeds: 2"));
    let plan = expansion.plan();
    assert_eq!((plan.points, plan.jobs, plan.jobs_cut), (4, 5, 3));
    assert_eq!(plan.notes, ["run_cap 5 cuts 3 of 8 jobs"]);
    let seeds: Vec<_> = (0..5).map(|index| expansion.job(index, "d").seed).collect();
    assert_eq!(seeds, [1, 1, 1, 1, 2]);
}

#[test]
fn a_sweep_of_constants_is_one_point() {
    for method in ["grid", "one_at_a_time"] {
        let text = format!("method: {method}\nparameters: {{epochs: {{value: 3}}}}\nbesom: {{dataset: {{source: x}}}}");
        let expansion = expand(&text);
        assert_eq!((expansion.plan().points, expansion.plan().swept.len()), (1, 0));
        assert_eq!(expansion.point(0).epochs, 3);
    }
}

#[test]
fn a_million_points_are_expanded_and_one_more_is_refused() {
    let text = |last: u32, seeds: u32| {
        format!(
            "method: grid\nparameters:\n  epochs: {{min: 1, max: 1000}}\n  batch_size: {{min: 1, max: {last}}}\n\
             besom: {{dataset: {{source: x}}, seeds: {seeds}}}\n"
        )
    };
    let expansion = expand(&text(1000, 1));
    assert_eq!(expansion.jobs_total(), 1_000_000);
    let job = expansion.job(999_999, "d").config.hyperparameters;
    assert_eq!((job.batch_size, job.epochs), (1000, 1000));
    let refuse = |text: &str| Expansion::new(&spec(text), None).expect_err("too much").to_string();
    assert_eq!(refuse(&text(1001, 1)), "parameters: more than 1000000 points; list fewer values");
    assert_eq!(
        refuse(&text(1000, 2)),
        "besom.seeds: 1000000 points with 2 seeds are more than 1000000 jobs; set run_cap or fewer seeds"
    );
    let capped = expand(&format!("run_cap: 10\n{}", text(1000, 2)));
    assert_eq!((capped.jobs_total(), capped.plan().jobs_cut), (10, 1_999_990));
}

#[test]
fn a_grid_too_large_to_count_is_refused_at_once() {
    let names = ["momentum", "beta_1", "beta_2", "rho", "epsilon", "dropout", "l1", "l2", "label_smoothing", "lr"];
    let values: Vec<_> = (1..1000).map(|value| format!("{}e-4", value)).collect();
    let parameters: Vec<_> =
        names.iter().map(|name| format!("  {name}: {{values: [{}]}}\n", values.join(","))).collect();
    let text = format!("method: grid\nparameters:\n{}besom: {{dataset: {{source: x}}}}\n", parameters.concat());
    let error = Expansion::new(&spec(&text), None).expect_err("10^30 points");
    assert_eq!(error.to_string(), "parameters: more than 1000000 points; list fewer values");
}

#[test]
fn the_digest_is_of_what_the_sweep_means() {
    let digest = |text: &str| expand(text).sweep_digest("d");
    let plain = digest(SMALL);
    for same in [
        SMALL.replace("method", "# a comment\nname: other\ndescription: for people\nmethod"),
        SMALL.replace("learning_rate:", "lr:").replace("[8, 16]", "[8.0, 16]"),
        SMALL.replace("data.npz", "elsewhere.npz"),
        SMALL.replace("method: grid\n", "").replace("besom:", "method: grid\nbesom:\n  seeds: [1]\n  engine: native"),
        SMALL
            .replace("  learning_rate: {values: [0.1, 0.01]}\n", "")
            .replace("besom:", "  learning_rate: {values: [0.1, 0.01]}\nbesom:"),
        r#"{"method": "grid", "parameters": {"learning_rate": {"values": [1e-1, 0.01]}, "batch_size": {"values": [8, 16]}},
            "besom": {"dataset": {"source": "data.npz"}}}"#
            .to_owned(),
    ] {
        assert_eq!(digest(&same), plain, "{same}");
    }
    for other in [
        SMALL.replace("0.01", "0.02"),
        SMALL.replace("[8, 16]", "[16, 8]"),
        SMALL.replace("besom:", "besom:\n  seeds: 2"),
        SMALL.replace("besom:", "besom:\n  objective: best"),
        SMALL.replace("besom:", "besom:\n  model: {hidden: [16]}"),
        SMALL.replace("method", "run_cap: 3\nmethod"),
        SMALL.replace("method", "metric: {name: val_loss}\nmethod"),
    ] {
        assert_ne!(digest(&other), plain, "{other}");
    }
    assert_ne!(expand(SMALL).sweep_digest("e"), plain);
}

#[test]
fn one_at_a_time_goes_by_the_order_of_the_file() {
    let text = SMALL.replace("grid", "one_at_a_time").replace("besom:", "besom:\n  base: {lr: 0.1, batch: 8}");
    let turned = text
        .replace("  learning_rate: {values: [0.1, 0.01]}\n", "")
        .replace("besom:", "  learning_rate: {values: [0.1, 0.01]}\nbesom:");
    let points = |text: &str| {
        let expansion = expand(text);
        let points = 0..expansion.plan().points;
        points.map(|index| expansion.point(index)).map(|p| (p.learning_rate, p.batch_size)).collect::<Vec<_>>()
    };
    assert_eq!(points(&text), [(0.1, 8), (0.01, 8), (0.1, 16)]);
    assert_eq!(points(&turned), [(0.1, 8), (0.1, 16), (0.01, 8)]);
    assert_ne!(expand(&text).sweep_digest("d"), expand(&turned).sweep_digest("d"));
}

#[test]
fn anchors_and_merge_keys_of_yaml_work() {
    let text = "
method: grid
parameters:
  beta_1: &rates {values: [0.5, 0.9]}
  beta_2: *rates
besom:
  dataset: {source: data.npz}
  model: {optimizer: adam}
";
    assert_eq!(expand(text).plan().points, 4);
}

#[test]
fn an_option_of_another_schedule_or_of_no_early_stopping_is_dropped() {
    let expansion = expand(
        r#"
method: grid
parameters:
  schedule: {values: [constant, step, plateau, exponential]}
  decay_rate: {values: [0.5, 0.9]}
  patience: {values: [null, 4]}
  min_delta: {value: 0.01}
besom: {dataset: {source: x}}
"#,
    );
    assert_eq!(
        expansion.plan().notes[..2],
        [
            "decay_rate does not apply to schedule constant, schedule plateau: dropped from 8 points",
            "min_delta does not apply to a job without patience: dropped from 8 points",
        ]
    );
    assert_eq!((expansion.plan().points, expansion.plan().merged), (12, 4));
    let rates: Vec<_> = (0..12)
        .map(|index| expansion.point(index))
        .filter(|point| point.stopping.is_none_or(|stopping| stopping.min_delta == 0.01))
        .map(|point| match point.schedule {
            Schedule::Step { decay_rate, .. } | Schedule::Exponential { decay_rate, .. } => decay_rate,
            _ => 0.0,
        })
        .collect();
    assert_eq!(rates.iter().filter(|rate| **rate == 0.5).count(), 4);
    assert_eq!(rates.iter().filter(|rate| **rate == 0.0).count(), 4);
}

#[test]
fn only_one_way_to_bound_the_gradient_may_be_set() {
    let text = |parameters: &str| format!("method: grid\nparameters:\n{parameters}besom: {{dataset: {{source: x}}}}\n");
    let both = text("  clipnorm: {values: [0, 1]}\n  global_clipnorm: {values: [0, 2]}\n");
    let error = Expansion::of_file(&both, &spec(&both), None).expect_err("a point would have two");
    let problem = "only one of clipnorm, clipvalue and global_clipnorm may be above 0";
    assert_eq!(error.to_string(), format!("line 4: parameters.global_clipnorm: {problem}"));
    // Also where one of the two stands in another block, and together with what else is wrong.
    let split =
        both.replace("  global_clipnorm: {values: [0, 2]}\n", "").replace("x}", "x}, model: {clipvalue: 1}, seeds: 0");
    let errors = parse(&split).expect_err("no seeds").to_string();
    assert!(errors.contains("besom.model.clipvalue: only one") && errors.contains("besom.seeds: must be"), "{errors}");
    let one = expand(&text("  clipnorm: {values: [0, 1]}\n  global_clipnorm: {value: 0}\n"));
    assert_eq!((one.point(0).clipping, one.point(1).clipping), (Clipping::None, Clipping::Norm(1.0)));
    let Value::Object(two) = json!({"clipvalue": 1.0, "global_clipnorm": 1.0}) else { unreachable!() };
    assert_eq!(Hyperparameters::from_params(&two).expect_err("two").problem, problem);
}

#[test]
fn every_optimizer_and_schedule_reads_back_what_it_writes() {
    for choice in [
        json!({"optimizer": "rmsprop", "rho": 0.7, "momentum": 0.1, "epsilon": 1e-3, "centered": true}),
        json!({"optimizer": "adam", "beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-3, "amsgrad": true}),
        json!({"optimizer": "adamw", "beta_1": 0.7, "weight_decay": 0.5, "clipvalue": 1.5}),
        json!({"optimizer": "adagrad", "initial_accumulator_value": 0.5, "global_clipnorm": 2.0}),
        json!({"optimizer": "adamax", "beta_2": 0.8}),
        json!({"optimizer": "nadam", "beta_1": 0.8}),
        json!({"optimizer": "ftrl", "learning_rate_power": -0.7, "initial_accumulator_value": 0.2,
            "l1_regularization_strength": 0.3, "l2_regularization_strength": 0.4}),
        json!({"optimizer": "lion", "beta_1": 0.8, "beta_2": 0.7}),
        json!({"schedule": "exponential", "decay_rate": 0.9, "decay_steps": 100}),
        json!({"schedule": "cosine", "decay_steps": 100, "warmup_steps": 7}),
        json!({"schedule": "step", "decay_rate": 0.9, "step_epochs": 3}),
        json!({"schedule": "plateau", "plateau_factor": 0.2, "plateau_patience": 3, "min_learning_rate": 1e-4}),
        json!({"patience": 3, "min_delta": 0.1, "restore_best_weights": true, "kernel_initializer": "he_normal"}),
    ] {
        let written = config(choice.clone());
        let Value::Object(choice) = choice else { unreachable!() };
        for (name, value) in &choice {
            assert_eq!(written.params().get(name), Some(value), "{name}");
        }
        assert_eq!(JobConfig::from_canonical_json(&written.canonical_json()), Ok(written));
    }
    let adamw = config(json!({"optimizer": "adamw"})).hyperparameters;
    assert_eq!((adamw.weight_decay, adamw.learning_rate), (0.004, 0.001));
}
