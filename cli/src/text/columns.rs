//! What the columns of the views hold, where their values alone do not tell it.

use besom_sweep::{CellType, Column};

/// What a column holds; every cell may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Float,
    Text,
    /// Text that is JSON.
    Json,
    /// Text that is a time: `2026-11-23T17:30:00.123456Z`.
    Time,
}

/// Columns of JSON. Those of times end in `_at`.
const JSON: [&str; 4] = ["params", "metrics", "labels", "trainers"];

/// Columns of text and of whole numbers, which keep their kind where no row has a value. All others
/// are numbers.
const TEXTS: &[&str] = &[
    "sweep",
    "state",
    "optimizer",
    "hidden",
    "activation",
    "worker",
    "error",
    "model",
    "dataset",
    "engine",
    "device",
    "trainer",
];
const INTEGERS: &[&str] =
    &["sweep_id", "job", "batch_size", "epochs", "seed", "best_epoch", "epochs_done", "n_attempts", "epoch", "step"];

/// Whether the texts of a column are JSON.
pub(crate) fn is_json(name: &str) -> bool {
    JSON.contains(&name)
}

/// What a column of a view holds.
pub(crate) fn kind(column: &Column) -> Kind {
    let name = column.name.as_str();
    if is_json(name) {
        return Kind::Json;
    }
    if name.ends_with("_at") {
        return Kind::Time;
    }
    match column.kind {
        CellType::Integer => Kind::Integer,
        CellType::Float => Kind::Float,
        CellType::Text | CellType::Boolean | CellType::Bytes => Kind::Text,
        CellType::Null if TEXTS.contains(&name) => Kind::Text,
        CellType::Null if INTEGERS.contains(&name) => Kind::Integer,
        CellType::Null => Kind::Float,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_without_values_keeps_its_kind() {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        for (name, expected) in [
            ("params", Kind::Json),
            ("ended_at", Kind::Time),
            ("error", Kind::Text),
            ("trainer", Kind::Text),
            ("best_epoch", Kind::Integer),
            ("epoch", Kind::Integer),
            ("objective", Kind::Float),
        ] {
            assert_eq!(kind(&column(name, CellType::Null)), expected, "{name}");
        }
        assert_eq!(kind(&column("anything", CellType::Integer)), Kind::Integer);
        assert_eq!(kind(&column("anything", CellType::Text)), Kind::Text);
    }
}
