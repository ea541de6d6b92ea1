//! Copies of sweep files with other values: what is not changed stays as it is written, comments
//! included.

use besom_sweep::{Edit, Edited, SweepName, edit, parse};

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

fn attempt(text: &str, sets: &[&str]) -> Result<Edited, String> {
    let edits: Vec<Edit> = sets.iter().map(|set| set.parse().expect("KEY=VALUE")).collect();
    let name = SweepName::new("june").expect("a name");
    edit(text, &name, &edits).map_err(|error| error.to_string())
}

fn edited(text: &str, sets: &[&str]) -> Result<(String, bool), String> {
    attempt(text, sets).map(|edited| (edited.text, edited.keeps_layout))
}

fn edited_file(text: &str, sets: &[&str]) -> Edited {
    attempt(text, sets).expect("a right change")
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
fn comments_of_what_is_not_changed_stay_and_those_that_go_are_told() {
    let model = |block: &str| FILE.replace("{hidden: [32, 32]}  # small", block);
    // In braces, on lines of their own, before and after what moves away.
    for block in [
        "{\n    l2: 0.1, # weight decay: reviewed by Ana\n    hidden: [32],\n  }",
        "{\n    l2: 0.1, # weight decay: reviewed by Ana\n    hidden: [32]\n  }",
        "{\n    hidden: [32],\n    # reviewed by Ana\n    l2: 0.1,\n  }",
        "{hidden: [32], # reviewed by Ana\n   l2: 0.1}",
        "{l2: 0.1, # reviewed by Ana\n   hidden: [32]}",
        "{l2: 0.1, hidden: [32], # reviewed by Ana\n   l1: 0.2}",
    ] {
        let edited = edited_file(&model(block), &["hidden=[[8],[9]]"]);
        assert!(edited.keeps_layout && edited.lost.is_empty(), "{edited:?}");
        assert!(edited.text.contains("reviewed by Ana"), "{}", edited.text);
        assert!(!edited.text.contains("\n    \n"), "no empty line stays: {}", edited.text);
        assert_eq!(parse(&edited.text).expect("a right file").model["l2"], 0.1);
    }
    // A comma on a line of its own is no layout that anybody writes.
    let edited = edited_file(&model("{hidden: [32] # Ana\n   , l2: 0.1}"), &["hidden=[[8],[9]]"]);
    assert!(edited.text.contains("# Ana") != edited.lost.contains(&"# Ana".to_owned()), "{edited:?}");
    // What stands within a value, or at the end of a line that goes, goes with it.
    let edited = edited_file(&FILE.replace("      - 32\n", "      # - 16\n      - 32\n"), &["batch_size=4"]);
    assert_eq!((edited.keeps_layout, edited.lost), (true, vec!["# - 16".to_owned()]));
    let edited = edited_file(&model("\n    hidden: [32]  # small\n    l2: 0.1  # 'a # b'"), &["hidden=[[8],[9]]"]);
    assert_eq!((edited.keeps_layout, edited.lost), (true, vec!["# small".to_owned()]));
    // A sign within words is no comment.
    let edited = edited_file(&FILE.replace("name: may", "name: may\ndescription: 'run #1 # x'"), &["description=a#b"]);
    assert_eq!((edited.keeps_layout, edited.lost), (true, Vec::new()));
}

#[test]
fn a_block_of_text_is_replaced_without_the_lines_below_it() {
    for block in ["|\n  line one", ">-\n  line one\n  and two", "|+\n  line one\n", "|-\n  # no comment"] {
        let middle = FILE.replace("name: may\n", &format!("name: may\ndescription: {block}\n# about method\n"));
        let text = kept(&middle, &["description=new"]);
        assert!(text.contains("description: new\n"), "{text}");
        assert!(text.contains("# about method\nmethod: grid        # every combination\n"), "{text}");
        let end = kept(&format!("{FILE}description: {block}\n# the end\n"), &["description=new"]);
        assert!(end.ends_with("# small\ndescription: new\n# the end\n") || block.starts_with("|+"), "{end}");
        let added = kept(&format!("{FILE}description: {block}\n# the end\n"), &["run_cap=7"]);
        assert!(added.contains("\nrun_cap: 7\n") && added.contains("# the end"), "{added}");
        let last = kept(&format!("{FILE}description: {block}"), &["description=new"]);
        assert!(last.ends_with("# small\ndescription: new") || last.ends_with("description: new\n"), "{last}");
    }
}

#[test]
fn lines_end_as_those_of_the_file_do() {
    let file = FILE.replace('\n', "\r\n");
    let nameless = file.replace("name: may\r\n", "");
    let sets = ["epochs=3", "run_cap=7", "hidden=[[8], [9]]", "batch_size=4", "description=new"];
    for text in
        [file.as_str(), &nameless, file.trim_end(), &file.replace("name: may", "name: may\r\ndescription: |\r\n  x")]
    {
        let text = kept(text, &sets);
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text:?}");
    }
    // Where the layout is lost as well.
    let (text, keeps_layout) = edited(&file.replace("lr:", "? lr\r\n  :"), &["lr=1"]).expect("a right change");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{keeps_layout} {text:?}");
}

#[test]
fn seeds_are_set_wherever_the_file_has_them() {
    let listed = FILE.replace("parameters:\n", "parameters:\n  seed: {values: [7, 8]}  # ours\n");
    let twice = listed.replace("besom:\n", "besom:\n  seeds: [7, 8]\n");
    let counted = FILE.replace("besom:\n", "besom:\n  seeds: 9\n");
    let alone = "method: grid\nparameters: {seed: {value: 7}}\nbesom: {dataset: {source: d.npz}}\n";
    for file in [FILE, &listed, &twice, &counted, alone] {
        for set in ["seeds=3", "besom.seeds=3", "seed=[1, 2, 3]", "besom.seeds=[1, 2, 3]", "parameters.seed=[1, 2, 3]"]
        {
            let spec = parse(&kept(file, &[set])).expect("a right file");
            assert_eq!(spec.seeds, [1, 2, 3], "{set}: {file}");
        }
        assert_eq!(parse(&kept(file, &["seed=3"])).expect("a right file").seeds, [3]);
        edited(file, &["seeds=0"]).expect_err("no seeds");
    }
    assert!(kept(&twice, &["seeds=3"]).contains("\n  seed: {min: 1, max: 3}  # ours\n"));
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
