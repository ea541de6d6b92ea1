//! What stands on a terminal: tables that fit it, whatever its width, and wide results record by
//! record.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs::File,
    io::Read,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

use rustix::{
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::support::{Home, LIMIT, tiny_sweep};

/// What a command shows on a terminal of so many columns, line by line, and its exit code.
fn on_terminal(mut command: Command, columns: u16) -> (Vec<String>, Option<i32>) {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    tcsetwinsize(&screen, Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let user = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap();
    command.env("TERM", "xterm").stdout(user.try_clone().unwrap()).stderr(user).stdin(Stdio::null());
    let mut child = command.spawn().unwrap();
    // The command holds the other end until it is dropped.
    drop(command);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut shown = Vec::new();
        // The end of a terminal that nobody holds any more is an error.
        let _ = File::from(screen).read_to_end(&mut shown);
        let _ = sender.send(shown);
    });
    let shown = receiver.recv_timeout(LIMIT);
    if shown.is_err() {
        let _ = child.kill();
    }
    let code = child.wait().unwrap().code();
    let text = String::from_utf8(shown.expect("the command ends")).unwrap();
    (text.replace('\r', "").lines().map(str::to_owned).collect(), code)
}

/// Cells of a terminal that a line takes, counted by hand: characters of East Asia take two.
fn cells(line: &str) -> usize {
    let wide = |c: char| matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}');
    line.chars().map(|c| 1 + usize::from(wide(c))).sum()
}

/// The classic sweep of the examples with little data and few epochs: its tables are as wide.
fn classic() -> String {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/sketches.yaml")).unwrap();
    let small = text.replace("samples: 40000", "samples: 400").replace("epochs: {value: 25}", "epochs: {value: 2}");
    assert_eq!(small.len() + 3, text.len(), "the example is cut down: {small}");
    small
}

#[test]
fn no_line_on_a_terminal_is_wrapped() {
    let home = Home::new();
    let file = home.write("sketches.yaml", &classic());
    home.besom(["run", "--no-figures", file.to_str().unwrap()]).expect(0);
    let several = classic().replace("seeds: 1", "seeds: 2").replace("name: sketches", "name: seeds");
    let several = home.write("seeds.yaml", &several);
    home.besom(["run", "--no-figures", several.to_str().unwrap()]).expect(0);
    let chinese = home.write("tiny.yaml", &tiny_sweep("学习率与批量大小的扫描", 1, 1));
    home.besom(["submit", chinese.to_str().unwrap()]).expect(0);
    let wide = "SELECT '学习率与批量大小的扫描学习率与批量大小的扫描学习率与批量大小的扫描' AS 名字, * FROM runs";
    for columns in [80, 100, 120] {
        let shown = |args: &[&str]| {
            let (lines, code) = on_terminal(home.command(args), columns);
            assert_eq!(code, Some(0), "{args:?}: {lines:#?}");
            for line in &lines {
                assert!(cells(line) <= columns.into(), "{args:?}: {} cells of {columns}: {line}", cells(line));
            }
            lines
        };
        let names = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for command in ["best", "runs"] {
            let lines = shown(&[command, "sketches"]);
            let header = names(&lines[1]);
            let rank = (command == "best").then_some("rank");
            let kept = ["optimizer", "batch_size", "learning_rate", "final_val_accuracy"];
            for name in rank.into_iter().chain(kept) {
                assert!(header.iter().any(|column| column == name), "{name} at {columns}: {lines:#?}");
            }
        }
        assert!(shown(&["best", "seeds"]).iter().any(|line| line.contains("95 % interval")));
        let sweeps = shown(&["sweeps"]);
        assert!(sweeps.iter().any(|line| line.contains("sketches") && line.contains("completed")), "{sweeps:#?}");
        if columns == 120 {
            assert!(sweeps.iter().any(|line| line.contains("学习率")), "{sweeps:#?}");
        }
        shown(&["workers"]);
        for statement in ["SELECT * FROM runs", "SELECT * FROM best_runs", "SELECT * FROM sweep_progress", wide] {
            let lines = shown(&["sql", statement]);
            assert!(lines[0].starts_with("-[ row 1 ]-"), "{lines:#?}");
        }
        let narrow = shown(&["sql", "SELECT job, state FROM runs WHERE sweep = 'sketches'"]);
        assert_eq!(names(&narrow[0]), ["job", "state"]);
        let page = shown(&["show", "sketches/1"]);
        assert!(page.iter().any(|line| line.contains("val_loss")), "{page:#?}");
    }
    // A pipe has no width: there, every column stands in one line.
    let piped = home.besom(["sql", "SELECT * FROM runs WHERE sweep = 'sketches'"]).expect(0).stdout;
    assert_eq!(piped.lines().count(), 10, "{piped}");
    assert!(!home.besom(["best", "sketches"]).expect(0).stderr.contains("too narrow"));
}
