//! The block `besom.dataset`: where the data come from and how they are split.

use std::collections::HashSet;

use serde_json::Value;

use super::section::{Item, Section, to_json};
use crate::confusion::MAX_CLASSES;
use crate::errors::Faults;
use crate::source::shown_source;
use crate::spec::{DatasetSpec, Scale, SpecError};
use crate::words::shorten;
use crate::yaml::Kind;

/// The largest seed: the stores have signed integers.
const MAX_SEED: u64 = i64::MAX.unsigned_abs();

/// Builtin datasets.
const BUILTINS: [&str; 1] = ["sketches"];

/// Widest and highest that pictures are resized to: a sample of that size is as large as one may
/// be.
const MAX_SIZE: u64 = 1_024;
/// Words of `scale`.
const SCALES: [&str; 3] = ["none", "max", "standard"];

/// Reads the block.
pub(super) fn read(item: &Item<'_>, faults: &mut Faults) -> Option<DatasetSpec> {
    let mut section = faults.take(item.section())?;
    section.check_keys(
        &[
            "source",
            "test_fraction",
            "split_seed",
            "classes",
            "sha256",
            "samples",
            "seed",
            "label_column",
            "per_class",
            "size",
            "stratify",
            "scale",
        ],
        &[("scaling", "the key is scale: none, max or standard")],
        faults,
    );
    let source_item = section.require("source", "a path, an https URL or builtin:sketches", faults);
    let sources = source_item.as_ref().and_then(|item| sources(item, faults));
    if let (Some(item), Some((source, _))) = (&source_item, &sources) {
        check_companions(&section, item, source, faults);
    }
    let size = faults.or_default(section.get("size").map(|item| item.integer(1, MAX_SIZE)).transpose());
    let stratify = section.get("stratify").map_or(Ok(false), |item| boolean(&item));
    let scale = section.get("scale").map(|item| item.word("scale", &SCALES, Scale::parse)).transpose();
    let spec = DatasetSpec {
        test_fraction: faults.or_default(section.get("test_fraction").map(|item| fraction(&item)).transpose()),
        split_seed: faults.or_default(section.get("split_seed").map_or(Ok(42), |item| item.integer(0, MAX_SEED))),
        classes: section.get("classes").and_then(|item| classes(&item, faults)),
        sha256: faults.or_default(section.get("sha256").map(|item| sha256(&item)).transpose()),
        samples: faults.or_default(section.get("samples").map(|item| item.integer(10, 1_000_000)).transpose()),
        seed: faults.or_default(section.get("seed").map(|item| item.integer(0, MAX_SEED)).transpose()),
        label_column: faults.or_default(section.get("label_column").map(|item| label_column(&item)).transpose()),
        per_class: faults.or_default(section.get("per_class").map(|item| item.integer(1, u32::MAX.into())).transpose()),
        size: size.map(|size| size as u32),
        stratify: faults.or_default(stratify),
        scale: faults.or_default(scale),
        ..DatasetSpec::new("")
    };
    let (source, more_sources) = sources?;
    Some(DatasetSpec { source, more_sources, ..spec })
}

/// Refuses keys that mean nothing beside this source, or beside a list of sources.
fn check_companions(section: &Section<'_>, source_item: &Item<'_>, source: &str, faults: &mut Faults) {
    let builtin = source.starts_with("builtin:");
    for key in ["samples", "seed"] {
        if let Some(item) = section.get(key).filter(|_| !builtin) {
            let near = if key == "seed" { "; the seed of the split is split_seed" } else { "" };
            faults.add(item.refuse_key(format!("goes with builtin:sketches only{near}")));
        }
    }
    for key in ["sha256", "label_column", "per_class", "size"] {
        if let Some(item) = section.get(key).filter(|_| builtin) {
            faults.add(item.refuse_key(format!("does not go with {source}")));
        }
    }
    for key in ["sha256", "label_column", "size"] {
        if let Some(item) = section.get(key).filter(|_| matches!(source_item.node.kind, Kind::List(_))) {
            faults.add(item.refuse_key("does not go with a list of sources".to_owned()));
        }
    }
}

/// The first source and the others of a list.
fn sources(item: &Item<'_>, faults: &mut Faults) -> Option<(String, Vec<String>)> {
    let Kind::List(nodes) = &item.node.kind else {
        return faults.take(source(item)).map(|source| (source, Vec::new()));
    };
    let mut sources: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for node in nodes {
        let Some(source) = faults.take(source(&item.part(node))) else { continue };
        if source.starts_with("builtin:") {
            faults.add(item.refuse_at(node, format!("{source} stands alone, not in a list")));
        }
        if !seen.insert(source.clone()) {
            faults.add(item.refuse_at(node, format!("{} stands here twice", quoted(&source))));
        }
        if sources.len() == MAX_CLASSES {
            faults.add(item.refuse_at(node, format!("more than {MAX_CLASSES} sources, which is more than classes")));
            return None;
        }
        sources.push(source);
    }
    if nodes.len() < 2 {
        faults.add(item.refuse("a list names one .npy file for each class, so at least 2".to_owned()));
    }
    let more = sources.split_off(sources.len().min(1));
    Some((sources.pop()?, more))
}

/// A name, or a number that counts columns from 0, or from -1 at the end.
fn label_column(item: &Item<'_>) -> Result<String, SpecError> {
    match item.scalar()? {
        Value::Number(number) if number.is_i64() => Ok(number.to_string()),
        Value::String(name) if !name.trim().is_empty() => Ok(name),
        _ => Err(item.refuse(format!(
            "must be the name of a column, or its number: 0 is the first one and -1 the last, not {}",
            item.node.describe()
        ))),
    }
}

/// A source for a message.
fn quoted(source: &str) -> String {
    format!("\"{}\"", shorten(&shown_source(source)))
}

fn source(item: &Item<'_>) -> Result<String, SpecError> {
    let source = item.filled_text()?;
    if let Some(name) = source.strip_prefix("builtin:") {
        if !BUILTINS.contains(&name) {
            let problem = format!("unknown builtin dataset {}; known: builtin:sketches", quoted(source));
            return Err(item.refuse(problem));
        }
        return Ok(source.to_owned());
    }
    if let Some((scheme, rest)) = source.split_once("://") {
        // The text of a sweep is stored and shown.
        if rest[..rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len())].contains('@') {
            let problem = "the URL holds a user name or password, which would be stored with the sweep: \
                           download the file and give its path";
            return Err(item.refuse(problem.to_owned()));
        }
        match scheme.to_ascii_lowercase().as_str() {
            "https" if rest.is_empty() || rest.starts_with('/') => {
                return Err(item.refuse("this https URL has no host".to_owned()));
            }
            "https" => {}
            "http" => return Err(item.refuse("http is refused: only https URLs are fetched".to_owned())),
            _ => {
                let problem = format!(
                    "{}:// is not supported; a source is a path, an https URL or builtin:sketches",
                    shorten(scheme)
                );
                return Err(item.refuse(problem));
            }
        }
    }
    Ok(source.to_owned())
}

fn fraction(item: &Item<'_>) -> Result<f64, SpecError> {
    let value = match item.scalar()? {
        Value::Number(number) => number.as_f64(),
        _ => None,
    };
    value
        .filter(|fraction| *fraction > 0.0 && *fraction < 1.0)
        .ok_or_else(|| item.refuse(format!("must be a number above 0 and below 1, not {}", item.node.describe())))
}

fn boolean(item: &Item<'_>) -> Result<bool, SpecError> {
    match item.scalar()? {
        Value::Bool(value) => Ok(value),
        _ => Err(item.refuse(format!("expected true or false, got {}", item.node.describe()))),
    }
}

fn classes(item: &Item<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    let mut classes: Vec<String> = Vec::new();
    let nodes = faults.take(item.list())?;
    for node in nodes {
        let name = match to_json(node) {
            Ok(Value::String(text)) if !text.trim().is_empty() => text,
            Ok(Value::Number(number)) => number.to_string(),
            _ => {
                faults.add(item.refuse_at(node, format!("each class is a name, not {}", node.describe())));
                continue;
            }
        };
        if classes.contains(&name) {
            faults.add(item.refuse_at(node, format!("{} stands here twice", node.describe())));
        }
        if classes.len() == MAX_CLASSES {
            faults.add(item.refuse_at(node, format!("more than {MAX_CLASSES} classes")));
            return None;
        }
        classes.push(name);
    }
    if nodes.len() < 2 {
        faults.add(item.refuse(format!("{} class; a classifier needs at least 2", nodes.len())));
    }
    Some(classes)
}

fn sha256(item: &Item<'_>) -> Result<String, SpecError> {
    let text = item.text()?;
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(item.refuse(format!("must be the 64 hexadecimal digits of a SHA-256, not {}", item.node.describe())))
}
