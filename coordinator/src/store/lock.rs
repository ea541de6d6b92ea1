//! One coordinator per SQLite database, told by a lock that the operating system holds.
//!
//! The lock is on a file beside the database and is taken before the database is opened or
//! migrated. The kernel frees it when its holder ends, in whatever way; the file itself is never
//! deleted, since two processes could then lock two files of one name. Its text tells others whom
//! to talk to.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{error::OpenError, paths::resolve_symlinks};

/// The text always has this length: one write replaces it, and no reader sees it cut off.
const TEXT_LENGTH: usize = 512;

/// A reader tests the lock by taking it for a moment; so short a hold must not refuse a
/// coordinator.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Who holds a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Where it serves, `http://127.0.0.1:7070`; `None` until it listens.
    pub address: Option<String>,
}

/// The right to write to one SQLite database; ends when it is dropped.
#[derive(Debug)]
pub struct LockFile {
    file: File,
    path: PathBuf,
}

impl LockFile {
    /// Locks the file beside `database`, whose folder must exist. Blocks for at most a fifth of a
    /// second.
    ///
    /// # Errors
    /// `Held` if another process has it, `Io` if the file cannot be made.
    pub fn take(database: &Path) -> Result<Self, OpenError> {
        let path = lock_path(database);
        let io = |source| OpenError::Io { path: path.clone(), source };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < TRIES => thread::sleep(BETWEEN_TRIES),
                Err(TryLockError::WouldBlock) => {
                    let Some(Holder { pid, address }) = read_text(&file).map_err(io)? else {
                        return Err(io(nameless(&path)));
                    };
                    return Err(OpenError::Held { pid, address, path: database.to_owned() });
                }
                Err(TryLockError::Error(source)) => return Err(io(source)),
            }
        }
        write_text(&file, Some(&Holder { pid: std::process::id(), address: None })).map_err(io)?;
        Ok(Self { file, path })
    }

    /// Tells others where this process serves.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn set_address(&self, url: &str) -> io::Result<()> {
        write_text(&self.file, Some(&Holder { pid: std::process::id(), address: Some(url.to_owned()) }))
    }

    /// The lock file, which lies beside the database.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // An old address is harmless, since it counts only while the lock is held.
        let _ = write_text(&self.file, None);
    }
}

/// Who holds `database`; `None` when nobody does, whatever the lock file says. It takes no lock
/// that lasts.
///
/// # Errors
/// If the lock file exists and cannot be read, or its text is none while it is held.
pub fn read_lock(database: &Path) -> io::Result<Option<Holder>> {
    let file = match File::open(lock_path(database)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    for attempt in 1.. {
        match file.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        // The text follows the lock by a moment.
        if let Some(holder) = read_text(&file)? {
            return Ok(Some(holder));
        }
        if attempt >= TRIES {
            break;
        }
        thread::sleep(BETWEEN_TRIES);
    }
    Err(nameless(&lock_path(database)))
}

fn nameless(path: &Path) -> io::Error {
    let text = format!("{} is locked by a process that does not say who it is", path.display());
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// The database's path, behind any links, with `.lock` behind it: two names of one file must not
/// have two locks.
fn lock_path(database: &Path) -> PathBuf {
    let mut name = OsString::from(resolve_symlinks(database));
    name.push(".lock");
    PathBuf::from(name)
}

fn read_text(mut file: &File) -> io::Result<Option<Holder>> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text).ok())
}

fn write_text(mut file: &File, holder: Option<&Holder>) -> io::Result<()> {
    let mut text = match holder {
        Some(holder) => serde_json::to_vec(holder)?,
        None => Vec::new(),
    };
    if text.len() >= TEXT_LENGTH {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the address is too long for the lock file"));
    }
    text.resize(TEXT_LENGTH - 1, b' ');
    text.push(b'\n');
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&text)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("besom.db");
        let lock = LockFile::take(&database).unwrap();
        lock.set_address("http://127.0.0.1:7070").unwrap();
        match LockFile::take(&database) {
            Err(OpenError::Held { pid, address, path }) => {
                assert_eq!(pid, std::process::id());
                assert_eq!(address.as_deref(), Some("http://127.0.0.1:7070"));
                assert_eq!(path, database);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_holder_that_lives_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("besom.db");
        assert_eq!(read_lock(&database).unwrap(), None);
        let lock = LockFile::take(&database).unwrap();
        let holder = Holder { pid: std::process::id(), address: None };
        assert_eq!(read_lock(&database).unwrap(), Some(holder));
        lock.set_address("http://[::1]:7").unwrap();
        assert_eq!(read_lock(&database).unwrap().unwrap().address.as_deref(), Some("http://[::1]:7"));
        drop(lock);
        assert_eq!(read_lock(&database).unwrap(), None);
        std::fs::write(lock_path(&database), r#"{"pid":1,"address":"http://127.0.0.1:1"}"#).unwrap();
        assert_eq!(read_lock(&database).unwrap(), None, "the text of a dead process");
        assert!(LockFile::take(&database).is_ok());
    }

    #[test]
    fn looking_at_the_lock_refuses_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("besom.db");
        drop(LockFile::take(&database).unwrap());
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = read_lock(&database);
                }
            });
            for _ in 0..200 {
                drop(LockFile::take(&database).unwrap());
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_database_has_the_same_lock() {
        let dir = tempfile::tempdir().unwrap();
        let (database, link) = (dir.path().join("besom.db"), dir.path().join("link.db"));
        std::fs::write(&database, b"").unwrap();
        std::os::unix::fs::symlink(&database, &link).unwrap();
        let _lock = LockFile::take(&database).unwrap();
        assert!(matches!(LockFile::take(&link), Err(OpenError::Held { .. })));
        assert!(read_lock(&link).unwrap().is_some());
    }

    /// The other half of the test below, in a process of its own.
    #[test]
    #[ignore = "waits to be killed"]
    fn a_holder_that_hangs() {
        let database = std::env::var_os("BESOM_TEST_DATABASE").unwrap();
        let _lock = LockFile::take(Path::new(&database)).unwrap();
        loop {
            thread::park();
        }
    }

    #[test]
    fn a_killed_holder_holds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("besom.db");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "store::lock::tests::a_holder_that_hangs"])
            .env("BESOM_TEST_DATABASE", &database)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while read_lock(&database).unwrap().is_none() {
            assert!(child.try_wait().unwrap().is_none(), "the holder ended");
            thread::sleep(Duration::from_millis(5));
        }
        assert!(matches!(LockFile::take(&database), Err(OpenError::Held { pid, .. }) if pid == child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(LockFile::take(&database).is_ok());
    }
}
