//! Wrong sweep files: each is refused with its line, the full name of its key and what to do.

use besom_sweep::{parse, parse_stored};

const FILE: &str = "\
name: t
method: grid
metric: {name: val_accuracy, goal: maximize}
parameters:
  optimizer: {values: [sgd, adam]}
  batch_size: {values: [8, 32]}
besom:
  dataset: {source: data.npz}
  seeds: 2
  model: {hidden: [32, 32]}
";

/// A piece of [`FILE`], what a person wrote in its place, and the start and a later part of the
/// message.
const CASES: &[(&str, &str, &str, &str)] = &[
    // The file as a whole.
    ("name: t", "name: t\nname: u", "line 2: name: ", "stands here twice, first in line 1"),
    ("besom:", "---\nbesom:", "line 7: ", "a sweep file is one YAML document"),
    ("name: t", "name: [t", "line ", "not valid YAML"),
    ("method: grid", "\tmethod: grid", "line 2: ", "a tab indents this line"),
    (
        "data.npz",
        "https://me:token@host/x.npz",
        "line 8: besom.dataset.source: ",
        "the URL holds a user name or password",
    ),
    ("  seeds: 2", "\tseeds: 2", "line 9: ", "not valid YAML"),
    // Keys of the file.
    ("name: t", "nmae: t", "line 1: nmae: ", "unknown key; did you mean name?"),
    ("name: t", "zebra: t", "line 1: zebra: ", "unknown key; known: apiVersion, kind, name"),
    ("name: t", "name: a/b", "line 1: name: ", "no dot or hyphen first, not \"a/b\""),
    ("name: t", "name: \"!\"", "line 1: name: ", "must hold a letter or a digit"),
    ("name: t", "name: -t", "line 1: name: ", "no dot or hyphen first"),
    ("name: t", "name: .t", "line 1: name: ", "no dot or hyphen first"),
    ("name: t", "name: ../x", "line 1: name: ", "letters, digits"),
    ("name: t", "name: 17", "line 1: name: ", "must not be a number"),
    ("name: t", "name: \"17\"", "line 1: name: ", "must not be a number"),
    ("name: t", "name: 1.5", "line 1: name: ", "must be text; put 1.5 in quotes"),
    ("name: t", "name:", "line 1: name: ", "must be a single value, not nothing"),
    ("name: t", "kind: job", "line 1: kind: ", "must be sweep"),
    ("name: t", "description: [x]", "line 1: description: ", "must be text, not a list of 1"),
    ("name: t", "program: train.py", "line 1: program: ", "besom runs no script"),
    ("name: t", "command: [python]", "line 1: command: ", "besom runs no command"),
    ("name: t", "entity: me", "line 1: entity: ", "no entities"),
    ("name: t", "project: mine", "line 1: project: ", "no projects"),
    ("name: t", "job: x/y", "line 1: job: ", "no launch jobs"),
    ("name: t", "image_uri: x", "line 1: image_uri: ", "runs no images"),
    ("name: t", "controller: {type: local}", "line 1: controller: ", "the coordinator"),
    ("name: t", "early_terminate: {type: hyperband}", "line 1: early_terminate: ", "not supported yet"),
    ("name: t", "metrics: []", "line 1: metrics: ", "not supported yet; name one under `metric`"),
    ("name: t", "scheduler: {engine: optuna}", "line 1: scheduler: ", "not supported yet"),
    ("name: t", "seed: 3", "line 1: seed: ", "besom.seeds"),
    ("name: t", "run_cap: 0", "line 1: run_cap: ", "must be an integer at least 1, not 0"),
    ("name: t", "run_cap: ten", "line 1: run_cap: ", "must be an integer at least 1, not \"ten\""),
    // Method.
    ("method: grid\n", "", "line 1: method: ", "missing; say `method: grid`"),
    ("grid", "gird", "line 2: method: ", "unknown method \"gird\"; did you mean grid?"),
    ("grid", "bayes", "line 2: method: ", "bayes is not supported yet; supported: grid, one_at_a_time"),
    ("grid", "random", "line 2: method: ", "random is not supported yet"),
    ("grid", "3", "line 2: method: ", "must be text, not 3"),
    // Metric.
    (", goal: maximize", "", "line 3: metric.goal: ", "val_accuracy needs `goal: maximize`"),
    ("maximize", "minimize", "line 3: metric.goal: ", "val_accuracy needs `goal: maximize`"),
    ("maximize", "max", "line 3: metric.goal: ", "unknown goal \"max\"; did you mean maximize?"),
    ("maximize", "min", "line 3: metric.goal: ", "unknown goal \"min\"; did you mean minimize?"),
    ("val_accuracy,", "val_acc,", "line 3: metric.name: ", "unknown metric \"val_acc\"; did you mean val_accuracy?"),
    ("val_accuracy,", "acc,", "line 3: metric.name: ", "did you mean accuracy?"),
    ("maximize", "maximise", "line 3: metric.goal: ", "unknown goal \"maximise\"; did you mean maximize?"),
    ("val_accuracy,", "val_acuracy,", "line 3: metric.name: ", "did you mean val_accuracy?"),
    ("val_accuracy,", "f1,", "line 3: metric.name: ", "known: loss, accuracy, val_loss, val_accuracy"),
    ("val_accuracy,", "best_val_accuracy,", "line 3: metric.name: ", "write val_accuracy and say `objective: best`"),
    ("name: val_accuracy, ", "", "line 3: metric.name: ", "missing"),
    ("val_accuracy,", "val_loss,", "line 3: metric.goal: ", "val_loss needs `goal: minimize`: the largest loss"),
    ("val_accuracy,", "loss,", "line 3: metric.goal: ", "loss needs `goal: minimize`"),
    ("goal: maximize", "goal: maximize, target: 0.9", "line 3: metric.target: ", "not supported yet"),
    ("goal: maximize", "goal: maximize, impute: worst", "line 3: metric.impute: ", "not supported yet"),
    ("{name: val_accuracy, goal: maximize}", "val_accuracy", "line 3: metric: ", "must be a mapping"),
    // Names of parameters.
    ("batch_size:", "batchsize:", "line 6: parameters.batchsize: ", "did you mean batch_size?"),
    ("batch_size:", "zebra:", "line 6: parameters.zebra: ", "unknown hyperparameter; known: optimizer, learning_rate"),
    ("batch_size:", "use_ema:", "line 6: parameters.use_ema: ", "not supported yet"),
    ("batch_size: {values: [8, 32]}", "amsgrd: {value: true}", "line 6: parameters.amsgrd: ", "did you mean amsgrad?"),
    ("batch_size:", "clipnrm:", "line 6: parameters.clipnrm: ", "did you mean clipnorm?"),
    ("batch_size:", "lr_schedule:", "line 6: parameters.lr_schedule: ", "is `schedule: cosine`"),
    ("batch_size:", "seed:", "line 9: besom.seeds: ", "parameters.seed (line 6) lists 8, 32; keep one of the two"),
    ("batch_size:", "random_state:", "line 6: parameters.random_state: ", "besom.seeds, or under parameters.seed"),
    (
        "besom:",
        "  batch_size: {value: 3}\nbesom:",
        "line 7: parameters.batch_size: ",
        "stands here twice, first in line 6",
    ),
    ("batch_size:", "units:", "line 6: parameters.units: ", "hidden: [32, 32]"),
    ("besom:", "  batch: {value: 3}\nbesom:", "line 7: parameters.batch: ", "the same as batch_size in line 6"),
    (
        "{values: [8, 32]}",
        "{parameters: {momentum: {value: 0.9}}}",
        "line 6: parameters.batch_size.momentum: ",
        "nested parameters are not supported",
    ),
    // Shapes of parameters.
    ("{values: [8, 32]}", "32", "line 6: parameters.batch_size: ", "write `batch_size: {value: ...}`"),
    ("{values: [8, 32]}", "[8, 32]", "line 6: parameters.batch_size: ", "write `batch_size: {values: ...}`"),
    ("{values: [8, 32]}", "{values: []}", "line 6: parameters.batch_size.values: ", "at least one value"),
    ("{values: [8, 32]}", "{values: 8}", "line 6: parameters.batch_size.values: ", "must be a list, not 8"),
    (
        "{values: [8, 32]}",
        "{value: 8, min: 1}",
        "line 6: parameters.batch_size: ",
        "`value` and `min` do not go together",
    ),
    ("{values: [8, 32]}", "{min: 1}", "line 6: parameters.batch_size: ", "needs `max` beside `min`"),
    ("{values: [8, 32]}", "{}", "line 6: parameters.batch_size: ", "needs `value`"),
    ("{values: [8, 32]}", "{valuse: [8]}", "line 6: parameters.batch_size.valuse: ", "did you mean values?"),
    (
        "{values: [8, 32]}",
        "{values: [8], probabilities: [1]}",
        "line 6: parameters.batch_size.probabilities: ",
        "not supported yet",
    ),
    ("{values: [8, 32]}", "{}", "line 6: parameters.batch_size: ", "needs `value`, or `values`"),
    (
        "{values: [8, 32]}",
        "{values: [8], min: 1, max: 2}",
        "line 6: parameters.batch_size: ",
        "`values`, `min` and `max` do not go together",
    ),
    ("{values: [8, 32]}", "{min: 9, max: 8}", "line 6: parameters.batch_size.max: ", "8 is below min, which is 9"),
    ("{values: [8, 32]}", "{min: 0, max: 8}", "line 6: parameters.batch_size.min: ", "from 1 to 1048576, not 0"),
    ("{values: [8, 32]}", "{min: 1, max: 2000000}", "line 6: parameters.batch_size.max: ", "at most 1000000 points"),
    ("{values: [8, 32]}", "{min: 1, max: 2.5}", "line 6: parameters.batch_size.max: ", "uniform"),
    (
        "{values: [8, 32]}",
        "{distribution: uniform, min: 1, max: 2}",
        "line 6: parameters.batch_size.distribution: ",
        "uniform is not supported yet; supported: constant, categorical, int_uniform",
    ),
    (
        "{values: [8, 32]}",
        "{distribution: q_uniform, min: 1, max: 9, q: 2}",
        "line 6: parameters.batch_size.distribution: ",
        "q_uniform is not supported yet",
    ),
    (
        "{values: [8, 32]}",
        "{distribution: categoric, values: [8]}",
        "line 6: parameters.batch_size.distribution: ",
        "did you mean categorical?",
    ),
    (
        "{values: [8, 32]}",
        "{distribution: constant, values: [8]}",
        "line 6: parameters.batch_size.distribution: ",
        "constant goes with `value`",
    ),
    // Values of parameters.
    ("[8, 32]", "[8, 2.5]", "line 6: parameters.batch_size.values: ", "must be an integer from 1 to 1048576, not 2.5"),
    ("[8, 32]", "[8,\n   0]", "line 7: parameters.batch_size.values: ", "not 0"),
    ("[8, 32]", "[8, -1]", "line 6: parameters.batch_size.values: ", "not -1"),
    ("[8, 32]", "[8, \"32\"]", "line 6: parameters.batch_size.values: ", "not \"32\""),
    ("[8, 32]", "[8, 1000000000000]", "line 6: parameters.batch_size.values: ", "from 1 to 1048576"),
    ("[8, 32]", "[8, {a: 1}]", "line 6: parameters.batch_size.values: ", "not a mapping"),
    ("[sgd, adam]", "[sgd, adm]", "line 5: parameters.optimizer.values: ", "did you mean adam?"),
    (
        "[sgd, adam]",
        "[sgd, lamb]",
        "line 5: parameters.optimizer.values: ",
        "lamb is not supported yet; supported: sgd, rmsprop, adam, adamw, adadelta",
    ),
    ("[sgd, adam]", "[sgd, muon]", "line 5: parameters.optimizer.values: ", "muon is not supported yet"),
    ("[sgd, adam]", "[sgd, 3]", "line 5: parameters.optimizer.values: ", "adagrad, adamax, nadam, ftrl, lion, not 3"),
    ("batch_size: {values: [8, 32]}", "lr: {values: [0]}", "line 6: parameters.lr.values: ", "above 0"),
    ("batch_size: {values: [8, 32]}", "lr: {values: [.inf]}", "line 6: parameters.lr.values: ", "finite"),
    ("batch_size: {values: [8, 32]}", "lr: {value: .nan}", "line 6: parameters.lr.value: ", "finite"),
    ("batch_size: {values: [8, 32]}", "lr: {value: 1e999}", "line 6: parameters.lr.value: ", "not a finite number"),
    ("batch_size: {values: [8, 32]}", "epochs: {value: 1e7}", "line 6: parameters.epochs.value: ", "from 1 to 100000"),
    ("batch_size: {values: [8, 32]}", "dropout: {value: 1}", "line 6: parameters.dropout.value: ", "below 1, not 1"),
    ("batch_size: {values: [8, 32]}", "nesterov: {value: 1}", "line 6: parameters.nesterov.value: ", "true or false"),
    ("batch_size: {values: [8, 32]}", "nesterov: {value: yes}", "line 6: parameters.nesterov.value: ", "true or false"),
    ("batch_size: {values: [8, 32]}", "activation: {value: rleu}", "line 6: parameters.activation.value: ", "relu"),
    // Base.
    ("seeds: 2", "base: {batch_size: 8}", "line 9: besom.base: ", "goes with method one_at_a_time only"),
    // Model.
    ("hidden: [32, 32]", "batch: 8", "line 10: besom.model.batch: ", "stands under parameters too (line 6)"),
    ("[32, 32]", "32", "line 10: besom.model.hidden: ", "must be a list of layer widths"),
    ("[32, 32]", "[32, 0]", "line 10: besom.model.hidden: ", "each width must be an integer from 1 to 8192, not 0"),
    ("[32, 32]", "[1000000]", "line 10: besom.model.hidden: ", "from 1 to 8192"),
    ("[32, 32]", "[8192, 8192, 8192]", "line 10: besom.model.hidden: ", "weights between the hidden layers"),
    ("hidden: [32, 32]", "hiden: [32]", "line 10: besom.model.hiden: ", "did you mean hidden?"),
    ("hidden: [32, 32]", "seed: 1", "line 10: besom.model.seed: ", "besom.seeds"),
    ("{hidden: [32, 32]}", "[32, 32]", "line 10: besom.model: ", "must be a mapping"),
    // Seeds and the other words of the block.
    ("seeds: 2", "seeds: 0", "line 9: besom.seeds: ", "from 1 to 1000000 or a list of them, not 0"),
    ("seeds: 2", "seeds: 10000001", "line 9: besom.seeds: ", "a number of seeds from 1 to"),
    ("seeds: 2", "seeds: []", "line 9: besom.seeds: ", "at least one seed"),
    ("seeds: 2", "seeds: [1, 2, 1]", "line 9: besom.seeds: ", "seed 1 stands here twice"),
    ("seeds: 2", "seeds: [1, -2]", "line 9: besom.seeds: ", "not -2"),
    ("seeds: 2", "seed: 2", "line 9: besom.seed: ", "besom.seeds"),
    ("seeds: 2", "engine: torch", "line 9: besom.engine: ", "unknown engine \"torch\"; known: native, candle"),
    ("seeds: 2", "objective: last", "line 9: besom.objective: ", "known: final, best"),
    ("seeds: 2", "keep_models: some", "line 9: besom.keep_models: ", "known: all, best, none"),
    ("seeds: 2", "datset: {}", "line 9: besom.datset: ", "did you mean dataset?"),
    // Dataset.
    ("source: data.npz", "", "line 8: besom.dataset.source: ", "missing; a path, an https URL or builtin:sketches"),
    ("  dataset: {source: data.npz}\n", "", "line 7: besom.dataset: ", "missing; besom.dataset.source says"),
    ("data.npz", "\" \"", "line 8: besom.dataset.source: ", "must not be empty"),
    ("data.npz", "http://a/b.npz", "line 8: besom.dataset.source: ", "only https URLs"),
    ("data.npz", "s3://a/b.npz", "line 8: besom.dataset.source: ", "s3:// is not supported"),
    ("data.npz", "https://", "line 8: besom.dataset.source: ", "no host"),
    ("data.npz", "builtin:sketch", "line 8: besom.dataset.source: ", "known: builtin:sketches"),
    ("data.npz", "data.npz, samples: 100", "line 8: besom.dataset.samples: ", "goes with builtin:sketches only"),
    ("data.npz", "data.npz, seed: 1", "line 8: besom.dataset.seed: ", "the seed of the split is split_seed"),
    ("data.npz", "builtin:sketches, samples: 9", "line 8: besom.dataset.samples: ", "from 10 to 1000000, not 9"),
    ("data.npz", "builtin:sketches, label_column: a", "line 8: besom.dataset.label_column: ", "does not go with"),
    ("data.npz", "data.npz, test_fraction: 1.0", "line 8: besom.dataset.test_fraction: ", "below 1, not 1.0"),
    ("data.npz", "data.npz, test_fraction: 0", "line 8: besom.dataset.test_fraction: ", "above 0"),
    ("data.npz", "data.npz, split_seed: x", "line 8: besom.dataset.split_seed: ", "must be an integer"),
    ("data.npz", "data.npz, sha256: abc", "line 8: besom.dataset.sha256: ", "64 hexadecimal digits"),
    ("data.npz", "data.npz, classes: [a]", "line 8: besom.dataset.classes: ", "at least 2"),
    ("data.npz", "data.npz, classes: [a, b, a]", "line 8: besom.dataset.classes: ", "\"a\" stands here twice"),
    ("data.npz", "data.npz, stratify: maybe", "line 8: besom.dataset.stratify: ", "expected true or false"),
    ("data.npz", "data.npz, scale: robust", "line 8: besom.dataset.scale: ", "unknown scale \"robust\""),
    ("data.npz", "data.npz, scale: 2", "line 8: besom.dataset.scale: ", "must be text"),
    ("data.npz", "data.npz, scaling: none", "line 8: besom.dataset.scaling: ", "the key is scale"),
    ("data.npz", "data.npz, per_class: 0", "line 8: besom.dataset.per_class: ", "from 1 to 4294967295, not 0"),
    ("data.npz", "data.npz, size: 1025", "line 8: besom.dataset.size: ", "from 1 to 1024, not 1025"),
    (
        "data.npz",
        "data.npz, label_column: 1.5",
        "line 8: besom.dataset.label_column: ",
        "0 is the first one and -1 the last",
    ),
    ("data.npz", "builtin:sketches, per_class: 3", "line 8: besom.dataset.per_class: ", "does not go with"),
    ("data.npz", "[a.npy]", "line 8: besom.dataset.source: ", "at least 2"),
    ("data.npz", "[a.npy, a.npy]", "line 8: besom.dataset.source: ", "stands here twice"),
    ("data.npz", "[a.npy, builtin:sketches]", "line 8: besom.dataset.source: ", "stands alone"),
    ("data.npz", "[a.npy, http://x/b.npy]", "line 8: besom.dataset.source: ", "only https URLs"),
    ("data.npz", "[a.npy, b.npy], label_column: 0", "line 8: besom.dataset.label_column: ", "does not go with a list"),
    ("data.npz", "data.npz, clases: [a, b]", "line 8: besom.dataset.clases: ", "did you mean classes?"),
];

#[test]
fn every_wrong_file_is_refused_with_line_key_and_advice() {
    parse(FILE).expect("the file itself is right");
    let mut wrong = Vec::new();
    for (piece, replacement, start, part) in CASES {
        assert!(FILE.contains(piece), "{piece:?} is not in the file");
        let text = FILE.replacen(piece, replacement, 1);
        let message = match parse(&text) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        };
        if !message.starts_with(start) || !message.contains(part) || message.contains('\n') {
            wrong.push(format!("{replacement:?}\n   wanted {start:?} .. {part:?}\n   found  {message:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

#[test]
fn a_file_without_its_parts_is_refused() {
    for (text, message) in [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("- a\n- b\n", "line 1: a sweep file is a mapping (name, method, parameters, besom), not a list of 2"),
        (
            "method: grid\n",
            "line 1: parameters: missing; name at least one hyperparameter with its values\n\
             line 1: besom: missing; besom.dataset.source says where the data come from",
        ),
        (
            "method: grid\nparameters: {}\nbesom: {dataset: {source: x}}",
            "line 2: parameters: must name at least one hyperparameter with its values",
        ),
        (
            "method: grid\nparameters: {epochs: {value: 1}}\n",
            "line 1: besom: missing; besom.dataset.source says where the data come from",
        ),
    ] {
        assert_eq!(parse(text).map_err(|error| error.to_string()), Err(message.to_owned()), "{text:?}");
    }
    let long = format!("{}{}", FILE, "#".repeat(1 << 20));
    let error = parse(&long).expect_err("longer than a mebibyte");
    assert!(error.to_string().contains("a sweep file has at most 1048576"), "{error}");
}

#[test]
fn a_base_has_exactly_the_swept_parameters() {
    let text = FILE.replace("grid", "one_at_a_time");
    for (base, start, part) in [
        ("{optimizer: sgd}", "line 9: besom.base.batch_size: ", "missing; with one_at_a_time"),
        ("{optimizer: sgd, batch_size: 8, epochs: 3}", "line 9: besom.base.epochs: ", "no parameter of this sweep"),
        ("{optimizer: sgd, batch_sze: 8}", "line 9: besom.base.batch_sze: ", "did you mean batch_size?"),
        ("{optimizer: sgd, batch_size: 0}", "line 9: besom.base.batch_size: ", "from 1 to 1048576, not 0"),
        ("{optimizer: sgd, batch_size: 8, batch: 8}", "line 9: besom.base.batch: ", "batch_size stands here twice"),
    ] {
        let error = parse(&text.replace("seeds: 2", &format!("base: {base}"))).expect_err(base).to_string();
        assert!(error.starts_with(start) && error.contains(part), "{base}: {error}");
    }
    let constant = text.replace("[8, 32]", "[8]").replace("seeds: 2", "base: {optimizer: sgd, batch_size: 9}");
    let error = parse(&constant).expect_err("two constants").to_string();
    assert_eq!(error, "line 9: besom.base.batch_size: differs from the only value of parameters.batch_size, 8");
    // A base need not be among the values, and may repeat a constant.
    parse(&text.replace("seeds: 2", "base: {optimizer: adadelta, batch: 64}")).expect("a base of its own");
    parse(&constant.replace("batch_size: 9", "batch_size: 8")).expect("the constant again");
}

/// What is wrong with it, a line each.
fn errors(text: &str) -> Vec<String> {
    let errors = parse(text).expect_err("a wrong file");
    errors.errors().iter().map(ToString::to_string).collect()
}

fn starts(found: &[String]) -> Vec<&str> {
    found.iter().map(|error| error.split(": ").next().unwrap_or_default()).collect()
}

#[test]
fn all_errors_are_told_at_once_each_with_its_line_and_the_nearest_word() {
    let found = errors(
        "method: grid
parameters:
  learning_rate: {values: [0.1, 0.2]}
  lr_scheduler: {values: [cosine]}
  batchsize: {values: [16]}
  optimiser: {values: [adam]}
metric: {name: val_acc, goal: maximize}
besom:
  dataset: {source: \"builtin:sketches\", samples: 500}
",
    );
    assert_eq!(
        found,
        [
            "line 4: parameters.lr_scheduler: unknown hyperparameter; the course of the learning rate is `schedule: cosine`",
            "line 5: parameters.batchsize: unknown hyperparameter; did you mean batch_size?",
            "line 6: parameters.optimiser: unknown hyperparameter; did you mean optimizer?",
            "line 7: metric.name: unknown metric \"val_acc\"; did you mean val_accuracy?",
        ]
    );
}

#[test]
fn every_block_of_a_wrong_file_has_its_say() {
    let found = errors(
        "name: a/b
method: gird
project: mine
metric: {name: lss, goal: up}
run_cap: 0
parameters:
  epochs: {values: [0, 3, x]}
  momentum: {distribution: normal, mu: 0, sigma: 1}
  dropout: {min: 0.1, max: 0.5}
  hidden: [32]
  batch_size: {value: 1, values: [2]}
besom:
  dataset: {source: s3://a/b, test_fraction: 2, classes: [a, a]}
  model: {activation: rleu, l3: 0.1, epochs: 3}
  seeds: [1, 1, -4]
  objective: last
",
    );
    let keys: Vec<_> = found.iter().filter_map(|error| error.split(": ").nth(1)).collect();
    assert_eq!(
        keys,
        [
            "name",
            "method",
            "project",
            "metric.name",
            "metric.goal",
            "run_cap",
            "parameters.epochs.values",
            "parameters.epochs.values",
            "parameters.momentum.distribution",
            "parameters.dropout.min",
            "parameters.dropout.max",
            "parameters.hidden",
            "parameters.batch_size",
            "besom.dataset.source",
            "besom.dataset.test_fraction",
            "besom.dataset.classes",
            "besom.model.activation",
            "besom.model.l3",
            "besom.model.epochs",
            "besom.seeds",
            "besom.seeds",
            "besom.objective",
        ],
        "{found:#?}"
    );
    assert_eq!(starts(&found)[..3], ["line 1", "line 2", "line 3"]);
}

#[test]
fn the_values_of_a_misspelt_hyperparameter_are_checked_in_the_same_round() {
    let text =
        FILE.replace("batch_size: {values: [8, 32]}", "batchsize: {distribution: q_uniform, min: 8, max: 32, q: 8}");
    let found = errors(&text.replace("hidden: [32, 32]", "hiden: 32"));
    let keys: Vec<_> = found.iter().filter_map(|error| error.split(": ").nth(1)).collect();
    assert_eq!(
        keys,
        ["parameters.batchsize", "parameters.batchsize.distribution", "besom.model.hiden", "besom.model.hiden"],
        "{found:#?}"
    );
}

#[test]
fn what_only_follows_from_another_error_is_not_told() {
    let one_at_a_time = FILE.replace("grid", "one_at_a_time");
    for text in [
        // The key that is missing stands there, misspelt.
        FILE.replace("method:", "methd:"),
        FILE.replace("  dataset:", "  datset:"),
        FILE.replace("source:", "sorce:"),
        // The base of a parameter that is misspelt, and a base that is misspelt.
        one_at_a_time.replace("batch_size:", "batchsize:").replace("seeds: 2", "base: {optimizer: sgd, batch_size: 8}"),
        one_at_a_time.replace("seeds: 2", "base: {optimizer: sgd, batchsize: 8}"),
        one_at_a_time.replace("seeds: 2", "bsae: {optimizer: sgd, batch_size: 8}"),
        // What a key means by default where it is left out is not what its slip means.
        FILE.replace("goal:", "gaol:"),
        // A method that is not known may have a base.
        FILE.replace("grid", "gird").replace("seeds: 2", "base: {optimizer: sgd, batch_size: 8}"),
        // The keys of a distribution that is not supported.
        FILE.replace("{values: [8, 32]}", "{distribution: q_normal, mu: 0, sigma: 1, q: 2}"),
    ] {
        assert_eq!(errors(&text).len(), 1, "{text}{:#?}", errors(&text));
    }
    let missing = errors(&one_at_a_time);
    let part = "missing; with one_at_a_time each parameter with several values";
    assert!(missing.len() == 2 && missing.iter().all(|error| error.contains(part)), "{missing:?}");
}

#[test]
fn of_a_thousand_errors_fifty_are_listed_and_the_others_counted() {
    let wrong: Vec<_> = (0..1000).map(|index| format!("  wrong{index}: {{value: 1}}\n")).collect();
    let errors = parse(&FILE.replace("besom:", &format!("{}besom:", wrong.concat()))).expect_err("wrong");
    assert_eq!((errors.errors().len(), errors.count()), (50, 1000));
    assert!(errors.to_string().ends_with("\nand 950 more"), "{errors}");
}

#[test]
fn of_many_errors_the_first_in_the_file_are_listed_whatever_is_found_first() {
    let unknown: Vec<_> = (0..60).map(|index| format!("wrong{index}: 1\n")).collect();
    let errors = parse(&format!("parameters:\n  batchsize: {{value: 8}}\n{}", unknown.concat())).expect_err("wrong");
    let listed: Vec<String> = errors.errors().iter().map(ToString::to_string).collect();
    assert!(listed.iter().any(|error| error.starts_with("line 2: ") && error.ends_with("did you mean batch_size?")));
    assert!(listed.is_sorted_by_key(|error| error[5..].split(':').next().and_then(|line| line.parse::<u32>().ok())));
    // The keys method and besom are missing, too.
    assert_eq!((listed.len(), errors.count()), (50, 63), "{errors}");
}

#[test]
fn a_stored_file_is_read_where_only_its_sense_would_be_refused_today() {
    let text = FILE.replace("name: val_accuracy", "name: val_loss");
    assert_eq!(
        errors(&text),
        ["line 3: metric.goal: val_loss needs `goal: minimize`: the largest loss would rank first"]
    );
    let stored = parse_stored(&text).expect("an older build accepted it");
    assert_eq!((stored.metric.name.as_str(), stored.metric.goal.as_str()), ("val_loss", "maximize"));
    // What cannot be read stays refused.
    parse_stored(&text.replace("grid", "gird")).expect_err("nobody knows what it means");
}

#[test]
fn tokens_of_sources_are_not_told() {
    for source in ["['https://h/a.npy?S3CRET', 'https://h/a.npy?S3CRET']", "'builtin:x://S3CRET@h/?S3CRET'"] {
        let found = errors(&FILE.replace("data.npz", source));
        assert!(found.len() == 1 && !found[0].contains("S3CRET") && found[0].contains("h/"), "{found:?}");
    }
}
