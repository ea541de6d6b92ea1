//! What is said of a full disk: at once, once a minute while it lasts, and once when it is over.
//! Every worker asks again and again meanwhile, and a line for each of its calls would bury the
//! others.

use std::{
    collections::HashSet,
    fmt::Display,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tracing::warn;

/// How long a full disk is not mentioned again.
const QUIET: Duration = Duration::from_secs(60);

/// One disk, as whoever writes to it finds it.
#[derive(Debug)]
pub(crate) struct FullDisk {
    place: Place,
    /// Asked at every write; the rest only while the disk is full.
    is_full: AtomicBool,
    told: Mutex<Told>,
}

/// What has been said.
#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    /// What found no room. Only its success tells that there is some again: much of what is done
    /// writes nothing.
    failed: HashSet<&'static str>,
}

/// Where it is.
#[derive(Debug)]
enum Place {
    Folder(PathBuf),
    /// Somebody else's machine.
    Server(String),
}

impl FullDisk {
    /// The disk that holds `folder`.
    pub(crate) fn of_folder(folder: &Path) -> Self {
        Self::new(Place::Folder(folder.to_owned()))
    }

    /// The disk of a database server.
    pub(crate) fn of_server(server: &str) -> Self {
        Self::new(Place::Server(server.to_owned()))
    }

    fn new(place: Place) -> Self {
        Self { place, is_full: AtomicBool::new(false), told: Mutex::default() }
    }

    /// `operation` found no room for `need`.
    pub(crate) fn full(&self, operation: &'static str, need: impl Display, error: impl Display) {
        if self.may_tell(operation, Instant::now()) {
            let place = self.place();
            warn!("no space is left on {place}: {need} ({error}); free some, and all goes on by itself");
        }
    }

    /// `operation` was done.
    pub(crate) fn room(&self, operation: &'static str) {
        if self.is_full.load(Ordering::Relaxed) && self.is_over(operation) {
            warn!("there is space again on {}; all goes on", self.place());
        }
    }

    fn may_tell(&self, operation: &'static str, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_full.store(true, Ordering::Relaxed);
        told.failed.insert(operation);
        let may = told.last.is_none_or(|last| now.saturating_duration_since(last) >= QUIET);
        if may {
            told.last = Some(now);
        }
        may
    }

    /// Whether this shows that the disk is no longer full.
    fn is_over(&self, operation: &'static str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = told.failed.contains(operation);
        if is_over {
            *told = Told::default();
            self.is_full.store(false, Ordering::Relaxed);
        }
        is_over
    }

    fn place(&self) -> String {
        match &self.place {
            Place::Folder(folder) => {
                // A disk that fills up while it is asked may have no answer.
                let free = rustix::fs::statvfs(folder).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
                let free = free.map(|free| format!(" ({} MiB are free)", free >> 20)).unwrap_or_default();
                format!("the disk that holds {}{free}", folder.display())
            }
            Place::Server(server) => format!("the disk of {server}"),
        }
    }
}

/// Whether the system says that there is no room.
pub(crate) fn is_no_space(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_once_a_minute_and_once_more_when_it_is_over() {
        let (disk, start) = (FullDisk::of_folder(Path::new("/")), Instant::now());
        assert!(!disk.is_over("report"), "it never was full");
        assert!(disk.may_tell("report", start));
        assert!(!disk.may_tell("complete", start + QUIET / 2));
        assert!(disk.may_tell("report", start + QUIET));
        assert!(!disk.is_over("expire"), "it may have written nothing");
        assert!(disk.is_over("complete"));
        assert!(!disk.is_over("report"), "told already");
        assert!(disk.may_tell("report", start + QUIET + QUIET / 2), "full once more is news");
    }

    #[test]
    fn the_folder_and_what_is_free_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let place = FullDisk::of_folder(folder.path()).place();
        assert!(place.contains(&folder.path().display().to_string()) && place.contains(" MiB are free)"), "{place}");
    }
}
