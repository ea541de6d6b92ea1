//! `besom plot` and the figures of `besom run`: which files are written, what they show, and that
//! the same sweep gives the same bytes, on this machine or through a coordinator, with fonts or
//! without.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use resvg::usvg::roxmltree::Document;
use support::{Home, eventually, tiny_sweep};

/// A sweep of few sketches with these parameters and more keys of `besom`.
fn sweep(name: &str, method: &str, parameters: &[&str], besom: &[&str]) -> String {
    let block = |lines: &[&str]| lines.iter().map(|line| format!("  {line}\n")).collect::<String>();
    format!(
        "name: {name}\nmethod: {method}\nparameters:\n{}besom:\n  dataset: {{source: 'builtin:sketches', samples: 300}}\n\
         \x20 model: {{hidden: [8]}}\n{}",
        block(parameters),
        block(besom)
    )
}

/// The classic sweep in small: two hyperparameters varied alone, two seeds.
fn classic(name: &str) -> String {
    let parameters =
        ["optimizer: {values: [sgd, adam]}", "learning_rate: {values: [0.0001, 0.01, 0.5]}", "epochs: {value: 3}"];
    let besom = ["base: {optimizer: sgd, learning_rate: 0.01}", "seeds: 2"];
    sweep(name, "one_at_a_time", &parameters, &besom)
}

fn run(home: &Home, text: &str) {
    let file = home.write("sweep.yaml", text);
    home.besom(["run", "--no-figures", file.to_str().unwrap()]).expect(0);
}

fn plot(home: &Home, sweep: &str, folder: &str, more: &[&str]) -> Vec<String> {
    let out = home.path().join(folder);
    let mut args = vec!["plot", sweep, "--out", out.to_str().unwrap()];
    args.extend(more);
    let ended = home.besom(args).expect(0);
    let written = ended.stdout.lines().map(|line| {
        let path = Path::new(line);
        assert!(path.is_file() && path.parent() == Some(&out), "{ended}");
        path.file_name().unwrap().to_str().unwrap().to_owned()
    });
    let written: Vec<String> = written.collect();
    assert_eq!(fs::read_dir(&out).unwrap().count(), written.len(), "every file is told: {ended}");
    written
}

/// The texts of a figure, which must be well-formed.
fn texts(path: PathBuf) -> Vec<String> {
    let svg = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let document = Document::parse(&svg).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.filter_map(|node| node.text()).map(str::to_owned).collect()
}

#[track_caller]
fn assert_says(texts: &[String], what: &[&str]) {
    for what in what {
        assert!(texts.iter().any(|text| text.contains(what)), "{what:?} is not in {texts:#?}");
    }
}

#[test]
fn a_sweep_one_at_a_time_has_curves_effects_importance_and_a_timeline() {
    let home = Home::new();
    run(
        &home,
        &sweep(
            "one",
            "one_at_a_time",
            &["learning_rate: {values: [0.0001, 0.01, 0.5]}", "epochs: {value: 3}"],
            &["base: {learning_rate: 0.01}", "seeds: 2"],
        ),
    );
    let written = plot(&home, "one", "out", &[]);
    assert_eq!(written, ["curves.svg", "effects.svg", "importance.svg", "timeline.svg"]);
    let of = |name: &str| texts(home.path().join("out").join(name));
    let title = "one (synthetic data): validation accuracy and loss by epoch";
    assert_says(&of("curves.svg"), &[title, "val_accuracy (share correct)", "epoch", "0.0001", "0.01 (base)", "0.5"]);
    assert_says(
        &of("effects.svg"),
        &["final val_accuracy (share correct)", "learning_rate, log scale", "95 % intervals"],
    );
    assert_says(&of("importance.svg"), &["importance by range", "learning_rate", "range of the mean val_accuracy"]);
    assert_says(&of("timeline.svg"), &["slot 0", "since the first job began", "ended well: 6"]);
}

#[test]
fn two_hyperparameters_make_a_heat_map_and_more_make_parallel_coordinates() {
    let home = Home::new();
    let two = ["learning_rate: {values: [0.001, 0.1]}", "dropout: {values: [0.0, 0.2]}", "epochs: {value: 1}"];
    run(&home, &sweep("two", "grid", &two, &[]));
    let written = plot(&home, "two", "two", &[]);
    assert_eq!(written, ["curves.svg", "effects.svg", "heatmap.svg", "importance.svg", "timeline.svg"]);
    assert_says(&texts(home.path().join("two/heatmap.svg")), &["learning_rate", "dropout", "0.001", "best"]);
    assert_says(&texts(home.path().join("two/importance.svg")), &["share of variance", "×"]);
    assert_says(&texts(home.path().join("two/effects.svg")), &["One seed: no intervals."]);
    let three = [&two[..], &["batch_size: {values: [32, 64]}"]].concat();
    run(&home, &sweep("three", "grid", &three, &[]));
    let written = plot(&home, "three", "three", &[]);
    assert_eq!(written, ["curves.svg", "effects.svg", "parallel.svg", "importance.svg", "timeline.svg"]);
    let parallel = texts(home.path().join("three/parallel.svg"));
    assert_says(&parallel, &["learning_rate", "dropout", "batch_size", "final val_accuracy", "best 5 of 8"]);
    assert_says(&texts(home.path().join("three/curves.svg")), &["averaged over the rest", "middle 80 %"]);
}

#[test]
fn a_large_grid_shows_its_best_runs_and_what_sets_them_apart() {
    let home = Home::new();
    let parameters = [
        "optimizer: {values: [sgd, adam]}",
        "learning_rate: {values: [0.001, 0.01, 0.03]}",
        "batch_size: {values: [16, 64]}",
        "l2: {values: [0.0, 0.001]}",
        "epochs: {value: 2}",
    ];
    run(&home, &sweep("large", "grid", &parameters, &[]));
    plot(&home, "large", "out", &[]);
    let curves = texts(home.path().join("out/curves.svg"));
    assert_says(
        &curves,
        &["best 5 of 24 runs", "19 others", "averaged over the rest", "best: job ", "the best run with"],
    );
    assert!(!curves.iter().any(|text| text.contains("middle 80 %")), "no bands: {curves:#?}");
    let runs = home.besom(["runs", "large", "--json"]).expect(0).json();
    let mut runs: Vec<_> = runs.as_array().unwrap().clone();
    let accuracy = |run: &serde_json::Value| run["final_val_accuracy"].as_f64().unwrap();
    runs.sort_by(|a, b| accuracy(b).total_cmp(&accuracy(a)).then(a["job"].as_u64().cmp(&b["job"].as_u64())));
    let parallel = texts(home.path().join("out/parallel.svg"));
    for run in &runs[..5] {
        assert_says(&curves, &[&format!("job {}", run["job"])]);
        assert_says(&parallel, &[&format!("{:.4}  job {}", accuracy(run), run["job"])]);
    }
    // What differs between the five stands beside each, by name; what does not is said once.
    let named = |what: &str| parallel.iter().filter(|text| text.contains(what)).count();
    for name in ["optimizer", "learning_rate", "batch_size"] {
        let values: Vec<_> = runs[..5].iter().map(|run| run[name].to_string()).collect();
        let times = if values.iter().all(|value| *value == values[0]) { 1 } else { 5 };
        assert_eq!(named(&format!("{name} ")), times, "{name} of {values:?} in {parallel:#?}");
    }
    assert!(!parallel.iter().any(|text| text.contains('…')), "nothing is cut: {parallel:#?}");
    let text = home.besom(["plot", "large", "--term"]).expect(0).stdout;
    assert!(text.contains("the best of 24 runs") && text.contains("a job "), "{text}");
}

/// A table with a class for each name, which a column each tells apart.
fn table(names: &[&str]) -> String {
    let header: Vec<String> = (0..names.len()).map(|column| format!("p{column}")).collect();
    let row = |n: usize| {
        let class = n % names.len();
        let pixels = (0..names.len()).map(|column| if column == class { 200 + n % 50 } else { n % 40 });
        format!("{},{}\n", names[class], pixels.map(|pixel| pixel.to_string()).collect::<Vec<_>>().join(","))
    };
    format!("label,{}\n{}", header.join(","), (0..60 * names.len()).map(row).collect::<String>())
}

#[test]
fn names_of_any_script_are_drawn_in_letters_that_the_font_has() {
    let home = Home::new();
    let names = ["長城", "常城", "고양이", "แมว", "बिल्ली", "ねこ", "Кошка", "سور", "Café", "🐱 cat"];
    let file = home.write("scripts.csv", &table(&names));
    let text = sweep("scripts", "grid", &["learning_rate: {values: [0.1, 0.2]}", "epochs: {value: 3}"], &[]);
    let text = text.replace("{source: 'builtin:sketches', samples: 300}", &format!("{{source: '{}'}}", file.display()));
    run(&home, &text);
    let path = |name: &str| home.path().join(name).display().to_string();
    for (name, args) in [("sheet", &["--samples", "60"][..]), ("confusion", &["--report"])] {
        for kind in ["svg", "png"] {
            let ended = home.besom([&["predict", "scripts", "--out", &path(&format!("{name}.{kind}"))], args].concat());
            let ended = ended.expect(0);
            assert!(!ended.stderr.contains("No fonts"), "a letter is left out: {ended}");
        }
        let drawn = texts(path(&format!("{name}.svg")).into());
        // Two names of one sound are told apart by their labels.
        assert_says(&drawn, &["Chang Cheng (", "goyangi", "Кошка", "سور", "Café", "cat"]);
        let lacking = |c: char| matches!(c, '\u{900}'..='\u{97f}' | '\u{e00}'..='\u{e7f}' | '\u{3040}'..='\u{d7ff}');
        assert!(!drawn.iter().any(|text| text.contains(lacking)), "{drawn:#?}");
        let svg = fs::read_to_string(path(&format!("{name}.svg"))).unwrap();
        assert!(svg.contains("<title>고양이</title>"), "the name's own letters are its tooltip");
    }
    let page = path("page.html");
    home.besom(["report", "scripts", "--out", &page]).expect(0);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(">goyangi<") && page.contains("고양이</td>"), "the figure, and the table with its labels");
}

#[test]
fn a_run_draws_at_its_end_and_says_where_unless_told_not_to() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 2, 1));
    let folder = home.path().join("figures/tiny");
    home.besom(["run", "--no-figures", file.to_str().unwrap()]).expect(0);
    assert!(!folder.exists(), "--no-figures leaves them");
    let ended = home.besom(["run", file.to_str().unwrap()]).expect(0);
    let ended = ended.says(&format!("figures in {}: curves.svg, effects.svg, importance.svg", folder.display()));
    assert!(!ended.stdout.contains("svg"), "stdout is the table: {ended}");
    assert_says(&texts(folder.join("curves.svg")), &["tiny (synthetic data)", "0.01", "0.02"]);
    // The same folder is where `plot` writes without --out.
    let told = home.besom(["plot", "tiny", "--format", "png"]).expect(0).stdout;
    assert!(told.contains(folder.join("timeline.png").to_str().unwrap()), "{told}");
}

#[test]
fn what_cannot_be_asked_ends_with_two_and_what_is_not_there_with_one() {
    let home = Home::new();
    for args in [
        &["plot"][..],
        &["plot", "x", "--format", "gif"],
        &["plot", "x", "--term", "--out", "here"],
        &["plot", "x", "--term", "--format", "png"],
        &["plot", "x", "--coordinator", "ftp://here"],
    ] {
        let ended = home.besom(args).expect(2);
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{ended}");
    }
    run(&home, &tiny_sweep("there", 1, 1));
    home.besom(["plot", "elsewhere"]).expect(1).says("elsewhere");
    let file = home.write("a file", "");
    home.besom(["plot", "there", "--out", file.to_str().unwrap()]).expect(1).says("a file");
}

#[test]
fn through_a_coordinator_the_figures_are_the_same_to_the_byte() {
    let home = Home::new();
    run(&home, &classic("classic"));
    let names = plot(&home, "classic", "local", &[]);
    let (_coordinator, url) = home.coordinator::<&str>([]);
    let away = Home::new();
    let (here, there) = (home.path().join("local"), away.path().join("remote"));
    assert_eq!(plot(&away, "classic", "remote", &["--coordinator", &url]), names);
    for name in names {
        assert_eq!(fs::read(here.join(&name)).unwrap(), fs::read(there.join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn pngs_are_the_same_without_any_font() {
    let home = Home::new();
    run(&home, &classic("classic"));
    let names = plot(&home, "classic", "fonts", &["--format", "png"]);
    let bare = home.with_variable("FONTCONFIG_FILE", "/nonexistent").with_variable("FONTCONFIG_PATH", "/nonexistent");
    let bare = bare.with_variable("HOME", "/nonexistent").with_variable("XDG_DATA_HOME", "/nonexistent");
    assert_eq!(plot(&bare, "classic", "bare", &["--format", "png"]), names);
    for name in names {
        let with = fs::read(bare.path().join("fonts").join(&name)).unwrap();
        assert!(with.starts_with(b"\x89PNG\r\n") && with.len() > 10_000, "{name}");
        assert_eq!(with, fs::read(bare.path().join("bare").join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn diverged_runs_are_shown_as_such() {
    let home = Home::new();
    // The penalty multiplies the weights by minus two million in every step.
    let parameters = [
        "learning_rate: {values: [0.01, 1000000.0]}",
        "epochs: {value: 3}",
        "optimizer: {value: sgd}",
        "l2: {value: 1.0}",
    ];
    run(&home, &sweep("wild", "grid", &parameters, &[]));
    plot(&home, "wild", "out", &[]);
    let of = |name: &str| texts(home.path().join("out").join(name));
    assert_says(&of("curves.svg"), &["1 diverged", "1000000.0", "diverged"]);
    assert_says(&of("effects.svg"), &["diverged"]);
    assert_says(&of("timeline.svg"), &["diverged: 1"]);
}

#[test]
fn an_empty_sweep_is_an_error_and_an_unfinished_one_says_so() {
    let home = Home::new();
    let (_coordinator, url) = home.coordinator::<&str>([]);
    let file = home.write("slow.yaml", &tiny_sweep("slow", 3, 150));
    let at = ["--coordinator", &url];
    home.besom(["submit", file.to_str().unwrap(), at[0], at[1]]).expect(0);
    let empty = home.besom(["plot", "slow", at[0], at[1]]).expect(1);
    let empty = empty.says("sweep slow has nothing to draw: no run has an epoch (3 queued)");
    assert!(empty.stdout.is_empty(), "{empty}");
    let worker = home.start(["worker", "--slots", "1", at[0], at[1]]);
    let jobs = |state: &str| {
        let runs = home.besom(["runs", "slow", "--json", at[0], at[1]]).expect(0).json();
        runs.as_array().unwrap().iter().filter(|run| run["state"] == state).count()
    };
    eventually("a job ends", || jobs("succeeded") >= 1);
    home.besom(["pause", "slow", at[0], at[1]]).expect(0);
    drop(worker);
    let written = plot(&home, "slow", "out", &at);
    assert!(written.contains(&"curves.svg".to_owned()), "{written:?}");
    assert_says(&texts(home.path().join("out/curves.svg")), &["unfinished (paused)", "of 3 jobs have ended"]);
    let text = home.besom(["plot", "slow", "--term", at[0], at[1]]).expect(0).stdout;
    assert!(text.contains("unfinished, "), "{text}");
}

#[test]
fn a_lost_attempt_is_crossed_out_in_the_timeline() {
    let home = Home::new();
    let (_coordinator, url) = home.coordinator(["--lease-ttl", "3s", "--report-interval", "500ms"]);
    let file = home.write("slow.yaml", &tiny_sweep("slow", 1, 600));
    home.besom(["submit", file.to_str().unwrap(), "--coordinator", &url]).expect(0);
    let running = || {
        let runs = home.besom(["runs", "slow", "--json", "--coordinator", &url]).expect(0).json();
        runs[0]["state"] == "running"
    };
    let first = home.start(["worker", "--slots", "1", "--coordinator", &url]);
    eventually("the job runs", running);
    first.kill();
    let _second = home.start(["worker", "--slots", "1", "--coordinator", &url]);
    home.besom(["watch", "slow", "--coordinator", &url]).expect(0);
    plot(&home, "slow", "out", &["--coordinator", &url]);
    assert_says(
        &texts(home.path().join("out/timeline.svg")),
        &["lost (crossed out): 1", "ended well: 1", "1 of 2 attempts"],
    );
}

#[test]
fn the_terminal_shows_every_line_by_a_letter_without_colours() {
    let home = Home::new();
    run(&home, &classic("classic"));
    let text = home.besom(["plot", "classic", "--term"]).expect(0).stdout;
    assert!(!text.contains('\u{1b}'), "NO_COLOR is set: {text}");
    for what in ["val_accuracy", "val_loss", "epoch", "a 0.0001", "b 0.01 (base)", "c 0.5", "a sgd (base)", "b adam"] {
        assert!(text.contains(what), "{what:?} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "curves: {text}");
    assert!(!home.path().join("figures").exists(), "no file is written");
}
