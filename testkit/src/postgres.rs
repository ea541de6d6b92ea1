//! A private Postgres server for each test process, made of the installed binaries.
//!
//! The first call of [`database`] runs initdb in a temporary folder and starts the server on a free
//! loopback port; every call makes a fresh database there. A watchdog shell reads a pipe that only
//! the test process holds: when that process ends, in whatever way, the pipe closes, and the
//! watchdog stops the server and removes the folder.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

/// A slow machine under load starts a server in a few seconds; more than this is a hang.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Reads pids, one a line (an empty line: no server), until the pipe closes; then stops the last
/// one and cleans up. The postmaster removes its pid file when it is gone; a zombie would still
/// answer to `kill -0`.
const WATCHDOG: &str = r#"
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
    kill -QUIT "$pid" 2>/dev/null
    n=0
    while [ -e "$1/data/postmaster.pid" ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
    kill -KILL "$pid" 2>/dev/null
fi
rm -rf "$1" || { sleep 1; rm -rf "$1"; }
"#;

/// A fresh, empty database.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    /// `postgres://...`, for besom and for psql.
    pub url: String,
    /// The same over a Unix socket, for processes whose loopback is not that of the server.
    pub socket_url: String,
}

/// A server of its own, for tests that stop it. All others share the one behind [`database`].
#[derive(Debug)]
pub struct PostgresServer {
    binaries: PathBuf,
    dir: PathBuf,
    /// The unprivileged user that runs the server where the tests run as root: Postgres refuses
    /// root.
    user: Option<(u32, u32)>,
    port: u16,
    /// What `-c` tells it.
    settings: Vec<String>,
    process: Mutex<Option<Child>>,
    watchdog: Mutex<Child>,
}

/// A crash of the server loses nothing without fsync, only one of the machine does, and that ends
/// the test.
const SETTINGS: [&str; 3] = ["fsync=off", "shared_buffers=32MB", "timezone=UTC"];

/// How to stop a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Connections are closed, everything is written out.
    Fast,
    /// As if it crashed: recovery at the next start.
    Immediate,
}

/// A fresh database on the server of this test process.
///
/// # Panics
/// Where no Postgres is installed, or it does not start: these tests fail rather than skip.
pub async fn database() -> TestDatabase {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    let server = tokio::task::spawn_blocking(|| SERVER.get_or_init(PostgresServer::start_new));
    server.await.expect("the server starts").database().await
}

impl PostgresServer {
    /// Makes a cluster and starts its server. Blocks for a second or two.
    ///
    /// # Panics
    /// Where no Postgres is installed, or it does not start.
    pub fn start_new() -> Self {
        Self::start_with(&[])
    }

    /// As [`PostgresServer::start_new`], with more settings (`fsync=on`), which beat those of all
    /// tests.
    ///
    /// # Panics
    /// As [`PostgresServer::start_new`].
    pub fn start_with(settings: &[&str]) -> Self {
        let settings = SETTINGS.iter().chain(settings).map(|setting| (*setting).to_owned()).collect();
        let binaries = binaries();
        let user = unprivileged_user();
        let dir = TempDir::with_prefix("besom-postgres-").expect("a temporary folder").keep();
        if let Some((uid, gid)) = user {
            chown(&dir, Some(uid), Some(gid)).expect("root may give a folder away");
        }
        let watchdog = start_watchdog(&dir);
        let (process, watchdog) = (Mutex::new(None), Mutex::new(watchdog));
        let mut server = Self { binaries, dir, user, port: 0, settings, process, watchdog };
        server.initdb();
        // Another process can take the port between the choice and the start: then it is another
        // port's turn.
        for _ in 0..10 {
            server.port = free_port();
            if server.try_start() {
                return server;
            }
        }
        panic!("postgres does not start:\n{}", server.log());
    }

    /// A fresh database.
    ///
    /// # Panics
    /// If the server does not run.
    pub async fn database(&self) -> TestDatabase {
        let name = format!("besom_{}", Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&self.url("postgres")).await.expect("the server answers");
        let create = format!("CREATE DATABASE {name}");
        connection.execute(AssertSqlSafe(create)).await.expect("a database is created");
        connection.close().await.expect("the connection closes");
        let socket = self.dir.display();
        let socket_url = format!("postgres://besom@localhost:{}/{name}?host={socket}", self.port);
        TestDatabase { url: self.url(&name), socket_url }
    }

    /// Starts it again, on the same port, after [`PostgresServer::stop`].
    ///
    /// # Panics
    /// If it runs already or does not start.
    pub fn start(&self) {
        assert!(self.try_start(), "postgres does not start again on port {}:\n{}", self.port, self.log());
    }

    /// Stops it and waits until it is gone.
    ///
    /// # Panics
    /// If it does not run.
    pub fn stop(&self, how: Stop) {
        let mut child = lock(&self.process).take().expect("the server runs");
        send(
            match how {
                Stop::Fast => "INT",
                Stop::Immediate => "QUIT",
            },
            child.id(),
        );
        child.wait().expect("the server ends");
        self.tell_watchdog(None);
    }

    /// Process id of the running server, for tests that send it signals.
    ///
    /// # Panics
    /// If it does not run.
    pub fn pid(&self) -> u32 {
        lock(&self.process).as_ref().expect("the server runs").id()
    }

    /// The loopback port, the same for the server's whole life.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://besom@127.0.0.1:{}/{database}", self.port)
    }

    fn initdb(&self) {
        let output = self
            .command("initdb")
            .args([
                "--username=besom",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--no-instructions",
            ])
            .arg("--pgdata")
            .arg(self.dir.join("data"))
            .output()
            .expect("initdb runs");
        assert!(output.status.success(), "initdb failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }

    /// False if the server ended before it was ready.
    fn try_start(&self) -> bool {
        let mut process = lock(&self.process);
        assert!(process.is_none(), "the server runs already");
        let log = fs::File::options().create(true).append(true).open(self.dir.join("log")).expect("a log file");
        let mut child = self
            .command("postgres")
            .arg("-D")
            .arg(self.dir.join("data"))
            .arg("-k")
            .arg(&self.dir)
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-N", "400"])
            .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("postgres runs");
        self.tell_watchdog(Some(child.id()));
        let start = Instant::now();
        loop {
            if child.try_wait().expect("a child can be asked").is_some() {
                self.tell_watchdog(None);
                return false;
            }
            if self.is_ready(child.id()) {
                *process = Some(child);
                return true;
            }
            if start.elapsed() > START_LIMIT {
                send("QUIT", child.id());
                panic!("postgres is not ready after {START_LIMIT:?}:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The postmaster tells its state in the eighth line of its pid file.
    fn is_ready(&self, pid: u32) -> bool {
        let Ok(text) = fs::read_to_string(self.dir.join("data/postmaster.pid")) else { return false };
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        lines.first() == Some(&pid.to_string().as_str()) && lines.get(7) == Some(&"ready")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn command(&self, binary: &str) -> Command {
        let mut command = Command::new(self.binaries.join(binary));
        // A process group of its own: Ctrl-C and a test runner's kill are for the test, the
        // watchdog does the rest.
        command.current_dir(&self.dir).process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn tell_watchdog(&self, pid: Option<u32>) {
        let line = pid.map_or_else(|| "\n".to_owned(), |pid| format!("{pid}\n"));
        let mut watchdog = lock(&self.watchdog);
        let pipe = watchdog.stdin.as_mut().expect("stdin is piped");
        pipe.write_all(line.as_bytes()).expect("the watchdog lives as long as the pipe");
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if lock(&self.process).is_some() {
            self.stop(Stop::Immediate);
        }
        // Closes the pipe before it waits.
        let _ = lock(&self.watchdog).wait();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn send(signal: &str, pid: u32) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{signal} {pid}")).status().expect("sh runs");
    assert!(status.success(), "signal {signal} does not reach process {pid}");
}

/// The folder that holds both `initdb` and `postgres`: on PATH, else the newest of Debian's.
fn binaries() -> PathBuf {
    let complete = |dir: &PathBuf| dir.join("initdb").is_file() && dir.join("postgres").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    std::env::split_paths(&path)
        .chain(versions.into_iter().rev().map(|(_, dir)| dir))
        .find(complete)
        .expect("these tests need a PostgreSQL server (15 or later): install the package `postgresql`")
}

/// User and group ids of `postgres`, where the tests run as root.
fn unprivileged_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().expect("id runs");
        String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().ok()
    };
    (id(&["-u"]) == Some(0)).then(|| {
        id(&["-u", "postgres"])
            .zip(id(&["-g", "postgres"]))
            .expect("root needs the user `postgres` to run the server as: install the package `postgresql`")
    })
}

/// Below the range of outgoing connections, so that the port is still free when a stopped server
/// starts again.
fn free_port() -> u16 {
    loop {
        let random = Uuid::now_v7().as_u128();
        let port = 20_000 + u16::try_from(random % 12_000).expect("below 12,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn start_watchdog(dir: &Path) -> Child {
    Command::new("sh")
        .args(["-c", WATCHDOG, "besom-postgres-watchdog"])
        .arg(dir)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh runs")
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;
    use crate::eventually;

    async fn answer(url: &str) -> Result<i32, sqlx::Error> {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::query_scalar("SELECT 42").fetch_one(&mut connection).await
    }

    #[tokio::test]
    async fn every_call_gives_a_database_of_its_own() {
        let (one, two) = tokio::join!(database(), database());
        assert_ne!(one.url, two.url);
        let mut connection = PgConnection::connect(&one.url).await.unwrap();
        connection.execute("CREATE TABLE t (x int)").await.unwrap();
        let mut other = PgConnection::connect(&two.url).await.unwrap();
        assert!(other.execute("SELECT * FROM t").await.is_err());
    }

    #[tokio::test]
    async fn a_server_starts_again_on_its_port_with_what_was_committed() {
        let server = PostgresServer::start_new();
        let database = server.database().await;
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        connection.execute("CREATE TABLE t AS SELECT 7 AS x").await.unwrap();
        server.stop(Stop::Immediate);
        assert!(answer(&database.url).await.is_err());
        server.start();
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        let x: i32 = sqlx::query_scalar("SELECT x FROM t").fetch_one(&mut connection).await.unwrap();
        assert_eq!(x, 7);
    }

    #[tokio::test]
    async fn a_dropped_server_leaves_nothing_behind() {
        let server = PostgresServer::start_new();
        let (dir, url) = (server.dir.clone(), server.database().await.url);
        assert!(answer(&url).await.is_ok());
        drop(server);
        assert!(answer(&url).await.is_err());
        assert!(!dir.exists());
    }

    /// The other half of the test below, in a process of its own.
    #[tokio::test]
    #[ignore = "waits to be killed"]
    async fn a_test_that_hangs() {
        let database = database().await;
        println!("\n{}", database.url);
        std::future::pending::<()>().await;
    }

    #[tokio::test]
    async fn the_server_of_a_killed_test_is_stopped() {
        let mut test = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "postgres::tests::a_test_that_hangs"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(test.stdout.take().unwrap());
        let url = output.lines().map(Result::unwrap).find(|line| line.starts_with("postgres://")).unwrap();
        assert!(answer(&url).await.is_ok());
        test.kill().unwrap();
        test.wait().unwrap();
        eventually("the server to be gone", Duration::from_secs(20), async || answer(&url).await.is_err()).await;
    }
}
