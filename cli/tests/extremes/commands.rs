//! Every command that reads, on odd rows.

use crate::{
    on_both, rows,
    world::{World, files},
};

on_both!(
    odd_numbers_and_texts_hide_nothing,
    json_of_another_kind_hides_no_row,
    a_damaged_sweep_hides_no_other,
    odd_jobs_that_run_are_watched,
    many_epochs_are_read_in_parts_and_drawn_thin,
    a_run_of_many_epochs_is_read_by_every_command,
    a_matrix_of_255_classes_is_drawn,
    a_full_matrix_of_1024_classes_is_counted_and_drawn_in_part,
    four_thousand_classes_are_trained_and_told_by_class,
);

/// Lines of a table or a file, without the header.
fn count(text: &str) -> usize {
    text.lines().count() - 1
}

/// All views and tables.
fn queries(world: &World) {
    let views = [
        "runs",
        "best_runs",
        "history",
        "sweep_progress",
        "worker_status",
        "config_stats",
        "importance",
        "per_class",
        "confusion",
        "failures",
        "slowest",
    ];
    for view in views {
        // A table may be wider than a terminal takes.
        world.besom(["sql", "--format", "table", &format!("SELECT * FROM {view}")]);
        for format in ["csv", "json"] {
            world.shows(["sql", "--format", format, &format!("SELECT * FROM {view}")]);
        }
    }
    let tables = [
        "sweeps",
        "sweep_counts",
        "workers",
        "jobs",
        "attempts",
        "epochs",
        "confusions",
        "class_counts",
        "config_sums",
        "importances",
        "artifacts",
    ];
    for table in tables {
        world.home.tables(&format!("SELECT * FROM {table}"));
    }
}

/// Whatever besom says of one sweep.
fn readers(world: &World, sweep: &str) {
    for command in ["runs", "best", "watch"] {
        for json in [&[][..], &["--json"]] {
            let args = [&[command, sweep][..], json].concat();
            let ended = world.besom(&args);
            assert!(!ended.stdout.is_empty(), "{ended}");
        }
    }
    world.shows(["sweeps"]);
    world.shows(["sweeps", "--json"]);
    world.shows(["workers"]);
    world.shows(["workers", "--json"]);
    for what in ["runs", "history"] {
        for format in ["csv", "jsonl", "parquet"] {
            let out = world.path(&format!("{what}.{format}"));
            world.shows(["export", what, sweep, "--out", &out]);
        }
    }
}

fn figures(world: &World, sweep: &str, figures: &[&str]) {
    // A drawing is the same on both databases, and a picture of it takes long in a build that is
    // not optimised.
    let format = if world.is_sqlite() { "png" } else { "svg" };
    let folder = world.path("figures");
    world.shows(["plot", sweep, "--format", format, "--out", &folder]);
    let names = files(folder.as_ref());
    for figure in figures {
        assert!(names.contains(&format!("{figure}.{format}")), "{names:?}");
    }
    world.shows(["plot", sweep, "--term"]);
    let page = world.path("page.html");
    world.shows(["report", sweep, "--out", &page]);
    assert!(std::fs::metadata(page).unwrap().len() < 20 << 20);
}

fn odd_numbers_and_texts_hide_nothing(world: &World) {
    let file = world.run("odd", rows::ODD);
    rows::odd_jobs(world);
    queries(world);
    readers(world, "odd");
    assert_eq!(count(&world.shows(["export", "runs", "odd"]).stdout), rows::JOBS);
    let runs = world.shows(["runs", "odd", "--json"]).json();
    assert_eq!(runs.as_array().unwrap().len(), rows::JOBS);
    let table = world.shows(["runs", "odd"]).stdout;
    assert!(table.contains("(65536 characters)") && table.len() < 200_000, "{} bytes", table.len());
    assert_eq!(table.lines().count(), rows::JOBS + 2, "a heading, a header, and all runs");
    figures(world, "odd", &["curves", "effects", "heatmap", "importance", "timeline"]);
    for args in [&["--report"][..], &["--json"], &["--report", "--json"], &["--out"], &["--report", "--out"]] {
        let drawing = world.path("said.png");
        let mut args = [&["predict", "odd"][..], args].concat();
        if args.last() == Some(&"--out") {
            args.push(&drawing);
        }
        world.shows(&args);
    }
    world.shows(["predict", "odd"]);
    world.shows(["export", "model", "odd", "--out", &world.path("model")]);
    // The sweep that is there already, with all its rows.
    world.besom(["run", file.to_str().unwrap()]);
    rows::odd_counts(world);
    readers(world, "odd");
    for format in ["csv", "json"] {
        world.shows(["sql", "--format", format, "SELECT * FROM sweep_progress"]);
        world.shows(["sql", "--format", format, "SELECT * FROM importance"]);
    }
}

fn json_of_another_kind_hides_no_row(world: &World) {
    world.run("odd", rows::ODD);
    rows::odd_json(world);
    queries(world);
    readers(world, "odd");
    let runs = world.shows(["runs", "odd", "--json"]);
    assert_eq!(runs.json().as_array().unwrap().len(), rows::JOBS);
    // What cannot be read is named by its place.
    assert!(runs.stderr.contains("job=") && runs.stderr.contains("column=\"params\""), "{}", runs.stderr);
    // What was swept cannot be read, so that nothing is drawn by it.
    figures(world, "odd", &["curves", "timeline"]);
}

fn a_damaged_sweep_hides_no_other(world: &World) {
    world.run("odd", rows::ODD);
    rows::odd_sweep(world);
    let sweeps = world.shows(["sweeps", "--json"]);
    let names: Vec<_> = sweeps.json().as_array().unwrap().iter().map(|it| it["sweep"].clone()).collect();
    assert_eq!(names, ["long", "empty", "odd"]);
    assert!(sweeps.stderr.contains("table sweeps, row") && sweeps.stderr.contains("dataset is"), "{}", sweeps.stderr);
    world.shows(["sweeps"]);
    for sweep in ["long", "empty"] {
        for command in ["runs", "best"] {
            world.shows([command, sweep]);
            world.shows([command, sweep, "--json"]);
        }
        // By its counts, jobs of it failed.
        world.besom(["watch", sweep]).expect(1);
        let plot = world.besom(["plot", sweep]).expect(1);
        assert!(plot.stderr.contains("has nothing to draw"), "{}", plot.stderr);
        world.shows(["export", "runs", sweep]);
        world.shows(["report", sweep, "--out", &world.path("page.html")]);
    }
    for command in ["runs", "best", "watch", "plot"] {
        world.besom([command, "damaged"]).expect(1).says("table sweeps, row").says("dataset is \"no digest\"");
    }
    world.shows(["runs", "odd"]);
}

fn odd_jobs_that_run_are_watched(world: &World) {
    world.run("odd", rows::ODD);
    rows::odd_running(world);
    let watch = world.start(["watch", "odd"]);
    watch.wait_for("20/20 jobs");
    // It goes on for as long as the jobs do.
    watch.terminate();
    for args in [&["sweeps"][..], &["runs", "odd"], &["best", "odd"], &["plot", "odd", "--term"]] {
        world.shows(args);
    }
}

fn many_epochs_are_read_in_parts_and_drawn_thin(world: &World) {
    world.run("odd", rows::ODD);
    // In a build that is not optimised a million takes a minute: once, since a statement gives no
    // more rows than that.
    if world.is_sqlite() {
        rows::many_epochs(world, 1_000_000);
        world.shows(["plot", "odd", "--out", &world.path("svg")]);
        let curves = std::fs::read_to_string(world.home.path().join("svg/curves.svg")).unwrap();
        assert!(curves.contains("epochs the lowest and the highest are drawn") && curves.contains(">1000000<"));
        assert!(curves.len() < 1 << 20, "{} bytes", curves.len());
    } else {
        rows::many_epochs(world, 200_000);
        world.shows(["export", "history", "odd", "--out", &world.path("h.csv")]).says("200019 epochs");
    }
    world.shows(["runs", "odd"]);
    world.shows(["watch", "odd"]);
}

fn a_run_of_many_epochs_is_read_by_every_command(world: &World) {
    world.run("odd", rows::ODD);
    rows::many_epochs(world, 20_000);
    readers_of_history(world, 20_019);
}

#[test]
#[ignore = "a release build takes a minute, another one ten"]
fn a_million_epochs_are_read_by_every_command() {
    for world in [World::sqlite(), World::postgres()] {
        world.run("odd", rows::ODD);
        rows::many_epochs(&world, 1_000_000);
        readers_of_history(&world, 1_000_019);
        // As a whole it is more than a terminal or memory takes.
        let all = world.besom(["sql", "SELECT * FROM history"]).expect(1);
        assert!(all.stderr.contains("LIMIT"), "{}", all.stderr);
    }
}

fn readers_of_history(world: &World, epochs: usize) {
    for format in ["csv", "jsonl", "parquet"] {
        let out = world.path(&format!("history.{format}"));
        world.shows(["export", "history", "odd", "--out", &out]).says(&format!("{epochs} epochs"));
    }
    let folder = world.path("figures");
    let format = if world.is_sqlite() { "png" } else { "svg" };
    world.shows(["plot", "odd", "--format", format, "--out", &folder]);
    files(folder.as_ref());
    world.shows(["plot", "odd", "--term"]);
    world.shows(["report", "odd", "--out", &world.path("page.html")]);
    let count = world.shows(["sql", "--format", "csv", "SELECT count(*) FROM history"]);
    assert!(count.stdout.contains(&epochs.to_string()));
}

/// Four samples of each of so many classes.
fn classes(count: u16) -> Vec<u8> {
    use std::io::Write;
    let npy = |descr: &str, shape: &str, values: &[u8]| {
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        header.push_str(&" ".repeat((64 - (10 + header.len() + 1) % 64) % 64));
        header.push('\n');
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), values].concat()
    };
    let labels: Vec<u16> = (0..4).flat_map(|_| 0..count).collect();
    let pixels: Vec<u8> =
        labels.iter().flat_map(|label| [*label as u8, 255 - *label as u8, 255, (label >> 8) as u8]).collect();
    let labels: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    let samples = 4 * u32::from(count);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, array) in [
        ("arr_0.npy", npy("|u1", &format!("({samples}, 2, 2)"), &pixels)),
        ("arr_1.npy", npy("<u2", &format!("({samples},)"), &labels)),
    ] {
        zip.start_file(name, stored).unwrap();
        zip.write_all(&array).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A sweep of `rates` on so many classes.
fn sweep_of(world: &World, count: u16, name: &str, rates: &str, keep: &str) {
    std::fs::write(world.home.path().join("classes.npz"), classes(count)).unwrap();
    let text = format!(
        "name: {name}\nmethod: grid\nparameters:\n  learning_rate: {{values: [{rates}]}}\n  epochs: {{value: 1}}\n\
         besom:\n  dataset: {{source: classes.npz, test_fraction: 0.5}}\n  model: {{hidden: [4]}}\n  keep_models: {keep}\n"
    );
    world.run(name, &text);
}

fn a_matrix_of_255_classes_is_drawn(world: &World) {
    sweep_of(world, 255, "kept", "0.01, 0.02", "all");
    sweep_of(world, 255, "counted", "0.01, 0.02", "none");
    let out = if world.is_sqlite() { "matrix.png" } else { "matrix.svg" };
    world.shows(["predict", "kept", "--report", "--out", &world.path(out)]);
    world.shows(["predict", "kept", "--report"]);
    // Every cell as full as it may be.
    let counts = format!("[{}]", vec!["4294967295"; 255 * 255].join(","));
    world.execute(&format!("UPDATE confusions SET counts = '{counts}'"));
    let page = world.path("page.html");
    world.shows(["report", "counted", "--out", &page]);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("279280248357375 test samples") && page.len() < 20 << 20, "{} bytes", page.len());
    world.besom(["sql", "--format", "csv", "SELECT count(*) FROM confusion"]).expect(0);
}

fn a_full_matrix_of_1024_classes_is_counted_and_drawn_in_part(world: &World) {
    sweep_of(world, 1_024, "counted", "0.01", "none");
    let counts = format!("[{}]", vec!["4294967295"; 1_024 * 1_024].join(","));
    world.execute(&format!("UPDATE confusions SET counts = '{counts}'"));
    let page = world.path("page.html");
    world.shows(["report", "counted", "--out", &page]);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("the 60 of 1024 classes that are confused most") && page.len() < 20 << 20, "{}", page.len());
    let cells = world.shows(["sql", "--format", "csv", "SELECT count(*) FROM confusion"]);
    assert!(cells.stdout.contains("1048576"), "{}", cells.stdout);
}

fn four_thousand_classes_are_trained_and_told_by_class(world: &World) {
    sweep_of(world, 4_096, "kept", "0.01", "all");
    let out = world.path("matrix.svg");
    let text = world.shows(["predict", "kept", "--report", "--out", &out]).stdout;
    assert!(text.contains("4095") && text.contains("The pairs that are confused most."), "{}", &text[..1000]);
    assert!(std::fs::read_to_string(out).unwrap().contains("the 60 of 4096 classes"));
    let json = world.shows(["predict", "kept", "--report", "--json"]).json();
    assert_eq!(
        (&json["reports"][0]["support"], &json["reports"][0]["confusion"]),
        (&8_192.into(), &serde_json::Value::Null)
    );
    world.shows(["predict", "kept", "--json", "--samples", "50"]);
    world.shows(["report", "kept", "--out", &world.path("page.html")]);
    let rows = |view: &str| {
        let sql = format!("SELECT count(*) FROM {view}");
        world.shows(["sql", "--format", "csv", &sql]).stdout
    };
    assert!(rows("per_class").contains("4096") && rows("confusion").contains('0'));
    let support =
        world.shows(["sql", "--format", "csv", "SELECT sum(support) AS n, sum(predicted) AS m FROM per_class"]);
    assert!(support.stdout.contains("8192,8192"), "{}", support.stdout);
    // The same again without its model: what is stored is the counts by class.
    world.execute("UPDATE jobs SET final_model = NULL, best_model = NULL");
    let page = world.path("stored.html");
    world.shows(["report", "kept", "--out", &page]);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("only the counts by class are kept") && page.contains("8192 test samples"));
}
