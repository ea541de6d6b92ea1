//! What `--json` prints of a command whose result is files.

use std::path::Path;

use serde::Serialize;

/// Files of a sweep that were written.
#[derive(Debug, Serialize)]
pub(crate) struct Written<'a> {
    sweep: &'a str,
    /// Of a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<i64>,
    /// Of a file of rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    files: Vec<String>,
}

impl<'a> Written<'a> {
    /// These files.
    pub(crate) fn new<P: AsRef<Path>>(sweep: &'a str, files: impl IntoIterator<Item = P>) -> Self {
        let files = files.into_iter().map(|path| path.as_ref().display().to_string()).collect();
        Self { sweep, job: None, rows: None, files }
    }

    /// Of this job.
    pub(crate) fn of_job(self, job: i64) -> Self {
        Self { job: Some(job), ..self }
    }

    /// With so many rows.
    pub(crate) fn with_rows(self, rows: u64) -> Self {
        Self { rows: Some(rows), ..self }
    }
}
