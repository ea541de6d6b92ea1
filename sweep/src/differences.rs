//! What differs between two sweep files that mean different sweeps.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::Engine;
use crate::source::shown_source;
use crate::spec::{Method, SweepSpec};
use crate::words::shorten;
use crate::yaml::{self, Kind, Node};

/// Lists with more values are not shown: what one of them has and the other has not is.
const LISTED: usize = 8;

/// A sweep as its digest sees it, with the text for what only the text tells.
#[derive(Debug, Clone, Copy)]
pub struct Meaning<'a> {
    /// The file.
    pub text: &'a str,
    /// What was read from it.
    pub spec: &'a SweepSpec,
    /// The engine that the command line chose.
    pub engine: Option<Engine>,
    /// Digest of the dataset.
    pub dataset: &'a str,
}

/// What differs, one `key: before -> now` each, by key. Empty where the two are the same sweep.
pub fn differences(before: &Meaning<'_>, now: &Meaning<'_>) -> Vec<String> {
    let mut found = compare(&keys(before), &keys(now));
    if before.dataset != now.dataset {
        let mut data = compare(&dataset_keys(before.text), &dataset_keys(now.text));
        if data.is_empty() {
            let source = shorten(&shown_source(&now.spec.dataset.source));
            data.push(format!("besom.dataset: {source} holds other data than before"));
        }
        found.extend(data);
    }
    found
}

type Keys = BTreeMap<String, Vec<String>>;

fn compare(before: &Keys, now: &Keys) -> Vec<String> {
    let mut names: Vec<_> = before.keys().chain(now.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let differs = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
    differs.map(|name| format!("{name}: {}", change(before.get(name), now.get(name)))).collect()
}

fn change(before: Option<&Vec<String>>, now: Option<&Vec<String>>) -> String {
    match (before, now) {
        (Some(before), Some(now)) if before.len() > LISTED || now.len() > LISTED => {
            let only = |these: &[String], others: &[String]| -> Vec<String> {
                these.iter().filter(|value| !others.contains(value)).take(LISTED).cloned().collect()
            };
            let (gone, new) = (only(before, now), only(now, before));
            let counts = format!("{} values -> {} values", before.len(), now.len());
            let part = |what: &str, values: &[String]| match values {
                [] => String::new(),
                some => format!(", {what} {}", some.join(", ")),
            };
            match (gone.as_slice(), new.as_slice()) {
                ([], []) => format!("{counts}, in another order"),
                _ => format!("{counts}{}{}", part("without", &gone), part("with", &new)),
            }
        }
        _ => {
            let shown = |values: Option<&Vec<String>>| match values {
                None => "not given".to_owned(),
                Some(values) => values.join(", "),
            };
            format!("{} -> {}", shown(before), shown(now))
        }
    }
}

/// What the digest of a sweep is made of, but for the dataset.
fn keys(meaning: &Meaning<'_>) -> Keys {
    let spec = meaning.spec;
    let mut keys = Keys::new();
    let mut put = |key: String, values: Vec<String>| keys.insert(key, values);
    put("method".to_owned(), vec![spec.method.as_str().to_owned()]);
    put("metric.name".to_owned(), vec![spec.metric.name.as_str().to_owned()]);
    put("metric.goal".to_owned(), vec![spec.metric.goal.as_str().to_owned()]);
    put("besom.objective".to_owned(), vec![spec.scored_epoch.as_str().to_owned()]);
    put("besom.keep_models".to_owned(), vec![spec.keep_models.as_str().to_owned()]);
    let engine = meaning.engine.or(spec.engine).unwrap_or(Engine::Native);
    put("besom.engine".to_owned(), vec![engine.as_str().to_owned()]);
    put("besom.seeds".to_owned(), spec.seeds.iter().map(i64::to_string).collect());
    if let Some(cap) = spec.run_cap {
        put("run_cap".to_owned(), vec![cap.to_string()]);
    }
    for parameter in &spec.parameters {
        put(format!("parameters.{}", parameter.name), parameter.values.iter().map(shown).collect());
    }
    for (block, params) in [("base", &spec.base), ("model", &spec.model)] {
        for (name, value) in params {
            put(format!("besom.{block}.{name}"), vec![shown(value)]);
        }
    }
    if spec.method == Method::OneAtATime {
        let names = spec.parameters.iter().map(|parameter| parameter.name.clone());
        put("order of parameters".to_owned(), names.collect());
    }
    keys
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => shorten(text),
        other => shorten(&other.to_string()),
    }
}

/// The block `besom.dataset` as it is written: each of its keys may change the data.
fn dataset_keys(text: &str) -> Keys {
    let below = |node: &Node, key: &str| match &node.kind {
        Kind::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.clone()),
        _ => None,
    };
    let block = yaml::read(text).ok().and_then(|root| below(&root, "besom")).and_then(|besom| below(&besom, "dataset"));
    let Some(Node { kind: Kind::Map(entries), .. }) = block else { return Keys::new() };
    // What an address hides from people tells no data apart either: it may be a token of today.
    let value = |node: &Node| match &node.kind {
        Kind::Text(text) => format!("\"{}\"", shorten(&shown_source(text))),
        _ => node.describe(),
    };
    let values = |node: &Node| match &node.kind {
        Kind::List(items) => items.iter().map(value).collect(),
        _ => vec![value(node)],
    };
    entries.iter().map(|entry| (format!("besom.dataset.{}", shorten(&entry.key)), values(&entry.value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "method: grid\nparameters: {lr: {values: [0.1, 0.01]}, epochs: {value: 2}}\n\
                        besom: {dataset: {source: a.npz, test_fraction: 0.2}, seeds: 2}\n";

    fn between(before: &str, now: &str, datasets: (&str, &str)) -> Vec<String> {
        let (old, new) = (crate::parse(before).unwrap(), crate::parse(now).unwrap());
        let before = Meaning { text: before, spec: &old, engine: None, dataset: datasets.0 };
        differences(&before, &Meaning { text: now, spec: &new, engine: None, dataset: datasets.1 })
    }

    #[test]
    fn each_difference_has_its_key_and_both_values() {
        let now = FILE.replace("0.01]", "0.02]").replace("seeds: 2", "seeds: [1, 5], objective: best");
        let now = format!("run_cap: 3\n{now}");
        assert_eq!(
            between(FILE, &now, ("d", "d")),
            [
                "besom.objective: final -> best",
                "besom.seeds: 1, 2 -> 1, 5",
                "parameters.learning_rate: 0.1, 0.01 -> 0.1, 0.02",
                "run_cap: not given -> 3",
            ]
        );
    }

    #[test]
    fn what_means_the_same_does_not_differ() {
        let now = FILE.replace("lr:", "learning_rate:").replace("seeds: 2", "seeds: [1, 2]");
        assert!(between(FILE, &now.replace("a.npz", "b.npz"), ("d", "d")).is_empty());
    }

    #[test]
    fn other_data_are_told_by_their_keys_or_by_their_source() {
        let now = FILE.replace("test_fraction: 0.2", "test_fraction: 0.3");
        assert_eq!(between(FILE, &now, ("d", "e")), ["besom.dataset.test_fraction: 0.2 -> 0.3"]);
        assert_eq!(between(FILE, FILE, ("d", "e")), ["besom.dataset: a.npz holds other data than before"]);
    }

    #[test]
    fn tokens_of_sources_are_not_told() {
        let with = |source: &str| FILE.replace("a.npz", &format!("'{source}'"));
        let (before, now) = (with("https://h/a.npz?token=S3CRET"), with("https://h/b.npz?token=0THER#part"));
        assert_eq!(
            between(&before, &now, ("d", "e")),
            ["besom.dataset.source: \"https://h/a.npz?***\" -> \"https://h/b.npz?***\""]
        );
        let now = with("https://h/a.npz?token=0THER");
        assert_eq!(
            between(&before, &now, ("d", "e")),
            ["besom.dataset: https://h/a.npz?*** holds other data than before"]
        );
        let list = |token: &str| with("x").replace("'x'", &format!("['https://h/a.npy?{token}', 'https://h/b.npy']"));
        assert_eq!(
            between(&list("S3CRET"), &before, ("d", "e")),
            ["besom.dataset.source: \"https://h/a.npy?***\", \"https://h/b.npy\" -> \"https://h/a.npz?***\""]
        );
    }

    #[test]
    fn of_long_lists_only_what_changed_is_shown() {
        let now = FILE.replace("seeds: 2", "seeds: 20");
        assert_eq!(
            between(&FILE.replace("seeds: 2", "seeds: 19"), &now, ("d", "d")),
            ["besom.seeds: 19 values -> 20 values, with 20"]
        );
    }
}
