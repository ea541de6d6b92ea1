use super::{
    files::{npy, png},
    support::{Home, tiny_sweep},
    trained,
};

#[test]
fn wrong_arguments_end_with_two() {
    let home = trained(1);
    for args in [
        &["predict"][..],
        &["predict", "tiny", "--models", "worst"],
        &["predict", "tiny", "--models", "0"],
        &["predict", "tiny", "--models", ""],
        &["predict", "tiny", "--samples", "0"],
        &["predict", "tiny", "--samples", "1001"],
        &["predict", "tiny", "--seed", "x"],
        &["predict", "tiny", "--out", "x.gif"],
        &["predict", "tiny", "--out", "x"],
        &["predict", "tiny", "--report", "--samples", "3"],
        &["predict", "tiny", "--report", "--input", "x.png"],
        &["predict", "tiny", "--input", "x.png", "--seed", "3"],
        &["predict", "tiny", "--invert"],
        &["export"],
        &["export", "runs"],
        &["export", "runs", "tiny", "--format", "xls"],
        &["export", "runs", "tiny", "--out", "runs.xls"],
        &["export", "history", "tiny", "--out", "runs"],
        &["export", "model", "tiny/first"],
        &["export", "model", "tiny/"],
    ] {
        let ended = home.besom(args).expect(2);
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{ended}");
    }
}

#[test]
fn a_sweep_or_job_that_is_not_there_is_named() {
    let home = trained(1);
    let other = home.write("other.yaml", &tiny_sweep("other", 1, 1));
    home.besom(["run".as_ref(), other.as_os_str()]).expect(0);
    for command in [&["predict", "tinny"][..], &["export", "model", "tinny"], &["export", "runs", "tinny"]] {
        home.besom(command).expect(1).says("tiny");
    }
    // Job 2 is the other sweep's.
    for job in ["2", "77"] {
        home.besom(["predict", "tiny", "--models", job]).expect(1).says(&format!("sweep tiny has no job {job}"));
        home.besom(["export", "model", &format!("tiny/{job}")]).expect(1).says("besom runs tiny");
    }
    Home::new().besom(["predict", "tiny"]).expect(1).says("run or submit a sweep first");
}

#[test]
fn a_job_without_a_model_says_why() {
    let home = Home::new();
    let submit = |name: &str, text: String, command: &str| {
        let file = home.write(&format!("{name}.yaml"), &text);
        home.besom([command.as_ref(), file.as_os_str()]);
    };
    submit("queued", tiny_sweep("queued", 1, 1), "submit");
    home.besom(["predict", "queued"]).expect(1).says("no run of sweep queued has a result yet (1 queued)");
    home.besom(["predict", "queued", "--models", "1"])
        .expect(1)
        .says("job 1 of sweep queued is queued")
        .says("not ended");
    let none = tiny_sweep("none", 1, 1).replace("besom:\n", "besom:\n  keep_models: none\n");
    submit("none", none, "run");
    home.besom(["predict", "none"]).expect(1).says("was not kept (besom.keep_models");
    let best = tiny_sweep("best", 2, 1).replace("besom:\n", "besom:\n  keep_models: best\n");
    submit("best", best, "run");
    home.besom(["predict", "best"]).expect(0);
    let ranked = home.besom(["best", "best", "--json"]).expect(0).json();
    let last = ranked[1]["job"].to_string();
    home.besom(["export", "model", &format!("best/{last}")]).expect(1).says("was not kept");
}

#[test]
fn a_damaged_model_is_never_used() {
    let home = trained(1);
    let model = home.besom(["runs", "tiny", "--json"]).expect(0).json()[0]["model"].as_str().unwrap().to_owned();
    let mut folders = vec![home.path().join("artifacts")];
    let mut found = None;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.display().to_string().replace(std::path::MAIN_SEPARATOR, "").contains(&model) => {
                    found = Some(path)
                }
                false => {}
            }
        }
    }
    let path = found.expect("the model's file");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    home.besom(["predict", "tiny"]).expect(1).says("the model of job 1").says("damaged");
    home.besom(["export", "model", "tiny"]).expect(1).says("damaged");
}

#[test]
fn own_drawings_that_cannot_be_read_are_refused_with_reason() {
    let home = trained(1);
    let predict = |name: &str, bytes: &[u8]| {
        let path = home.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        home.besom(["predict", "tiny", "--input", path.to_str().unwrap()]).expect(1)
    };
    predict("a.png", &png(32, 28, &[9; 896])).says("a.png: has shape (28, 32)").says("(28, 28)");
    predict("b.npy", &npy(&[3, 32, 32], &[9; 3072])).says("(3, 32, 32)").says("(28, 28)");
    predict("c.png", &png(28, 28, &[9; 784])[..60]).says("c.png: is not a readable PNG");
    predict("d.npz", b"PK\x03\x04 no archive").says("d.npz: is not a readable zip file");
    predict("e.npy", &npy(&[2, 28, 28], &[9; 784])).says("e.npy");
    predict("f.txt", b"hello").says("is a table; drawings are read from");
    home.besom(["predict", "tiny", "--input", "missing.png"]).expect(1).says("missing.png");
}

#[test]
fn a_place_that_cannot_be_written_is_named_and_what_was_there_stays() {
    let home = trained(1);
    let file = home.write("file", "there");
    let below = file.join("x.csv").display().to_string();
    home.besom(["export", "runs", "tiny", "--out", &below]).expect(1).says("x.csv: cannot be written");
    let below = file.join("x.svg").display().to_string();
    home.besom(["predict", "tiny", "--out", &below]).expect(1).says("x.svg: cannot be written");
    home.besom(["export", "model", "tiny", "--out", file.to_str().unwrap()]).expect(1).says("cannot be made");
    let folder = home.path().join("folder.csv");
    std::fs::create_dir(&folder).unwrap();
    home.besom(["export", "runs", "tiny", "--out", folder.to_str().unwrap()]).expect(1).says("is a folder");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "there");
}
