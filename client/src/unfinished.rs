//! Files that are being written beside the place where they will stand, and what killed processes
//! left of such files.
//!
//! Whoever writes one holds the operating system's lock on it, which a process loses with its life,
//! however that ends. A file that nobody has locked is therefore a leftover, on a shared folder
//! too, as long as the folder knows locks at all; where it does not, nothing is removed.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use tempfile::NamedTempFile;

/// Letters and digits at the end of a name that make it unlike all others.
const RANDOM: usize = 6;
/// How often another file is begun after somebody took this one for a leftover, before it was
/// locked.
const TRIES: usize = 8;

/// Begins a file in `folder`, which is freed of leftovers whose names begin with `prefix`.
/// `builder` makes the file; its names and their length are set here.
///
/// # Errors
/// The file cannot be made.
pub fn begin<'a>(builder: &mut tempfile::Builder<'a, '_>, prefix: &'a str, folder: &Path) -> io::Result<NamedTempFile> {
    remove_left(folder, prefix);
    builder.prefix(prefix).rand_bytes(RANDOM);
    for _ in 0..TRIES {
        let file = builder.tempfile_in(folder)?;
        match file.as_file().try_lock() {
            // Between its making and the lock it looked like a leftover: it may be gone.
            Ok(()) if file.path().exists() => return Ok(file),
            // This folder knows no locks.
            Err(TryLockError::Error(_)) => return Ok(file),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process removes each file that is begun here"))
}

/// Best effort: what cannot be removed now may be another time.
fn remove_left(folder: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(prefix)).unwrap_or_default();
        let is_ours = random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        // Locks over a network want a file that may be written. While this one is held nobody can
        // begin to write it.
        let Ok(file) = File::options().write(true).open(entry.path()) else { continue };
        if file.try_lock().is_ok() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn begin_in(folder: &Path) -> NamedTempFile {
        begin(&mut tempfile::Builder::new(), ".x-", folder).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_leftover_goes_and_what_somebody_writes_or_named_alike_stays() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".x-abc123", ".x-notes", ".x-notes12", "x-abc123", ".x-\u{e4}bc12"] {
            std::fs::write(folder.path().join(name), "half").unwrap();
        }
        std::fs::create_dir(folder.path().join(".x-folder")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("x-abc123", folder.path().join(".x-linked")).unwrap();
        let mut first = begin_in(folder.path());
        first.write_all(b"first").unwrap();
        let second = begin_in(folder.path());
        assert!(first.path().exists() && second.path().exists());
        assert_eq!(std::fs::read(first.path()).unwrap(), b"first");
        drop((first, second));
        let mut expected = vec![".x-folder", ".x-notes", ".x-notes12", ".x-\u{e4}bc12", "x-abc123"];
        #[cfg(unix)]
        expected.insert(1, ".x-linked");
        expected.sort_unstable();
        assert_eq!(names(folder.path()), expected);
    }

    #[test]
    fn a_finished_file_is_no_leftover() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("whole");
        begin_in(folder.path()).persist(&path).unwrap();
        drop(begin_in(folder.path()));
        assert_eq!(names(folder.path()), ["whole"]);
    }
}
