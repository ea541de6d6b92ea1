//! Parquet: typed columns, all of them optional, compressed with Snappy, which every reader knows.
//!
//! A row group is collected column by column and written when it is full; that is what memory is
//! needed for. JSON is text; times are UTC microseconds.

use std::sync::Arc;

use anyhow::Context;
use besom_sweep::{Cell, Column, Row};
use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical},
    data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::Type,
};
use time::{Date, Month, PrimitiveDateTime, Time};

use super::{Buffer, Encoder};
use crate::{
    render::sql,
    text::columns::{Kind, kind},
};

/// Rows of a group: some 20 MB of runs while they are collected.
const GROUP: usize = 20_000;

/// See the module.
pub(super) struct Parquet {
    writer: SerializedFileWriter<Buffer>,
    group: Vec<Values>,
    rows: usize,
}

/// One column of the group: the values that are there, and for each row whether it has one.
struct Values {
    column: String,
    kind: Kind,
    values: Typed,
    present: Vec<i16>,
}

enum Typed {
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Vec<ByteArray>),
}

impl Parquet {
    pub(super) fn new(columns: &[Column], buffer: Buffer) -> anyhow::Result<Self> {
        let fields = columns.iter().map(|column| field(column).map(Arc::new)).collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("schema").with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(besom_proto::BUILD.to_owned())
            .build();
        let writer = SerializedFileWriter::new(buffer, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { writer, group: columns.iter().map(Values::of).collect(), rows: 0 })
    }

    fn write_group(&mut self) -> anyhow::Result<()> {
        let mut group = self.writer.next_row_group()?;
        for values in &mut self.group {
            values.write(&mut group)?;
            values.clear();
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Encoder for Parquet {
    fn row(&mut self, row: Row<'_>) -> anyhow::Result<()> {
        for (values, (_, cell)) in self.group.iter_mut().zip(row.cells()) {
            values.push(cell)?;
        }
        self.rows += 1;
        if self.rows == GROUP { self.write_group() } else { Ok(()) }
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.writer.finish()?;
        Ok(())
    }
}

fn field(column: &Column) -> parquet::errors::Result<Type> {
    let (physical, logical) = match kind(column) {
        Kind::Integer => (Physical::INT64, None),
        Kind::Float => (Physical::DOUBLE, None),
        Kind::Text | Kind::Json => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
    };
    Type::primitive_type_builder(&column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

impl Values {
    fn of(column: &Column) -> Self {
        let kind = kind(column);
        let values = match kind {
            Kind::Integer | Kind::Time => Typed::Integers(Vec::new()),
            Kind::Float => Typed::Floats(Vec::new()),
            Kind::Text | Kind::Json => Typed::Texts(Vec::new()),
        };
        Self { column: column.name.clone(), kind, values, present: Vec::new() }
    }

    /// Room for the next group.
    fn clear(&mut self) {
        self.present.clear();
        match &mut self.values {
            Typed::Integers(values) => values.clear(),
            Typed::Floats(values) => values.clear(),
            Typed::Texts(values) => values.clear(),
        }
    }

    fn push(&mut self, cell: &Cell) -> anyhow::Result<()> {
        self.present.push(i16::from(*cell != Cell::Null));
        match (&mut self.values, cell) {
            (_, Cell::Null) => {}
            (Typed::Integers(values), Cell::Integer(value)) => values.push(*value),
            (Typed::Integers(values), Cell::Text(text)) if self.kind == Kind::Time => {
                values.push(microseconds(text).with_context(|| format!("{}: {text:?} is no time", self.column))?);
            }
            (Typed::Floats(values), Cell::Float(value)) => values.push(*value),
            (Typed::Floats(values), Cell::Integer(value)) => values.push(*value as f64),
            (Typed::Texts(values), Cell::Text(text)) => values.push(text.as_bytes().to_vec().into()),
            (Typed::Texts(values), cell) => values.push(sql::text(cell).into_bytes().into()),
            (_, cell) => anyhow::bail!("{}: {cell:?} is of another kind than its column", self.column),
        }
        Ok(())
    }

    fn write(&self, group: &mut SerializedRowGroupWriter<'_, Buffer>) -> anyhow::Result<()> {
        match &self.values {
            Typed::Integers(values) => self.write_as::<Int64Type>(values, group),
            Typed::Floats(values) => self.write_as::<DoubleType>(values, group),
            Typed::Texts(values) => self.write_as::<ByteArrayType>(values, group),
        }
    }

    fn write_as<T: DataType>(
        &self,
        values: &[T::T],
        group: &mut SerializedRowGroupWriter<'_, Buffer>,
    ) -> anyhow::Result<()> {
        let mut writer = group.next_column()?.context("a column too many")?;
        writer.typed::<T>().write_batch(values, Some(&self.present), None)?;
        Ok(writer.close()?)
    }
}

/// Microseconds since 1970 of a time as the views show it. A stored number may be a year of six
/// digits, or one before the first; and of one before 1970, SQLite shows the part of a second below
/// 0.
fn microseconds(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut parts = date.rsplitn(3, '-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?.parse::<i64>().ok()?);
    // The calendar repeats itself every 400 years, which are 146,097 days.
    let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
    let date = Date::from_calendar_date(
        i32::try_from(year).ok()? + 2000,
        Month::try_from(month.parse::<u8>().ok()?).ok()?,
        day.parse().ok()?,
    );
    let (time, fraction) = time.split_once('.')?;
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<u8>().ok();
    let time = Time::from_hms(number(0..2)?, number(3..5)?, number(6..8)?);
    let at = PrimitiveDateTime::new(date.ok()?, time.ok()?).assume_utc();
    let cycles = i128::from(cycle - 5) * 146_097 * 86_400 * 1_000_000;
    let fraction = i128::from(fraction.parse::<i32>().ok()?);
    i64::try_from(i128::from(at.unix_timestamp()) * 1_000_000 + cycles + fraction).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_the_views_write_it() {
        assert_eq!(microseconds("1970-01-01T00:00:00.000001Z"), Some(1));
        assert_eq!(microseconds("2026-11-23T17:30:00.123456Z"), Some(1_795_455_000_123_456));
        // As the coordinator writes the last and the first number that a column holds.
        assert_eq!(microseconds("294247-01-10T04:00:54.775807Z"), Some(i64::MAX));
        assert_eq!(microseconds("-290308-12-21T19:59:05.224192Z"), Some(i64::MIN));
        assert_eq!(microseconds("1969-12-31T23:59:59.999999Z"), Some(-1));
        assert_eq!(microseconds("1970-01-01T00:00:00.-00001Z"), Some(-1), "SQLite's way to say it");
        assert_eq!([microseconds("soon"), microseconds("2026-13-23T17:30:00.123456Z")], [None, None]);
    }
}
