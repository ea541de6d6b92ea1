//! A mapping of the file with the full name of its place, and its entries with theirs.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::errors::Faults;
use crate::hyperparameters::table;
use crate::spec::SpecError;
use crate::words::{hint, nearest, shorten};
use crate::yaml::{Entry, Kind, Node};

/// A mapping and where it stands.
pub(super) struct Section<'a> {
    key: String,
    line: u32,
    pub(super) entries: &'a [Entry],
    /// Known keys that an unknown one seems to stand for: that they are missing is no news.
    meant: Vec<String>,
}

/// The value of a key and where it stands.
pub(super) struct Item<'a> {
    pub(super) key: String,
    pub(super) key_line: u32,
    pub(super) node: &'a Node,
}

impl<'a> Section<'a> {
    /// The file itself.
    pub(super) fn root(node: &'a Node) -> Result<Self, SpecError> {
        match &node.kind {
            Kind::Map(entries) => Ok(Self { key: String::new(), line: node.line.max(1), entries, meant: Vec::new() }),
            Kind::Null => Err(SpecError { line: None, key: String::new(), problem: "the file is empty".to_owned() }),
            _ => Err(SpecError {
                line: Some(node.line.max(1)),
                key: String::new(),
                problem: format!(
                    "a sweep file is a mapping (name, method, parameters, besom), not {}",
                    node.describe()
                ),
            }),
        }
    }

    /// Refuses every key that is not known, with its reason where there is one, else with the
    /// nearest known key; and every key that stands there again.
    pub(super) fn check_keys(&mut self, known: &[&str], refused: &[(&str, &str)], faults: &mut Faults) {
        self.check_twice(faults);
        for entry in self.entries {
            if known.contains(&entry.key.as_str()) {
                continue;
            }
            let problem = match refused.iter().find(|(key, _)| *key == entry.key) {
                Some((_, reason)) => (*reason).to_owned(),
                None if !faults.keeps(Some(entry.line)) => String::new(),
                None => {
                    self.meant.extend(nearest(&entry.key, known).map(str::to_owned));
                    format!("unknown key; {}", hint(&entry.key, known))
                }
            };
            faults.add(self.item(entry).refuse_key(problem));
        }
    }

    /// Refuses every key that stands there again.
    pub(super) fn check_twice(&self, faults: &mut Faults) {
        let mut lines: HashMap<&str, u32> = HashMap::with_capacity(self.entries.len());
        for entry in self.entries {
            if let Some(line) = lines.get(entry.key.as_str()) {
                faults.add(self.item(entry).refuse_key(format!("stands here twice, first in line {line}")));
            } else {
                lines.insert(&entry.key, entry.line);
            }
        }
    }

    /// The entries without those whose key stood there before.
    pub(super) fn distinct(&self) -> Vec<&'a Entry> {
        let mut seen = HashSet::with_capacity(self.entries.len());
        self.entries.iter().filter(|entry| seen.insert(entry.key.as_str())).collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<Item<'a>> {
        self.entries.iter().find(|entry| entry.key == name).map(|entry| self.item(entry))
    }

    /// As `get`; `advice` says what to write where the key is missing.
    pub(super) fn require(&self, name: &str, advice: &str, faults: &mut Faults) -> Option<Item<'a>> {
        let found = self.get(name);
        if found.is_none() && !self.means(name) {
            let (line, key) = (Some(self.line), self.full_name(name));
            faults.add(SpecError { line, key, problem: format!("missing; {advice}") });
        }
        found
    }

    /// Whether an unknown key seems to stand for this one: what would follow from its absence is no
    /// news then.
    pub(super) fn means(&self, name: &str) -> bool {
        self.meant.iter().any(|meant| meant == name)
    }

    pub(super) fn item(&self, entry: &'a Entry) -> Item<'a> {
        Item { key: self.full_name(&entry.key), key_line: entry.line, node: &entry.value }
    }

    fn full_name(&self, name: &str) -> String {
        // As one line of a message, whatever somebody wrote there.
        let name = shorten(name);
        if self.key.is_empty() { name } else { format!("{}.{name}", self.key) }
    }
}

impl<'a> Item<'a> {
    /// The value's line; that of the key where there is no value.
    pub(super) fn line(&self) -> u32 {
        match self.node.kind {
            Kind::Null | Kind::Map(_) | Kind::List(_) => self.key_line,
            Kind::Boolean(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) => self.node.line,
        }
    }

    /// The value is wrong.
    pub(super) fn refuse(&self, problem: String) -> SpecError {
        SpecError { line: Some(self.line()), key: self.key.clone(), problem }
    }

    /// The key is wrong.
    pub(super) fn refuse_key(&self, problem: String) -> SpecError {
        SpecError { line: Some(self.key_line), key: self.key.clone(), problem }
    }

    /// An item of a list that stands here is wrong.
    pub(super) fn refuse_at(&self, item: &Node, problem: String) -> SpecError {
        SpecError { line: Some(item.line), key: self.key.clone(), problem }
    }

    pub(super) fn section(&self) -> Result<Section<'a>, SpecError> {
        match &self.node.kind {
            Kind::Map(entries) => {
                Ok(Section { key: self.key.clone(), line: self.key_line, entries, meant: Vec::new() })
            }
            _ => Err(self.refuse(format!("must be a mapping, not {}", self.node.describe()))),
        }
    }

    pub(super) fn text(&self) -> Result<&'a str, SpecError> {
        match &self.node.kind {
            Kind::Text(text) => Ok(text),
            _ => Err(self.refuse(format!("must be text, not {}", self.node.describe()))),
        }
    }

    /// Text that is not blank.
    pub(super) fn filled_text(&self) -> Result<&'a str, SpecError> {
        let text = self.text()?;
        if text.trim().is_empty() { Err(self.refuse("must not be empty".to_owned())) } else { Ok(text) }
    }

    pub(super) fn list(&self) -> Result<&'a [Node], SpecError> {
        match &self.node.kind {
            Kind::List(items) => Ok(items),
            _ => Err(self.refuse(format!("must be a list, not {}", self.node.describe()))),
        }
    }

    /// An item of a list that stands here.
    pub(super) fn part(&self, node: &'a Node) -> Self {
        Item { key: self.key.clone(), key_line: node.line, node }
    }

    /// Text, a number or a boolean.
    pub(super) fn scalar(&self) -> Result<Value, SpecError> {
        match &self.node.kind {
            Kind::Null | Kind::List(_) | Kind::Map(_) => {
                Err(self.refuse(format!("must be a single value, not {}", self.node.describe())))
            }
            Kind::Boolean(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) => {
                to_json(self.node).map_err(|(_, problem)| self.refuse(problem))
            }
        }
    }

    /// An integer within inclusive bounds; 32.0 is 32.
    pub(super) fn integer(&self, min: u64, max: u64) -> Result<u64, SpecError> {
        integer(self.node, min, max).map_err(|problem| self.refuse(problem))
    }

    /// One of a few words.
    pub(super) fn word<T>(&self, what: &str, known: &[&str], parse: fn(&str) -> Option<T>) -> Result<T, SpecError> {
        let word = self.text()?;
        parse(word)
            .ok_or_else(|| self.refuse(format!("unknown {what} {}; {}", self.node.describe(), hint(word, known))))
    }
}

/// An integer within inclusive bounds; 32.0 is 32.
pub(super) fn integer(node: &Node, min: u64, max: u64) -> Result<u64, String> {
    table::integer(&to_json(node).map_err(|(_, problem)| problem)?, min, max)
}

/// The value as JSON, or the line and problem of what JSON has no word for.
pub(crate) fn to_json(node: &Node) -> Result<Value, (u32, String)> {
    Ok(match &node.kind {
        Kind::Null => Value::Null,
        Kind::Boolean(value) => Value::from(*value),
        Kind::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
            (Ok(value), _) => Value::from(value),
            (_, Ok(value)) => Value::from(value),
            (Err(_), Err(_)) => return Err((node.line, format!("{value} is out of range"))),
        },
        Kind::Float(value) if value.is_finite() => Value::from(*value),
        Kind::Float(value) => return Err((node.line, format!("{value} is not a finite number"))),
        Kind::Text(text) => Value::from(text.as_str()),
        Kind::List(items) => Value::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Kind::Map(_) => return Err((node.line, "must be a value, not a mapping".to_owned())),
    })
}
