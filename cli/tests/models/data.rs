//! What is odd about data is told before anything is trained, and again beside the results; data
//! that are scaled by feature are predicted as they were trained.

use std::{fmt::Write, io::Write as _, path::Path};

use serde_json::Value;

use super::{files::npy, support::Home};

/// A table of `rows` samples of three whole numbers in the classes a and b, and one of class z.
fn table(rows: usize) -> String {
    let mut text = "label,x,y,w\n".to_owned();
    for row in 0..rows {
        let class = if row % 2 == 0 { 'a' } else { 'b' };
        let x = row * 37 % 90 + if row % 2 == 0 { 0 } else { 100 };
        writeln!(text, "{class},{x},{},{}", row * 13 % 200 + 1, row * 7 % 256).unwrap();
    }
    text + "z,1,2,3\n"
}

/// A grid over batch sizes on `source`, with `more` keys of the dataset.
fn sweep(source: &str, more: &str, sizes: &str) -> String {
    format!(
        "name: odd\nmethod: grid\nparameters:\n  batch_size: {{values: [{sizes}]}}\n  epochs: {{value: 2}}\n\
         besom:\n  dataset: {{source: '{source}'{more}}}\n  model: {{hidden: [8]}}\n"
    )
}

fn notes(json: &Value) -> Vec<String> {
    json["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_odd_about_data_is_told_in_the_plan_in_inspect_and_at_both_ends_of_a_run() {
    let home = Home::new();
    home.write("odd.csv", &table(49));
    let file = home.write("odd.yaml", &sweep("odd.csv", "", "8, 512, 4096"));
    let path =
        |args: &[&str]| args.iter().map(Path::new).chain([file.as_path()]).map(Path::to_owned).collect::<Vec<_>>();
    let expected = [
        "class `z` has no ",
        "the test split has 10 samples: one of them moves val_accuracy by 0.100",
        "batch_size 512 and 4096 are larger than the training split of 40 samples: an epoch is one step on all of them",
    ];
    for args in [&["run", "--plan"][..], &["submit", "--plan"], &["dataset", "inspect"]] {
        let said = home.besom(path(args)).expect(0).stdout;
        for note in expected {
            assert!(said.contains(&format!("note: {note}")), "{note}: {said}");
        }
        let json = home.besom(path(&[args, &["--json"]].concat())).expect(0).json();
        let notes = notes(&json);
        assert!(expected.iter().all(|note| notes.iter().any(|it| it.starts_with(note))), "{notes:?}");
    }
    let plan = home.besom(path(&["run", "--plan", "--json"])).expect(0).json();
    assert_eq!((&plan["train"], &plan["test"], &plan["classes"]), (&40.into(), &10.into(), &3.into()));
    assert!(
        home.besom(path(&["run", "--plan"])).stdout.contains("odd.csv: 40 training and 10 test samples, 3 classes")
    );
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 2, "a plan writes nothing");

    let ran = home.besom(path(&["run", "--no-figures"])).expect(0);
    for note in expected {
        assert_eq!(ran.stderr.matches(&format!("note: {note}")).count(), 2, "{note}: {ran}");
    }
    let again = home.besom(path(&["submit"])).expect(0);
    assert!(expected.iter().all(|note| again.stderr.contains(note)), "{again}");
    // The results do not differ, as was said.
    let sql = "SELECT count(DISTINCT final_val_loss) AS n FROM runs WHERE batch_size > 40";
    assert_eq!(home.besom(["sql", "--format", "json", sql]).expect(0).json()[0]["n"], 1);
}

#[test]
fn data_without_oddities_have_no_note() {
    let home = Home::new();
    home.write("fine.csv", table(400).trim_end_matches("z,1,2,3\n"));
    let file = home.write("fine.yaml", &sweep("fine.csv", "", "8"));
    for command in [&["run", "--plan", "--json"][..], &["dataset", "inspect", "--json"]] {
        let args: Vec<&Path> = command.iter().map(Path::new).chain([file.as_path()]).collect();
        assert_eq!(notes(&home.besom(args).expect(0).json()), [""; 0]);
    }
}

#[test]
fn a_split_by_class_has_every_class_in_both_splits() {
    let home = Home::new();
    let rare = table(60).replace("z,1,2,3\n", "z,1,2,3\nz,3,2,1\n");
    let file = home.write("rare.csv", &rare);
    let counts = |more: &[&str]| -> Vec<(u64, u64)> {
        let args = [&["dataset", "inspect", "--json", file.to_str().unwrap()], more].concat();
        let json = home.besom(args).expect(0).json();
        let of = |class: &Value, split: &str| class[split].as_u64().unwrap();
        json["classes"].as_array().unwrap().iter().map(|class| (of(class, "train"), of(class, "test"))).collect()
    };
    assert_eq!(counts(&["--stratify"]), [(24, 6), (24, 6), (1, 1)]);
    assert_ne!(counts(&[]), counts(&["--stratify"]));
    let sweep = home.write("rare.yaml", &sweep("rare.csv", ", stratify: true", "8"));
    let inspect = |what: &str, more: &[&str]| {
        let args = [&["dataset", "inspect", "--json", what], more].concat();
        home.besom(args).expect(0).json()["dataset"].clone()
    };
    let by_file = inspect(sweep.to_str().unwrap(), &[]);
    assert_eq!(by_file, inspect(file.to_str().unwrap(), &["--stratify"]));
    assert_ne!(by_file, inspect(file.to_str().unwrap(), &[]));
}

#[test]
fn a_plan_says_what_it_could_not_check() {
    let home = Home::new();
    let plan = |source: &str, more: &str| {
        let file = home.write("odd.yaml", &sweep(source, more, "8, 500000"));
        home.besom([Path::new("run"), Path::new("--plan"), &file])
    };
    let missing = plan("missing.npz", "").expect(0).stdout;
    assert!(
        missing.contains("note: the dataset was not read") && missing.contains("missing.npz is not there"),
        "{missing}"
    );
    let far = plan("https://127.0.0.1:1/x.npz", "").expect(0).stdout;
    assert!(far.contains("https://127.0.0.1:1/x.npz is not fetched for a plan"), "{far}");
    let pinned = plan("https://127.0.0.1:1/x.npz", &format!(", sha256: {}", "ab".repeat(32))).expect(0).stdout;
    assert!(pinned.contains("is not in the cache"), "{pinned}");
    std::fs::create_dir_all(home.path().join("cache/downloads")).unwrap();
    let cached = home.write(&format!("cache/downloads/{}", "ab".repeat(32)), "rubbish");
    let damaged = plan("https://127.0.0.1:1/x.npz", &format!(", sha256: {}", "ab".repeat(32))).expect(0).stdout;
    assert!(damaged.contains("the cached copy of https://127.0.0.1:1/x.npz is damaged"), "{damaged}");
    assert!(cached.exists(), "a plan changes nothing");

    // A file of more than 200 MB, most of which is a hole: its header is read.
    let count = 260_000_u32;
    let images = std::fs::File::create(home.path().join("large-images-idx3-ubyte")).unwrap();
    let header = [&[0, 0, 8, 3][..], &count.to_be_bytes(), &28_u32.to_be_bytes(), &28_u32.to_be_bytes()].concat();
    (&images).write_all(&header).unwrap();
    images.set_len(16 + 784 * u64::from(count)).unwrap();
    let large = plan("large-images-idx3-ubyte", "").expect(0).stdout;
    for text in [
        "large-images-idx3-ubyte: 208000 training and 52000 test samples\n",
        "note: batch_size 500000 is larger than the training split of 208000 samples",
        "has 203 MB): its values and its classes are not checked",
    ] {
        assert!(large.contains(text), "{text}: {large}");
    }

    // What is read and cannot be trained on fails the plan, after it was shown.
    home.write("bad.csv", "label,x\n1,2\n1,3\n1,4\n");
    let bad = plan("bad.csv", "").expect(1);
    assert!(bad.stdout.contains("2 points") && bad.stderr.contains("holds one class only"), "{bad}");
}

#[test]
fn own_drawings_are_scaled_by_the_statistics_of_the_training_split() {
    let home = Home::new();
    home.write("odd.csv", &table(120));
    let file = home.write("odd.yaml", &sweep("odd.csv", ", scale: standard", "8"));
    home.besom([Path::new("run"), &file]).expect(0);
    let inspected = home.besom([Path::new("dataset"), Path::new("inspect"), &file]).expect(0).stdout;
    assert!(inspected.contains("32-bit floats, scaled to mean 0 and deviation 1 (standard)"), "{inspected}");
    let own = |json: &Value| -> Vec<Value> {
        let drawings = json["drawings"].as_array().unwrap().iter();
        drawings.map(|drawing| drawing["guesses"][0]["probabilities"].clone()).collect()
    };
    // The table's own lines, with those of the test split among them.
    let values: Vec<u8> =
        table(120).lines().skip(1).flat_map(|line| line.split(',').skip(1)).map(|it| it.parse().unwrap()).collect();
    let array = home.path().join("lines.npy");
    std::fs::write(&array, npy(&[values.len() / 3, 3], &values)).unwrap();
    let all = own(&home.besom(["predict", "odd", "--json", "--input", array.to_str().unwrap()]).expect(0).json());
    let tested = own(&home.besom(["predict", "odd", "--json", "--samples", "1000"]).expect(0).json());
    assert_eq!(tested.len(), 25);
    assert!(tested.iter().all(|wanted| all.contains(wanted)), "{tested:?} are not all among {all:?}");

    let folder = home.path().join("model");
    home.besom(["export", "model", "odd", "--out", folder.to_str().unwrap()]).expect(0);
    let card: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("model.json")).unwrap()).unwrap();
    assert_eq!(
        card["scaling"],
        serde_json::json!({"scale": "standard", "subtract": "input.shift", "divide_by": "input.divisor"})
    );
    home.besom(["report", "odd", "--out", home.path().join("page.html").to_str().unwrap()]).expect(0);
    let sheet = home.besom(["predict", "odd", "--samples", "2"]).expect(0).stdout;
    assert!(sheet.contains("2 drawings of the 25 test samples"), "{sheet}");
}
