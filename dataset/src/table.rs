//! CSV: one sample a line, one column of labels, numbers in all others.
//!
//! The text is read twice: first to learn what the columns hold, then to fill in the values in the
//! form that all of them have. Commas, semicolons and tabs separate cells, whichever the first
//! lines agree on.

use std::cell::Cell;
use std::io::{self, Read};

use super::DataError;
use super::columns::{self, Facts, Features, short, title};
use super::form::{Filling, Precision};
use super::labels::{Texts, is_missing};
use super::limits::{MAX_FEATURES, MAX_MEMORY, Room};
use super::samples::{Parsed, Samples};

/// Longest line: room for 16 bytes in each of the most cells that a line may have. A line stands in
/// memory whole, and a small compressed file may unpack to one of gigabytes.
const MAX_LINE: u64 = 16 << 20;
/// The beginning of a table that tells its separator.
const HEAD: u64 = 64 << 10;

/// Opens the text from its beginning.
pub(super) type Open<'a> = dyn Fn() -> Result<Box<dyn Read>, DataError> + 'a;

/// Reads a table; labels that are all whole numbers are numbers, otherwise they are names.
///
/// # Errors
/// By line and column.
pub(super) fn read(
    what: &str,
    open: &Open<'_>,
    label_column: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Parsed, DataError> {
    let refuse = |problem: String| DataError::refused(what, problem);
    let mut head = Vec::new();
    open()?.take(HEAD).read_to_end(&mut head).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let dialect = Dialect::of(&head);

    let (table, labels) = learn(what, open, dialect, label_column, notes)?;
    let Table { names, label, features, rows } = &table;
    let width = features.columns.len() as u64;
    let mut room = Room::new();
    room.take_wide(what, *rows, rows * width, features.form.width())?;
    let mut values = Filling::new(what, features.form, rows * width)?;
    let left = Cell::new(0);
    let mut lines = Lines::new(open()?, dialect, &left);
    if names.is_some() {
        lines.next(what)?;
    }
    while let Some(record) = lines.next(what)? {
        for &column in &features.columns {
            let cell = record.get(column).unwrap_or_default();
            let value =
                dialect.number(cell).ok_or_else(|| DataError::unavailable(what, "changed while it was read"))?;
            values.push(value);
        }
    }
    debug_assert!(!features.columns.contains(label), "labels are no features");
    if values.len() as u64 != rows * width {
        return Err(DataError::unavailable(what, "changed while it was read"));
    }
    let labels = labels.finish(|text| dialect.number_of_text(text)).map_err(refuse)?;
    Ok(Parsed::Whole(Samples { shape: vec![width as u32], values: values.finish(), labels }))
}

/// What the first pass finds.
struct Table {
    /// Names of the columns, where the first line is a header.
    names: Option<Vec<String>>,
    label: usize,
    features: Features,
    rows: u64,
}

fn learn(
    what: &str,
    open: &Open<'_>,
    dialect: Dialect,
    label_column: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<(Table, Texts), DataError> {
    let refuse = |problem: String| DataError::refused(what, problem);
    let left = Cell::new(0);
    let mut lines = Lines::new(open()?, dialect, &left);
    let first = match lines.next(what)? {
        Some(record) => record.clone(),
        None => return Err(refuse("holds no line".to_owned())),
    };
    let count = first.len();
    if count as u64 > MAX_FEATURES {
        return Err(refuse(format!("has {count} columns, at most {MAX_FEATURES} are read")));
    }
    let names = dialect.header(&first, label_column);
    let by_number = label_column.is_some_and(|column| column.parse::<i64>().is_ok());
    if by_number && names.is_some() {
        let shown: Vec<&str> = first.iter().take(4).collect();
        let more = if count > 4 { ", ..." } else { "" };
        notes.push(format!(
            "{what}: the first line (`{}{more}`) is read as the names of the columns, not as a sample",
            shown.iter().map(|cell| short(cell)).collect::<Vec<_>>().join(", ")
        ));
    }
    if count == 1 && dialect.separator == b',' && first[0].split_whitespace().count() > 2 {
        let problem = "has one column: if spaces separate its cells, write it with commas, semicolons or tabs";
        return Err(refuse(problem.to_owned()));
    }
    let mut column_notes = Vec::new();
    let label = columns::label(names.as_deref(), count, label_column, &mut column_notes).map_err(refuse)?;
    notes.extend(column_notes.into_iter().map(|note| format!("{what}: {note}")));
    if count == 1 {
        return Err(refuse("has no column beside the labels".to_owned()));
    }
    let mut room = Room::new();
    let mut facts = vec![Facts::default(); count];
    let mut labels = Texts::default();
    let mut rows = 0;
    let mut pending = names.is_none().then_some(first);
    loop {
        let (record, line) = match pending.take() {
            Some(first) => (first, 1),
            None => match lines.next(what)? {
                Some(record) => (record.clone(), record.position().map_or(0, csv::Position::line)),
                None => break,
            },
        };
        rows += 1;
        room.take(what, 1, count as u64 - 1).map_err(|_| {
            let most = MAX_MEMORY >> 20;
            refuse(format!("line {line}: the lines before it fill the {most} MiB that a dataset may take; give fewer"))
        })?;
        for (column, cell) in record.iter().enumerate() {
            let place = || format!("line {line}, {}", title(names.as_deref(), column));
            if column == label {
                labels.add(cell, place).map_err(|problem| refuse(format!("{}: {problem}", place())))?;
                continue;
            }
            match dialect.number(cell) {
                Some(value) => facts[column].add(value, Precision::Text, place),
                None if is_missing(cell) => facts[column].add_missing(place),
                None => facts[column].add_problem(|| {
                    format!(
                        "{}: `{}` is not a number: write texts as numbers, or leave the column out",
                        place(),
                        short(cell)
                    )
                }),
            }
        }
    }
    if rows == 0 {
        return Err(refuse("holds no samples, only a header line".to_owned()));
    }
    let features = columns::features(what, names.as_deref(), &facts, label, notes).map_err(refuse)?;
    Ok((Table { names, label, features, rows }, labels))
}

/// How the text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dialect {
    separator: u8,
}

impl Dialect {
    /// What the lines of the beginning of a text agree on: each has as many tabs, or semicolons, as
    /// the others. Where neither is so, cells are separated by commas.
    fn of(head: &[u8]) -> Self {
        let whole = head.len() < HEAD as usize;
        let mut lines: Vec<&[u8]> = head.split(|&byte| byte == b'\n').collect();
        if !whole && lines.len() > 1 {
            lines.pop();
        }
        lines.retain(|line| !line.trim_ascii().is_empty());
        let agree = |separator: u8| {
            let mut counts = lines.iter().map(|line| outside_quotes(line, separator));
            let first = counts.next().unwrap_or(0);
            first > 0 && counts.all(|count| count == first)
        };
        let separator = [b'\t', b';'].into_iter().find(|&separator| agree(separator)).unwrap_or(b',');
        Self { separator }
    }

    /// A cell as a number. Where commas do not separate cells, they are decimal points.
    fn number(self, cell: &str) -> Option<f64> {
        if let Ok(value) = cell.parse::<u8>() {
            return Some(value.into());
        }
        let value = match self.number_of_text(cell) {
            None if cell.eq_ignore_ascii_case("true") => Some(1.0),
            None if cell.eq_ignore_ascii_case("false") => Some(0.0),
            value => value,
        };
        value.filter(|value| !value.is_nan())
    }

    /// The same without truth values, which are names where labels stand.
    fn number_of_text(self, text: &str) -> Option<f64> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(_) if self.separator != b',' && text.contains(',') => text.replacen(',', ".", 1).parse().ok(),
            Err(_) => None,
        }
    }

    /// The names of the columns, if the first line is a header. One of numbers alone is none,
    /// unless it counts the columns, as pandas names them; where the labels are told by number,
    /// theirs may be a text in either, and a line that holds mostly numbers is a sample.
    fn header(self, first: &csv::StringRecord, label_column: Option<&str>) -> Option<Vec<String>> {
        let count = first.len() as i64;
        let label = label_column.and_then(|column| column.parse::<i64>().ok());
        let label = label.map(|column| if column < 0 { column + count } else { column });
        let others = || first.iter().enumerate().filter(|(column, _)| Some(*column as i64) != label);
        let numbers = others().filter(|(_, cell)| self.number(cell).is_some()).count();
        let unknown = others().filter(|(_, cell)| is_missing(cell)).count();
        let texts = others().count() - numbers - unknown;
        let is_data = numbers > 0 && (texts == 0 || label.is_some() && texts < numbers);
        let counts_from = |start: usize| others().all(|(column, cell)| cell.parse() == Ok(column + start));
        if is_data && (count < 4 || !(counts_from(0) || counts_from(1))) {
            return None;
        }
        // NumPy marks the header line as a comment.
        let mut names: Vec<String> = first.iter().map(str::to_owned).collect();
        names[0] = names[0].trim_start_matches(['#', ' ']).to_owned();
        Some(names)
    }
}

fn outside_quotes(line: &[u8], separator: u8) -> usize {
    let mut quoted = false;
    let mut count = 0;
    for &byte in line {
        quoted ^= byte == b'"';
        count += usize::from(byte == separator && !quoted);
    }
    count
}

/// The records of a text, each of a bounded length.
struct Lines<'a> {
    table: csv::Reader<Line<'a>>,
    record: csv::StringRecord,
    left: &'a Cell<u64>,
}

impl<'a> Lines<'a> {
    fn new(reader: Box<dyn Read>, dialect: Dialect, left: &'a Cell<u64>) -> Self {
        let mut builder = csv::ReaderBuilder::new();
        builder.trim(csv::Trim::All).has_headers(false).delimiter(dialect.separator);
        Self {
            table: builder.from_reader(Line { inner: reader, left, begun: false }),
            record: csv::StringRecord::new(),
            left,
        }
    }

    /// The next record.
    fn next(&mut self, what: &str) -> Result<Option<&csv::StringRecord>, DataError> {
        self.left.set(MAX_LINE);
        let line = self.table.position().line();
        let more = self.table.read_record(&mut self.record);
        let more = more.map_err(|error| DataError::refused(what, show(&error, line)))?;
        Ok(more.then_some(&self.record))
    }
}

/// A reader that fails once a line has used up what is `left` for it. It counts what the parser
/// fetches, which may be a buffer more than the line.
struct Line<'a> {
    inner: Box<dyn Read>,
    left: &'a Cell<u64>,
    begun: bool,
}

impl Read for Line<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 {
            let problem = format!("is longer than {} MiB", MAX_LINE >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
        }
        let mut count = self.inner.read(buffer)?;
        self.left.set(self.left.get().saturating_sub(count as u64));
        // The mark of UTF-8 before the first name would become a part of it.
        if !self.begun && buffer[..count].starts_with(b"\xef\xbb\xbf") {
            buffer.copy_within(3..count, 0);
            count -= 3;
        }
        self.begun = true;
        Ok(count)
    }
}

/// The library's error without its repetition of what is said anyway; `next` is the line that was
/// to be read.
fn show(error: &csv::Error, next: u64) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("line {line}: has {len} cells, the first line has {expected_len}")
        }
        csv::ErrorKind::Utf8 { pos, .. } => {
            format!("line {}: is not UTF-8 text", pos.as_ref().map_or(0, csv::Position::line))
        }
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => format!("line {next}: {error}"),
        _ => format!("cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_what_the_lines_agree_on() {
        for (text, separator) in [
            ("label,a,b\n0,1,2\n", b','),
            ("label;a;b\n0;1;2\n", b';'),
            ("label\ta\tb\n0\t1\t2\n", b'\t'),
            ("0;1,5;2,5\n1;0,5;3\n", b';'),
            ("label,a\n\"x;y\",1\n", b','),
            ("label,a\nx;y,1\nz,2\n", b','),
            ("label\n1\n", b','),
        ] {
            assert_eq!(Dialect::of(text.as_bytes()).separator, separator, "{text}");
        }
    }

    #[test]
    fn a_first_line_of_numbers_is_no_header_unless_it_counts_the_columns() {
        let header = |line: &str, label: Option<&str>| {
            let record: Vec<&str> = line.split(',').collect();
            Dialect { separator: b',' }.header(&csv::StringRecord::from(record), label).is_some()
        };
        assert!(!header("0,17,3,4", None));
        assert!(!header("cat,17,3,4", Some("0")));
        assert!(!header("17,3,4,cat", Some("-1")));
        assert!(header("kind,a,b,c", Some("0")));
        assert!(header("0,1,2,3", Some("-1")), "pandas names columns so");
        assert!(header("label,0,1,2", None));
        assert!(!header("cat,1.5x,3,4", Some("0")), "one bad cell makes no header");
        assert!(header("a,b,2001,kind", Some("-1")));
        assert!(header("kind,1,2,3", Some("0")));
    }
}
