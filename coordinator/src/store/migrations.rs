//! Which migrations a database has, compared with those of this build.

use sqlx::migrate::{MigrateError, Migrator};

use super::error::OpenError;

/// The answer where applying migrations failed. sqlx compares before it changes anything.
pub(super) fn refused(
    error: MigrateError,
    store: &str,
    unavailable: impl FnOnce(sqlx::Error) -> OpenError,
) -> OpenError {
    match error {
        MigrateError::VersionMissing(version) => newer(store, version),
        MigrateError::VersionMismatch(version) => other(store, version),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => unavailable(error),
        error => OpenError::Unavailable { store: store.to_owned(), problem: error.to_string() },
    }
}

/// Compares without changing anything; `applied` are versions and checksums.
pub(super) fn check(migrator: &Migrator, applied: &[(i64, Vec<u8>)], store: &str) -> Result<(), OpenError> {
    for (version, checksum) in applied {
        match migrator.iter().find(|known| known.version == *version) {
            None => return Err(newer(store, *version)),
            Some(known) if *known.checksum != **checksum => return Err(other(store, *version)),
            Some(_) => {}
        }
    }
    match migrator.iter().find(|known| !applied.iter().any(|(version, _)| *version == known.version)) {
        Some(missing) => Err(OpenError::NotFound {
            what: format!(
                "the database {store} lacks migration {}: it was last used by an older besom; start a coordinator of this one",
                missing.version
            ),
        }),
        None => Ok(()),
    }
}

fn newer(store: &str, version: i64) -> OpenError {
    OpenError::Newer {
        what: format!(
            "the database {store} has migration {version}, which this besom does not know: use a newer besom"
        ),
    }
}

fn other(store: &str, version: i64) -> OpenError {
    OpenError::Newer {
        what: format!(
            "migration {version} of the database {store} is not the one of this besom: use the build that made it"
        ),
    }
}
