//! From a store's URL to a store that is ready.
//!
//! SQLite: lock, open, migrate, in this order, so that no second coordinator ever touches the database; network file
//! systems are refused, because SQLite's locks do not hold there. Postgres: connect and migrate; any number may.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::spawn_blocking;

use super::{
    Store, StoreError,
    lock::{Holder, LockFile, read_lock},
    postgres::PostgresStore,
    sqlite::SqliteStore,
};
use crate::artifacts::{ArtifactStore, FileArtifacts, PostgresArtifacts};

/// What closing a store may take: folding the largest write-ahead log into its file takes a moment.
const CLOSING: Duration = Duration::from_secs(5);

/// How long somebody who reads waits for whoever makes the store: migrations of a large store take longer than of an empty one.
const MAKING: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Where the mounted file systems are listed; other systems than Linux have no such file and are not checked.
const MOUNTS: &str = "/proc/self/mounts";

/// Types of file systems whose files several machines can open. SQLite's locks and its shared memory fail there.
const NETWORK_FILE_SYSTEMS: [&str; 11] =
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs"];

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has this SQLite database.
    #[error(
        "{} is in use by process {pid}{}", path.display(),
        address.as_deref().map(|address| format!(", which serves at {address}")).unwrap_or_default()
    )]
    Held {
        /// The process.
        pid: u32,
        /// Where it serves, if it does.
        address: Option<String>,
        /// The database.
        path: PathBuf,
    },
    /// Nothing to read there.
    #[error("{what}")]
    NotFound {
        /// What is missing, and what to do.
        what: String,
    },
    /// It has migrations that this build does not know, or another text of those it knows.
    #[error("{what}")]
    Newer {
        /// Which migration, and what to do.
        what: String,
    },
    /// The database does not answer, refuses the connection, or is no database.
    #[error("store {store}: {problem}")]
    Unavailable {
        /// As its URL, without its password.
        store: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A SQLite database of somebody else.
    #[error("{} holds tables of another program (such as {table}); name another file", path.display())]
    Foreign {
        /// The file, which is untouched.
        path: PathBuf,
        /// One of its tables.
        table: String,
    },
    /// A text that names no store, or a place where none can be.
    #[error("store {url}: {problem}")]
    BadUrl {
        /// As given, without its password.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file or folder.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A store that is ready, with the artifacts that belong to it.
pub struct Opened {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Bytes.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// SQLite, opened for writing: the right to do so, for as long as this lives.
    pub lock: Option<LockFile>,
}

impl Opened {
    /// Closes the store and only then gives the right to it away. What does not close in time ends with the process.
    pub async fn close(self) {
        if tokio::time::timeout(CLOSING, self.store.close()).await.is_err() {
            tracing::warn!("the store did not close in time; nothing is lost by it");
        }
    }
}

/// Opens for writing and brings the database to this build's migrations. A missing SQLite database is made, with its
/// folder.
///
/// # Errors
/// `Held` if another process has the SQLite database; the others as they say.
pub async fn open(url: &StoreUrl) -> Result<Opened, OpenError> {
    match url {
        StoreUrl::Sqlite(path) => {
            let database = path.clone();
            let lock = spawn_blocking(move || {
                prepare_folder(&database)?;
                let lock = LockFile::take(&database)?;
                refuse_other_names(&database)?;
                Ok(lock)
            });
            let lock = lock
                .await
                .map_err(|error| OpenError::Unavailable { store: url.to_string(), problem: error.to_string() })??;
            let store = SqliteStore::open(path).await?;
            let folder = artifacts_folder(path);
            let io = |source| OpenError::Io { path: folder.clone(), source };
            adopt(path, &folder, &store).await?;
            let artifacts = FileArtifacts::new(folder.clone(), Some(store.artifact_index()));
            artifacts.sweep_unfinished().await.map_err(io)?;
            Ok(Opened { store: Arc::new(store), artifacts: Arc::new(artifacts), lock: Some(lock) })
        }
        StoreUrl::Postgres(url) => {
            let store = PostgresStore::open(url).await?;
            let artifacts = PostgresArtifacts::new(store.pool().clone(), store.artifact_index());
            Ok(Opened { store: Arc::new(store), artifacts: Arc::new(artifacts), lock: None })
        }
    }
}

/// Opens an existing store for reading, beside a coordinator or without one. It changes nothing and needs no lock. A store that
/// another process is making, or brings to this build's migrations, is waited for.
///
/// # Errors
/// `NotFound` if there is no database or no store in it; the others as they say.
pub async fn open_read_only(url: &StoreUrl) -> Result<Opened, OpenError> {
    match url {
        StoreUrl::Sqlite(path) => {
            until_made(url).await;
            let store = SqliteStore::open_read_only(path).await?;
            let artifacts = FileArtifacts::new(readable_artifacts(path), None);
            Ok(Opened { store: Arc::new(store), artifacts: Arc::new(artifacts), lock: None })
        }
        StoreUrl::Postgres(server) => {
            until_made(url).await;
            let store = PostgresStore::open_read_only(server).await?;
            let artifacts = PostgresArtifacts::read_only(store.pool().clone(), store.artifact_index());
            Ok(Opened { store: Arc::new(store), artifacts: Arc::new(artifacts), lock: None })
        }
    }
}

/// Waits, for a while, until nobody else is about to make the store or to change its tables: half of that is no store yet.
pub(super) async fn until_made(url: &StoreUrl) {
    let deadline = Instant::now() + MAKING;
    loop {
        let made = match url {
            StoreUrl::Sqlite(path) => SqliteStore::check_made(path).await,
            StoreUrl::Postgres(url) => PostgresStore::check_made(url).await,
        };
        // Any other error is for whoever opens the store. A file that is just being made may be locked for a moment.
        let may_come = matches!(made, Err(OpenError::NotFound { .. } | OpenError::Unavailable { .. }));
        if !may_come || Instant::now() >= deadline {
            return;
        }
        let is_being_made = match url {
            // Who serves has made it before.
            StoreUrl::Sqlite(path) => matches!(read_lock(path), Ok(Some(Holder { address: None, .. }))),
            StoreUrl::Postgres(url) => PostgresStore::is_being_made(url).await,
        };
        if !is_being_made {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The name of the database that has its artifacts in a folder without its name.
const DEFAULT_NAME: &str = "besom.db";

/// Beside the database, and its alone: two databases in one folder would otherwise remove each other's files.
fn artifacts_folder(database: &Path) -> PathBuf {
    let database = behind_links(database);
    let folder = folder_of(&database);
    match database.file_name() {
        Some(name) if name != DEFAULT_NAME => {
            let mut name = name.to_owned();
            name.push(".artifacts");
            folder.join(name)
        }
        _ => folder.join("artifacts"),
    }
}

/// Where earlier builds kept the artifacts of every database of that folder.
fn shared_artifacts(database: &Path) -> PathBuf {
    folder_of(&behind_links(database)).join("artifacts")
}

/// The folder to read from: who only reads moves nothing.
fn readable_artifacts(database: &Path) -> PathBuf {
    let own = artifacts_folder(database);
    if own.is_dir() { own } else { shared_artifacts(database) }
}

/// Gives a database that is opened for the first time by this build a folder of its own, with its files of the folder that it
/// shared with others. They stay there as well, since nobody knows who else names them.
async fn adopt(database: &Path, own: &Path, store: &SqliteStore) -> Result<(), OpenError> {
    let shared = shared_artifacts(database);
    if own.is_dir() || own == shared || !shared.is_dir() {
        return Ok(());
    }
    let unavailable = |error: StoreError| OpenError::Unavailable {
        store: StoreUrl::Sqlite(database.to_owned()).to_string(),
        problem: error.to_string(),
    };
    let digests = store.artifact_index().with_prefix("").await.map_err(unavailable)?;
    if digests.is_empty() {
        return Ok(());
    }
    let own = own.to_owned();
    let moved = spawn_blocking(move || {
        // Whole or not at all: a folder that is there is taken for a complete one.
        let making = own.with_extension("artifacts-unfinished");
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        for digest in digests {
            let place = Path::new(&digest.as_str()[..2]).join(digest.as_str());
            let (from, to) = (shared.join(&place), making.join(&place));
            if !from.is_file() || to.is_file() {
                continue;
            }
            fs::create_dir_all(folder_of(&to)).map_err(io(&making))?;
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)).map_err(io(&to))?;
        }
        fs::create_dir_all(&making).and_then(|()| fs::rename(&making, &own)).map_err(io(&own))
    });
    moved.await.map_err(|error| OpenError::Unavailable {
        store: StoreUrl::Sqlite(database.to_owned()).to_string(),
        problem: error.to_string(),
    })?
}

/// The file that the path leads to, where it exists. SQLite keeps its own files beside that one, too.
pub(super) fn behind_links(database: &Path) -> PathBuf {
    database.canonicalize().unwrap_or_else(|_| database.to_owned())
}

/// Where state lives.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// The database's path.
    Sqlite(PathBuf),
    /// The whole URL, with its password.
    Postgres(String),
}

impl StoreUrl {
    /// Reads `sqlite:PATH`, `postgres://...` or `postgresql://...`.
    ///
    /// # Errors
    /// `BadUrl`, without the password.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        let bad = |problem: &str| OpenError::BadUrl { url: hide_password(text), problem: problem.to_owned() };
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err(bad("a path is missing, as in sqlite:besom.db")),
                ":memory:" => Err(bad("a database in memory keeps nothing; give a path, as in sqlite:besom.db")),
                _ if path.ends_with('/') => {
                    Err(bad("this is a folder; name the file in it, as in sqlite:DIR/besom.db"))
                }
                _ => Ok(Self::Sqlite(PathBuf::from(path))),
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            super::postgres::options(text)?;
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(bad("neither sqlite:PATH nor postgres://USER@HOST/DATABASE"))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => f.write_str(&hide_password(url)),
        }
    }
}

/// As `Display`, so that no log shows a password.
impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Parameters of a Postgres URL whose values are no secrets. The driver knows these, `password` and `options[NAME]`.
const PARAMETERS: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "application_name",
    "options",
];

/// What is wrong with the names of a Postgres URL's parameters. The driver would print those that it does not know with
/// their values, and a password with a slip in its name is one.
pub(super) fn unknown_parameter(url: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    let query = query.split('#').next().unwrap_or_default();
    let known = |name: &str| {
        PARAMETERS.contains(&name) || name == "password" || (name.starts_with("options[") && name.ends_with(']'))
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let (unknown, value) =
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).find(|(name, _)| !known(name))?;
    // Without a value, or with an @ behind a question mark that should have been escaped, it may be (part of) a password.
    let named = match is_word(unknown) && !value.is_empty() && !query.contains('@') {
        true => format!("parameter {unknown}"),
        false => "a parameter".to_owned(),
    };
    Some(format!(
        "{named} is not known; there are host, port, dbname, user, password, sslmode, sslrootcert, sslcert, sslkey, options"
    ))
}

fn is_word(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Between the user's colon and the last `@`, and the values of the query but those that are known to be no secrets.
pub(super) fn hide_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // A password may hold a slash or a question mark that should have been escaped: rather hide too much.
    let rest = match rest.rsplit_once('@') {
        Some((user, place)) if user.contains(':') => {
            format!("{}:***@{place}", user.split(':').next().unwrap_or_default())
        }
        _ => rest.to_owned(),
    };
    let (rest, query) = rest.split_once('?').map_or((rest.as_str(), None), |(rest, query)| (rest, Some(query)));
    let query = query.map(|query| {
        let hidden = |pair: &str| match pair.split_once('=') {
            Some((key, _)) if PARAMETERS.contains(&key) => pair.to_owned(),
            Some((key, _)) if is_word(key) => format!("{key}=***"),
            Some(_) | None => "***".to_owned(),
        };
        format!("?{}", query.split('&').map(hidden).collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{rest}{}", query.unwrap_or_default())
}

/// The folder of the database, made (for its owner only) where it is missing.
fn prepare_folder(database: &Path) -> Result<(), OpenError> {
    if database.is_dir() {
        let problem = "this is a folder; name the file in it, as in sqlite:DIR/besom.db".to_owned();
        return Err(OpenError::BadUrl { url: StoreUrl::Sqlite(database.to_owned()).to_string(), problem });
    }
    let folder = folder_of(database);
    let io = |source| OpenError::Io { path: folder.clone(), source };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).map_err(io)?;
    let folder = folder_of(&behind_links(database)).canonicalize().map_err(io)?;
    if let Ok(mounts) = fs::read_to_string(MOUNTS)
        && let Some(kind) = network_file_system(&mounts, &folder)
    {
        let problem = format!(
            "{} is on a network file system ({kind}), where SQLite loses data; use a local disk, or Postgres",
            folder.display()
        );
        return Err(OpenError::BadUrl { url: StoreUrl::Sqlite(database.to_owned()).to_string(), problem });
    }
    Ok(())
}

/// Refuses a database that has several names (hard links): the lock lies beside one of them, so that two coordinators could
/// open one file. Symbolic links are followed instead. A single file that is mounted in two places cannot be told apart.
fn refuse_other_names(database: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::MetadataExt;
    let database = behind_links(database);
    for suffix in ["", "-wal", "-shm"] {
        let mut name = database.clone().into_os_string();
        name.push(suffix);
        let path = PathBuf::from(name);
        let names = match fs::metadata(&path) {
            Ok(metadata) => metadata.nlink(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(OpenError::Io { path, source }),
        };
        if names > 1 {
            let problem = format!(
                "{} has {names} names (hard links), and a second coordinator that opens it by another one would damage \
                 it; remove the others (find / -xdev -samefile FILE lists them), or use a copy",
                path.display()
            );
            return Err(OpenError::Unavailable { store: StoreUrl::Sqlite(database).to_string(), problem });
        }
    }
    Ok(())
}

pub(super) fn folder_of(database: &Path) -> PathBuf {
    match database.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The type of the file system that holds `folder` (absolute), if it is one of the network. The last of the longest mount
/// points counts: a later mount covers an earlier one.
fn network_file_system<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let mut holder: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(point), Some(kind)) = (fields.next(), fields.next()) else { continue };
        let point = unescape(point);
        let depth = point.components().count();
        if folder.starts_with(&point) && holder.is_none_or(|(deepest, _)| depth >= deepest) {
            holder = Some((depth, kind));
        }
    }
    holder.map(|(_, kind)| kind).filter(|kind| NETWORK_FILE_SYSTEMS.contains(kind))
}

/// The kernel writes space, tab, newline and backslash in octal.
fn unescape(point: &str) -> PathBuf {
    [(r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")]
        .iter()
        .fold(point.to_owned(), |text, (escape, character)| text.replace(escape, character))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_file_or_a_server() {
        for (text, path) in [
            ("sqlite:besom.db", "besom.db"),
            ("sqlite:/var/lib/besom/besom.db", "/var/lib/besom/besom.db"),
            ("sqlite:///var/lib/besom.db", "/var/lib/besom.db"),
        ] {
            assert_eq!(StoreUrl::parse(text).unwrap(), StoreUrl::Sqlite(path.into()));
        }
        for text in ["postgres://host/besom", "postgresql://me:secret@host:5432/besom?sslmode=require"] {
            assert_eq!(StoreUrl::parse(text).unwrap(), StoreUrl::Postgres(text.to_owned()));
        }
    }

    #[test]
    fn texts_that_name_no_store_are_refused_with_what_would() {
        for (text, says) in [
            ("besom.db", "sqlite:PATH"),
            ("", "sqlite:PATH"),
            ("mysql://host/besom", "postgres://"),
            ("sqlite:", "a path is missing"),
            ("sqlite::memory:", "keeps nothing"),
            ("sqlite:/var/lib/", "this is a folder"),
            ("postgres://me:secret@host:notaport/besom", "port"),
            ("postgres://me@host/besom?pasword=secret", "parameter pasword is not known"),
            ("postgres://me@host/besom?sslmode=require&passwd=secret", "parameter passwd is not known"),
            ("postgres://me:x?secret@host/besom", "a parameter is not known"),
            ("postgres://me@host/besom?secret", "not known; there are host"),
        ] {
            let message = StoreUrl::parse(text).unwrap_err().to_string();
            assert!(message.contains(says), "{text}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn passwords_are_never_printed() {
        for (url, shown) in [
            ("postgres://me:secret@host/besom", "postgres://me:***@host/besom"),
            ("postgres://me:se/cr@et@host/besom", "postgres://me:***@host/besom"),
            ("postgres://me:se?cret@host/besom", "postgres://me:***@host/besom"),
            ("postgres://me@host/besom", "postgres://me@host/besom"),
            ("postgres://host:5432/besom", "postgres://host:5432/besom"),
            (
                "postgres://host/besom?sslmode=require&password=secret&user=me",
                "postgres://host/besom?sslmode=require&password=***&user=me",
            ),
            ("postgres://me@host/besom?pasword=secret", "postgres://me@host/besom?pasword=***"),
        ] {
            let url = StoreUrl::Postgres(url.to_owned());
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
        }
    }

    #[test]
    fn network_file_systems_are_known_by_the_deepest_mount() {
        let mounts = "/dev/vda / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n/dev/vdb /home/me/local\\040disk xfs rw 0 0\n\
                      //server/share /mnt/share cifs rw 0 0\nproc /proc proc rw 0 0\n";
        for (folder, kind) in [
            ("/var/lib/besom", None),
            ("/home/me/besom", Some("nfs4")),
            ("/home/me/local disk/besom", None),
            ("/homes/besom", None),
            ("/mnt/share", Some("cifs")),
        ] {
            assert_eq!(network_file_system(mounts, Path::new(folder)), kind, "{folder}");
        }
    }

    #[test]
    fn the_home_folder_is_made_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        prepare_folder(&dir.path().join("new/home/besom.db")).unwrap();
        assert_eq!(fs::metadata(dir.path().join("new/home")).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
