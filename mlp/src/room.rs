//! Whether this machine has the memory that a training takes, asked before it starts: a process
//! that runs out of memory later is killed by the system, with all of its jobs.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::TrainError;

/// What to do where memory is short.
pub const FREE_MEMORY: &str = "free some, give the worker fewer slots, or start one on a larger machine";

/// Bytes that trainings of this process were promised and have not taken yet.
static PROMISED: Mutex<u64> = Mutex::new(0);

/// Bytes that a training will take. The system counts them as free until they are written to, so
/// they are kept from others that begin at the same time.
#[derive(Debug)]
pub(crate) struct Promise(u64);

impl Drop for Promise {
    fn drop(&mut self) {
        *PROMISED.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
    }
}

/// Promises so many bytes to something that begins; to be dropped when it has taken them.
///
/// # Errors
/// The machine, or the group of processes that this one is in, has less; another machine may have
/// more.
pub(crate) fn promise(bytes: u64) -> Result<Promise, TrainError> {
    let mut promised = PROMISED.lock().unwrap_or_else(PoisonError::into_inner);
    check(bytes, free().map(|free| free.saturating_sub(*promised)))?;
    *promised = promised.saturating_add(bytes);
    Ok(Promise(bytes))
}

fn check(bytes: u64, free: Option<u64>) -> Result<(), TrainError> {
    // Where the system promises no more than it has, or this process is limited, this is the only
    // way to find out.
    let is_given = usize::try_from(bytes).is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok());
    match (is_given, free) {
        (true, Some(free)) if free < bytes => Err(lacking(bytes, Some(free))),
        (true, _) => Ok(()),
        (false, free) => Err(lacking(bytes, free.filter(|free| *free < bytes))),
    }
}

fn lacking(bytes: u64, free: Option<u64>) -> TrainError {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let found = match free {
        Some(free) => format!("{} MiB are free", free >> 20),
        None => "the system does not give them".to_owned(),
    };
    TrainError::hindered(format!("the job needs about {} MiB of memory, and {found}; {FREE_MEMORY}", mib(bytes)))
}

/// Bytes that this process may still take; `None` where the system does not say.
fn free() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| of_machine(&text));
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| group(&text));
    let limits = groups.iter().flat_map(|group| group.ancestors()).filter_map(of_group);
    machine.into_iter().chain(limits).min()
}

/// What `/proc/meminfo` says is available without swapping, and the swap that is free.
fn of_machine(meminfo: &str) -> Option<u64> {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    Some((field("MemAvailable")? + field("SwapFree").unwrap_or(0)) << 10)
}

/// The folder of this process's group of the second version, from `/proc/self/cgroup`.
fn group(text: &str) -> Option<PathBuf> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/')))
}

/// What a group may still take: its limit less what it holds, but for files that the system drops
/// when it has to.
fn of_group(folder: &Path) -> Option<u64> {
    let number = |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let (limit, held) = (number("memory.max")?, number("memory.current")?);
    let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let files = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok()).unwrap_or(0);
    Some(limit.saturating_sub(held.saturating_sub(files)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_machine_has_is_refused_before_it_is_begun() {
        let error = promise(1 << 60).unwrap_err();
        assert!(error.surroundings && error.message.contains("1099511627776 MiB"), "{error}");
        assert!(error.message.contains("fewer slots"), "{error}");
        promise(1 << 10).unwrap();
    }

    #[test]
    fn what_one_was_promised_is_not_promised_to_another() {
        let Some(free) = free() else { return };
        let most = free / 10 * 6;
        let Ok(first) = promise(most) else { panic!("{most} of {free} bytes are free") };
        assert!(promise(most).unwrap_err().surroundings);
        drop(first);
        promise(most).unwrap();
    }

    #[test]
    fn the_numbers_of_the_system_are_read() {
        let text = "MemTotal:       16384 kB\nMemFree: 12 kB\nMemAvailable:    8192 kB\nSwapFree:          1024 kB\n";
        assert_eq!(of_machine(text), Some(9216 << 10));
        assert_eq!(of_machine("MemTotal: 1 kB\n"), None);
        assert_eq!(group("0::/system.slice/besom.service\n"), Some("/sys/fs/cgroup/system.slice/besom.service".into()));
        assert_eq!(group("4:memory:/x\n"), None);
    }

    #[test]
    fn a_group_has_its_limit_less_what_it_holds_and_cannot_drop() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("memory.max", "max\n");
        write("memory.current", "700\n");
        assert_eq!(of_group(folder.path()), None, "no limit");
        write("memory.max", "1000\n");
        assert_eq!(of_group(folder.path()), Some(300));
        write("memory.stat", "anon 500\ninactive_file 200\n");
        assert_eq!(of_group(folder.path()), Some(500));
    }
}
