//! `besom report` as a user has it: what the file holds, that it is complete in itself whatever
//! names and errors hold, and that a real browser shows it.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test and says where")]

#[path = "../support/mod.rs"]
mod support;

mod browser;
mod content;
mod hostile;
mod refusals;
mod worker;

use std::fs;

use support::{Home, tiny_sweep};

/// A home whose sweep `tiny` of 300 synthetic sketches has `jobs` trained jobs.
fn trained(jobs: u32) -> Home {
    let home = Home::new();
    run(&home, &tiny_sweep("tiny", jobs, 2));
    home
}

/// Trains a sweep.
fn run(home: &Home, text: &str) {
    let file = home.write("sweep.yaml", text);
    home.besom(["run", "--no-figures", file.to_str().unwrap()]).expect(0);
}

/// The report of a sweep.
fn report(home: &Home, sweep: &str, more: &[&str]) -> String {
    let out = home.path().join("report.html");
    let mut args = vec!["report", sweep, "--out", out.to_str().unwrap()];
    args.extend(more);
    let ended = home.besom(args).expect(0);
    assert_eq!(ended.stdout.trim_end(), out.to_str().unwrap(), "the path is printed: {ended}");
    fs::read_to_string(&out).unwrap()
}

/// The part of the page with this id.
#[track_caller]
fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let start = page.find(&format!("<section id=\"{id}\">")).unwrap_or_else(|| panic!("no section {id}"));
    page[start..].split("</section>").next().unwrap()
}

#[track_caller]
fn assert_says(text: &str, what: &[&str]) {
    for what in what {
        assert!(text.contains(what), "{what:?} is not in\n{text}");
    }
}

/// Nothing in the page runs, and nothing is loaded from anywhere.
#[track_caller]
fn assert_complete_in_itself(page: &str) {
    // A figure refers to its own parts.
    let lower = page.to_lowercase().replace("url(#", "(");
    for never in
        ["<script", "<link", "<iframe", "<object", "<embed", "<img", "<image", "<base", " src=", "url(", "@import"]
    {
        assert!(!lower.contains(never), "{never} in the page");
    }
    for after in lower.split("href=").skip(1) {
        assert!(after.starts_with("\"#"), "a link leaves the page: href={}", &after[..40]);
    }
    // The name of the language of the figures, which nothing loads.
    let rest = lower.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    assert!(!rest.contains("http://") && !rest.contains("https://"), "an address in the page");
}
