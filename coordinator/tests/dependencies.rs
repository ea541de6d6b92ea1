//! The structure of the workspace, checked where it is written down: in the manifests, in what cargo resolves from them, and in
//! the imports of the pure part of the coordinator. A dependency that points the other way is found here, and not by
//! whoever later wants to use a crate alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// What the product's crates may depend on, as ARCHITECTURE.md says. To change a line here is to change the design.
const DRAWN: [(&str, &[&str]); 9] = [
    ("besom-sweep", &[]),
    ("besom-proto", &[]),
    ("besom-dataset", &["besom-sweep"]),
    ("besom-figures", &["besom-sweep"]),
    ("besom-mlp", &["besom-dataset", "besom-sweep"]),
    ("besom-client", &["besom-dataset", "besom-proto", "besom-sweep"]),
    ("besom-coordinator", &["besom-proto", "besom-sweep"]),
    ("besom-worker", &["besom-client", "besom-dataset", "besom-mlp", "besom-proto", "besom-sweep"]),
    (
        "besom",
        &[
            "besom-client",
            "besom-coordinator",
            "besom-dataset",
            "besom-figures",
            "besom-mlp",
            "besom-proto",
            "besom-sweep",
            "besom-worker",
        ],
    ),
];

/// Crates that serve tests only: others may name them as dev-dependencies alone, and they may use whatever they test.
const FOR_TESTS: [&str; 1] = ["besom-testkit"];

/// What must not be reached from a crate, however far away.
const FORBIDDEN: [(&str, &[&str]); 3] = [
    ("besom-sweep", &["tokio", "sqlx", "tonic", "prost", "candle-core", "candle-nn"]),
    ("besom-figures", &["tokio", "sqlx", "tonic", "prost", "candle-core", "candle-nn"]),
    ("besom-mlp", &["tokio", "tonic"]),
];

/// What no file of the coordinator's domain may name.
const OUTSIDE: [&str; 7] = ["tokio", "sqlx", "tonic", "prost", "candle_core", "candle_nn", "besom_proto"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What cargo answers. It needs no network: whoever runs this test has built it.
fn cargo(arguments: &[&str]) -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).args(["--offline", "--locked"]).current_dir(workspace()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The crates of the workspace, each with the others that it depends on: for itself, and for its tests alone.
fn drawn_by_cargo() -> BTreeMap<String, [BTreeSet<String>; 2]> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let members: BTreeSet<String> = packages.iter().map(name).collect();
    let uses = |package: &Value, is_for_tests: bool| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let wanted = dependencies.filter(|dependency| (dependency["kind"] == "dev") == is_for_tests).map(name);
        wanted.filter(|name| members.contains(name)).collect()
    };
    packages.iter().map(|package| (name(package), [uses(package, false), uses(package, true)])).collect()
}

#[test]
fn dependencies_point_one_way() {
    let found = drawn_by_cargo();
    let (drawn, for_tests) = (BTreeMap::from(DRAWN), BTreeSet::from(FOR_TESTS));
    let mut wrong: Vec<String> = drawn
        .keys()
        .filter(|name| !found.contains_key(**name))
        .map(|name| format!("the crate {name} is missing from the workspace"))
        .collect();
    for (name, [uses, tests_use]) in &found {
        let Some(allowed) = drawn.get(name.as_str()) else {
            if !for_tests.contains(name.as_str()) {
                wrong.push(format!("the crate {name} is not drawn: give it a line here and in ARCHITECTURE.md"));
            }
            continue;
        };
        let is_drawn = |used: &&String| allowed.contains(&used.as_str());
        wrong
            .extend(uses.iter().filter(|used| !is_drawn(used)).map(|used| format!("{name} must not depend on {used}")));
        let tests_alone = tests_use.iter().filter(|used| !is_drawn(used) && !for_tests.contains(used.as_str()));
        wrong.extend(tests_alone.map(|used| format!("the tests of {name} must not depend on {used}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_pure_crate_reaches_no_runtime_no_database_and_no_tensor() {
    let members = drawn_by_cargo();
    let mut wrong = Vec::new();
    for (name, forbidden) in FORBIDDEN {
        if !members.contains_key(name) {
            wrong.push(format!("the crate {name} is missing from the workspace"));
            continue;
        }
        let tree = cargo(&["tree", "--package", name, "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
        let reached: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(reached.contains(name), "cargo tree lists {name} itself: {tree}");
        let found = forbidden.iter().filter(|forbidden| reached.contains(*forbidden));
        wrong.extend(found.map(|found| {
            format!("{name} must not reach {found}; `cargo tree -p {name} -i {found}` says over which crates it does")
        }));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_domain_of_the_coordinator_knows_nothing_outside_of_itself() {
    let domain = workspace().join("coordinator/src/domain");
    let files = files_below(&domain);
    assert!(files.len() > 5, "{files:?}");
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(&domain).unwrap().display();
        wrong.extend(outside_paths(&text).into_iter().map(|path| format!("domain/{name} names {path}")));
        if name.to_string() == "mod.rs" && text.contains("super::") {
            wrong.push("domain/mod.rs names what is above the domain".to_owned());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_path_that_leaves_the_domain_is_found_however_it_is_written() {
    for leaving in [
        "use tokio::sync::Mutex;",
        "use crate::store::Store;",
        "use crate::{domain::JobId, store::Store};",
        "use {std::fmt, sqlx::Row};",
        "use ::tonic::Status;",
        "pub use super::super::store;",
        "fn f() { tokio::spawn(g()) }",
        "fn f() -> crate::store::StoreError { g() }",
        "use candle_core as tensors;",
    ] {
        assert!(!outside_paths(leaving).is_empty(), "{leaving}");
    }
    for staying in [
        "use std::{fmt, time::Duration};",
        "use super::{JobId, JobState};",
        "use crate::domain::JobId;",
        "// tokio::sync is for others",
        "//! See crate::store.",
        "let a = crate::domain::JobId(1);",
    ] {
        assert_eq!(outside_paths(staying), Vec::<String>::new(), "{staying}");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            files.push(path);
        }
    }
    files
}

/// What a file of the domain names outside of the domain, in an import or in the middle of the code. The text is cut into
/// words, so that no nesting of an import hides a crate; comments may name what they want.
fn outside_paths(text: &str) -> Vec<String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let words: Vec<&str> = code
        .split_inclusive(|character| !is_part(character))
        .flat_map(|piece| {
            let end = piece.trim_end_matches(|character: char| !is_part(character)).len();
            [&piece[..end], piece[end..].trim()]
        })
        .filter(|word| !word.is_empty())
        .collect();
    let starts_path = |index: usize| words.get(index + 1..index + 3).is_some_and(|next| next == [":", ":"]);
    let mut found = Vec::new();
    for (index, &word) in words.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| words.get(before)).copied();
        let is_crate = OUTSIDE.contains(&word) && (starts_path(index) || before == Some("use") || before == Some(","));
        let leaves = word == "crate" && starts_path(index) && words.get(index + 3) != Some(&"domain");
        let climbs = word == "super" && words[..index].ends_with(&["super", ":", ":"]);
        if is_crate || leaves || climbs {
            found.push(words[index..words.len().min(index + 4)].concat());
        }
    }
    found
}
