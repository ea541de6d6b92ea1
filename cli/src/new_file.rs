//! A file that a person asked for: it appears under its name when it is complete, so that a broken
//! command leaves the one before it as it was.
//!
//! A command that is killed leaves the unfinished file behind; the next one that writes into the
//! folder removes it.
//!
//! What is no regular file (a device, a pipe) is written to as it is and never replaced.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use besom_client::unfinished;
use tempfile::NamedTempFile;

/// How the names of unfinished files begin.
const PREFIX: &str = ".besom-unfinished-";

/// A file being written.
pub(crate) struct NewFile {
    path: PathBuf,
    place: Place,
}

enum Place {
    /// Beside the path, renamed at the end.
    Beside(NamedTempFile),
    /// The path itself.
    Itself(File),
}

impl NewFile {
    /// Begins the file at `path`, whose folder must be there.
    ///
    /// # Errors
    /// It cannot be made, with its path.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let context = || format!("{}: cannot be written", path.display());
        let place = match path.metadata() {
            Ok(there) if there.is_dir() => {
                anyhow::bail!("{}: is a folder; the name of a file is meant", path.display())
            }
            Ok(there) if !there.is_file() => {
                Place::Itself(File::options().write(true).open(path).with_context(context)?)
            }
            _ => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let mut builder = tempfile::Builder::new();
                // As any program would make it; the default is for secrets.
                #[cfg(unix)]
                builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
                Place::Beside(unfinished::begin(&mut builder, PREFIX, folder).with_context(context)?)
            }
        };
        Ok(Self { path: path.to_owned(), place })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// The disk's, with the path.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let written = match &mut self.place {
            Place::Beside(file) => file.write_all(bytes),
            Place::Itself(file) => file.write_all(bytes),
        };
        written.with_context(|| format!("{}: cannot be written", self.path.display()))
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// As [`NewFile::write`].
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let Self { path, place } = self;
        if let Place::Beside(file) = place {
            let context = || format!("{}: cannot be written", path.display());
            file.as_file().sync_all().with_context(context)?;
            file.persist(&path).map_err(|failed| failed.error).with_context(context)?;
        }
        Ok(())
    }
}

/// Writes a whole file.
///
/// # Errors
/// It cannot be made or written, with its path.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = NewFile::create(path)?;
    file.write(bytes)?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "before").unwrap();
        let mut file = NewFile::create(&path).unwrap();
        file.write(b"half").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        write(&path, b"after").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"after");
    }

    #[test]
    fn a_folder_and_a_missing_folder_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = format!("{:#}", write(folder.path(), b"x").unwrap_err());
        assert!(error.contains("is a folder"), "{error}");
        let error = format!("{:#}", write(&folder.path().join("missing/x"), b"x").unwrap_err());
        assert!(error.contains("missing/x: cannot be written"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_to_and_stays() {
        write(Path::new("/dev/null"), b"x").unwrap();
        assert!(!Path::new("/dev/null").metadata().unwrap().is_file());
    }
}
