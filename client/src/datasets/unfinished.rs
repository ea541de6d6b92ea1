//! Files that appear under their name complete or not at all: written beside it, synced, renamed.

use std::io::Write;
use std::path::Path;

use besom_dataset::DataError;
use tempfile::NamedTempFile;

use crate::unfinished;

/// How the names of unfinished files begin; no digest does.
const PREFIX: &str = "unfinished-";

/// A file on its way.
pub(super) struct Unfinished(NamedTempFile);

impl Unfinished {
    /// An empty one in `folder`, which is made where it is missing, and freed of those that were
    /// left there.
    pub(super) fn new(folder: &Path) -> Result<Self, DataError> {
        std::fs::create_dir_all(folder).map_err(|error| DataError::io(folder, "create", error))?;
        let file = unfinished::begin(&mut tempfile::Builder::new(), PREFIX, folder);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_processes_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["unfinished-abc123", "digest"] {
            std::fs::write(folder.path().join(name), "half").unwrap();
        }
        let other = Unfinished::new(folder.path()).unwrap();
        let mut file = Unfinished::new(folder.path()).unwrap();
        file.write(b"bytes").unwrap();
        file.finish(&folder.path().join("whole")).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        let other = other.path().file_name().unwrap().to_owned();
        assert_eq!(names, ["digest".into(), other, "whole".into()], "another process still writes one");
        assert_eq!(std::fs::read(folder.path().join("whole")).unwrap(), b"bytes");
    }
}
