//! Real `besom` processes for tests: the binary just built, a home folder of its own, output
//! captured, killed on drop.
//!
//! Every wait is for something (a line, an end) and is bounded; a failed one shows all that the
//! process said.

#![allow(dead_code, reason = "each test target uses its own part of this module")]

use std::{
    ffi::OsStr,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Longer than anything here takes, even on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// A BESOM_HOME that is removed on drop, and the commands that use it.
pub(crate) struct Home {
    folder: TempDir,
    variables: Vec<(String, String)>,
    namespace: Option<String>,
}

impl Home {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), variables: Vec::new(), namespace: None }
    }

    /// Every command from here on has this variable.
    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value of a variable that its commands have.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every command from here on runs in this network namespace.
    pub(crate) fn in_namespace(mut self, name: &str) -> Self {
        self.namespace = Some(name.to_owned());
        self
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("a file in the temporary folder");
        path
    }

    /// The URL of the local store.
    pub(crate) fn store(&self) -> String {
        format!("sqlite:{}", self.path().join("besom.db").display())
    }

    /// `besom ARGS`, with no other setting of the surroundings than this home.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let binary = env!("CARGO_BIN_EXE_besom");
        let mut command = match &self.namespace {
            None => Command::new(binary),
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace, binary]);
                command
            }
        };
        for name in ["BESOM_STORE", "BESOM_COORDINATOR", "BESOM_SLOTS", "BESOM_LISTEN", "BESOM_READER_URL", "BESOM_LOG"]
        {
            command.env_remove(name);
        }
        command.env("BESOM_HOME", self.path()).env("NO_COLOR", "1").env("RUST_BACKTRACE", "0");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Starts `besom ARGS`.
    pub(crate) fn start<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Process {
        Process::start(self.command(args))
    }

    /// Runs `besom ARGS` to its end.
    pub(crate) fn besom<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ended {
        self.start(args).wait()
    }

    /// What a statement on the tables of this home's store gives, as CSV with a line of names.
    /// `besom sql` reads the views of a SQLite store and nothing else, so this goes past it; on
    /// Postgres it has the rights of the store's URL.
    pub(crate) fn tables(&self, sql: &str) -> String {
        if self.variable("BESOM_STORE").is_some_and(|store| store.starts_with("postgres")) {
            return self.besom(["sql", "--format", "csv", sql]).expect(0).stdout;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(tables_of_sqlite(&self.path().join("besom.db"), sql)).expect("the store answers")
    }

    /// Starts a coordinator on this home's store and a free port, and waits until it listens. Gives
    /// its URL too.
    pub(crate) fn coordinator<A: AsRef<OsStr>>(&self, more: impl IntoIterator<Item = A>) -> (Process, String) {
        let mut command = self.command(["coordinator", "--listen", "127.0.0.1:0"]);
        command.args(more);
        let process = Process::start(command);
        let url = process.url();
        (process, url)
    }
}

async fn tables_of_sqlite(path: &Path, sql: &str) -> sqlx::Result<String> {
    use sqlx::{AssertSqlSafe, Column, ConnectOptions, Executor, Row, SqlSafeStr, Statement, TypeInfo, ValueRef};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.connect().await?;
    let text = || AssertSqlSafe(sql.to_owned());
    let statement = (&mut connection).prepare(text().into_sql_str()).await?;
    let names: Vec<&str> = statement.columns().iter().map(Column::name).collect();
    let mut lines = vec![names.join(",")];
    for row in sqlx::query(text()).fetch_all(&mut connection).await? {
        let cells = (0..row.len()).map(|index| {
            let value = row.try_get_raw(index)?;
            Ok(match value.type_info().name() {
                _ if value.is_null() => String::new(),
                "INTEGER" => row.try_get_unchecked::<i64, _>(index)?.to_string(),
                "REAL" => format!("{:?}", row.try_get_unchecked::<f64, _>(index)?),
                _ => String::from_utf8_lossy(&row.try_get_unchecked::<Vec<u8>, _>(index)?).into_owned(),
            })
        });
        lines.push(cells.collect::<sqlx::Result<Vec<_>>>()?.join(","));
    }
    Ok(lines.join("\n") + "\n")
}

/// A process that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The command line.
    pub command: String,
    /// How.
    pub status: ExitStatus,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl Ended {
    /// The exit code; none after a signal.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Checks the exit code, and shows everything where it is another.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        self
    }

    /// Checks that stderr holds `text`.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is not in stderr of {self}");
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, status, stdout, stderr } = self;
        write!(f, "{command}\n{status}\n--- stdout\n{stdout}--- stderr\n{stderr}---")
    }
}

/// What one stream of a process said so far, and whether it ended.
#[derive(Default)]
struct Said {
    text: Mutex<(Vec<u8>, bool)>,
    more: Condvar,
}

impl Said {
    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().expect("no panic while held").0).into_owned()
    }

    /// The first complete line that holds `what`; `None` when the stream ended or `limit` passed
    /// without it.
    fn line_with(&self, what: &str, limit: Duration) -> Option<String> {
        let deadline = Instant::now() + limit;
        let mut text = self.text.lock().expect("no panic while held");
        loop {
            let so_far = String::from_utf8_lossy(&text.0);
            let mut complete = so_far.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            if let Some(line) = complete.find(|line| line.contains(what)) {
                return Some(line.trim_end().to_owned());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if text.1 || left.is_zero() {
                return None;
            }
            text = self.more.wait_timeout(text, left).expect("no panic while held").0;
        }
    }
}

/// A running process; killed on drop.
pub(crate) struct Process {
    command: String,
    child: Child,
    stdout: Arc<Said>,
    stderr: Arc<Said>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts it with both streams captured.
    pub(crate) fn start(mut command: Command) -> Self {
        let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let words = format!("besom {}", words.join(" "));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary just built");
        let (stdout, stderr) = (Arc::<Said>::default(), Arc::<Said>::default());
        let readers = vec![
            read(child.stdout.take().expect("piped"), stdout.clone()),
            read(child.stderr.take().expect("piped"), stderr.clone()),
        ];
        Self { command: words, child, stdout, stderr, readers }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it wrote to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// The first line on stderr that holds `what`, waited for.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str) -> String {
        self.stderr.line_with(what, LIMIT).unwrap_or_else(|| {
            let (stdout, stderr) = (self.stdout.so_far(), self.stderr.so_far());
            panic!("{what:?} did not come from {}\n--- stdout\n{stdout}--- stderr\n{stderr}---", self.command)
        })
    }

    /// Where a coordinator listens, once it does.
    #[track_caller]
    pub(crate) fn url(&self) -> String {
        let line = self.wait_for("listening on http://");
        let start = line.find("http://").expect("waited for");
        line[start..].split([',', ' ']).next().expect("a first piece").to_owned()
    }

    /// Sends a signal by name: `TERM`, `INT`, `KILL`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(status.expect("the command kill").success(), "kill -{name} {}", self.id());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(self) -> Ended {
        self.wait_within(LIMIT)
    }

    /// The same, of something that may take longer.
    #[track_caller]
    pub(crate) fn wait_within(mut self, limit: Duration) -> Ended {
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child of this process") {
                break status;
            }
            if Instant::now() >= deadline {
                let (stdout, stderr) = (self.stdout.so_far(), self.stderr.so_far());
                panic!("{} does not end\n--- stdout\n{stdout}--- stderr\n{stderr}---", self.command);
            }
            // There is no wait with a limit in std; the end is what is waited for.
            std::thread::sleep(Duration::from_millis(5));
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
        Ended { command: self.command.clone(), status, stdout: self.stdout.so_far(), stderr: self.stderr.so_far() }
    }

    /// SIGKILL, and its end.
    pub(crate) fn kill(mut self) -> Ended {
        let _ = self.child.kill();
        self.wait()
    }

    /// SIGTERM, and its end.
    #[track_caller]
    pub(crate) fn terminate(self) -> Ended {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(mut stream: impl Read + Send + 'static, said: Arc<Said>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let count = stream.read(&mut buffer).unwrap_or(0);
            let mut text = said.text.lock().expect("no panic while held");
            text.0.extend_from_slice(&buffer[..count]);
            text.1 = count == 0;
            said.more.notify_all();
            if count == 0 {
                return;
            }
        }
    })
}

/// A sweep that trains in a moment: `jobs` learning rates on few sketches.
pub(crate) fn tiny_sweep(name: &str, jobs: u32, epochs: u32) -> String {
    let rates: Vec<String> = (1..=jobs).map(|n| format!("{}", f64::from(n) / 100.0)).collect();
    format!(
        "name: {name}\nmethod: grid\nparameters:\n  learning_rate: {{values: [{}]}}\n  epochs: {{value: {epochs}}}\n\
         \x20 batch_size: {{value: 32}}\nbesom:\n  dataset: {{source: 'builtin:sketches', samples: 300}}\n\
         \x20 model: {{hidden: [8]}}\n",
        rates.join(", ")
    )
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
