use std::fs;

use super::{support::Home, trained};

#[test]
fn wrong_arguments_end_with_two() {
    let home = Home::new();
    for args in [
        &["report"][..],
        &["report", "tiny"],
        &["report", "tiny", "--out"],
        &["report", "--out", "x.html"],
        &["report", "tiny", "--out", "x.html", "--samples", "0"],
        &["report", "tiny", "--out", "x.html", "--samples", "101"],
        &["report", "tiny", "--out", "x.html", "--seed", "x"],
        &["report", "tiny", "--out", "x.html", "--models", "worst"],
        &["report", "tiny", "--out", "x.html", "--coordinator", "ftp://here"],
    ] {
        let ended = home.command(args).current_dir(home.path()).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{args:?}");
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{args:?}");
    }
    assert!(!home.path().join("x.html").exists());
}

#[test]
fn what_is_not_there_ends_with_one_and_the_file_of_before_stays() {
    let home = trained(1);
    let file = home.write("report.html", "before");
    let out = file.to_str().unwrap();
    home.besom(["report", "tinny", "--out", out]).expect(1).says("tinny");
    home.besom(["report", "tiny", "--models", "77", "--out", out]).expect(1).says("sweep tiny has no job 77");
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
    let below = file.join("x.html");
    home.besom(["report", "tiny", "--out", below.to_str().unwrap()]).expect(1).says("x.html: cannot be written");
    home.besom(["report", "tiny", "--out", home.path().to_str().unwrap()]).expect(1).says("is a folder");
    let left: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".besom-")), "{left:?}");
}
