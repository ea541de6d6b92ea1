//! The README's commands for several machines, as they are written there, on two hosts made of
//! network namespaces. The second host knows the first one by the name that the README gives it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::across_slow_links::{ip, run};
use crate::support::{Home, Process, eventually, tiny_sweep};

/// Two hosts on one wire, gone with this.
struct Hosts {
    tag: String,
}

impl Hosts {
    fn new() -> Self {
        let hosts = Self { tag: format!("besom{}-readme", std::process::id()) };
        let (hub, site) = (hosts.hub(), hosts.site());
        ip(&["netns", "add", &hub]);
        ip(&["netns", "add", &site]);
        ip(&["link", "add", "eth0", "netns", &hub, "type", "veth", "peer", "name", "eth0", "netns", &site]);
        for (host, address) in [(&hub, "10.79.0.1/24"), (&site, "10.79.0.2/24")] {
            ip(&["-n", host, "link", "set", "lo", "up"]);
            ip(&["-n", host, "addr", "add", address, "dev", "eth0"]);
            ip(&["-n", host, "link", "set", "eth0", "up"]);
            // What `ip netns exec` puts in the place of /etc/hosts.
            fs::create_dir_all(names(host)).unwrap();
            fs::write(names(host).join("hosts"), "127.0.0.1 localhost\n10.79.0.1 hub\n").unwrap();
        }
        hosts
    }

    fn hub(&self) -> String {
        format!("{}-hub", self.tag)
    }

    fn site(&self) -> String {
        format!("{}-site", self.tag)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in [self.hub(), self.site()] {
            let _ = Command::new("ip").args(["netns", "del", &host]).status();
            let _ = fs::remove_dir_all(names(&host));
        }
    }
}

fn names(host: &str) -> PathBuf {
    Path::new("/etc/netns").join(host)
}

/// Whether this machine lets us make hosts; if not, why.
fn unable() -> Option<String> {
    let name = format!("besom{}-readme-probe", std::process::id());
    let made = Command::new("ip").args(["netns", "add", &name]).output();
    let problem = match made {
        Err(error) => Some(format!("the command ip: {error}")),
        Ok(output) if !output.status.success() => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Ok(_) => fs::create_dir_all("/etc/netns").err().map(|error| format!("/etc/netns: {error}")),
    };
    let _ = Command::new("ip").args(["netns", "del", &name]).output();
    problem
}

/// The commands of the README's section, without their remarks: coordinator, worker, submit.
fn commands() -> Vec<Vec<String>> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let section = readme.split("## Several machines\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let words = |line: &str| {
        let command = line.split(" #").next().unwrap_or_default();
        command.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    section.lines().filter_map(|line| line.strip_prefix("    besom ")).map(words).collect()
}

#[test]
fn the_readmes_commands_for_several_machines_work_as_they_are_written() {
    if let Some(problem) = unable() {
        let mut stderr = std::io::stderr();
        let _ = writeln!(
            stderr,
            "\n*** SKIPPED: the README's commands are not tried on two hosts on this machine: it needs root and `ip netns`: \
             {problem} ***\n"
        );
        return;
    }
    let hosts = Hosts::new();
    let [coordinator, worker, submit] = commands().try_into().unwrap();
    assert_eq!([&coordinator[0], &worker[0], &submit[0]], ["coordinator", "worker", "submit"]);
    let at = |host: String| Home::new().in_namespace(&host);
    let (hub, trains, client) = (at(hosts.hub()), at(hosts.site()), at(hosts.site()));
    // A sweep of the same path that ends in a moment.
    fs::create_dir(client.path().join("examples")).unwrap();
    client.write("examples/sketches.yaml", &tiny_sweep("sketches", 3, 2));

    // A worker that comes first says where it looks, and what to try.
    let worker = trains.start(&worker);
    let line = worker.wait_for("cannot reach the coordinator at http://hub:7070");
    assert!(line.contains("Connection refused") && line.contains("--listen 0.0.0.0:7070 --insecure"), "{line}");
    let coordinator = hub.start(&coordinator);
    coordinator.wait_for("nothing is encrypted and nobody is asked who they are (--insecure)");
    coordinator.wait_for("other machines join with `besom worker --coordinator http://");
    worker.wait_for("worker registered");
    let mut command = client.command(&submit);
    command.current_dir(client.path());
    let watched = Process::start(command).wait().expect(0);
    assert!(watched.stdout.contains("sketches (synthetic data): completed, 3 succeeded"), "{watched}");
    worker.terminate().expect(0);
    coordinator.terminate().expect(0);
    assert_empty(&hosts);
}

/// No process is left behind in the namespaces, which would outlive the test with them.
fn assert_empty(hosts: &Hosts) {
    eventually("all processes of both hosts have ended", || {
        [hosts.hub(), hosts.site()].iter().all(|host| run(Command::new("ip").args(["netns", "pids", host])).is_empty())
    });
}
