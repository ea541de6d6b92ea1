//! How much one answer may hold. A page ends after so many rows or so many bytes, whatever the rows hold: a thousand runs
//! with texts of 64 KiB would otherwise be a message that no client takes, and a million records a gigabyte here.

use besom_sweep::Params;
use serde_json::Value;

use crate::domain::{AttemptRow, ConfigStats, EpochRecord, Run};

/// Bytes of a page, one row more or less: half of what clients take that do not ask for more.
pub(crate) const PAGE_BYTES: usize = 2 << 20;
/// Epoch records of a page: about 1 MB.
pub(crate) const PAGE_RECORDS: usize = 10_000;

/// What a row takes in a message, roughly.
pub(crate) trait Weight {
    /// In bytes.
    fn weight(&self) -> usize;
}

impl Weight for Run {
    fn weight(&self) -> usize {
        let texts = [&self.sweep, &self.optimizer, &self.hidden, &self.activation, &self.engine, &self.device];
        let maybe = [&self.worker, &self.error].into_iter().flatten();
        let texts: usize = texts.into_iter().chain(maybe).map(String::len).sum();
        500 + texts + self.trainer.len() + of_params(&self.params) + of_params(&self.metrics)
    }
}

impl Weight for AttemptRow {
    fn weight(&self) -> usize {
        100 + self.worker.len() + self.error.as_ref().map_or(0, String::len)
    }
}

impl Weight for ConfigStats {
    fn weight(&self) -> usize {
        200 + self.config_hash.len() + of_params(&self.params)
    }
}

impl Weight for EpochRecord {
    fn weight(&self) -> usize {
        80 + self.metrics.keys().map(|name| 20 + name.len()).sum::<usize>()
    }
}

fn of_params(params: &Params) -> usize {
    params.iter().map(|(name, value)| 4 + name.len() + of_value(value)).sum()
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 20,
        Value::String(text) => 2 + text.len(),
        Value::Array(items) => 2 + items.iter().map(of_value).sum::<usize>(),
        Value::Object(params) => 2 + of_params(params),
    }
}

/// Whether these rows fill a page, so that more may follow though fewer came than were asked for.
pub(crate) fn is_full(rows: &[impl Weight]) -> bool {
    rows.iter().map(Weight::weight).sum::<usize>() >= PAGE_BYTES
}

/// These rows in pieces of a page each.
pub(crate) fn pieces<T: Weight>(rows: Vec<T>) -> Vec<Vec<T>> {
    let (mut pieces, mut bytes): (Vec<Vec<T>>, usize) = (Vec::new(), PAGE_BYTES);
    for row in rows {
        if bytes >= PAGE_BYTES {
            pieces.push(Vec::new());
            bytes = 0;
        }
        bytes += row.weight();
        if let Some(piece) = pieces.last_mut() {
            piece.push(row);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(usize);

    impl Weight for Row {
        fn weight(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn a_piece_ends_when_it_is_full_and_no_row_is_lost() {
        let rows = |sizes: &[usize]| sizes.iter().copied().map(Row).collect::<Vec<_>>();
        let sizes = |sizes: &[usize]| {
            pieces(rows(sizes)).iter().map(|piece| piece.iter().map(|row| row.0).collect()).collect::<Vec<Vec<_>>>()
        };
        let half = PAGE_BYTES / 2;
        assert_eq!(sizes(&[half, half, 1, 2, PAGE_BYTES, 3]), [vec![half, half], vec![1, 2, PAGE_BYTES], vec![3]]);
        assert!(sizes(&[]).is_empty());
        assert!(is_full(&rows(&[half, half])) && !is_full(&rows(&[half])));
    }
}
