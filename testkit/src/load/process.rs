//! What Linux counts of a process and its descendants: processor time, bytes written to disk,
//! memory.

use std::{collections::HashMap, fs, path::PathBuf};

use anyhow::Context;

/// Clock ticks of /proc a second: the same on every Linux that besom runs on.
const TICKS: f64 = 100.0;

/// What a process and all of its descendants used since they started. A descendant that ends is
/// counted with its parent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Usage {
    pub(super) cpu_seconds: f64,
    /// Bytes that had to go to the disk; what was only written into a cache and removed again is
    /// not among them.
    pub(super) written: u64,
}

/// The usage of the tree below `root`.
pub(super) fn usage(root: u32) -> anyhow::Result<Usage> {
    let children = children()?;
    let mut usage = Usage::default();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        open.extend(children.get(&pid).into_iter().flatten());
        // Backends come and go; one that went is in its parent's sums from then on.
        let Some(used) = of_one(pid) else {
            anyhow::ensure!(pid != root, "there is no process {root}");
            continue;
        };
        usage.cpu_seconds += used.cpu_seconds;
        usage.written += used.written;
    }
    Ok(usage)
}

fn of_one(pid: u32) -> Option<Usage> {
    let fields = stat(pid)?;
    let ticks: f64 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    let io = fs::read_to_string(file(pid, "io")).ok()?;
    let written = |name: &str| -> u64 {
        let line = io.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().parse().unwrap_or(0)
    };
    let written = written("write_bytes:").saturating_sub(written("cancelled_write_bytes:"));
    Some(Usage { cpu_seconds: ticks / TICKS, written })
}

/// The fields after the program's name, which may hold spaces: state, parent, ...
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(file(pid, "stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn children() -> anyhow::Result<HashMap<u32, Vec<u32>>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").context("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse().ok()) else { continue };
        children.entry(parent).or_default().push(pid);
    }
    Ok(children)
}

/// Resident bytes of one process: now, and at the highest since [`forget_peak`].
pub(super) fn memory(pid: u32) -> anyhow::Result<(u64, u64)> {
    let text = fs::read_to_string(file(pid, "status")).with_context(|| format!("there is no process {pid}"))?;
    let bytes = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024
    };
    Ok((bytes("VmRSS:"), bytes("VmHWM:")))
}

/// Begins the peak of the process's memory anew, where the kernel admits it.
pub(super) fn forget_peak(pid: u32) -> bool {
    fs::write(file(pid, "clear_refs"), "5").is_ok()
}

fn file(pid: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_counts_with_its_parent_also_after_its_end() {
        let own = std::process::id();
        let before = usage(own).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", "n=0; while [ $n -lt 200000 ]; do n=$((n + 1)); done; read -r line"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        while usage(child.id()).unwrap().cpu_seconds < 0.05 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let beside = usage(own).unwrap();
        assert!(beside.cpu_seconds >= before.cpu_seconds + 0.05, "{before:?} {beside:?}");
        drop(child.stdin.take());
        child.wait().unwrap();
        let after = usage(own).unwrap();
        assert!(after.cpu_seconds >= beside.cpu_seconds, "{beside:?} {after:?}");
        assert!(usage(child.id()).is_err(), "it is gone");
    }

    #[test]
    fn memory_has_a_peak_that_is_no_less_than_what_is_used_now() {
        let (now, peak) = memory(std::process::id()).unwrap();
        assert!(now > 0 && peak >= now, "{now} {peak}");
    }
}
