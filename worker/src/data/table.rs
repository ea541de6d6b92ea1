//! CSV with a header line: one sample a line, one column of labels, whole numbers 0..255 in all others.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read};

use besom_sweep::MAX_CLASSES;

use super::DataError;
use super::limits::{MAX_FEATURES, MAX_MEMORY, Room};
use super::samples::{Labels, Parsed, Samples, Values};

/// The label column where the sweep file names none.
const LABEL: &str = "label";
/// Longest label; longer ones are no class names.
const MAX_LABEL: usize = 200;
/// Longest line: room for 16 bytes in each of the most cells that a line may have. A line stands in memory whole, and a
/// small compressed file may unpack to one of gigabytes.
const MAX_LINE: u64 = 16 << 20;

/// Reads a table; labels that are all whole numbers are numbers, otherwise they are names.
///
/// # Errors
/// By line and column.
pub(super) fn read(what: &str, reader: impl Read, label_column: Option<&str>) -> Result<Parsed, DataError> {
    let refuse = |problem: String| DataError::refused(what, problem);
    let wanted = label_column.unwrap_or(LABEL);
    let left = Cell::new(MAX_LINE);
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(Line { inner: reader, left: &left });
    let headers = table.headers().map_err(|error| refuse(show(&error, 1)))?;
    if headers.len() as u64 > MAX_FEATURES {
        return Err(refuse(format!("has {} columns, at most {MAX_FEATURES} are read", headers.len())));
    }
    let columns: Vec<String> = headers.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
    let mut found = columns.iter().enumerate().filter(|(_, name)| *name == wanted).map(|(column, _)| column);
    let label = match (found.next(), found.next()) {
        (Some(column), None) => column,
        (Some(_), Some(_)) => return Err(refuse(format!("has two columns `{wanted}`"))),
        (None, _) => {
            let first = columns.iter().take(8).map(|name| short(name)).collect::<Vec<_>>().join(", ");
            return Err(refuse(format!(
                "has no label column `{wanted}` (its first columns: {first}): name it as label_column, or add a header line"
            )));
        }
    };
    let features = columns.len() - 1;
    if features == 0 {
        return Err(refuse("has no column beside the labels".to_owned()));
    }
    let mut room = Room::new();
    let mut rows = Vec::new();
    let mut labels = Names::default();
    let mut record = csv::StringRecord::new();
    loop {
        left.set(MAX_LINE);
        let next = table.position().line();
        if !table.read_record(&mut record).map_err(|error| refuse(show(&error, next)))? {
            break;
        }
        let line = record.position().map_or(0, csv::Position::line);
        room.take(what, 1, features as u64).map_err(|_| {
            let most = MAX_MEMORY >> 20;
            refuse(format!("line {line}: the lines before it fill the {most} MiB that a dataset may take; give fewer"))
        })?;
        for (column, cell) in record.iter().enumerate() {
            let place = || format!("line {line}, column `{}`", short(&columns[column]));
            if column == label {
                labels.add(cell).map_err(|problem| refuse(format!("{}: {problem}", place())))?;
                continue;
            }
            rows.push(pixel(cell).map_err(|problem| refuse(format!("{}: {problem}", place())))?);
        }
    }
    let shape = vec![features as u32];
    Ok(Parsed::Whole(Samples { shape, values: Values::Bytes(rows), labels: labels.finish() }))
}

fn pixel(cell: &str) -> Result<u8, String> {
    if let Ok(value) = cell.parse() {
        return Ok(value);
    }
    match cell.parse::<f64>() {
        Ok(value) if (0.0..=255.0).contains(&value) && value.fract() == 0.0 => Ok(value as u8),
        Ok(value) if (-1.0..=1.0).contains(&value) && value.fract() != 0.0 => {
            Err(format!("`{}` looks already scaled: values must be whole numbers 0..255", short(cell)))
        }
        _ => Err(format!("`{}` is not a whole number 0..255", short(cell))),
    }
}

/// What a message shows of a cell.
fn short(cell: &str) -> String {
    cell.chars().take(40).collect()
}

/// A reader that fails once a line has used up what is `left` for it. It counts what the parser fetches, which may be a
/// buffer more than the line.
struct Line<'a, R> {
    inner: R,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Line<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 {
            let problem = format!("is longer than {} MiB", MAX_LINE >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
        }
        let count = self.inner.read(buffer)?;
        self.left.set(self.left.get().saturating_sub(count as u64));
        Ok(count)
    }
}

/// The library's error without its repetition of what is said anyway; `next` is the line that was to be read.
fn show(error: &csv::Error, next: u64) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("line {line}: has {len} cells, the header line has {expected_len}")
        }
        csv::ErrorKind::Utf8 { pos, .. } => {
            format!("line {}: is not UTF-8 text", pos.as_ref().map_or(0, csv::Position::line))
        }
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => format!("line {next}: {error}"),
        _ => format!("cannot be read: {error}"),
    }
}

/// Distinct labels as they appear.
#[derive(Default)]
struct Names {
    known: HashMap<String, u16>,
    names: Vec<String>,
    indices: Vec<u16>,
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
                let index = self.names.len() as u16;
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
