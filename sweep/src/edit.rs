//! Changes of a sweep file that keep its layout and its comments.
//!
//! A change is made twice: in the tree of the file, which says what must come out, and in its text.
//! Where the text, read again, does not say the same as the tree (aliases, a layout that is not
//! understood), the tree is written anew instead.

use std::collections::HashMap;
use std::ops::Range;

use crate::errors::SpecErrors;
use crate::hyperparameters::table::{self, Row};
use crate::name::SweepName;
use crate::parse::to_json;
use crate::refusals;
use crate::words::{hint, shorten};
use crate::yaml::{self, Entry, Kind, Node};

/// One value to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// A hyperparameter, or the full name of a key: `learning_rate`, `besom.dataset.test_fraction`.
    pub key: String,
    /// In YAML: `0.1`, `[0.1, 0.2]`, `{min: 1, max: 4}`.
    pub value: String,
}

/// A changed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// Its text.
    pub text: String,
    /// Whether the layout of the file before is still there, and its comments but for those in
    /// `lost`.
    pub keeps_layout: bool,
    /// The comments that stood within what was replaced or beside what was removed, and are gone.
    pub lost: Vec<String>,
}

/// Why a file was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A key or a value makes no sense.
    #[error("{key}: {problem}")]
    Setting {
        /// Which key.
        key: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The file that would come out is refused.
    #[error("{0}")]
    File(SpecErrors),
}

/// The file `text` under another name, with other values.
///
/// # Errors
/// A key is unknown, or the file that would come out is no right sweep file.
pub fn edit(text: &str, name: &SweepName, edits: &[Edit]) -> Result<Edited, EditError> {
    let mut tree = yaml::read(text).map_err(|error| EditError::File(error.into()))?;
    let title = leaf(Kind::Text(name.title().to_owned()));
    let mut changes = vec![Change { path: vec!["name".to_owned()], value: Some(title) }];
    for edit in edits {
        let refuse = |problem: String| EditError::Setting { key: edit.key.clone(), problem };
        let value = yaml::read(&edit.value).map_err(|error| refuse(error.problem))?;
        for change in changes_of(&tree, &edit.key, value).map_err(refuse)? {
            apply(&mut tree, &change);
            changes.push(change);
        }
    }
    apply(&mut tree, &changes[0]);
    let in_place = changes.iter().try_fold(text.to_owned(), |text, change| in_text(&text, change));
    let in_place = in_place.filter(|text| yaml::read(text).is_ok_and(|read| means_the_same(&read, &tree)));
    let keeps_layout = in_place.is_some();
    let new = in_place.unwrap_or_else(|| written(&tree).replace('\n', line_end(text)));
    let lost = lost_comments(text, &new);
    let text = new;
    let spec = crate::parse(&text).map_err(EditError::File)?;
    match crate::parse::locate(&text, refusals::refusals(&spec)) {
        Some(errors) => Err(EditError::File(errors)),
        None => Ok(Edited { text, keeps_layout, lost }),
    }
}

/// What is to stand at the end of a path; `None`: nothing.
struct Change {
    path: Vec<String>,
    value: Option<Node>,
}

fn leaf(kind: Kind) -> Node {
    Node { line: 0, bytes: 0..0, kind }
}

fn entry(key: &str, value: Node) -> Entry {
    Entry { key: key.to_owned(), line: 0, bytes: 0..0, value }
}

fn map(key: &str, value: Node) -> Node {
    leaf(Kind::Map(vec![entry(key, value)]))
}

/// Where a value goes that a person sets under this key.
fn changes_of(tree: &Node, key: &str, value: Node) -> Result<Vec<Change>, String> {
    let words: Vec<&str> = key.split('.').collect();
    let change =
        |path: &[&str], value| Change { path: path.iter().map(|&word| word.to_owned()).collect(), value: Some(value) };
    match words.as_slice() {
        ["name"] => Err("--name names the new sweep".to_owned()),
        ["seed" | "seeds"] | ["besom", "seeds"] | ["parameters", "seed"] => Ok(changes_of_seeds(tree, &words, value)),
        [name] | ["parameters", name] if table::find(name).is_some() => {
            let row = table::find(name).ok_or_else(|| table::why_unknown(name))?;
            Ok(changes_of_hyperparameter(tree, row, words.len() == 2, value))
        }
        [name, ..] if TOP.contains(name) && words.iter().all(|word| !word.is_empty()) => {
            Ok(vec![change(&words, value)])
        }
        [name] => {
            let mut known = table::names();
            known.extend(TOP);
            Err(match crate::words::nearest(name, &table::names()) {
                None => format!("{}; {}", "neither a hyperparameter nor a key of the file", hint(name, &known)),
                Some(_) => table::why_unknown(name),
            })
        }
        _ => Err(format!("expected a hyperparameter or a key of the file; {}", hint(words[0], &TOP))),
    }
}

/// Keys of the file that a setting may begin with.
const TOP: [&str; 6] = ["description", "method", "metric", "run_cap", "parameters", "besom"];

/// Seeds are set where the file has them. Those under `parameters` stay there, since whoever reads
/// the parameters knows them by that name; where both places have them, `besom.seeds` goes, or the
/// two would contradict each other.
fn changes_of_seeds(tree: &Node, words: &[&str], value: Node) -> Vec<Change> {
    let path = |words: [&str; 2]| words.map(str::to_owned).to_vec();
    let stands = |words: [&str; 2]| find(tree, &words).is_some();
    let value = match (words, value.kind) {
        // One seed, not a number of seeds.
        (["seed"], kind @ Kind::Integer(_)) => leaf(Kind::List(vec![leaf(kind)])),
        (["seeds" | "besom", ..], Kind::Integer(count @ 1..)) if stands(PARAMETERS_SEED) => {
            leaf(Kind::Map(vec![entry("min", leaf(Kind::Integer(1))), entry("max", leaf(Kind::Integer(count)))]))
        }
        (_, kind) => leaf(kind),
    };
    let listed = matches!(value.kind, Kind::List(_) | Kind::Map(_));
    if words != ["parameters", "seed"] && !(stands(PARAMETERS_SEED) && listed) {
        return vec![Change { path: path(BESOM_SEEDS), value: Some(value) }];
    }
    let mut changes = vec![Change { path: path(PARAMETERS_SEED), value: Some(as_parameter(&table::SEED, value)) }];
    if stands(BESOM_SEEDS) {
        changes.push(Change { path: path(BESOM_SEEDS), value: None });
    }
    changes
}

/// The two places for seeds.
const PARAMETERS_SEED: [&str; 2] = ["parameters", "seed"];
const BESOM_SEEDS: [&str; 2] = ["besom", "seeds"];

/// A hyperparameter is set where the file has it; one that it does not have comes under
/// `parameters`.
fn changes_of_hyperparameter(tree: &Node, row: &'static Row, swept: bool, value: Node) -> Vec<Change> {
    let standing = |block: &[&str]| {
        let Kind::Map(entries) = &find(tree, block)?.kind else { return None };
        let entry = entries.iter().find(|entry| table::find(&entry.key).is_some_and(|found| found.name == row.name))?;
        let mut path: Vec<String> = block.iter().map(|&word| word.to_owned()).collect();
        path.push(entry.key.clone());
        Some(path)
    };
    let is_single = single(row, &value);
    let mut changes = Vec::new();
    if let Some(path) = standing(&["besom", "model"]) {
        if is_single && !swept {
            return vec![Change { path, value: Some(value) }];
        }
        // Several values have no place there.
        changes.push(Change { path, value: None });
    }
    // With one_at_a_time the base of a parameter with one value is that value.
    if let Some(path) = standing(&["besom", "base"]).filter(|_| is_single) {
        changes.push(Change { path, value: Some(value.clone()) });
    }
    let path = standing(&["parameters"]).unwrap_or_else(|| vec!["parameters".to_owned(), row.name.to_owned()]);
    changes.push(Change { path, value: Some(as_parameter(row, value)) });
    changes
}

/// Whether this is one value of the hyperparameter, rather than several of them.
fn single(row: &Row, value: &Node) -> bool {
    match &value.kind {
        Kind::List(_) => to_json(value).is_ok_and(|value| row.normalise(&value).is_ok()),
        Kind::Map(_) => false,
        Kind::Null | Kind::Boolean(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) => true,
    }
}

fn as_parameter(row: &Row, value: Node) -> Node {
    match (&value.kind, single(row, &value)) {
        (Kind::Map(_), _) => value,
        (_, true) => map("value", value),
        (_, false) => map("values", value),
    }
}

fn find<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(node, |node, word| match &node.kind {
        Kind::Map(entries) => entries.iter().find(|entry| entry.key == *word).map(|entry| &entry.value),
        _ => None,
    })
}

/// Makes the change in the tree.
fn apply(tree: &mut Node, change: &Change) {
    match (&change.value, change.path.split_last()) {
        (Some(value), _) => set(tree, &change.path, value),
        (None, Some((last, path))) => remove(tree, path, last),
        (None, None) => {}
    }
}

fn remove(node: &mut Node, path: &[String], last: &str) {
    let Kind::Map(entries) = &mut node.kind else { return };
    match path.split_first() {
        None => entries.retain(|entry| entry.key != last),
        Some((word, rest)) => {
            for entry in entries.iter_mut().filter(|entry| entry.key == *word) {
                remove(&mut entry.value, rest, last);
            }
        }
    }
}

/// Sets a value; what stands in the way of the path is replaced.
fn set(node: &mut Node, path: &[String], value: &Node) {
    let Some((word, rest)) = path.split_first() else {
        *node = value.clone();
        return;
    };
    if !matches!(node.kind, Kind::Map(_)) {
        node.kind = Kind::Map(Vec::new());
    }
    let Kind::Map(entries) = &mut node.kind else { return };
    match entries.iter_mut().find(|entry| entry.key == *word) {
        Some(entry) => set(&mut entry.value, rest, value),
        None => {
            let mut below = leaf(Kind::Null);
            set(&mut below, rest, value);
            entries.push(entry(word, below));
        }
    }
}

/// The text with the change, where its place is found.
fn in_text(text: &str, change: &Change) -> Option<String> {
    let root = yaml::read(text).ok()?;
    let Some(value) = &change.value else { return without(text, &root, &change.path) };
    let mut node = &root;
    for (index, word) in change.path.iter().enumerate() {
        let Kind::Map(entries) = &node.kind else { return None };
        let rest = &change.path[index + 1..];
        match entries.iter().find(|entry| entry.key == *word) {
            Some(entry) if rest.is_empty() => return replaced(text, entry, value),
            Some(entry) => node = &entry.value,
            None => {
                let nested = rest.iter().rev().fold(value.clone(), |below, word| map(word, below));
                return inserted(text, node, entries, word, &nested, index == 0 && word == "name");
            }
        }
    }
    None
}

/// The text without an entry of a mapping. The last entry of a block leaves `{}`.
fn without(text: &str, root: &Node, path: &[String]) -> Option<String> {
    let (last, above) = path.split_last()?;
    let (mut node, mut parent) = (root, None);
    for word in above {
        let Kind::Map(entries) = &node.kind else { return None };
        let entry = entries.iter().find(|entry| entry.key == *word)?;
        (node, parent) = (&entry.value, Some(entry));
    }
    let Kind::Map(entries) = &node.kind else { return None };
    let index = entries.iter().position(|entry| entry.key == *last)?;
    if entries.len() == 1 {
        return replaced(text, parent?, &leaf(Kind::Map(Vec::new())));
    }
    let end = |entry: &Entry| Some(last_of(text, &entry.value)?.max(entry.bytes.end));
    let (start, stop) = (entries[index].bytes.start, end(&entries[index])?);
    if !text.get(node.bytes.start..)?.starts_with('{') {
        // The lines of a block, with the comment at their end.
        return cut(text, line_of(text, start)..next_line(text, stop));
    }
    // A comment between two entries may be about either of them, so it stays.
    let plain = |between: Range<usize>| text.get(between).is_some_and(|between| !between.contains('#'));
    match (entries.get(index + 1), index.checked_sub(1)) {
        (Some(next), _) if plain(stop..next.bytes.start) => cut(text, start..next.bytes.start),
        (None, Some(before)) if plain(end(&entries[before])?..start) => cut(text, end(&entries[before])?..stop),
        _ => {
            let (entry, rest) = (text.get(..stop)?, text.get(stop..)?);
            // Commas and comments are all that stands behind an entry.
            let rest = match rest.find([',', '#', '}']).filter(|&at| rest[at..].starts_with(',')) {
                // A comment needs the space before it.
                Some(comma) if !rest[comma + 1..].trim_start().starts_with('#') => {
                    rest[comma + 1..].trim_start_matches(' ')
                }
                Some(comma) => &rest[comma + 1..],
                None if entries.len() > index + 1 => return None,
                None => rest,
            };
            let line = line_of(entry, start);
            let is_alone =
                entry.get(line..start)?.trim().is_empty() && rest.lines().next().is_none_or(|it| it.trim().is_empty());
            match is_alone {
                true => Some(format!("{}{}", &entry[..line], &rest[next_line(rest, 0)..])),
                false => Some(format!("{}{rest}", &entry[..start])),
            }
        }
    }
}

fn cut(text: &str, range: Range<usize>) -> Option<String> {
    Some(format!("{}{}", text.get(..range.start)?, text.get(range.end..)?))
}

/// Where the line begins that holds this place.
fn line_of(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// Where the line after this place begins.
fn next_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |more| at + more + 1)
}

/// How the lines of a file end.
fn line_end(text: &str) -> &'static str {
    match text.find('\n').is_some_and(|end| text[..end].ends_with('\r')) {
        true => "\r\n",
        false => "\n",
    }
}

fn replaced(text: &str, entry: &Entry, value: &Node) -> Option<String> {
    let (start, end) = (entry.value.bytes.start, last_of(text, &entry.value)?);
    let after_key = entry.bytes.end + text.get(entry.bytes.end..)?.find(':')? + 1;
    let new = flow(value);
    if entry.value.kind == Kind::Null && start == end {
        return Some(format!("{} {new}{}", &text[..after_key], &text[after_key..]));
    }
    // A block below its key moves beside it, unless something stands between them.
    // A block of text begins with its first word; the sign that makes it one goes with it.
    let between = text.get(after_key..start)?.trim();
    let start = if between.is_empty() || between.starts_with(['|', '>']) { after_key } else { start };
    let space = if start == after_key { " " } else { "" };
    Some(format!("{}{space}{new}{}", &text[..start], text.get(end..)?))
}

fn inserted(text: &str, parent: &Node, entries: &[Entry], key: &str, value: &Node, first: bool) -> Option<String> {
    let new = format!("{}: {}", scalar(key), flow(value));
    let start = parent.bytes.start;
    if text.get(start..)?.starts_with('{') {
        let comma = if entries.is_empty() { "" } else { ", " };
        return Some(format!("{}{new}{comma}{}", &text[..=start], &text[start + 1..]));
    }
    let (head, last) = (entries.first()?, entries.last()?);
    let (line, line_end) = (line_of(text, head.bytes.start), line_end(text));
    let indent = &text[line..head.bytes.start];
    if !indent.chars().all(|c| c == ' ') {
        return None;
    }
    if first {
        return Some(format!("{}{indent}{new}{line_end}{}", &text[..line], &text[line..]));
    }
    let end = end_of(text, &last.value)?.max(last.bytes.end);
    // The last value of a block may end with its line already, and a comment may follow it.
    let end = if text[..end].ends_with('\n') { end - 1 } else { end };
    let end = text[end..].find('\n').map_or(text.len(), |more| end + more);
    let end = if text[..end].ends_with('\r') { end - 1 } else { end };
    Some(format!("{}{line_end}{indent}{new}{}", &text[..end], &text[end..]))
}

/// Where the text of a node ends, but for the line feeds that belong to a block of text.
fn last_of(text: &str, node: &Node) -> Option<usize> {
    let (start, end) = (node.bytes.start, end_of(text, node)?);
    let written = text.get(start..end)?;
    Some(if written.ends_with('\n') { start + written.trim_end().len() } else { end })
}

/// Where the text of a node ends.
fn end_of(text: &str, node: &Node) -> Option<usize> {
    let start = node.bytes.start;
    let opening = text.get(start..)?.chars().next();
    let (last, closing) = match &node.kind {
        _ if opening == Some('*') => return Some(node.bytes.end),
        Kind::Null | Kind::Boolean(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) => {
            return Some(node.bytes.end);
        }
        Kind::List(items) => (items.last().map(|item| end_of(text, item)), ']'),
        Kind::Map(entries) => {
            let end = |entry: &Entry| Some(end_of(text, &entry.value)?.max(entry.bytes.end));
            (entries.last().map(end), '}')
        }
    };
    let last = match last {
        Some(end) => Some(end?),
        None => None,
    };
    if !matches!(opening, Some('[' | '{')) {
        return last;
    }
    let mut at = last.unwrap_or(start + 1);
    loop {
        let rest = text.get(at..)?;
        match rest.chars().next()? {
            c if c == closing => return Some(at + 1),
            '#' => at += rest.find('\n')?,
            c if c.is_whitespace() || c == ',' => at += c.len_utf8(),
            _ => return None,
        }
    }
}

/// The comments of one text that another one lacks.
fn lost_comments(before: &str, now: &str) -> Vec<String> {
    let mut kept: HashMap<&str, usize> = HashMap::new();
    for comment in comments(now) {
        *kept.entry(comment).or_default() += 1;
    }
    let mut lost = Vec::new();
    for comment in comments(before) {
        match kept.get_mut(comment) {
            Some(count @ 1..) => *count -= 1,
            _ => lost.push(comment.to_owned()),
        }
    }
    lost
}

/// The comments of a file: what begins with a `#` behind a space, but for those within words.
fn comments(text: &str) -> Vec<&str> {
    let Ok(root) = yaml::read(text) else { return Vec::new() };
    let mut words = Vec::new();
    places_of_words(&root, &mut words);
    words.sort_unstable_by_key(|word| word.start);
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(more) = text.get(at..).and_then(|rest| rest.find('#')) {
        let start = at + more;
        let word = words[..words.partition_point(|word| word.start <= start)].last();
        at = match word.filter(|word| word.contains(&start)) {
            Some(word) => word.end,
            None if !text[..start].ends_with(|before: char| !before.is_whitespace()) => {
                let line = &text[start..next_line(text, start)];
                found.push(line.trim_end());
                start + line.len()
            }
            None => start + 1,
        };
    }
    found
}

fn places_of_words(node: &Node, words: &mut Vec<Range<usize>>) {
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| places_of_words(item, words)),
        Kind::Map(entries) => {
            for entry in entries {
                words.push(entry.bytes.clone());
                places_of_words(&entry.value, words);
            }
        }
        Kind::Null | Kind::Boolean(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) => {
            words.push(node.bytes.clone());
        }
    }
}

/// Whether two trees hold the same, wherever it stands.
fn means_the_same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::List(a), Kind::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| means_the_same(a, b)),
        (Kind::Map(a), Kind::Map(b)) => {
            let in_b = |key: &str| b.iter().find(|entry| entry.key == key);
            a.len() == b.len()
                && a.iter()
                    .all(|entry| in_b(&entry.key).is_some_and(|other| means_the_same(&entry.value, &other.value)))
        }
        (a, b) => a == b,
    }
}

/// The whole tree as a file.
fn written(tree: &Node) -> String {
    let mut text = String::new();
    block(tree, 0, &mut text);
    text
}

fn block(node: &Node, indent: usize, text: &mut String) {
    let Kind::Map(entries) = &node.kind else { return };
    for entry in entries {
        let key = scalar(&entry.key);
        let is_block = indent < 4 && matches!(&entry.value.kind, Kind::Map(below) if below.iter().any(is_nested));
        if is_block {
            *text += &format!("{:indent$}{key}:\n", "");
            block(&entry.value, indent + 2, text);
        } else {
            *text += &format!("{:indent$}{key}: {}\n", "", flow(&entry.value));
        }
    }
}

fn is_nested(entry: &Entry) -> bool {
    matches!(entry.value.kind, Kind::Map(_))
}

/// A value in one line.
fn flow(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "null".to_owned(),
        Kind::Boolean(value) => value.to_string(),
        Kind::Integer(value) => value.to_string(),
        Kind::Float(value) if value.is_nan() => ".nan".to_owned(),
        Kind::Float(value) if value.is_infinite() => if *value > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
        Kind::Float(value) => format!("{value:?}"),
        Kind::Text(text) => scalar(text),
        Kind::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Kind::Map(entries) => {
            let entries = entries.iter().map(|entry| format!("{}: {}", scalar(&entry.key), flow(&entry.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Text as YAML reads it back: in quotes unless it is plainly a word.
fn scalar(text: &str) -> String {
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c));
    let is_word = is_plain && yaml::read(text).is_ok_and(|node| node.kind == Kind::Text(text.to_owned()));
    if is_word { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// A key as a person writes it, and a value, from `KEY=VALUE`.
impl std::str::FromStr for Edit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() && !value.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err(format!("expected KEY=VALUE, such as learning_rate=0.1, got {}", shorten(text))),
        }
    }
}
