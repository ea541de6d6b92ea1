//! Copies of sweep files with other values: what is not changed stays as it is written, comments included.

use besom_sweep::{Edit, SweepName, edit, parse};

const FILE: &str = "\
# What we tried in May.
name: may
method: grid        # every combination
parameters:
  # rates
  lr: {values: [0.1, 0.01]}  # two of them
  batch_size:
    values:
      - 8
      - 32
besom:
  dataset: {source: data.npz}
  model: {hidden: [32, 32]}  # small
";

fn edited(text: &str, sets: &[&str]) -> Result<(String, bool), String> {
    let edits: Vec<Edit> = sets.iter().map(|set| set.parse().expect("KEY=VALUE")).collect();
    let name = SweepName::new("june").expect("a name");
    edit(text, &name, &edits).map(|edited| (edited.text, edited.keeps_layout)).map_err(|error| error.to_string())
}

fn kept(text: &str, sets: &[&str]) -> String {
    let (edited, keeps_layout) = edited(text, sets).expect("a right change");
    assert!(keeps_layout, "{edited}");
    parse(&edited).expect("a right file");
    edited
}

#[test]
fn the_name_alone_changes_one_line() {
    assert_eq!(kept(FILE, &[]), FILE.replace("name: may", "name: june"));
    let nameless = FILE.replace("name: may\n", "");
    assert_eq!(kept(&nameless, &[]), FILE.replace("name: may", "name: june"));
}

#[test]
fn a_value_changes_where_it_stands() {
    assert_eq!(
        kept(FILE, &["learning_rate=0.5"]),
        FILE.replace("name: may", "name: june").replace("{values: [0.1, 0.01]}", "{value: 0.5}")
    );
    assert_eq!(
        kept(FILE, &["lr=[0.5, 1e-5]", "hidden=[64]"]),
        FILE.replace("name: may", "name: june").replace("[0.1, 0.01]", "[0.5, 1e-5]").replace("[32, 32]", "[64]")
    );
    let block = kept(FILE, &["batch_size={min: 1, max: 4}"]);
    assert!(block.contains("\n  batch_size: {min: 1, max: 4}\nbesom:"), "{block}");
    let nested = kept(FILE, &["batch=[16]"]);
    assert!(nested.contains("  batch_size: {values: [16]}\n"), "{nested}");
}

#[test]
fn what_the_file_lacks_is_added() {
    let text = kept(FILE, &["epochs=3", "besom.seeds=2", "run_cap=7", "besom.dataset.test_fraction=0.3"]);
    assert!(text.contains("      - 32\n  epochs: {value: 3}\nbesom:"), "{text}");
    assert!(text.contains("  model: {hidden: [32, 32]}  # small\n  seeds: 2\nrun_cap: 7\n"), "{text}");
    assert!(text.contains("dataset: {test_fraction: 0.3, source: data.npz}"), "{text}");
    let spec = parse(&text).expect("a right file");
    assert_eq!((spec.seeds, spec.run_cap, spec.dataset.test_fraction), (vec![1, 2], Some(7), Some(0.3)));
    let seeds = parse(&kept(FILE, &["seed=3"])).expect("a right file").seeds;
    assert_eq!(seeds, [3]);
}

#[test]
fn a_fixed_hyperparameter_moves_to_the_parameters_where_it_gets_several_values() {
    let text = kept(FILE, &["hidden=[[32], [64, 32]]"]);
    assert!(text.contains("  hidden: {values: [[32], [64, 32]]}\nbesom:"), "{text}");
    assert!(text.contains("  model: {}  # small\n"), "{text}");
    let block =
        FILE.replace("{hidden: [32, 32]}  # small", "\n    hidden: [32, 32]  # small\n    l2: 0.1\n    l1: 0.2");
    let text = kept(&block, &["l1={values: [0, 1]}", "hidden=[[8], [9]]"]);
    assert!(text.ends_with("  model: \n    l2: 0.1\n"), "{text}");
    let flow = FILE.replace("{hidden: [32, 32]}", "{l2: 0.1, hidden: [32, 32], l1: 0.2}");
    let text = kept(&flow, &["hidden=[[8], [9]]", "l1=[0, 1]"]);
    assert!(text.contains("  model: {l2: 0.1}  # small\n"), "{text}");
}

#[test]
fn json_and_aliases_are_changed_too() {
    let json = "{\"method\": \"grid\", \"parameters\": {\"lr\": {\"values\": [0.1]}},\n \
                \"besom\": {\"dataset\": {\"source\": \"d.npz\"}}}";
    let text = kept(json, &["lr=0.2"]);
    assert!(text.starts_with("{name: june, \"method\": \"grid\", \"parameters\": {\"lr\": {value: 0.2}},\n"), "{text}");
    let aliases = FILE.replace("  lr: {values: [0.1, 0.01]}", "  lr: &rates {values: [0.1, 0.01]}\n  dropout: *rates");
    let (text, _) = edited(&aliases, &["lr=0.2"]).expect("a right change");
    let spec = parse(&text).expect("a right file");
    let values: Vec<_> = spec.parameters.iter().map(|parameter| parameter.values.len()).collect();
    assert_eq!(values, [1, 2, 2], "the alias keeps what it stood for:\n{text}");
}

#[test]
fn the_base_of_a_parameter_with_one_value_follows_it() {
    let text =
        FILE.replace("grid ", "one_at_a_time ").replace("  model:", "  base: {lr: 0.1, batch_size: 8}\n  model:");
    let spec = parse(&kept(&text, &["lr=0.7"])).expect("a right file");
    assert_eq!(spec.base["learning_rate"], 0.7);
}

#[test]
fn what_is_unknown_or_wrong_is_refused() {
    for (set, part) in [
        ("learning_rat=0.1", "did you mean learning_rate?"),
        ("zebra=1", "neither a hyperparameter nor a key of the file"),
        ("name=x", "--name names the new sweep"),
        ("besm.seeds=2", "did you mean besom?"),
        ("besom.sedes=2", "did you mean seeds?"),
        ("epochs=0", "from 1 to 100000, not 0"),
        ("lr=[0.1", "not valid YAML"),
        ("metric.name=val_acc", "did you mean val_accuracy?"),
    ] {
        let error = edited(FILE, &[set]).expect_err(set);
        assert!(error.contains(part), "{set}: {error}");
    }
    "lr".parse::<Edit>().expect_err("no value");
}
