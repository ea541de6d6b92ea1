//! YAML as a tree that knows its lines.
//!
//! The only file that knows the YAML library. Hostile text is refused here: size, depth, number of
//! nodes and aliases are bounded well above any real sweep file, and several documents are an
//! error. A key that stands twice is kept twice: whoever reads the mapping refuses it together with
//! all else that is wrong.

use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Location, Spanned};

use crate::spec::SpecError;
use crate::words::shorten;

/// The longest sweep file, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// A value and the line where it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: u32,
    /// The bytes of a scalar or an alias; of a list or a mapping, those that it begins with.
    pub(crate) bytes: Range<usize>,
    pub(crate) kind: Kind,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping, in file order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: u32,
    /// The bytes of the key.
    pub(crate) bytes: Range<usize>,
    pub(crate) value: Node,
}

/// Parses one YAML document.
pub(crate) fn read(text: &str) -> Result<Node, SpecError> {
    if text.len() > MAX_BYTES {
        return Err(whole_file(format!("{} bytes; a sweep file has at most {MAX_BYTES}", text.len())));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 16,
            flow_nesting_limit: 16,
            max_nodes: 250_000,
            max_events: 600_000,
            max_aliases: 100,
            max_anchors: 100,
            max_documents: 1,
            max_merge_keys: 100,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Merge,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: 100,
        },
        strict_booleans: true,
        reject_unsupported_tags: true,
        // The key that holds it is named by the check of its value, not by the library.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Kind>>(text, options) {
        Ok(root) => Ok(node(root)),
        Err(error) => Err(refusal(text, &error)),
    }
}

fn whole_file(problem: String) -> SpecError {
    SpecError { line: None, key: String::new(), problem }
}

fn refusal(text: &str, error: &serde_saphyr::Error) -> SpecError {
    let line = error.location().and_then(|location| u32::try_from(location.line()).ok()).filter(|line| *line > 0);
    // The library may name the line before, whose value the tab seems to continue.
    if let Some(line) = line.and_then(|line| [line, line + 1].into_iter().find(|&line| tab_indents(text, line))) {
        let problem = "not valid YAML: a tab indents this line, where YAML wants spaces".to_owned();
        return SpecError { line: Some(line), key: String::new(), problem };
    }
    let problem = match error.without_snippet() {
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => "a sweep file is one YAML document".to_owned(),
        // The library's message without its own place (the line stands in front of ours) and on one
        // line.
        other => {
            let message = other.to_string();
            let line = message.lines().next().unwrap_or_default();
            let line = [" at line ", " (defined at", " (used at"]
                .iter()
                .fold(line, |line, place| line.find(place).map_or(line, |place| &line[..place]));
            if line.contains("alias replay") || line.contains("alias expansion") {
                "its aliases stand for more values than a sweep file may hold".to_owned()
            } else if line.starts_with("budget breached") || line.starts_with("recursion limit") {
                "larger or more deeply nested than a sweep file may be".to_owned()
            } else {
                format!("not valid YAML: {}", line.trim_end_matches('.'))
            }
        }
    };
    SpecError { line, key: String::new(), problem }
}

/// Whether line `number` (from 1) begins with a tab, or with spaces and one.
fn tab_indents(text: &str, number: u32) -> bool {
    let line = text.lines().nth(number as usize - 1).unwrap_or_default();
    line.trim_start_matches(' ').starts_with('\t') && !line.trim().is_empty()
}

fn node(spanned: Spanned<Kind>) -> Node {
    // `referenced`: for an alias, the line where it is used, which is the line to change.
    let at = spanned.referenced;
    Node { line: line(&at), bytes: bytes(&at), kind: spanned.value }
}

fn line(at: &Location) -> u32 {
    u32::try_from(at.line()).unwrap_or(u32::MAX)
}

fn bytes(at: &Location) -> Range<usize> {
    let span = at.span();
    let start = span.byte_offset().and_then(|start| usize::try_from(start).ok()).unwrap_or(0);
    let length = span.byte_len().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    start..start.saturating_add(length)
}

impl Node {
    /// What stands here, for a message: `the text "abc"`, `a list`.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Boolean(value) => value.to_string(),
            Kind::Integer(value) => value.to_string(),
            Kind::Float(value) => format!("{value:?}"),
            Kind::Text(text) => format!("\"{}\"", shorten(text)),
            Kind::List(items) => format!("a list of {}", items.len()),
            Kind::Map(_) => "a mapping".to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Kind, E> {
        Ok(Kind::Integer(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Kind>>()? {
            list.push(node(item));
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Kind, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = node(entries.next_value::<Spanned<Kind>>()?);
            let at = key.referenced;
            map.push(Entry { key: key.value, line: line(&at), bytes: bytes(&at), value });
        }
        Ok(Kind::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_value_keeps_its_line() {
        let root = read("a: 1\nb:\n  - x\n  - 1e-4\n\"c\": {d: [true, null],\n  e: -5}\n").unwrap();
        let Kind::Map(entries) = &root.kind else { panic!("{root:?}") };
        assert_eq!((root.line, entries[0].line, entries[0].value.line), (1, 1, 1));
        assert_eq!(entries[0].value.kind, Kind::Integer(1));
        let Kind::List(items) = &entries[1].value.kind else { panic!("{root:?}") };
        assert_eq!((items[0].line, items[1].line), (3, 4));
        assert_eq!(items[1].kind, Kind::Float(1e-4));
        let Kind::Map(inner) = &entries[2].value.kind else { panic!("{root:?}") };
        assert_eq!((inner[0].line, inner[1].line), (5, 6));
        assert_eq!(inner[1].value.kind, Kind::Integer(-5));
    }

    #[test]
    fn json_is_yaml() {
        let root = read("{\n  \"a\": [1, 2.5, \"x\"]\n}").unwrap();
        let Kind::Map(entries) = root.kind else { panic!("not a mapping") };
        assert_eq!(entries[0].line, 2);
    }

    #[test]
    fn words_that_look_like_old_booleans_stay_words() {
        for word in ["no", "yes", "on", "off", "y", "n"] {
            assert_eq!(read(word).unwrap().kind, Kind::Text(word.to_owned()));
        }
    }

    #[test]
    fn hostile_text_is_refused() {
        let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
        let bomb = {
            let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
            for level in 1..20 {
                let alias = format!("*a{}", level - 1);
                text += &format!("a{level}: &a{level} [{}]\n", vec![alias; 9].join(", "));
            }
            text
        };
        let many = format!("a: [{}]", "1,".repeat(300_000));
        let long = " ".repeat(MAX_BYTES + 1);
        for text in [deep.as_str(), &bomb, &many, &long, "a: 1\n---\nb: 2", "a: *nowhere", "a: [1", "a: !x 1"] {
            let error = read(text).unwrap_err();
            assert!(!error.problem.contains('\n'), "{error}");
            assert!(!error.problem.contains(['{', '(', '=']), "{error}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_kept_twice() {
        let Kind::Map(entries) = read("a: 1\nb: 2\na: 3\n").unwrap().kind else { panic!("not a mapping") };
        let keys: Vec<_> = entries.iter().map(|entry| (entry.key.as_str(), entry.line)).collect();
        assert_eq!(keys, [("a", 1), ("b", 2), ("a", 3)]);
    }

    #[test]
    fn every_scalar_and_key_knows_its_bytes() {
        let text = "é: 1\nb: [x, 'y z']\nc:\n  d: >-\n    long\n";
        let Kind::Map(entries) = read(text).unwrap().kind else { panic!("not a mapping") };
        assert_eq!((&text[entries[0].bytes.clone()], &text[entries[0].value.bytes.clone()]), ("é", "1"));
        let Kind::List(items) = &entries[1].value.kind else { panic!("not a list") };
        assert_eq!((&text[items[0].bytes.clone()], &text[items[1].bytes.clone()]), ("x", "'y z'"));
        assert_eq!(&text[entries[1].value.bytes.clone()], "[");
        assert_eq!(&text[entries[2].bytes.clone()], "c");
    }
}
