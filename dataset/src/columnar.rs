//! Parquet: a table as a CSV is one, column by column, or pictures with their labels, as Hugging
//! Face has them.
//!
//! As with a CSV the columns are read twice, first to learn what they hold. What the file says of
//! itself is compared with what it can hold before anything large is reserved; a page is
//! decompressed whole, and is at most 2 GiB.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use besom_sweep::DatasetSpec;
use parquet::basic::{Compression, ConvertedType, LogicalType, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::DataError;
use super::columns::{self, Facts, short, title};
use super::folder::{Key, refuse_keys};
use super::form::{Filling, Precision};
use super::labels::{self, Texts, VALUES};
use super::limits::{MAX_FEATURES, Room};
use super::npy::half;
use super::pictures::{Gallery, Picture};
use super::samples::{Labels, Parsed, Samples, Values};

/// Values that are decoded at once.
const BATCH: usize = 4_096;
/// Uncompressed bytes of all columns together, as for archives.
const MAX_UNPACKED: u64 = 20 << 30;

/// Reads the table in `path`.
///
/// # Errors
/// By row and column; and where the file is broken.
pub(super) fn read(what: &str, path: &Path, spec: &DatasetSpec, notes: &mut Vec<String>) -> Result<Parsed, DataError> {
    // The reader is not made for broken files everywhere: a panic of it is a fault of the file.
    catch_unwind(AssertUnwindSafe(|| Table::open(what, path)?.read(spec, notes)))
        .unwrap_or_else(|_| Err(DataError::refused(what, "is no readable Parquet file: it contradicts itself")))
}

/// A value of a column.
enum Cell<'a> {
    Number(f64),
    Bytes(&'a [u8]),
    Missing,
}

/// How the values of a column are understood.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Meaning {
    /// Numbers, which are divided by this: 1 unless they are decimals.
    Numbers(f64),
    /// Numbers that are stored with a sign and have none.
    Unsigned,
    /// 16-bit floats.
    Halves,
    /// Texts.
    Texts,
    /// Bytes, such as a picture.
    Bytes,
    /// Nothing that samples have.
    Other(&'static str),
}

struct Table<'a> {
    what: &'a str,
    reader: SerializedFileReader<File>,
    names: Vec<String>,
    meanings: Vec<Meaning>,
    rows: u64,
}

impl<'a> Table<'a> {
    fn open(what: &'a str, path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|error| DataError::io(path, "open", error))?;
        let length = file.metadata().map_err(|error| DataError::io(path, "open", error))?.len();
        let reader = SerializedFileReader::new(file).map_err(|error| broken(what, &error))?;
        let refuse = |problem: String| Err(DataError::refused(what, problem));
        let metadata = reader.metadata();
        let columns = metadata.file_metadata().schema_descr().columns();
        if columns.len() as u64 > MAX_FEATURES {
            return refuse(format!("has {} columns, at most {MAX_FEATURES} are read", columns.len()));
        }
        let (mut rows, mut unpacked) = (0_u64, 0_u64);
        for group in metadata.row_groups() {
            rows = rows.saturating_add(group.num_rows().try_into().unwrap_or(u64::MAX));
            for column in group.columns() {
                let compressed: u64 = column.compressed_size().try_into().unwrap_or(u64::MAX);
                unpacked = unpacked.saturating_add(column.uncompressed_size().try_into().unwrap_or(u64::MAX));
                if compressed > length {
                    return refuse(format!("claims {compressed} bytes of a file of {length}"));
                }
                if !matches!(
                    column.compression(),
                    Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) | Compression::ZSTD(_)
                ) {
                    return refuse(format!(
                        "is compressed as {}: write it with Snappy, gzip, zstd or without compression",
                        column.compression()
                    ));
                }
            }
        }
        if unpacked > MAX_UNPACKED {
            return refuse("unpacks to more than 20 GiB: looks like a decompression bomb".to_owned());
        }
        if rows == 0 || columns.is_empty() {
            return refuse("holds no samples".to_owned());
        }
        let names = columns.iter().map(|column| column.path().string()).collect();
        let meanings = columns.iter().map(|column| meaning(column)).collect();
        Ok(Self { what, names, meanings, rows, reader })
    }

    fn read(&self, spec: &DatasetSpec, notes: &mut Vec<String>) -> Result<Parsed, DataError> {
        let what = self.what;
        let refuse = |problem: String| DataError::refused(what, problem);
        refuse_keys(what, spec, "a table", &[Key::PerClass])?;
        let count = self.names.len();
        let mut column_notes = Vec::new();
        let label = columns::label(Some(&self.names), count, spec.label_column.as_deref(), &mut column_notes);
        let label = label.map_err(refuse)?;
        notes.extend(column_notes.into_iter().map(|note| format!("{what}: {note}")));
        // At least a byte for each sample: rows are promises.
        Room::new().take(what, self.rows, self.rows)?;
        let labels = self.labels(label)?;
        let mut pictures = (0..count).filter(|&column| column != label && self.meanings[column] == Meaning::Bytes);
        let (shape, values) = match (pictures.next(), pictures.next()) {
            (Some(column), None) => self.pictures(column, label, spec, notes)?,
            (Some(first), Some(second)) => {
                let (first, second) = (title(Some(&self.names), first), title(Some(&self.names), second));
                return Err(refuse(format!("{first} and {second} may both be pictures: keep one of them")));
            }
            (None, _) => {
                refuse_keys(what, spec, "numbers", &[Key::Size])?;
                self.features(label, notes)?
            }
        };
        Ok(Parsed::Whole(Samples { shape, values, labels }))
    }

    fn labels(&self, label: usize) -> Result<Labels, DataError> {
        let what = self.what;
        let place = |row: u64| format!("row {row}, {}", title(Some(&self.names), label));
        let refuse = |row: u64, problem: &str| DataError::refused(what, format!("{}: {problem}", place(row)));
        match self.meanings[label] {
            Meaning::Other(why) => {
                let problem = format!("{} {why}", title(Some(&self.names), label));
                return Err(DataError::refused(what, problem));
            }
            Meaning::Texts | Meaning::Bytes => {}
            Meaning::Numbers(_) | Meaning::Unsigned | Meaning::Halves => {
                let mut labels = Vec::new();
                self.each(label, &mut |row, cell| {
                    match cell {
                        Cell::Number(value) if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 => {
                            labels.push(value as i64);
                        }
                        Cell::Number(value) if value.is_finite() => {
                            return Err(refuse(row, &format!("the label is {value}: {VALUES}")));
                        }
                        _ => return Err(refuse(row, "the label is missing: give one or drop the row")),
                    }
                    Ok(())
                })?;
                return Ok(Labels::Integers(labels));
            }
        }
        let mut texts = Texts::default();
        self.each(label, &mut |row, cell| {
            let Cell::Bytes(bytes) = cell else {
                return Err(refuse(row, "the label is missing: give one or drop the row"));
            };
            let text = std::str::from_utf8(bytes).map_err(|_| refuse(row, "the label is not text"))?;
            texts.add(text.trim(), || place(row)).map_err(|problem| refuse(row, &problem))
        })?;
        texts.finish(labels::plain).map_err(|problem| DataError::refused(what, problem))
    }

    fn features(&self, label: usize, notes: &mut Vec<String>) -> Result<(Vec<u32>, Values), DataError> {
        let what = self.what;
        let names = Some(&self.names[..]);
        let mut facts = vec![Facts::default(); self.names.len()];
        for (column, facts) in facts.iter_mut().enumerate().filter(|(column, _)| *column != label) {
            if let Meaning::Other(why) = self.meanings[column] {
                facts.add_problem(|| format!("{} {why}: leave the column out", title(names, column)));
                continue;
            }
            self.each(column, &mut |row, cell| {
                let place = || format!("row {row}, {}", title(names, column));
                match cell {
                    Cell::Number(value) if !value.is_nan() => facts.add(value, Precision::Single, place),
                    Cell::Number(_) | Cell::Missing => facts.add_missing(place),
                    Cell::Bytes(bytes) => match number(bytes) {
                        Some(value) => facts.add(value, Precision::Text, place),
                        None => facts.add_problem(|| {
                            let text = String::from_utf8_lossy(bytes);
                            let place = place();
                            format!(
                                "{place}: `{}` is not a number: write texts as numbers, or leave the column out",
                                short(&text)
                            )
                        }),
                    },
                }
                Ok(())
            })?;
        }
        let features = columns::features(what, names, &facts, label, notes);
        let columns::Features { columns, form } = features.map_err(|problem| DataError::refused(what, problem))?;
        let width = columns.len();
        let count = self.rows.saturating_mul(width as u64);
        Room::new().take_wide(what, self.rows, count, form.width())?;
        let mut values = Filling::zeros(what, form, count)?;
        for (feature, column) in columns.into_iter().enumerate() {
            self.each(column, &mut |row, cell| {
                let value = match cell {
                    Cell::Number(value) => Some(value),
                    Cell::Bytes(bytes) => number(bytes),
                    Cell::Missing => None,
                };
                let value = value.ok_or_else(|| DataError::unavailable(what, "changed while it was read"))?;
                values.put(row as usize * width + feature, value);
                Ok(())
            })?;
        }
        Ok((vec![width as u32], values.finish()))
    }

    /// Reads the pictures of a column, and no other column beside.
    fn pictures(
        &self,
        column: usize,
        label: usize,
        spec: &DatasetSpec,
        notes: &mut Vec<String>,
    ) -> Result<(Vec<u32>, Values), DataError> {
        let what = self.what;
        let others = (0..self.names.len()).filter(|&other| other != column && other != label);
        let others: Vec<&str> = others.map(|other| self.names[other].as_str()).collect();
        if !others.is_empty() {
            let column = &self.names[column];
            notes.push(format!(
                "{what}: the samples are the pictures of `{column}`; left out are {}",
                others.join(", ")
            ));
        }
        let mut gallery = Gallery::new(spec.size);
        self.each(column, &mut |row, cell| {
            let shown = &format!("{what}: row {row}, {}", title(Some(&self.names), column));
            let Cell::Bytes(bytes) = cell else { return Err(DataError::refused(shown, "the picture is missing")) };
            gallery.add(what, shown, Picture::read(shown, bytes)?, self.rows)
        })?;
        gallery.take().ok_or_else(|| DataError::refused(what, "holds no picture"))
    }

    /// Feeds the cells of a column to `take`, each with its row.
    fn each(
        &self,
        column: usize,
        take: &mut dyn FnMut(u64, Cell<'_>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let what = self.what;
        let mut row = 0;
        let meaning = self.meanings[column];
        let mut take = |cell: Cell<'_>| {
            if row == self.rows {
                return Err(DataError::refused(what, "has more values than its rows"));
            }
            row += 1;
            take(row - 1, cell)
        };
        for group in 0..self.reader.num_row_groups() {
            let group = self.reader.get_row_group(group).map_err(|error| broken(what, &error))?;
            let level = group.metadata().schema_descr().column(column).max_def_level();
            let divisor = if let Meaning::Numbers(divisor) = meaning { divisor } else { 1.0 };
            match group.get_column_reader(column).map_err(|error| broken(what, &error))? {
                ColumnReader::BoolColumnReader(reader) => {
                    drain(what, reader, level, |&value| Cell::Number(value.into()), &mut take)
                }
                ColumnReader::Int32ColumnReader(reader) if meaning == Meaning::Unsigned => {
                    drain(what, reader, level, |&value| Cell::Number((value as u32).into()), &mut take)
                }
                ColumnReader::Int32ColumnReader(reader) => {
                    drain(what, reader, level, |&value| Cell::Number(f64::from(value) / divisor), &mut take)
                }
                ColumnReader::Int64ColumnReader(reader) if meaning == Meaning::Unsigned => {
                    drain(what, reader, level, |&value| Cell::Number(value as u64 as f64), &mut take)
                }
                ColumnReader::Int64ColumnReader(reader) => {
                    drain(what, reader, level, |&value| Cell::Number(value as f64 / divisor), &mut take)
                }
                ColumnReader::FloatColumnReader(reader) => {
                    drain(what, reader, level, |&value| Cell::Number(value.into()), &mut take)
                }
                ColumnReader::DoubleColumnReader(reader) => {
                    drain(what, reader, level, |&value| Cell::Number(value), &mut take)
                }
                ColumnReader::ByteArrayColumnReader(reader) => {
                    drain(what, reader, level, |value| Cell::Bytes(value.data()), &mut take)
                }
                ColumnReader::FixedLenByteArrayColumnReader(reader) if meaning == Meaning::Halves => {
                    let number =
                        |bytes: &[u8]| bytes.try_into().map_or(f64::NAN, |bytes| half(u16::from_le_bytes(bytes)));
                    drain(what, reader, level, |value| Cell::Number(number(value.data())), &mut take)
                }
                ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                    drain(what, reader, level, |value| Cell::Bytes(value.data()), &mut take)
                }
                ColumnReader::Int96ColumnReader(_) => Err(DataError::refused(what, "holds times of an old form")),
            }?;
        }
        if row != self.rows {
            return Err(DataError::refused(what, format!("has {row} values in a column of {} rows", self.rows)));
        }
        Ok(())
    }
}

fn number(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok().filter(|value: &f64| !value.is_nan())
}

fn broken(what: &str, error: &ParquetError) -> DataError {
    DataError::refused(what, format!("is no readable Parquet file: {error}"))
}

/// Feeds the values of a column of one row group to `take`; those at a lower level than `most` are
/// missing.
fn drain<T: DataType>(
    what: &str,
    mut reader: ColumnReaderImpl<T>,
    most: i16,
    cell: impl Fn(&T::T) -> Cell<'_>,
    take: &mut dyn FnMut(Cell<'_>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    loop {
        values.clear();
        levels.clear();
        let read = reader.read_records(BATCH, Some(&mut levels), None, &mut values);
        let (records, _, _) = read.map_err(|error| broken(what, &error))?;
        if records == 0 {
            return Ok(());
        }
        let mut next = values.iter();
        for record in 0..records {
            let is_there = most == 0 || levels.get(record) == Some(&most);
            let value = if is_there { next.next() } else { None };
            take(value.map_or(Cell::Missing, &cell))?;
        }
    }
}

fn meaning(column: &ColumnDescriptor) -> Meaning {
    const TIMES: Meaning = Meaning::Other("holds dates or times, which are no values of samples");
    const DECIMALS: Meaning = Meaning::Other("holds decimals of many digits: write them as floats");
    if column.max_rep_level() > 0 {
        return Meaning::Other("holds lists: write a column for each value, or the samples as .npz");
    }
    let is_text = matches!(column.converted_type(), ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON);
    match (column.logical_type_ref(), column.converted_type(), column.physical_type()) {
        (Some(LogicalType::Date | LogicalType::Time(_) | LogicalType::Timestamp(_)), _, _)
        | (
            _,
            ConvertedType::DATE
            | ConvertedType::TIME_MILLIS
            | ConvertedType::TIME_MICROS
            | ConvertedType::TIMESTAMP_MILLIS
            | ConvertedType::TIMESTAMP_MICROS
            | ConvertedType::INTERVAL,
            _,
        )
        | (_, _, Physical::INT96) => TIMES,
        (Some(LogicalType::Float16), _, _) => Meaning::Halves,
        (Some(LogicalType::Decimal(_)), _, Physical::INT32 | Physical::INT64)
        | (_, ConvertedType::DECIMAL, Physical::INT32 | Physical::INT64) => {
            Meaning::Numbers(10_f64.powi(column.type_scale().clamp(0, 18)))
        }
        (Some(LogicalType::Decimal(_)), _, _) | (_, ConvertedType::DECIMAL, _) => DECIMALS,
        (Some(LogicalType::Integer(integer)), _, _) if !integer.is_signed => Meaning::Unsigned,
        (_, ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64, _) => {
            Meaning::Unsigned
        }
        (Some(LogicalType::String | LogicalType::Enum | LogicalType::Json), _, _) => Meaning::Texts,
        (_, _, Physical::BYTE_ARRAY) if is_text => Meaning::Texts,
        (_, _, Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY) => Meaning::Bytes,
        (_, _, Physical::BOOLEAN | Physical::INT32 | Physical::INT64 | Physical::FLOAT | Physical::DOUBLE) => {
            Meaning::Numbers(1.0)
        }
    }
}
