//! CSV with a header line: one sample a line, one column of labels, whole numbers 0..255 in all others.

use std::collections::HashMap;
use std::io::Read;

use super::DataError;
use super::dataset::MAX_CLASSES;
use super::limits::{MAX_FEATURES, MAX_VALUES};
use super::samples::{Labels, Parsed, Samples};

/// The label column where the sweep file names none.
const LABEL: &str = "label";
/// Longest label; longer ones are no class names.
const MAX_LABEL: usize = 200;

/// Reads a table; labels that are all whole numbers are numbers, otherwise they are names.
///
/// # Errors
/// By line and column.
pub(super) fn read(what: &str, reader: impl Read, label_column: Option<&str>) -> Result<Parsed, DataError> {
    let refuse = |problem: String| DataError::refused(what, problem);
    let wanted = label_column.unwrap_or(LABEL);
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(reader);
    let columns: Vec<String> = match table.headers() {
        Ok(headers) => headers.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect(),
        Err(error) => return Err(refuse(show(&error))),
    };
    if columns.len() as u64 > MAX_FEATURES {
        return Err(refuse(format!("has {} columns, at most {MAX_FEATURES} are read", columns.len())));
    }
    let mut found = columns.iter().enumerate().filter(|(_, name)| *name == wanted).map(|(column, _)| column);
    let label = match (found.next(), found.next()) {
        (Some(column), None) => column,
        (Some(_), Some(_)) => return Err(refuse(format!("has two columns `{wanted}`"))),
        (None, _) => {
            let first = columns.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(refuse(format!(
                "has no label column `{wanted}` (its first columns: {first}): name it as label_column, or add a header line"
            )));
        }
    };
    let features = columns.len() - 1;
    if features == 0 {
        return Err(refuse("has no column beside the labels".to_owned()));
    }
    let mut rows = Vec::new();
    let mut labels = Names::default();
    let mut record = csv::StringRecord::new();
    while table.read_record(&mut record).map_err(|error| refuse(show(&error)))? {
        let line = record.position().map_or(0, csv::Position::line);
        if (rows.len() + features) as u64 > MAX_VALUES {
            return Err(refuse(format!("line {line}: more than {MAX_VALUES} values")));
        }
        for (column, cell) in record.iter().enumerate() {
            let place = || format!("line {line}, column `{}`", columns[column]);
            if column == label {
                labels.add(cell).map_err(|problem| refuse(format!("{}: {problem}", place())))?;
                continue;
            }
            rows.push(pixel(cell).map_err(|problem| refuse(format!("{}: {problem}", place())))?);
        }
    }
    let shape = vec![features as u32];
    Ok(Parsed::Whole(Samples { shape, rows, labels: labels.finish() }))
}

fn pixel(cell: &str) -> Result<u8, String> {
    if let Ok(value) = cell.parse() {
        return Ok(value);
    }
    match cell.parse::<f64>() {
        Ok(value) if (0.0..=255.0).contains(&value) && value.fract() == 0.0 => Ok(value as u8),
        Ok(value) if (-1.0..=1.0).contains(&value) && value.fract() != 0.0 => {
            Err(format!("`{cell}` looks already scaled: values must be whole numbers 0..255"))
        }
        _ => Err(format!("`{}` is not a whole number 0..255", cell.chars().take(40).collect::<String>())),
    }
}

/// The library's error without its repetition of what is said anyway.
fn show(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("line {line}: has {len} cells, the header line has {expected_len}")
        }
        csv::ErrorKind::Utf8 { pos, .. } => {
            format!("line {}: is not UTF-8 text", pos.as_ref().map_or(0, csv::Position::line))
        }
        _ => format!("cannot be read: {error}"),
    }
}

/// Distinct labels as they appear.
#[derive(Default)]
struct Names {
    known: HashMap<String, u8>,
    names: Vec<String>,
    indices: Vec<u8>,
}

impl Names {
    fn add(&mut self, label: &str) -> Result<(), String> {
        let index = match self.known.get(label) {
            Some(&index) => index,
            None if label.is_empty() => return Err("the label is empty".to_owned()),
            None if label.len() > MAX_LABEL => return Err(format!("the label is longer than {MAX_LABEL} bytes")),
            None if self.names.len() == MAX_CLASSES => {
                return Err(format!("more than {MAX_CLASSES} different labels: is this the label column?"));
            }
            None => {
                let index = self.names.len() as u8;
                self.known.insert(label.to_owned(), index);
                self.names.push(label.to_owned());
                index
            }
        };
        self.indices.push(index);
        Ok(())
    }

    fn finish(self) -> Labels {
        let numbers: Result<Vec<i64>, _> = self.names.iter().map(|name| name.parse::<i64>()).collect();
        match numbers {
            Ok(numbers) => Labels::Integers(self.indices.iter().map(|&index| numbers[usize::from(index)]).collect()),
            Err(_) => Labels::Names { names: self.names, indices: self.indices },
        }
    }
}
