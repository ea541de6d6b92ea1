use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};

use super::{
    export::{export, parsed, views},
    support::{Home, tiny_sweep},
    trained,
};

#[test]
fn parquet_reads_back_as_the_view_with_its_types() {
    let home = trained(3);
    for (what, rows) in views(&home) {
        let file = SerializedFileReader::new(std::fs::File::open(export(&home, what, "x.parquet")).unwrap()).unwrap();
        let found: Vec<_> = file.get_row_iter(None).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(found.len(), rows.len());
        for (record, row) in found.iter().zip(&rows) {
            assert_eq!(record.len(), row.as_object().unwrap().len());
            for (column, field) in record.get_column_iter() {
                let wanted = &row[column];
                match field {
                    Field::Null => assert!(wanted.is_null(), "{column}"),
                    Field::Long(value) => assert_eq!(Some(*value), wanted.as_i64(), "{column}"),
                    Field::Double(value) => {
                        assert_eq!(value.to_bits(), wanted.as_f64().unwrap().to_bits(), "{column}");
                    }
                    Field::TimestampMicros(value) => {
                        let text = wanted.as_str().unwrap();
                        let micros: i64 = text[20..26].parse().unwrap();
                        let second: i64 = text[17..19].parse().unwrap();
                        assert_eq!((value % 1_000_000, value / 1_000_000 % 60), (micros, second), "{column}");
                    }
                    Field::Str(value) => {
                        assert_eq!(parsed(column, &value.as_str().into()), parsed(column, wanted), "{column}");
                    }
                    other => panic!("{column}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn a_table_without_rows_has_its_columns() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 2, 1));
    home.besom(["submit".as_ref(), file.as_os_str()]).expect(0);
    let file = std::fs::File::open(export(&home, "history", "x.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    assert_eq!(reader.metadata().file_metadata().schema().get_fields().len(), 11);
}
