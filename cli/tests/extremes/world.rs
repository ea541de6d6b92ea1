//! A store of besom's own making, SQL that goes past it, and commands with a limit.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::support::{Ended, Home, Process};

/// Address space of a command, in KiB: memory that it only reserves counts too.
const SPACE: &str = "1000000";
/// Processor time of a command, in seconds: on a busy machine a minute of the clock would say
/// nothing.
const TIME: &str = "60";
/// Of all that a command prints or writes.
const OUTPUT: u64 = 40 << 20;

/// A home whose store is on one of the databases.
pub(crate) struct World {
    pub(crate) home: Home,
    store: String,
}

impl World {
    pub(crate) fn sqlite() -> Self {
        let home = Home::new();
        let store = home.path().join("besom.db").display().to_string();
        Self { home, store }
    }

    pub(crate) fn postgres() -> Self {
        let store = block_on(besom_testkit::postgres::database()).url;
        Self { home: Home::new().with_variable("BESOM_STORE", &store), store }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        !self.store.starts_with("postgres")
    }

    /// Statements of one's own, past besom.
    #[track_caller]
    pub(crate) fn execute(&self, sql: &str) {
        let text = AssertSqlSafe(sql.to_owned());
        let done = block_on(async {
            if self.is_sqlite() {
                let mut connection = SqliteConnection::connect(&format!("sqlite:{}", self.store)).await?;
                sqlx::raw_sql(text).execute(&mut connection).await?;
                connection.close().await
            } else {
                let mut connection = PgConnection::connect(&self.store).await?;
                sqlx::raw_sql(text).execute(&mut connection).await?;
                connection.close().await
            }
        });
        let start: String = sql.chars().take(300).collect();
        done.unwrap_or_else(|error| panic!("{error}: {start}"));
    }

    /// A number of 64 bits as this database writes it; nothing where it has no such number.
    pub(crate) fn real(&self, value: f64) -> Option<String> {
        match value {
            value if value.is_nan() => (!self.is_sqlite()).then(|| "'NaN'::float8".to_owned()),
            value if value.is_infinite() && self.is_sqlite() => {
                Some(if value > 0.0 { "9e999" } else { "-9e999" }.to_owned())
            }
            value if self.is_sqlite() => Some(format!("{value:?}")),
            value if value.is_infinite() => Some(format!("'{}Infinity'::float8", if value > 0.0 { "" } else { "-" })),
            value => Some(format!("'{value:?}'::float8")),
        }
    }

    /// A sweep, trained by `besom run`.
    pub(crate) fn run(&self, name: &str, text: &str) -> PathBuf {
        let file = self.home.write(&format!("{name}.yaml"), text);
        self.home.besom(["run", file.to_str().unwrap()]).expect(0);
        file
    }

    /// `besom ARGS` within the limits.
    fn limited<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let besom = self.home.command(args);
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit -v {SPACE}; ulimit -t {TIME}; exec \"$0\" \"$@\""));
        command.arg(besom.get_program()).args(besom.get_args()).stdin(std::process::Stdio::null());
        for (name, value) in besom.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        // Threads reserve address space that they do not use, more of it on larger machines.
        command.env("MALLOC_ARENA_MAX", "2").env("TOKIO_WORKER_THREADS", "2");
        command
    }

    /// Starts `besom ARGS` within the limits.
    pub(crate) fn start<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Process {
        Process::start(self.limited(args))
    }

    /// Runs `besom ARGS` within the limits: it ends by itself, prints no more than people and
    /// programs take, and either does it or says what it cannot do.
    #[track_caller]
    pub(crate) fn besom<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ended {
        let ended = self.start(args).wait();
        let shown = |text: &str| text.chars().take(2000).collect::<String>();
        let short =
            || format!("{}\n{}\n{}\n{}", ended.command, ended.status, shown(&ended.stdout), shown(&ended.stderr));
        assert!(matches!(ended.code(), Some(0 | 1)), "{}", short());
        assert!(!ended.stderr.contains("panicked"), "{}", short());
        // `watch` ends as its sweep does, and what it shows says which of its jobs failed.
        if ended.code() == Some(1) && !(ended.command.contains(" watch ") && ended.stdout.contains("failed")) {
            assert!(!ended.stderr.trim().is_empty(), "{}", short());
        }
        assert!(
            ((ended.stdout.len() + ended.stderr.len()) as u64) < OUTPUT,
            "{} bytes: {}",
            ended.stdout.len(),
            short()
        );
        ended
    }

    /// The same, where all can be shown.
    #[track_caller]
    pub(crate) fn shows<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ended {
        let ended = self.besom(args);
        let stderr: String = ended.stderr.chars().take(2000).collect();
        assert_eq!(ended.code(), Some(0), "{}: {stderr}", ended.command);
        ended
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }
}

/// All files below a folder, none of them too large.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            assert!(entry.metadata().unwrap().len() < OUTPUT, "{}", entry.path().display());
            entry.file_name().into_string().unwrap()
        })
        .collect();
    names.sort();
    names
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
