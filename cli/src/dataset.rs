//! A dataset from its source, with a word for the person on what takes time and what was found.

use std::{
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use besom_sweep::DatasetSpec;
use besom_worker::data::{self, LoadOptions, LoadProgress, Loaded};

use crate::{
    output::say,
    render::number,
    settings::Settings,
    sweep_file::{shown, without_secrets},
};

/// A word a second is enough where no line can be drawn over.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads the source into one canonical dataset. A relative path is relative to `folder`.
///
/// # Errors
/// The source cannot be had, or is not what it must be.
pub(crate) async fn load(
    spec: &DatasetSpec,
    folder: &Path,
    settings: &Settings,
    allow_private_hosts: bool,
) -> anyhow::Result<Loaded> {
    let options = LoadOptions { home: settings.home.clone(), base_dir: folder.to_owned(), allow_private_hosts };
    let told = Mutex::new(Instant::now());
    let progress = |progress: LoadProgress| {
        let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.elapsed() >= PAUSE {
            *told = Instant::now();
            say(format_args!("dataset: {}", words(&progress)));
        }
    };
    let loaded = data::load(spec, &options, &progress).await.map_err(|error| {
        let text = format!("{:#}", anyhow::Error::new(error));
        anyhow::anyhow!(without_secrets(&text, &spec.source))
    })?;
    let header = loaded.dataset.header();
    let synthetic = if header.synthetic { " (synthetic data)" } else { "" };
    say(format_args!(
        "dataset: {}{synthetic}: {} training and {} test samples, {}",
        shown(&spec.source),
        header.train,
        header.test,
        number::plural(header.classes.len() as u64, "class")
    ));
    for note in &loaded.notes {
        say(format_args!("note: {}", without_secrets(note, &spec.source)));
    }
    Ok(loaded)
}

fn words(progress: &LoadProgress) -> String {
    const MIB: u64 = 1 << 20;
    match progress {
        LoadProgress::Downloading { received, total: Some(total) } => {
            format!("downloading, {} of {} MiB", received / MIB, total.div_ceil(MIB))
        }
        LoadProgress::Downloading { received, total: None } => format!("downloading, {} MiB so far", received / MIB),
        LoadProgress::Reading => "reading".to_owned(),
    }
}
