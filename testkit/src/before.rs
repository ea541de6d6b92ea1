//! A store as an earlier build left it, with nine migrations: a completed sweep with three seeds
//! (`done`), one with diverged runs (`odd`), one whose first attempt was lost (`lost`), and one of
//! which two jobs are still queued (`half`).

use std::{fs, io::Read, path::Path};

use flate2::read::GzDecoder;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

const DATABASE: &[u8] = include_bytes!("../data/before.db.gz");
const DUMP: &[u8] = include_bytes!("../data/before.sql.gz");
const DATASET: &[u8] = include_bytes!("../data/before.dataset.gz");
const DIGEST: &str = "33906cc35b867c1113dc935ba7ad7967de9b0b7a77477dd6434d093f148c9f2c";

/// Writes the SQLite store into `home`, with the dataset that its sweeps are trained on.
///
/// # Panics
/// A file cannot be written.
pub fn sqlite(home: &Path) {
    fs::write(home.join("besom.db"), unpacked(DATABASE)).expect("the database can be written");
    let folder = home.join("artifacts").join(&DIGEST[..2]);
    fs::create_dir_all(&folder).expect("the folder can be made");
    fs::write(folder.join(DIGEST), unpacked(DATASET)).expect("the dataset can be written");
}

/// Loads the Postgres store into an empty database.
///
/// # Panics
/// The database refuses it.
pub async fn postgres(url: &str) {
    let mut connection = PgConnection::connect(url).await.expect("the database is there");
    let dump = String::from_utf8(unpacked(DUMP)).expect("the dump is text");
    sqlx::raw_sql(AssertSqlSafe(dump)).execute(&mut connection).await.expect("the dump is loaded");
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut unpacked).expect("the data are whole");
    unpacked
}
