//! A coordinator, its workers, and the rows that a scenario must end with.

use std::fs;
use std::path::PathBuf;

use crate::support::{Home, Process, eventually};

/// The sweep of all scenarios: long enough per job that something can be killed in the middle of
/// one.
const SWEEP: &str = "
method: grid
parameters:
  optimizer: {values: [sgd, adam]}
  batch_size: {values: [16, 64]}
  epochs: {value: 700}
besom:
  dataset: {source: drawings.npz}
  model: {hidden: [16]}
  seeds: 2
";

/// The same points in another order of work: every number of a job names another point.
fn turned() -> String {
    let turned = SWEEP.replace("[sgd, adam]", "[adam, sgd]").replace("[16, 64]", "[64, 16]");
    assert_ne!(turned, SWEEP);
    turned
}

/// How many jobs the sweep has.
pub(crate) const JOBS: usize = 8;

/// What must be equal whatever happened on the way: everything but times, workers and attempts.
pub(crate) const ROWS: &str = "SELECT optimizer, batch_size, seed, state, epochs_done, best_epoch, objective, final_loss, \
     final_accuracy, final_val_loss, final_val_accuracy, best_val_loss, best_val_accuracy, model, dataset FROM runs \
     WHERE sweep = 'drawings' ORDER BY optimizer, batch_size, seed, job";

/// The epochs of the accepted attempts, likewise.
pub(crate) const HISTORY: &str = "SELECT r.optimizer, r.batch_size, r.seed, h.epoch, h.loss, h.accuracy, h.val_loss, \
     h.val_accuracy FROM history h JOIN runs r ON r.job = h.job ORDER BY r.optimizer, r.batch_size, r.seed, r.job, h.epoch";

/// Where a scenario's coordinator keeps its state.
#[derive(Clone, Copy)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// A sweep file and its dataset in this home, as a user has them before submitting.
pub(crate) fn sweep_file(home: &Home) -> PathBuf {
    fs::write(home.path().join("drawings.npz"), dataset()).unwrap();
    home.write("drawings.yaml", SWEEP)
}

/// Asks this home's store, which must answer.
pub(crate) fn sql(home: &Home, query: &str) -> String {
    home.besom(["sql", "--format", "csv", query]).expect(0).stdout
}

/// Waits until a query on the tables answers at least one row.
#[track_caller]
pub(crate) fn wait_for_table_row(home: &Home, what: &str, query: &str) {
    eventually(what, || home.tables(query).lines().count() > 1);
}

/// Waits until the query answers at least one row. A store that is not there yet has none.
#[track_caller]
pub(crate) fn wait_for_row(home: &Home, what: &str, query: &str) {
    eventually(what, || {
        let ended = home.besom(["sql", "--format", "csv", query]);
        ended.code() == Some(0) && ended.stdout.lines().count() > 1
    });
}

/// Running jobs of the workers of this name pattern that have epochs behind them and far more to
/// come.
fn half_done(worker: &str) -> String {
    format!(
        "SELECT r.job FROM runs r JOIN history h ON h.job = r.job WHERE r.state = 'running' AND r.worker LIKE '{worker}' \
         GROUP BY r.job HAVING max(h.epoch) BETWEEN 2 AND 450"
    )
}

/// A coordinator on a store of its own. The hub's home names the store, so that its `sql` asks the
/// same one.
pub(crate) struct World {
    pub(crate) hub: Home,
    address: String,
    coordinator: Option<Process>,
}

impl World {
    pub(crate) fn new(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::on(Home::new()),
            Backend::Postgres => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                Self::on_store(&runtime.block_on(besom_testkit::postgres::database()).url)
            }
        }
    }

    /// A store that is begun anew at the same address: what an administrator does who removes the
    /// old one.
    pub(crate) fn begin_anew(&mut self, backend: Backend) {
        self.kill_coordinator();
        let fresh = Self::new(backend);
        let Self { hub, coordinator, .. } = fresh;
        drop(coordinator);
        self.hub = hub;
        self.start_coordinator();
    }

    /// On a store that is there already.
    pub(crate) fn on_store(url: &str) -> Self {
        Self::on(Home::new().with_variable("BESOM_STORE", url))
    }

    fn on(hub: Home) -> Self {
        let mut world = Self { hub, address: "127.0.0.1:0".to_owned(), coordinator: None };
        world.start_coordinator();
        world
    }

    /// Starts it where it was before, so that workers find it again.
    pub(crate) fn start_coordinator(&mut self) {
        let args = ["coordinator", "--listen", &self.address, "--lease-ttl", "3"];
        let coordinator = self.hub.start(args);
        self.address = coordinator.url().trim_start_matches("http://").to_owned();
        self.coordinator = Some(coordinator);
    }

    pub(crate) fn kill_coordinator(&mut self) {
        self.coordinator.take().unwrap().kill();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A worker on a machine of its own.
    pub(crate) fn worker(&self, home: &Home, name: &str) -> Process {
        home.start(["worker", "--coordinator", &self.url(), "--slots", "1", "--name", name])
    }

    /// Submits from a machine of its own, and then takes file and dataset away.
    pub(crate) fn submit(&self) {
        self.submit_text(SWEEP);
    }

    /// Submits the sweep of the same points in another order.
    pub(crate) fn submit_turned(&self) {
        self.submit_text(&turned());
    }

    fn submit_text(&self, text: &str) {
        let client = Home::new();
        let file = sweep_file(&client);
        fs::write(&file, text).unwrap();
        client.besom(["submit", file.to_str().unwrap(), "--coordinator", &self.url()]).expect(0);
    }

    pub(crate) fn sql(&self, query: &str) -> String {
        sql(&self.hub, query)
    }

    /// Waits until some worker is in the middle of a job.
    #[track_caller]
    pub(crate) fn wait_until_training(&self) {
        wait_for_row(&self.hub, "a job half done", &half_done("%"));
    }

    /// Freezes this worker in the middle of a job, so that whatever follows hits it there.
    #[track_caller]
    pub(crate) fn freeze_in_mid_job(&self, worker: &Process, name: &str) {
        eventually(&format!("a job half done on {name}"), || {
            let is_training = || self.sql(&half_done(name)).lines().count() > 1;
            if !is_training() {
                return false;
            }
            worker.signal("STOP");
            // It may have delivered the job's end in the meantime; the answer is the same from now
            // on.
            if is_training() {
                return true;
            }
            worker.signal("CONT");
            false
        });
    }

    #[track_caller]
    pub(crate) fn wait_until_completed(&self) {
        wait_for_row(&self.hub, "the sweep's end", "SELECT sweep FROM sweep_progress WHERE state = 'completed'");
    }

    /// Every job exactly once, and the numbers of an undisturbed run.
    #[track_caller]
    pub(crate) fn assert_as_undisturbed(&self) {
        let expected = undisturbed();
        assert_eq!(self.sql(ROWS), expected.rows);
        assert_eq!(self.sql(HISTORY), expected.history);
        assert_eq!(expected.rows.lines().count(), JOBS + 1);
    }
}

/// What `besom run` of the sweep gives when nothing happens to it.
pub(crate) struct Undisturbed {
    pub(crate) rows: String,
    pub(crate) history: String,
}

/// Trained once for all scenarios.
pub(crate) fn undisturbed() -> &'static Undisturbed {
    static RESULT: std::sync::OnceLock<Undisturbed> = std::sync::OnceLock::new();
    RESULT.get_or_init(|| {
        let home = Home::new();
        let file = sweep_file(&home);
        home.besom(["run", file.to_str().unwrap()]).expect(0);
        Undisturbed { rows: sql(&home, ROWS), history: sql(&home, HISTORY) }
    })
}

/// An npz of 2,400 small drawings in four classes, stored without compression: bars and corners
/// with noise, made by a generator of our own so that every test sees the same bytes.
pub(crate) fn dataset() -> Vec<u8> {
    const COUNT: usize = 2400;
    const SIDE: usize = 8;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    let mut pixels = Vec::with_capacity(COUNT * SIDE * SIDE);
    let mut labels = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let class = random(4) as u8;
        let at = random(SIDE as u64) as usize;
        for y in 0..SIDE {
            for x in 0..SIDE {
                let ink = match class {
                    0 => y == at,
                    1 => x == at,
                    2 => (x + y) % SIDE == at,
                    _ => (x + SIDE - y) % SIDE == at,
                };
                let flipped = random(6) == 0;
                pixels.push(if ink != flipped { 255 - random(60) as u8 } else { random(30) as u8 });
            }
        }
        labels.push(class);
    }
    npz(&[
        ("arr_0", &npy(&format!("({COUNT}, {})", SIDE * SIDE), &pixels)),
        ("arr_1", &npy(&format!("({COUNT},)"), &labels)),
    ])
}

/// A version 1 .npy of unsigned bytes.
pub(crate) fn npy(shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

pub(crate) fn npz(arrays: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in arrays {
        zip.start_file(format!("{name}.npy"), stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Makes a test of each scenario on each backend.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name($crate::world::Backend::Sqlite); })+
        }
        mod postgres {
            $(#[test] fn $name() { super::$name($crate::world::Backend::Postgres); })+
        }
    };
}
pub(crate) use on_both;
