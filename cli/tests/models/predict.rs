use std::collections::HashSet;

use serde_json::Value;

use super::{
    files::{drawings, npy, png},
    support::{Home, tiny_sweep},
    trained,
};

fn guesses(drawing: &Value) -> &[Value] {
    drawing["guesses"].as_array().unwrap()
}

#[test]
fn drawings_of_the_test_split_stand_with_target_and_guesses() {
    let home = trained(1);
    let shown = home.besom(["predict", "tiny", "--samples", "4"]).expect(0);
    let json = home.besom(["predict", "tiny", "--samples", "4", "--json"]).expect(0).json();
    let text = &shown.stdout;
    assert!(text.starts_with("tiny (synthetic data): 4 drawings of the 60 test samples, seed 0\njob 1: "), "{shown}");
    assert!(!text.contains('\u{1b}'), "no colours where stdout is no terminal");
    assert!(text.contains(['█', '▀', '▄']), "{shown}");
    let mut right = 0;
    for drawing in json["drawings"].as_array().unwrap() {
        let guess = &guesses(drawing)[0];
        let mark = if guess["right"] == true { '✓' } else { '✗' };
        right += u32::from(guess["right"] == true);
        assert_eq!(guess["right"], guess["class"] == drawing["target"]);
        let start: String = guess["class"].as_str().unwrap().chars().take(12).collect();
        assert!(text.contains(&format!("{mark} {start}")), "{mark} {start}: {shown}");
        let target = drawing["target"].as_str().unwrap();
        assert!(text.contains(target), "{target}: {shown}");
    }
    assert!(text.contains(&format!("{right} of 4 right")), "{shown}");
}

#[test]
fn the_seed_chooses_the_drawings_and_each_comes_once() {
    let home = trained(1);
    let samples = |args: &[&str]| -> Vec<u64> {
        let all = [&["predict", "tiny", "--json"], args].concat();
        let json = home.besom(all).expect(0).json();
        json["drawings"].as_array().unwrap().iter().map(|drawing| drawing["sample"].as_u64().unwrap()).collect()
    };
    let ten = samples(&[]);
    assert_eq!(ten, samples(&["--seed", "0", "--samples", "10"]));
    assert_ne!(ten, samples(&["--seed", "1"]));
    let all = samples(&["--samples", "1000"]);
    assert_eq!((all.len(), all.iter().collect::<HashSet<_>>().len()), (60, 60), "the whole test split");
}

#[test]
fn several_models_guess_side_by_side_and_the_same_one_once() {
    let home = trained(2);
    let best = home.besom(["best", "tiny", "--json"]).expect(0).json()[0]["job"].as_u64().unwrap();
    let other = 3 - best;
    let models = format!("best,{other},{best}");
    let json = home.besom(["predict", "tiny", "--models", &models, "--json"]).expect(0).json();
    let jobs: Vec<u64> =
        json["models"].as_array().unwrap().iter().map(|model| model["job"].as_u64().unwrap()).collect();
    assert_eq!(jobs, [best, other]);
    for drawing in json["drawings"].as_array().unwrap() {
        assert_eq!(guesses(drawing).len(), 2);
        for guess in guesses(drawing) {
            let probabilities: Vec<f64> =
                guess["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
            assert_eq!(probabilities.len(), 10);
            assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let largest = probabilities.iter().copied().fold(0.0, f64::max);
            assert_eq!(guess["confidence"].as_f64(), Some(largest));
        }
    }
    // Alone or beside another: the same numbers.
    let alone = home.besom(["predict", "tiny", "--models", &other.to_string(), "--json"]).expect(0).json();
    for (one, two) in alone["drawings"].as_array().unwrap().iter().zip(json["drawings"].as_array().unwrap()) {
        assert_eq!(guesses(one)[0], guesses(two)[1]);
    }
    let text = home.besom(["predict", "tiny", "--models", &models]).expect(0).stdout;
    assert!(text.contains(&format!("\njob {best} ✓ ")) || text.contains(&format!("\njob {best} ✗ ")), "{text}");
}

#[test]
fn the_report_is_the_confusion_that_the_trainer_stored() {
    let home = trained(2);
    let stored = home.tables("SELECT counts FROM confusions ORDER BY job_id");
    let stored: Vec<&str> = stored.lines().skip(1).collect();
    let runs = home.besom(["runs", "tiny", "--json"]).expect(0).json();
    let report = home.besom(["predict", "tiny", "--models", "1,2", "--report", "--json"]).expect(0).json();
    for (n, one) in report["reports"].as_array().unwrap().iter().enumerate() {
        let counts: Vec<u64> = serde_json::from_str(stored[n]).unwrap();
        let rows: Vec<Vec<u64>> = serde_json::from_value(one["confusion"].clone()).unwrap();
        assert_eq!(rows.concat(), counts, "job {n}");
        assert_eq!(one["accuracy"], runs[n]["final_val_accuracy"], "the same number to the last bit");
        assert_eq!(one["support"], 60);
        for (label, class) in one["classes"].as_array().unwrap().iter().enumerate() {
            let support: u64 = rows[label].iter().sum();
            let guessed: u64 = rows.iter().map(|row| row[label]).sum();
            let share =
                |whole: u64| if whole == 0 { Value::Null } else { (rows[label][label] as f64 / whole as f64).into() };
            assert_eq!(class["support"], support);
            assert_eq!((&class["recall"], &class["precision"]), (&share(support), &share(guessed)));
        }
    }
    let text = home.besom(["predict", "tiny", "--models", "1,2", "--report"]).expect(0).stdout;
    assert_eq!(text.matches("over 60 test samples").count(), 2, "{text}");
    assert!(text.contains("The Eiffel Tower") && text.contains("precision"), "{text}");
}

#[test]
fn a_coordinator_gives_the_same_answers_as_the_local_store() {
    let home = trained(1);
    let local = home.besom(["predict", "tiny", "--json"]).expect(0).stdout;
    let (_coordinator, url) = home.coordinator::<&str>([]);
    let elsewhere = Home::new();
    let remote = elsewhere.besom(["predict", "tiny", "--json", "--coordinator", &url]).expect(0).stdout;
    assert_eq!(local, remote);
}

#[test]
fn figures_are_drawn_as_their_suffix_says() {
    let home = trained(2);
    let path = |name: &str| home.path().join(name).display().to_string();
    for (name, args) in [
        ("sheet", &["predict", "tiny", "--models", "1,2"][..]),
        ("confusion", &["predict", "tiny", "--models", "1,2", "--report"]),
    ] {
        let (svg, png) = (path(&format!("{name}.svg")), path(&format!("{name}.png")));
        home.besom([args, &["--out", &svg]].concat()).expect(0).says(&svg);
        let text = std::fs::read_to_string(&svg).unwrap();
        assert!(text.contains("<svg") && text.contains("tiny (synthetic data)") && text.contains("job 2"), "{text}");
        home.besom([args, &["--out", &png]].concat()).expect(0);
        let mut reader =
            png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&png).unwrap())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert!(frame.width > 600 && frame.height > 600, "{frame:?}");
        let colours: HashSet<&[u8]> = pixels.chunks(4).collect();
        assert!(colours.len() > 50, "{name} has {} colours", colours.len());
    }
    let sheet = std::fs::read_to_string(path("sheet.svg")).unwrap();
    assert_eq!(sheet.matches(">✗<").count() + sheet.matches(">✓<").count(), 20, "each guess of two models is marked");
}

#[test]
fn own_drawings_of_every_format_get_the_same_guesses() {
    let home = trained(1);
    let values = drawings(2);
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(home.path().join(name), bytes).unwrap();
        home.path().join(name).display().to_string()
    };
    let predict = |path: &str, more: &[&str]| {
        let args = [&["predict", "tiny", "--json", "--input", path], more].concat();
        home.besom(args).expect(0).json()["drawings"].clone()
    };
    let wanted = predict(&write("a.npy", &npy(&[2, 28, 28], &values)), &[]);
    assert_eq!(wanted.as_array().unwrap().len(), 2);
    assert_eq!((&wanted[0]["target"], &wanted[0]["guesses"][0]["right"]), (&Value::Null, &Value::Null));

    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("arr_0.npy", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut zip, &npy(&[2, 784], &values)).unwrap();
    let archive = zip.finish().unwrap().into_inner();
    assert_eq!(predict(&write("b.npz", &archive), &[]), wanted);
    let idx = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28][..], &values].concat();
    assert_eq!(predict(&write("c-idx3-ubyte", &idx), &[]), wanted);
    let picture = write("d.png", &png(28, 28, &values[784..]));
    assert_eq!(predict(&picture, &[])[0]["guesses"], wanted[1]["guesses"]);
    // The same picture in black on white, turned round.
    let negative: Vec<u8> = values[784..].iter().map(|value| 255 - value).collect();
    assert_eq!(predict(&write("e.png", &png(28, 28, &negative)), &["--invert"])[0]["guesses"], wanted[1]["guesses"]);

    let table = home.besom(["predict", "tiny", "--input", &picture]).expect(0).stdout;
    assert!(table.contains("drawing  class") && table.contains("confidence\n      0  "), "{table}");
    let white = write("white.png", &png(28, 28, &[255; 784]));
    home.besom(["predict", "tiny", "--input", &white]).expect(0).says("--invert");
    let sheet = home.path().join("own.svg").display().to_string();
    home.besom(["predict", "tiny", "--input", &picture, "--out", &sheet]).expect(0);
    let text = std::fs::read_to_string(&sheet).unwrap();
    assert!(text.contains("drawing 0") && !text.contains(['✗', '✓']), "{text}");
}

#[test]
fn the_best_epochs_model_is_the_one_of_a_sweep_by_its_best_epoch() {
    let home = Home::new();
    let text = tiny_sweep("tiny", 1, 12).replace("besom:\n", "besom:\n  objective: best\n");
    let file = home.write("tiny.yaml", &text);
    home.besom(["run".as_ref(), file.as_os_str()]).expect(0);
    let run = home.besom(["runs", "tiny", "--json"]).expect(0).json()[0].clone();
    let report = home.besom(["predict", "tiny", "--report", "--json"]).expect(0).json();
    assert_eq!(report["reports"][0]["accuracy"], run["best_val_accuracy"]);
}
