//! Files that appear under their name complete or not at all: written beside it, synced, renamed.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use super::DataError;

/// How the names of unfinished files begin; no digest does.
const PREFIX: &str = "unfinished-";
/// An unfinished file that nobody has written to for so long was left by a process that was killed. No download lasts
/// longer than an hour.
const LEFT: Duration = Duration::from_secs(24 * 60 * 60);

/// A file on its way.
pub(super) struct Unfinished(NamedTempFile);

impl Unfinished {
    /// An empty one in `folder`, which is made where it is missing, and freed of those that were left there.
    pub(super) fn new(folder: &Path) -> Result<Self, DataError> {
        std::fs::create_dir_all(folder).map_err(|error| DataError::io(folder, "create", error))?;
        remove_left(folder);
        let file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder);
        file.map(Self).map_err(|error| DataError::io(folder, "create a file", error))
    }

    /// Where it is until then.
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Appends to it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.0.write_all(bytes).map_err(|error| DataError::io(self.0.path(), "write", error))
    }

    /// Gives it its name.
    pub(super) fn finish(self, path: &Path) -> Result<(), DataError> {
        self.0.as_file().sync_all().map_err(|error| DataError::io(self.0.path(), "sync", error))?;
        self.0.persist(path).map(drop).map_err(|error| DataError::io(path, "rename", error.error))
    }
}

/// Best effort: what cannot be removed now may be another time.
fn remove_left(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let now = SystemTime::now();
    for entry in entries.flatten() {
        let unfinished = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let age =
            entry.metadata().and_then(|file| file.modified()).map(|at| now.duration_since(at).unwrap_or_default());
        if unfinished && age.is_ok_and(|age| age > LEFT) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn what_killed_processes_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - 2 * LEFT;
        for (name, modified) in [("unfinished-a", old), ("unfinished-b", SystemTime::now()), ("digest", old)] {
            File::create(folder.path().join(name)).unwrap().set_modified(modified).unwrap();
        }
        let mut file = Unfinished::new(folder.path()).unwrap();
        file.write(b"bytes").unwrap();
        file.finish(&folder.path().join("whole")).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["digest", "unfinished-b", "whole"]);
        assert_eq!(std::fs::read(folder.path().join("whole")).unwrap(), b"bytes");
    }
}
