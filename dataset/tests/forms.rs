//! Every form of data that the documentation promises is read, and what is nearly one of them is
//! refused with advice.

#![allow(clippy::unwrap_used, reason = "this is test code, which clippy sees only inside test functions")]

mod support;

use std::path::Path;
use std::sync::Arc;

use besom_dataset::{Kind, Loaded, Rows};
use besom_sweep::DatasetSpec;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use support::{chain, gzip, idx, load_in, npy, npy_ordered, npz, spec, ten_labels, ten_samples, zip_of};

/// The forms that the documentation lists, by the first cells of its table.
fn documented() -> Vec<String> {
    let page = include_str!("../../docs/data.md");
    let table = page.lines().skip_while(|line| !line.starts_with("| form |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Samples 4 i + 1 to 4 i + 4 in the shape given, as uint8.
fn samples(shape: &str, count: u8) -> Vec<u8> {
    npy("|u1", shape, &(1..=count).collect::<Vec<u8>>())
}

fn text_labels() -> Vec<u8> {
    let texts = (0..10).map(|i| ["cat", "dog"][i % 2]);
    let data = texts.flat_map(|text| {
        let mut item: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        item.resize(20, 0);
        item
    });
    npy("<U5", "(10,)", &data.collect::<Vec<u8>>())
}

fn png(pixels: &[u8], width: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, pixels.len() as u32 / width);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    file
}

/// A grey JPEG of one colour, whose side is a multiple of 8: blocks that have a mean and nothing
/// else.
fn jpeg(grey: u8, side: u8) -> Vec<u8> {
    let mut file = b"\xff\xd8\xff\xdb\0\x43\0".to_vec();
    // Divided by 8, the mean of a block less 128 is what is stored.
    file.extend_from_slice(&[8; 64]);
    file.extend_from_slice(&[0xff, 0xc0, 0, 11, 8, 0, side, 0, side, 1, 1, 0x11, 0]);
    // Means: codes of four bits for the nine lengths of a number. Details: one code of one bit, for
    // none.
    file.extend_from_slice(b"\xff\xc4\0\x1c\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08");
    file.extend_from_slice(b"\xff\xc4\0\x14\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    file.extend_from_slice(b"\xff\xda\0\x08\x01\x01\0\0\x3f\0");
    let mut bits = String::new();
    for block in 0..u32::from(side / 8).pow(2) {
        let mean = if block == 0 { i32::from(grey) - 128 } else { 0 };
        let length = 32 - mean.unsigned_abs().leading_zeros();
        bits += &format!("{length:04b}");
        let stored = if mean < 0 { mean + (1 << length) - 1 } else { mean };
        (0..length).rev().for_each(|bit| bits.push(if stored >> bit & 1 == 1 { '1' } else { '0' }));
        bits.push('0');
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = byte.iter().fold(0, |byte, &bit| byte << 1 | (bit - b'0'));
        file.push(byte);
        if byte == 0xff {
            file.push(0);
        }
    }
    file.extend_from_slice(b"\xff\xd9");
    file
}

/// A table of ten samples: an index, two features and a label, and two groups of rows.
fn parquet_table(compression: Compression, texts: bool) -> Vec<u8> {
    let label = if texts { "required binary kind (UTF8);" } else { "required int64 label;" };
    let schema =
        format!("message m {{ required int64 __index_level_0__; optional double a; required int64 b; {label} }}");
    let properties = WriterProperties::builder().set_compression(compression).build();
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for rows in [0..6_i64, 6..10] {
        let mut group = writer.next_row_group().unwrap();
        let numbers: Vec<i64> = rows.collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&numbers, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let halves: Vec<f64> = numbers.iter().map(|&i| i as f64 / 2.0).collect();
        column.typed::<DoubleType>().write_batch(&halves, Some(&vec![1; halves.len()][..]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let squares: Vec<i64> = numbers.iter().map(|i| i * i).collect();
        column.typed::<Int64Type>().write_batch(&squares, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        if texts {
            let names: Vec<ByteArray> =
                numbers.iter().map(|i| ByteArray::from(["cat", "dog"][(i % 2) as usize])).collect();
            column.typed::<ByteArrayType>().write_batch(&names, None, None).unwrap();
        } else {
            let labels: Vec<i64> = numbers.iter().map(|i| i % 2).collect();
            column.typed::<Int64Type>().write_batch(&labels, None, None).unwrap();
        }
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// Ten pictures with labels, as Hugging Face writes them.
fn parquet_pictures() -> Vec<u8> {
    let schema = "message m { optional group image { optional binary bytes; optional binary path (UTF8); } optional int64 label; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let pictures: Vec<ByteArray> = (0..10).map(|i| ByteArray::from(png(&[i * 20; 4], 2))).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&pictures, Some(&[2; 10][..]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[], Some(&[1; 10][..]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let labels: Vec<i64> = (0..10).map(|i| i % 2).collect();
    column.typed::<Int64Type>().write_batch(&labels, Some(&[1; 10][..]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// Writes an example of a form into `folder` and says how a sweep file names it.
fn example(form: &str, folder: &Path) -> DatasetSpec {
    let split = |names: [&str; 4]| {
        zip_of(
            &[
                (names[0], &samples("(10, 4)", 40)),
                (names[1], &ten_labels()),
                (names[2], &npy("|u1", "(2, 4)", &[7; 8])),
                (names[3], &npy("|u1", "(2,)", &[0, 1])),
            ],
            true,
        )
    };
    let put = |name: &str, bytes: &[u8]| {
        write(folder, name, bytes);
        spec(name)
    };
    let table = |separator: &str, header: &str| {
        let lines = (0..10).map(|i| [i % 2, i * 3, 9 - i / 2, i % 3].map(|cell| cell.to_string()).join(separator));
        std::iter::once(header.replace(',', separator))
            .chain(lines)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    };
    match form {
        "npz" => put("x.npz", &npz(&ten_samples(), &ten_labels())),
        "npz, usual names" => put("x.npz", &zip_of(&[("X.npy", &ten_samples()), ("y.npy", &ten_labels())], true)),
        "npz with a split" => {
            put("x.npz", &split(["train_images.npy", "train_labels.npy", "test_images.npy", "test_labels.npy"]))
        }
        "npz, text labels" => put("x.npz", &npz(&ten_samples(), &text_labels())),
        "npz, one-hot labels" => {
            let rows: Vec<u8> = (0..10).flat_map(|i| [1 - i % 2, i % 2]).collect();
            put("x.npz", &npz(&ten_samples(), &npy("|u1", "(10, 2)", &rows)))
        }
        "npz, one channel" => put("x.npz", &npz(&samples("(10, 1, 2, 2)", 40), &ten_labels())),
        "npz, colour" => put("x.npz", &npz(&samples("(10, 2, 1, 3)", 60), &ten_labels())),
        "npz, fractions" => {
            let values: Vec<f32> = (1..=40_u8).map(|value| f32::from(value) / 255.0).collect();
            put("x.npz", &npz(&npy("<f4", "(10, 4)", &floats(&values)), &ten_labels()))
        }
        "npz, floats" => {
            let values: Vec<f32> = (0..40_u8).map(|value| f32::from(value) / 7.0 - 2.0).collect();
            put("x.npz", &npz(&npy("<f4", "(10, 4)", &floats(&values)), &ten_labels()))
        }
        "folder of arrays" => {
            for (name, bytes) in [("X_train", ten_samples()), ("y_train", ten_labels())] {
                write(folder, &format!("data/{name}.npy"), &bytes);
            }
            write(folder, "data/X_test.npy", &npy("|u1", "(2, 4)", &[7; 8]));
            write(folder, "data/y_test.npy", &npy("|u1", "(2,)", &[0, 1]));
            spec("data")
        }
        "folder of classes" | "list of classes" => {
            write(folder, "data/The Eiffel Tower.npy", &samples("(6, 4)", 24));
            write(folder, "data/cat.npy", &samples("(5, 4)", 20));
            if form == "folder of classes" {
                return spec("data");
            }
            DatasetSpec { more_sources: vec!["data/cat.npy".to_owned()], ..spec("data/The Eiffel Tower.npy") }
        }
        "folder of pictures" | "folder of pictures with a split" => {
            let root = if form == "folder of pictures" { "data" } else { "data/train" };
            for i in 0..5 {
                write(folder, &format!("{root}/cat/{i}.png"), &png(&[i; 64], 8));
                write(folder, &format!("{root}/dog/{i}.JPG"), &jpeg(40 * i + 20, 8));
            }
            if form == "folder of pictures with a split" {
                write(folder, "data/val/cat/0.png", &png(&[9; 64], 8));
                write(folder, "data/val/dog/1.png", &png(&[8; 64], 8));
            }
            spec("data")
        }
        "IDX" => {
            write(folder, "x-labels-idx1-ubyte", &idx(&[10], &[0, 1, 0, 1, 0, 1, 0, 1, 0, 1]));
            put("x-images-idx3-ubyte.gz", &gzip(&idx(&[10, 2, 2], &(1..=40).collect::<Vec<u8>>())))
        }
        "folder of IDX" => {
            for (set, count) in [("train", 10), ("test", 2)] {
                let images = idx(&[count, 2, 2], &vec![3; 4 * count as usize]);
                write(folder, &format!("data/emnist-letters-{set}-images-idx3-ubyte"), &images);
                let labels: Vec<u8> = (0..count as u8).map(|i| i % 2).collect();
                write(folder, &format!("data/emnist-letters-{set}-labels-idx1-ubyte"), &idx(&[count], &labels));
            }
            spec("data")
        }
        "CSV" => put("x.csv", table(";", "Class,a,b,c").as_bytes()),
        "CSV without a header" => {
            let text = table(",", "");
            DatasetSpec { label_column: Some("0".to_owned()), ..put("x.csv", text.as_bytes()) }
        }
        "Parquet" => put("x.parquet", &parquet_table(Compression::SNAPPY, false)),
        "Parquet with pictures" => put("x.parquet", &parquet_pictures()),
        "builtin:sketches" => DatasetSpec { samples: Some(30), ..spec("builtin:sketches") },
        other => panic!("the page lists `{other}`, of which this test has no example"),
    }
}

fn loaded(form: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let spec = example(form, folder.path());
    load_in(folder.path(), &spec).unwrap_or_else(|error| panic!("{form}: {}", chain(&error)))
}

fn bytes(loaded: &Loaded) -> Vec<u8> {
    let Rows::Bytes(rows) = loaded.dataset.rows() else { panic!("these are floats") };
    rows.to_vec()
}

#[test]
fn every_form_that_the_page_lists_is_read() {
    let forms = documented();
    assert_eq!(forms.len(), 21, "a new row needs an example");
    for form in forms {
        let loaded = loaded(&form);
        let header = loaded.dataset.header();
        assert!(header.classes.len() >= 2, "{form}");
        let split = header.test;
        let expected = match form.as_str() {
            "npz with a split" | "folder of arrays" | "folder of pictures with a split" | "folder of IDX" => 2,
            "folder of classes" | "list of classes" => 3,
            "builtin:sketches" => 6,
            _ => 2,
        };
        assert_eq!(split, expected, "{form}");
    }
}

#[test]
fn fractions_channels_and_names_give_the_dataset_of_plain_bytes() {
    let plain = loaded("npz");
    for form in ["npz, usual names", "npz, fractions", "npz, one-hot labels"] {
        assert_eq!(loaded(form).dataset.digest(), plain.dataset.digest(), "{form}");
    }
    assert_eq!(loaded("npz, one channel").dataset.header().shape, [2, 2]);
    let texts = loaded("npz, text labels");
    assert_eq!(texts.dataset.header().classes, ["cat", "dog"]);
    assert_eq!(texts.dataset.labels(), plain.dataset.labels());
}

#[test]
fn colours_stand_behind_each_other_whichever_way_they_came() {
    let folder = tempfile::tempdir().unwrap();
    // Two samples of 2 x 2 pixels: red 1 to 4, green 5 to 8, blue 9 to 12; the second one twenty
    // more.
    let pixels = [1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12];
    let expected: Vec<u8> = pixels.into_iter().chain(pixels.map(|value| value + 20)).collect();
    let last = npy("|u1", "(2, 2, 2, 3)", &expected);
    let planes = npy("|u1", "(2, 3, 2, 2)", &(1..=12).chain(21..=32).collect::<Vec<u8>>());
    let mut found = Vec::new();
    for array in [last, planes] {
        let labels = npy("|u1", "(2,)", &[0, 1]);
        let test = [("x_test.npy", &array[..]), ("y_test.npy", &labels)];
        let all = [("x_train.npy", &array[..]), ("y_train.npy", &labels), test[0], test[1]];
        write(folder.path(), "x.npz", &zip_of(&all, false));
        let loaded = load_in(folder.path(), &spec("x.npz")).unwrap();
        assert_eq!((&loaded.dataset.header().shape[..], loaded.dataset.header().features), (&[2, 2, 3][..], 12));
        found.push(bytes(&loaded)[..24].to_vec());
    }
    assert_eq!(found, [expected.clone(), expected]);
}

#[test]
fn other_numbers_are_floats_of_their_values() {
    let loaded = loaded("npz, floats");
    assert_eq!(loaded.dataset.header().values, Kind::Floats);
    let mut values: Vec<f32> = loaded.dataset.rows().numbers().collect();
    values.sort_by(f32::total_cmp);
    let expected: Vec<f32> = (0..40_u8).map(|value| f32::from(value) / 7.0 - 2.0).collect();
    assert_eq!(values, expected);
}

#[test]
fn classes_in_files_are_called_as_the_files_and_cut_to_per_class() {
    let folder = tempfile::tempdir().unwrap();
    let all = example("folder of classes", folder.path());
    let few = DatasetSpec { per_class: Some(3), ..all.clone() };
    let loaded = load_in(folder.path(), &few).unwrap();
    assert_eq!(loaded.dataset.header().classes, ["The Eiffel Tower", "cat"]);
    assert_eq!(loaded.dataset.header().train + loaded.dataset.header().test, 6);
    let mut rows: Vec<Vec<u8>> = bytes(&loaded).chunks(4).map(<[u8]>::to_vec).collect();
    rows.sort();
    assert_eq!(rows[..2], [[1, 2, 3, 4], [1, 2, 3, 4]], "the first samples of each file");
    let more = DatasetSpec { per_class: Some(6), ..all.clone() };
    let loaded = load_in(folder.path(), &more).unwrap();
    assert!(
        loaded.notes.iter().any(|note| note.contains("per_class: 6 asks for have `cat` (5)")),
        "{:?}",
        loaded.notes
    );
    let list = example("list of classes", folder.path());
    assert_eq!(
        load_in(folder.path(), &list).unwrap().dataset.digest(),
        load_in(folder.path(), &all).unwrap().dataset.digest()
    );
}

#[test]
fn pictures_become_grey_values_of_one_size() {
    let folder = tempfile::tempdir().unwrap();
    let plain = example("folder of pictures", folder.path());
    let loaded = load_in(folder.path(), &plain).unwrap();
    assert_eq!(
        (&loaded.dataset.header().shape[..], &loaded.dataset.header().classes[..]),
        (&[8, 8][..], &["cat", "dog"].map(str::to_owned)[..])
    );
    let brightest = bytes(&loaded).into_iter().max().unwrap();
    assert!(brightest.abs_diff(180) <= 2, "a JPEG keeps its grey: {brightest}");
    write(folder.path(), "data/cat/large.png", &png(&[77; 256], 16));
    let error = load_in(folder.path(), &plain).unwrap_err().to_string();
    assert!(error.contains("large.png: has 16 x 16 pixels") && error.contains("size: 28"), "{error}");
    let resized = DatasetSpec { size: Some(4), ..plain };
    let loaded = load_in(folder.path(), &resized).unwrap();
    assert_eq!(loaded.dataset.header().shape, [4, 4]);
    assert!(bytes(&loaded).chunks(16).any(|row| row == [77; 16]), "a plain picture keeps its grey");
}

#[test]
fn a_class_may_be_called_train() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["airplane", "train"] {
        (0..5).for_each(|i| write(folder.path(), &format!("data/{class}/{i}.png"), &png(&[i + 1; 4], 2)));
    }
    let loaded = load_in(folder.path(), &spec("data")).unwrap();
    assert_eq!(loaded.dataset.header().classes, ["airplane", "train"]);
}

#[test]
fn row_numbers_are_left_out_with_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |header: &str, number: &dyn Fn(usize) -> String, text: &str| {
        let rows = (0..20).map(|i| format!("{}{},{}{text}\n", number(i), i % 2, (i * 7) % 11));
        format!("{header}\n{}", rows.collect::<String>())
    };
    write(folder.path(), "plain.csv", lines("label,a", &|_| String::new(), "").as_bytes());
    let plain = load_in(folder.path(), &spec("plain.csv")).unwrap();
    assert!(plain.notes.is_empty(), "{:?}", plain.notes);
    type Cell<'c> = &'c dyn Fn(usize) -> String;
    let cases: [(&str, Cell<'_>, &str); 8] = [
        (",label,a", &|i| format!("{i},"), "column 0 (without a name)"),
        ("Unnamed: 0,label,a", &|i| format!("{},", i * 3), "`Unnamed: 0`"),
        ("index,label,a", &|i| format!("{},", 500 - i), "`index`"),
        ("Index,label,a", &|i| format!("{},", i % 3), "`Index`"),
        ("Id,label,a", &|i| format!("row{i},"), "`Id`"),
        ("n,label,a", &|i| format!("{},", i + 1000), "`n` only numbers the rows"),
        ("n,label,a", &|i| format!("{}.0,", (i * 7) % 20), "`n` only numbers the rows"),
        ("Unnamed: 0,Unnamed: 0.1,label,a", &|i| format!("{i},{i},"), "`Unnamed: 0.1`"),
    ];
    for (header, number, words) in cases {
        write(folder.path(), "x.csv", lines(header, number, "").as_bytes());
        let loaded = load_in(folder.path(), &spec("x.csv")).unwrap_or_else(|error| panic!("{header}: {error}"));
        assert_eq!(loaded.dataset.digest(), plain.dataset.digest(), "{header}");
        let notes = loaded.notes.join("\n");
        assert!(notes.contains(words) && notes.contains("left out"), "{header}: {notes}");
    }
    // A comma at the end of each line makes an empty column.
    write(folder.path(), "x.csv", lines("label,a,", &|_| String::new(), ",").as_bytes());
    assert_eq!(load_in(folder.path(), &spec("x.csv")).unwrap().dataset.digest(), plain.dataset.digest());
    // Of columns without names as well.
    let text: String = (0..20).map(|i| format!("{i},{},{}\n", i % 2, (i * 7) % 11)).collect();
    write(folder.path(), "x.csv", text.as_bytes());
    let numbered = DatasetSpec { label_column: Some("1".to_owned()), ..spec("x.csv") };
    assert_eq!(load_in(folder.path(), &numbered).unwrap().dataset.digest(), plain.dataset.digest());
}

#[test]
fn tables_are_read_as_people_write_them() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<[u32; 4]> = (0..10).map(|i| [i % 2, i * 3, 9 - i / 2, i % 3]).collect();
    let text = |header: &str, separator: &str| {
        let lines = rows.iter().map(|row| row.map(|cell| cell.to_string()).join(separator) + "\n");
        format!("{}{}", header.replace(',', separator), lines.collect::<String>())
    };
    write(folder.path(), "x.csv", text("label,a,b,c\n", ",").as_bytes());
    let digest = load_in(folder.path(), &spec("x.csv")).unwrap().dataset.digest().to_owned();
    let first = Some("0".to_owned());
    for (name, bytes, label_column) in [
        ("semicolons", text("label,a,b,c\n", ";"), None),
        ("tabs", text("label,a,b,c\n", "\t"), None),
        ("upper case", text("Label,a,b,c\n", ","), None),
        ("class", text("class,a,b,c\n", ","), None),
        ("target", text("TARGET,a,b,c\n", ","), None),
        ("y", text("Y,a,b,c\n", ","), None),
        ("mark of UTF-8", format!("\u{feff}{}", text("label,a,b,c\n", ",")), None),
        ("mark and quotes", format!("\u{feff}{}", text("\"label\",a,b,c\n", ",")), None),
        ("comment", text("# label,a,b,c\n", ","), None),
        ("lines of Windows", text("label,a,b,c\n", ",").replace('\n', "\r\n"), None),
        ("no header", text("", ","), first.clone()),
        ("no header, semicolons", text("", ";"), first.clone()),
        ("numbered header", text("0,1,2,3\n", ","), first.clone()),
        ("header and number", text("kind,a,b,c\n", ","), first),
        ("header and number from the end", text("kind,a,b,c\n", ","), Some("-4".to_owned())),
    ] {
        write(folder.path(), "x.csv", bytes.as_bytes());
        let spec = DatasetSpec { label_column, ..spec("x.csv") };
        let loaded = load_in(folder.path(), &spec).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(loaded.dataset.digest(), digest, "{name}");
    }
    let decimal = "label;a;b\n0;0,5;1\n1;1,5;2\n0;2,5;3\n1;3,5;9\n0;-4,5;5\n";
    write(folder.path(), "x.csv", decimal.as_bytes());
    let loaded = load_in(folder.path(), &spec("x.csv")).unwrap();
    assert!(loaded.dataset.rows().numbers().any(|value| value == -4.5));
}

#[test]
fn labels_of_a_table_are_classes_and_not_values() {
    let folder = tempfile::tempdir().unwrap();
    let table = |labels: &[&str]| {
        labels
            .iter()
            .enumerate()
            .fold("label,a,b\n".to_owned(), |text, (i, label)| format!("{text}{label},{},7\n", i % 5 * 2))
    };
    write(folder.path(), "x.csv", table(&["1", "1.0", "01", "2", "2.0", "1", "2", "1"]).as_bytes());
    assert_eq!(load_in(folder.path(), &spec("x.csv")).unwrap().dataset.header().classes, ["1", "2"]);
    for (labels, words) in [
        (&["0.5", "1", "2", "1", "2", "1"][..], "line 2, column `label`: the label is `0.5`: labels are classes"),
        (&["1", "2", "1.0", "nan", "2", "1"], "line 5, column `label`: the label is `nan`"),
        (&["1", "", "1.0", "2", "2", "1"], "line 3, column `label`: the label is empty"),
    ] {
        write(folder.path(), "x.csv", table(labels).as_bytes());
        let error = load_in(folder.path(), &spec("x.csv")).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_parquet_table_is_read_as_a_csv_is_however_it_is_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = (0..10).map(|i| format!("{i},{},{},{}\n", f64::from(i) / 2.0, i * i, i % 2)).collect();
    write(folder.path(), "x.csv", format!(",a,b,label\n{lines}").as_bytes());
    let csv = load_in(folder.path(), &spec("x.csv")).unwrap();
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::ZSTD(Default::default()),
    ] {
        write(folder.path(), "x.parquet", &parquet_table(compression, false));
        let loaded = load_in(folder.path(), &spec("x.parquet")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.dataset.digest(), csv.dataset.digest(), "{compression}");
        assert!(loaded.notes[0].contains("`__index_level_0__` holds row numbers"), "{:?}", loaded.notes);
    }
    write(folder.path(), "x.parquet", &parquet_table(Compression::SNAPPY, true));
    let error = load_in(folder.path(), &spec("x.parquet")).unwrap_err().to_string();
    assert!(error.contains("no label column") && error.contains("kind"), "{error}");
    let named = DatasetSpec { label_column: Some("Kind".to_owned()), ..spec("x.parquet") };
    assert_eq!(load_in(folder.path(), &named).unwrap().dataset.header().classes, ["cat", "dog"]);
    let whole = parquet_table(Compression::SNAPPY, false);
    for cut in [5, 100, whole.len() - 20] {
        write(folder.path(), "cut.parquet", &whole[..cut]);
        let error = load_in(folder.path(), &spec("cut.parquet")).unwrap_err();
        assert!(error.to_string().contains("Parquet") && !error.is_retryable(), "{error}");
    }
}

#[test]
fn parquet_files_with_any_byte_changed_give_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let whole = parquet_table(Compression::SNAPPY, true);
    let named = DatasetSpec { label_column: Some("kind".to_owned()), ..spec("x.parquet") };
    for at in (0..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[at] = changed[at].wrapping_add(101);
        write(folder.path(), "x.parquet", &changed);
        let _ = load_in(folder.path(), &named);
    }
}

#[test]
fn what_is_left_out_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (x, y) = (ten_samples(), ten_labels());
    let names = ["train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"];
    let names = names.map(|name| format!("{name}.npy"));
    let entries: Vec<(&str, &[u8])> =
        names.iter().enumerate().map(|(i, name)| (name.as_str(), if i % 2 == 0 { &x[..] } else { &y })).collect();
    write(folder.path(), "x.npz", &zip_of(&entries, true));
    let loaded = load_in(folder.path(), &spec("x.npz")).unwrap();
    assert_eq!((loaded.dataset.header().train, loaded.dataset.header().test), (10, 10));
    assert!(loaded.notes[0].contains("`val_images`, `val_labels` are left out"), "{:?}", loaded.notes);
    for set in ["train", "val", "test"] {
        for class in ["a", "b"] {
            write(folder.path(), &format!("data/{set}/{class}/1.png"), &png(&[1; 4], 2));
        }
    }
    let loaded = load_in(folder.path(), &spec("data")).unwrap();
    assert!(loaded.notes[0].contains("`val` is left out"), "{:?}", loaded.notes);
}

#[test]
fn a_column_of_one_hot_labels_without_a_sample_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let labels: Vec<u8> = (0..10).flat_map(|i| if i % 2 == 0 { [1, 0, 0] } else { [0, 0, 1] }).collect();
    write(folder.path(), "x.npz", &npz(&ten_samples(), &npy("|u1", "(10, 3)", &labels)));
    let loaded = load_in(folder.path(), &spec("x.npz")).unwrap();
    assert_eq!(loaded.dataset.header().classes, ["0", "2"]);
    assert!(
        loaded.notes.iter().any(|note| note.contains("1 of the 3 columns of the labels hold no 1 (1)")),
        "{:?}",
        loaded.notes
    );
}

#[test]
fn the_first_samples_of_a_class_are_the_same_in_either_order_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let value = |sample: u16, feature: u16| 10 * sample + feature;
    for (class, dtype) in [("bytes", "|u1"), ("wide", "<u2")] {
        let bytes = |value: u16| if dtype == "|u1" { vec![value as u8] } else { value.to_le_bytes().to_vec() };
        let rows: Vec<u8> = (0..6).flat_map(|i| (0..4).flat_map(move |k| bytes(value(i, k)))).collect();
        let columns: Vec<u8> = (0..4).flat_map(|k| (0..6).flat_map(move |i| bytes(value(i, k)))).collect();
        write(folder.path(), &format!("c/{class}.npy"), &npy(dtype, "(6, 4)", &rows));
        write(folder.path(), &format!("fortran/{class}.npy"), &npy_ordered(dtype, "True", "(6, 4)", &columns));
    }
    for per_class in [2, 4, 6] {
        let load = |source| {
            let few =
                DatasetSpec { per_class: Some(per_class), stratify: true, test_fraction: Some(0.5), ..spec(source) };
            load_in(folder.path(), &few).unwrap().dataset.digest().to_owned()
        };
        assert_eq!(load("c"), load("fortran"), "per_class: {per_class}");
    }
}

#[test]
fn labels_are_read_as_the_numbers_of_their_table() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |labels: [&str; 3], separator: &str| {
        let line =
            |i: usize| [format!("{}", i * i), format!("{}", (7 * i) % 5), labels[i % 3].to_owned()].join(separator);
        let lines: Vec<String> = (0..12).map(line).collect();
        format!("{}\n{}\n", ["a", "b", "y"].join(separator), lines.join("\n"))
    };
    write(folder.path(), "real.csv", rows(["0,5", "1,25", "2,75"], ";").as_bytes());
    let error = load_in(folder.path(), &spec("real.csv")).unwrap_err().to_string();
    assert!(error.contains("real values"), "{error}");
    write(folder.path(), "mixed.csv", rows(["1", "1,0", "2"], ";").as_bytes());
    let loaded = load_in(folder.path(), &spec("mixed.csv")).unwrap();
    assert_eq!(loaded.dataset.header().classes, ["1", "2"]);
    let data = rows(["cat", "dog", "cow"], ",");
    let cut = data.replacen(",dog", ",\"dog", 1).replacen(",cow", ",cow\"", 1);
    write(folder.path(), "cut.csv", cut.as_bytes());
    let error = load_in(folder.path(), &spec("cut.csv")).unwrap_err().to_string();
    assert!(error.contains("line 3") && error.contains("quotation mark"), "{error}");
    let (train, test) = (["1.0", "2.0"], ["1", "2"]);
    let texts = |texts: [&str; 2]| {
        let bytes: Vec<u8> = (0..10).flat_map(|i| format!("{:\0<3}", texts[i % 2]).into_bytes()).collect();
        npy("|S3", "(10,)", &bytes)
    };
    let entries =
        [("x_train", ten_samples()), ("y_train", texts(train)), ("x_test", ten_samples()), ("y_test", texts(test))];
    let entries = entries.map(|(name, bytes)| (format!("{name}.npy"), bytes));
    let entries: Vec<(&str, &[u8])> = entries.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
    write(folder.path(), "x.npz", &zip_of(&entries, false));
    assert_eq!(load_in(folder.path(), &spec("x.npz")).unwrap().dataset.header().classes.len(), 2);
}

#[test]
fn a_line_that_is_taken_as_names_is_told_and_one_of_mostly_numbers_is_a_sample() {
    let folder = tempfile::tempdir().unwrap();
    let line = |i: usize| format!("{},{},{},{}\n", i % 2, i * i, (5 * i) % 7, (3 * i) % 4);
    let lines: String = (0..20).map(line).collect();
    let by_number = DatasetSpec { label_column: Some("0".to_owned()), ..spec("x.csv") };
    write(folder.path(), "x.csv", format!("7,1,2,3\n{lines}").as_bytes());
    let loaded = load_in(folder.path(), &by_number).unwrap();
    assert!(loaded.notes.iter().any(|note| note.contains("`7, 1, 2, 3`) is read as the names")), "{:?}", loaded.notes);
    write(folder.path(), "x.csv", format!("1,1.5x,3,4\n{lines}").as_bytes());
    let error = load_in(folder.path(), &by_number).unwrap_err().to_string();
    assert!(error.contains("line 1") && error.contains("1.5x"), "{error}");
}

#[test]
fn classes_may_be_called_x_and_y() {
    let folder = tempfile::tempdir().unwrap();
    for (at, class) in ["a", "b", "x", "y"].into_iter().enumerate() {
        write(folder.path(), &format!("letters/{class}.npy"), &npy("|u1", "(5, 4)", &[at as u8 + 1; 20]));
        write(folder.path(), &format!("narrow/{class}.npy"), &npy("|u1", "(5, 1)", &[at as u8 + 1; 5]));
    }
    for source in ["letters", "narrow"] {
        let loaded = load_in(folder.path(), &spec(source)).unwrap();
        assert_eq!(loaded.dataset.header().classes, ["a", "b", "x", "y"], "{source}");
    }
}

#[test]
fn what_is_nearly_a_form_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let x = ten_samples();
    let objects = npy("|O", "(3,)", b"\x80\x04");
    write(root, "strokes.npz", &zip_of(&["train.npy", "valid.npy", "test.npy"].map(|name| (name, &objects[..])), true));
    write(root, "book.xlsx", &zip_of(&[("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>")], true));
    write(root, "model.pt", &zip_of(&[("model/data.pkl", b"\x80\x02")], false));
    write(root, "many.zip", &zip_of(&[("cat/1.png", &png(&[1; 4], 2))], false));
    write(root, "hot.npz", &npz(&x, &npy("|u1", "(10, 2)", &[1; 20])));
    write(root, "cold.npz", &npz(&x, &npy("|u1", "(10, 2)", &[0; 20])));
    write(root, "real.npz", &npz(&x, &npy("<f4", "(10,)", &floats(&[0.5; 10]))));
    write(root, "two.npz", &zip_of(&[("x.npy", &x), ("data.npy", &x), ("y.npy", &ten_labels())], false));
    write(root, "cat.npy", &x);
    write(root, "one/cat.npy", &x);
    write(root, "shapes/cat.npy", &x);
    write(root, "shapes/dog.npy", &npy("|u1", "(10, 5)", &[1; 50]));
    write(root, "lfs/cat.npy", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
    write(root, "lfs/dog.npy", &x);
    write(root, "flat/1.png", &png(&[1; 4], 2));
    write(root, "files/train.csv", b"label,a\n");
    write(root, "webp/cat/1.webp", b"RIFF");
    write(root, "webp/dog/1.png", &png(&[1; 4], 2));
    write(root, "hollow/cat/1.png", &png(&[1; 4], 2));
    write(root, "hollow/dog/notes.txt", b"");
    for (set, class) in [("train", "cat"), ("train", "dog"), ("eval", "cat"), ("eval", "dog")] {
        write(root, &format!("extra/{set}/{class}/1.png"), &png(&[1; 4], 2));
    }
    for (set, class) in [("train", "cat"), ("train", "dog"), ("test", "cat"), ("test", "dog"), ("unlabelled", "all")] {
        write(root, &format!("third/{set}/{class}/1.png"), &png(&[1; 4], 2));
    }
    for (set, class) in [("val", "cat"), ("val", "dog"), ("test", "cat"), ("test", "dog")] {
        write(root, &format!("untrained/{set}/{class}/1.png"), &png(&[1; 4], 2));
        write(root, &format!("stray/{set}/{class}/1.png"), &png(&[1; 4], 2));
    }
    write(root, "cut/cat/1.jpg", &jpeg(180, 16)[..jpeg(180, 16).len() - 2]);
    write(root, "cut/dog/1.png", &png(&[1; 4], 2));
    write(root, "stray/mean.npy", &x);
    write(root, "stray/std.npy", &x);
    write(root, "noheader.csv", b"0,17,3,4\n1,2,7,1\n");
    write(root, "spaces.csv", b"label a b\n0 1 2\n");
    write(root, "picture.png", &png(&[1; 4], 2));
    write(root, "x.npy.gz", &gzip(&x));
    write(root, "page.npz", b"<!DOCTYPE html>");
    write(root, "h5.npz", b"\x89HDF\r\n\x1a\n\0\0\0");
    for (source, words) in [
        ("strokes.npz", &["strokes of Quick, Draw!", "numpy_bitmap"][..]),
        ("book.xlsx", &["workbook", "CSV"]),
        ("model.pt", &["PyTorch", "numpy.savez"]),
        ("many.zip", &["zip archive of other files", "unpack it"]),
        ("hot.npz", &["one 1", "sample 0 has several 1s"]),
        ("cold.npz", &["sample 0 has no 1"]),
        ("real.npz", &["label 0 is 0.5", "real values"]),
        ("two.npz", &["`x` and `data` may all be the samples"]),
        ("cat.npy", &["single .npy array", "one .npy file for each class"]),
        ("one", &["one class", "at least 2"]),
        ("shapes", &["dog.npy: has samples of shape (5,)", "cat.npy has (4,)"]),
        ("lfs", &["cat.npy: is a Git LFS pointer", "git lfs pull"]),
        ("flat", &["holds 1.png", "folder of its name"]),
        ("files", &["give a file itself, such as train.csv"]),
        ("webp", &["neither PNG nor JPEG"]),
        ("cut", &["1.jpg: ends too early", "cut off"]),
        ("extra", &["`eval`", "beside folders for splits (`train`)"]),
        ("third", &["`unlabelled`", "beside folders for splits (`test`, `train`)"]),
        ("untrained", &["`test`, `val`", "no folder train"]),
        ("stray", &[".npy files (mean, std)", "beside the folder test"]),
        ("hollow", &["dog: holds no PNG or JPEG picture"]),
        ("noheader.csv", &["no header line", "label_column: 0"]),
        ("spaces.csv", &["if spaces separate its cells"]),
        ("picture.png", &["single picture", "for each class"]),
        ("x.npy.gz", &["packed with gzip", "gunzip"]),
        ("page.npz", &["web page"]),
        ("h5.npz", &["HDF5", "numpy.savez"]),
    ] {
        let error = match load_in(root, &spec(source)) {
            Ok(_) => panic!("{source} is read"),
            Err(error) => chain(&error),
        };
        for word in words {
            assert!(error.contains(word), "`{error}` does not say `{word}`");
        }
    }
    for (source, change, words) in [
        (
            "cat.npy",
            DatasetSpec { more_sources: vec!["cat.npy".to_owned()], ..spec("cat.npy") },
            "two classes are called `cat`",
        ),
        ("real.npz", DatasetSpec { per_class: Some(3), ..spec("real.npz") }, "per_class goes with"),
        ("real.npz", DatasetSpec { size: Some(3), ..spec("real.npz") }, "size goes with folders of pictures"),
        ("flat", DatasetSpec { label_column: Some("0".to_owned()), ..spec("flat") }, "label_column goes with tables"),
    ] {
        let error = load_in(root, &change).unwrap_err().to_string();
        assert!(error.contains(words), "{source}: {error}");
    }
}
