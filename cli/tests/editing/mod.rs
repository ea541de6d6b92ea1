//! The loop of editing a sweep file and running it again: what is told of a wrong or a changed
//! file, copies of files, names, retries, and waiting for the end.

use std::path::Path;

use crate::support::{Home, eventually, tiny_sweep};

#[test]
fn all_errors_of_a_file_are_told_at_once_below_one_heading() {
    let home = Home::new();
    let text = tiny_sweep("tiny", 2, 1)
        .replace("learning_rate:", "learning_rat:")
        .replace("epochs: {value: 1}", "epochs: {value: 0}")
        .replace("hidden", "hiden");
    let file = home.write("wrong.yaml", &text);
    for command in ["run", "submit"] {
        let ended = home.besom([command.as_ref(), file.as_os_str()]).expect(2);
        let lines: Vec<&str> = ended.stderr.lines().collect();
        assert!(lines[0].starts_with("besom: ") && lines[0].ends_with("wrong.yaml: 3 errors"), "{ended}");
        assert_eq!(lines[1], "  line 4: parameters.learning_rat: unknown hyperparameter; did you mean learning_rate?");
        assert!(lines[2].starts_with("  line 5: parameters.epochs.value: must be an integer from 1"), "{ended}");
        assert_eq!(lines[3], "  line 9: besom.model.hiden: unknown hyperparameter; did you mean hidden?");
        assert_eq!(lines.len(), 4, "{ended}");
    }
    assert!(!home.path().join("besom.db").exists(), "nothing is written for a wrong file");
}

#[test]
fn a_file_of_another_tool_is_named() {
    let home = Home::new();
    let file = home.write("katib.yaml", "apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nmetadata: {}\nspec: {}\n");
    let ended =
        home.besom([Path::new("run"), &file]).expect(2).says("line 2: this is a Katib Experiment; besom reads W&B");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended}");
}

#[test]
fn a_changed_file_under_a_taken_name_says_what_differs() {
    let home = Home::new();
    let text = tiny_sweep("tiny", 2, 1);
    home.besom([Path::new("submit"), &home.write("tiny.yaml", &text)]).expect(0);
    let changed = text.replace("[0.01, 0.02]", "[0.01, 0.05]").replace("besom:", "besom:\n  seeds: 2");
    let file = home.write("tiny.yaml", &changed);
    for command in ["submit", "run"] {
        let ended = home.besom([Path::new(command), &file]).expect(1).says("--name");
        let differs: Vec<&str> =
            ended.stderr.lines().filter(|line| line.contains(" -> ") && line.contains(':')).collect();
        assert_eq!(
            differs.into_iter().filter(|line| line.starts_with("  ")).collect::<Vec<_>>(),
            ["  besom.seeds: 1 -> 1, 2", "  parameters.learning_rate: 0.01, 0.02 -> 0.01, 0.05"],
            "{ended}"
        );
    }
    // Of other data: which key, or that the source itself has changed.
    let other = home.write("tiny.yaml", &text.replace("samples: 300", "samples: 400"));
    home.besom([Path::new("submit"), &other]).expect(1).says("\n  besom.dataset.samples: 300 -> 400\n");
}

#[test]
fn a_cancelled_sweep_is_retried_and_run_to_its_end() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 3, 1));
    home.besom([Path::new("submit"), &file]).expect(0);
    home.besom(["cancel", "tiny"]).expect(0);
    home.besom([Path::new("run"), &file]).expect(1).says("besom retry tiny");
    let retried = home.besom(["retry", "tiny", "--json"]).expect(0).says("3 jobs are back in the queue").json();
    assert_eq!(
        (&retried["state"], &retried["queued"], &retried["cancelled"]),
        (&"active".into(), &3.into(), &0.into())
    );
    let again = home.besom(["retry", "tiny"]).expect(0).says("nothing was retried");
    assert_eq!(again.stderr.lines().count(), 1, "no advice where nothing changed: {again}");
    let ended = home.besom([Path::new("run"), &file]).expect(0);
    assert!(ended.stdout.contains("completed, 3 succeeded"), "{ended}");
    home.besom(["retry", "tiny"]).expect(1).says("3 succeeded, and only failed and cancelled jobs are retried");
    home.besom(["retry", "tiny", "--job", "1"]).expect(1).says("job 1 of sweep \"tiny\" has succeeded");
    home.besom(["retry", "tiny", "--job", "77"]).expect(1).says("no job 77 in sweep \"tiny\"");
    home.besom(["retry", "tiny", "--job", "0"]).expect(2);
}

#[test]
fn jobs_that_were_cancelled_while_they_ran_are_trained_again_under_the_next_number() {
    let (home, elsewhere) = (Home::new(), Home::new());
    let (_coordinator, url) = home.coordinator::<&str>([]);
    let _worker = elsewhere.start(["worker", "--slots", "1", "--name", "w1", "--coordinator", &url]);
    let client = Home::new().with_variable("BESOM_COORDINATOR", &url);
    let file = client.write("long.yaml", &tiny_sweep("long", 2, 1000));
    client.besom([Path::new("submit"), &file]).expect(0);
    eventually("a job runs", || client.besom(["sweeps", "--json"]).json()[0]["running"] == 1);
    client.besom(["cancel", "long"]).expect(0);
    client.besom(["wait", "long"]).expect(1).says("besom retry long");
    // One job alone; the other one stays cancelled.
    client
        .besom(["retry", "long", "--job", "1"])
        .expect(0)
        .says("1 job is back in the queue; 1 cancelled stays as it is");
    let ended = client.besom(["wait", "long", "--json"]).expect(1).json();
    assert_eq!((&ended["state"], &ended["succeeded"]), (&"completed".into(), &1.into()));
    client.besom(["retry", "long"]).expect(0).says("1 job is back in the queue; 1 succeeded stays as it is");
    let ended = client.besom(["wait", "long"]).expect(0);
    assert!(ended.stdout.contains("long (synthetic data): completed, 2 succeeded"), "{ended}");
    let attempts = home.tables("SELECT job_id, attempt, outcome FROM job_attempts ORDER BY 1, 2");
    let attempts: Vec<&str> = attempts.lines().map(str::trim_end).skip(1).collect();
    assert_eq!(attempts, ["1,1,cancelled", "1,2,succeeded", "2,1,succeeded"]);
    // Of a paused sweep it is told that it is, also where a worker is there.
    client.besom([Path::new("submit"), &client.write("idle.yaml", &tiny_sweep("idle", 20, 1000))]).expect(0);
    client.besom(["pause", "idle"]).expect(0);
    let waited = client.besom(["wait", "idle", "--timeout", "200ms"]).expect(1);
    let waited = waited.says("sweep idle is paused; `besom resume idle` goes on with it");
    assert!(!waited.stderr.contains("nobody trains"), "a worker is there: {waited}");
}

#[test]
fn a_sweep_is_cloned_into_a_file_to_edit() {
    let home = Home::new();
    let text = format!("# why we do this\n{}", tiny_sweep("tiny", 2, 1));
    home.besom([Path::new("submit"), &home.write("tiny.yaml", &text)]).expect(0);
    let out = home.path().join("next.yaml");
    let clone = |more: &[&str]| {
        let args = ["clone", "tiny", "--set", "learning_rate=0.1", "--set", "besom.seeds=2", "--name", "Nächste 2"];
        let args = args.iter().chain(more).map(|&arg| arg.to_owned());
        home.besom(args.chain(["--out".to_owned(), out.display().to_string()]))
    };
    clone(&[]).expect(0).says("next.yaml: edit it, then `besom run");
    let written = std::fs::read_to_string(&out).unwrap();
    assert!(written.starts_with("# why we do this\nname: \"Nächste 2\"\nmethod: grid\n"), "{written}");
    assert!(written.contains("\n  learning_rate: {value: 0.1}\n") && written.contains("\n  seeds: 2\n"), "{written}");
    clone(&[]).expect(2).says("next.yaml: exists already; --force replaces it");
    clone(&["--force"]).expect(0);
    let printed = home.besom(["clone", "tiny", "--name", "x", "--out", "-"]).expect(0).stdout;
    assert_eq!(printed, text.replace("name: tiny", "name: x"));
    // The engine of the command line is no word of the file, and is one of the copy's.
    let file = home.path().join("tiny.yaml");
    let args = ["submit", "--engine", "candle", "--name", "by candle"].map(Path::new);
    home.besom(args.into_iter().chain([file.as_path()]))
        .expect(0)
        .says("tiny.yaml --name 'by candle' --engine candle` does");
    let cloned = |more: &[&str]| {
        let args = ["clone", "by-candle", "--name", "x", "--out", "-"];
        home.besom(args.iter().chain(more)).expect(0)
    };
    assert!(cloned(&[]).stdout.contains("\n  engine: candle\n"));
    assert!(cloned(&["--set", "besom.engine=native"]).stdout.contains("\n  engine: native\n"));
    // What goes with a value is told.
    let noted = text.replace("hidden: [8]", "hidden: [ # a few\n      8]").replace("name: tiny", "name: noted");
    home.besom([Path::new("submit"), &home.write("noted.yaml", &noted)]).expect(0);
    home.besom(["clone", "noted", "--name", "x", "--out", "-", "--set", "hidden=[4]"])
        .expect(0)
        .says("1 comment stood with what was replaced and left the file: # a few");
    home.besom(["clone", "tiny", "--name", "x", "--set", "learnig_rate=1", "--out", "-"])
        .expect(2)
        .says("--set learnig_rate: unknown hyperparameter; did you mean learning_rate?");
    home.besom(["clone", "tiny", "--name", "x", "--set", "epochs=0", "--out", "-"])
        .expect(2)
        .says("from 1 to 100000, not 0");
    home.besom(["clone", "tiny", "--name", "tiny", "--out", "-"]).expect(2).says("there is a sweep tiny already");
    home.besom(["clone", "tiny", "--name", "x", "--set", "epochs"]).expect(2).says("KEY=VALUE");
    let ended = home.besom([Path::new("run"), &out]).expect(0);
    assert!(ended.stdout.contains("Nächste 2 [nachste-2] (synthetic data): completed, 2 succeeded"), "{ended}");
}

#[test]
fn a_name_of_any_letters_works_everywhere_by_itself_and_by_its_handle() {
    let home = Home::new();
    let name = "Größe & Rate, 学習";
    let file = home.write("x.yaml", &tiny_sweep("x", 2, 1).replace("name: x", &format!("name: {name}")));
    let plan = home.besom([Path::new("run"), Path::new("--plan"), Path::new("--json"), &file]).expect(0).json();
    let handle = plan["handle"].as_str().unwrap().to_owned();
    assert_eq!((plan["name"].as_str().unwrap(), handle.as_str()), (name, "grosse-rate-xue-xi"));
    let ended = home.besom([Path::new("run"), &file]).expect(0);
    let statement = ended.stderr.split_once("besom sql \"").and_then(|(_, rest)| rest.split_once('"')).unwrap().0;
    assert!(home.besom(["sql", statement, "--format", "csv"]).expect(0).stdout.lines().count() > 2, "{statement}");
    assert!(home.path().join("figures").join(&handle).join("curves.svg").exists(), "{ended}");
    let sweeps = home.besom(["sweeps", "--json"]).expect(0).json();
    assert_eq!((&sweeps[0]["sweep"], &sweeps[0]["title"]), (&handle.as_str().into(), &name.into()));
    assert!(home.besom(["sweeps"]).expect(0).stdout.contains(name));
    for reference in [name, &handle, "1"] {
        home.besom(["wait", reference]).expect(0);
        home.besom(["best", reference]).expect(0);
        home.besom(["export", "runs", reference]).expect(0);
        let out = home.path().join("report.html");
        home.besom(["report", reference, "--out", out.to_str().unwrap()]).expect(0);
        assert!(std::fs::read_to_string(out).unwrap().contains("Größe &#38; Rate, 学習"), "the page has the name");
    }
    // The same name in another file is the same name, and so is another one with the same handle.
    let other = home.write("y.yaml", &tiny_sweep("y", 3, 1).replace("name: y", "name: grosse rate xue xi"));
    home.besom([Path::new("submit"), &other]).expect(1).says("with the same handle as \"grosse rate xue xi\"");
    // A file's stem is a name as well.
    let stem = home.write("my sweep.yaml", &tiny_sweep("z", 1, 1).replace("name: z\n", ""));
    let made = home.besom([Path::new("submit"), Path::new("--json"), &stem]).expect(0).json();
    assert_eq!((&made["sweep"], &made["title"]), (&"my-sweep".into(), &"my sweep".into()));
}

#[test]
fn waiting_ends_with_the_sweep_or_with_its_time() {
    let home = Home::new();
    let file = home.write("tiny.yaml", &tiny_sweep("tiny", 2, 1));
    home.besom([Path::new("submit"), &file]).expect(0);
    home.besom(["wait", "tiny", "--timeout", "200ms"]).expect(1).says("sweep tiny has not ended within 0.2 s");
    home.besom(["wait", "tinny"]).expect(1).says("did you mean \"tiny\"?");
    let waiting = home.start(["wait", "tiny"]);
    waiting.wait_for("nobody trains: no worker is present; start one");
    home.besom([Path::new("run"), &file]).expect(0);
    let ended = waiting.wait().expect(0);
    assert!(ended.stdout.contains("completed, 2 succeeded"), "{ended}");
}
