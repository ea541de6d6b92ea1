//! The limit of open files: raised where it may be, waited for where it is used up.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::support::{Home, Process, eventually, tiny_sweep};

/// What a coordinator says when it has no descriptor left.
const NONE_LEFT: &str = "file descriptors of this process are in use";

/// `command` under a limit, as `ulimit` takes it.
fn limited(ulimit: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit {ulimit} && exec \"$@\"")).arg("sh");
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// The limits of a process: the one in force, and the highest it may have.
fn limits(process: &Process) -> (String, String) {
    let text = std::fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let mut words = line.split_whitespace().skip(3).map(str::to_owned);
    (words.next().unwrap_or_default(), words.next().unwrap_or_default())
}

/// Processor time that a process has used, in hundredths of a second.
fn ticks(process: &Process) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    // The name in parentheses may hold anything; user and system time are the 14th and 15th field.
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 1..].split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn what_runs_for_long_raises_its_limit_of_open_files_to_the_hard_one() {
    let home = Home::new();
    let sweep = home.write("long.yaml", &tiny_sweep("long", 1, 1_000_000));
    let coordinator = home.command(["coordinator", "--listen", "127.0.0.1:0"]);
    let worker = home.command(["worker", "--coordinator", "http://127.0.0.1:9", "--slots", "1"]);
    let other = Home::new();
    let run = other.command([std::ffi::OsStr::new("run"), sweep.as_os_str()]);
    for command in [coordinator, worker, run] {
        let process = Process::start(limited("-Sn 256", &command));
        eventually("the limit is raised", || {
            let (soft, hard) = limits(&process);
            soft != "256" && !soft.is_empty() && soft == hard
        });
    }
}

#[test]
fn a_coordinator_without_a_free_descriptor_waits_says_so_once_and_goes_on() {
    let home = Home::new();
    let coordinator = Process::start(limited("-n 64", &home.command(["coordinator", "--listen", "127.0.0.1:0"])));
    let url = coordinator.url();
    let address = url.trim_start_matches("http://");
    let silent: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
    let said = coordinator.wait_for(NONE_LEFT);
    assert!(said.contains("all 64") && said.contains("ulimit"), "{said}");
    let (before, pause) = (ticks(&coordinator), Duration::from_secs(3));
    std::thread::sleep(pause);
    let used = ticks(&coordinator) - before;
    assert!(used < 100, "it used {used} hundredths of a second in {pause:?}");
    drop(silent);
    coordinator.wait_for("connections are accepted again");
    home.besom(["sweeps", "--coordinator", &url]).expect(0);
    let stderr = coordinator.stderr();
    assert_eq!(stderr.matches(NONE_LEFT).count(), 1, "{stderr}");
    coordinator.terminate().expect(0);
}
