use std::{path::Path, process::Command};

use super::{
    export::python,
    files::{drawings, npy},
    support::Home,
};

const CLASSES: [&str; 10] = ["airplane", "banana", "bird", "book", "cat", "clock", "dog", "flower", "house", "rainbow"];

/// The lines of docs/classic-sweep.md that fetch the drawings, made to read `folder` and to take
/// `each` of a class.
fn documented(folder: &Path, each: usize) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/classic-sweep.md")).unwrap();
    let (_, rest) = text.split_once("```python\n").expect("Python in docs/classic-sweep.md");
    let lines = rest.split_once("```").expect("its end").0;
    let address = "https://storage.googleapis.com/quickdraw_dataset/full/numpy_bitmap/";
    assert!(lines.contains(address) && lines.contains("EACH = 4000\n"), "{lines}");
    lines
        .replace(address, &format!("file://{}/", folder.display()))
        .replace("EACH = 4000\n", &format!("EACH = {each}\n"))
}

#[test]
fn the_lines_of_the_tutorial_make_the_file_of_the_classic_sweep() {
    let home = Home::new();
    for (class, name) in CLASSES.iter().enumerate() {
        // More than is taken, and other drawings in every class.
        let mut rows = drawings(25);
        rows.rotate_left(class * 100 + 1);
        std::fs::write(home.path().join(format!("{name}.npy")), npy(&[25, 784], &rows)).unwrap();
    }
    let program = documented(home.path(), 20);
    let output = Command::new(python()).args(["-c", &program]).current_dir(home.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/classic.yaml");
    let text = std::fs::read_to_string(example).unwrap().replace("epochs: {value: 25}", "epochs: {value: 1}");
    let file = home.write("classic.yaml", &text);
    home.besom(["run".as_ref(), file.as_os_str(), "--no-figures".as_ref()]).expect(0);
    let report = home.besom(["predict", "classic", "--models", "1", "--report", "--json"]).expect(0).json();
    let text = report.to_string();
    assert!(CLASSES.iter().all(|name| text.contains(&format!("\"{name}\""))), "{text}");
    let rows = home.besom(["sql", "SELECT count(*) AS jobs FROM runs", "--format", "json"]).expect(0).json();
    assert_eq!(rows[0]["jobs"], 27);
    let rows = home
        .besom(["sql", "SELECT sum(support) AS tested FROM per_class WHERE job = 1", "--format", "json"])
        .expect(0)
        .json();
    assert_eq!(rows[0]["tested"], 40);
}
