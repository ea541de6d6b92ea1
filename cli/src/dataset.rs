//! A dataset from its source, with a word for the person on what takes time and what was found.

use std::{
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use besom_client::datasets::{self, LoadOptions, LoadProgress};
use besom_dataset::{DataError, Dataset, Glance, Loaded};
use besom_sweep::{DatasetSpec, Hyperparameters, Params, SweepSpec};

use crate::{
    output::say,
    settings::Settings,
    sweep_file::SweepFile,
    text::{
        number,
        source::{shown, without_secrets},
    },
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
    let loaded = datasets::load(spec, &options, &progress()).await.map_err(|error| told(error, spec))?;
    let header = loaded.dataset.header();
    let synthetic = if header.synthetic { " (synthetic data)" } else { "" };
    say(format_args!(
        "dataset: {}{synthetic}: {}",
        spec.source_text(shown),
        sizes(header.train, header.test, Some(header.classes.len()))
    ));
    for note in &loaded.notes {
        say(format_args!("note: {}", without_secrets(note, spec)));
    }
    Ok(loaded)
}

/// What is odd about the data of a sweep, and about its batches on them.
pub(crate) fn notes(spec: &SweepSpec, dataset: &Dataset) -> Vec<String> {
    let batches = besom_dataset::note_on_batches(&batch_sizes(spec), dataset.header().train);
    besom_dataset::notes(dataset).into_iter().chain(batches).collect()
}

/// What a plan says of the data of its sweep.
#[derive(Default)]
pub(crate) struct Glimpse {
    /// How many samples and classes there are, as far as that is known.
    pub(crate) sizes: Option<(u32, u32, Option<usize>)>,
    /// What is odd, and what was not checked.
    pub(crate) notes: Vec<String>,
    /// Why the data cannot be trained on.
    pub(crate) refused: Option<anyhow::Error>,
}

/// Reads as much of the data of `file` as a plan may: nothing is fetched, and no large file is
/// read.
pub(crate) async fn glimpse(file: &SweepFile, settings: &Settings) -> Glimpse {
    let spec = &file.spec.dataset;
    let options = LoadOptions {
        home: settings.home.clone(),
        base_dir: file.folder.clone(),
        // Nothing is fetched.
        allow_private_hosts: false,
    };
    let batches = |train: u32| besom_dataset::note_on_batches(&batch_sizes(&file.spec), train);
    match datasets::glance(spec, &options, &progress()).await {
        Ok(Glance::Whole(loaded)) => {
            let header = loaded.dataset.header();
            let all = loaded.notes.iter().map(|note| without_secrets(note, spec));
            Glimpse {
                sizes: Some((header.train, header.test, Some(header.classes.len()))),
                notes: all.chain(notes(&file.spec, &loaded.dataset)).collect(),
                refused: None,
            }
        }
        Ok(Glance::Labels(survey)) => Glimpse {
            sizes: Some((survey.train_samples(), survey.test_samples(), Some(survey.classes.len()))),
            notes: survey.notes().into_iter().chain(batches(survey.train_samples())).collect(),
            refused: None,
        },
        Ok(Glance::Header { train, test, why }) => {
            let unchecked = format!("the dataset was not read ({why}): its values and its classes are not checked");
            Glimpse {
                sizes: Some((train, test, None)),
                notes: batches(train).into_iter().chain([unchecked]).collect(),
                refused: None,
            }
        }
        Ok(Glance::Nothing(why)) => Glimpse {
            notes: vec![format!(
                "the dataset was not read ({why}): its values, its classes and the size of its splits, which batches may be \
                 larger than, are not checked"
            )],
            ..Glimpse::default()
        },
        Err(error) => Glimpse { refused: Some(told(error, spec)), ..Glimpse::default() },
    }
}

/// `320 training and 80 test samples, 3 classes`
pub(crate) fn sizes(train: u32, test: u32, classes: Option<usize>) -> String {
    let classes = classes.map(|classes| format!(", {}", number::plural(classes as u64, "class")));
    format!("{train} training and {test} test samples{}", classes.unwrap_or_default())
}

/// The batch sizes that a sweep may train with, in the order of its file.
fn batch_sizes(spec: &SweepSpec) -> Vec<u64> {
    const NAME: &str = "batch_size";
    let swept = spec.parameters.iter().filter(|parameter| parameter.name == NAME).flat_map(|it| &it.values);
    let fixed = [&spec.base, &spec.model].into_iter().filter_map(|params| params.get(NAME));
    let mut sizes: Vec<u64> = swept.chain(fixed).filter_map(serde_json::Value::as_u64).collect();
    if sizes.is_empty() {
        let defaults = Hyperparameters::from_params(&Params::new());
        sizes.extend(defaults.map(|defaults| u64::from(defaults.batch_size)));
    }
    let mut seen = std::collections::HashSet::new();
    sizes.retain(|size| seen.insert(*size));
    sizes
}

/// Tells of what takes long.
fn progress() -> impl Fn(LoadProgress) + Send + Sync {
    let told = Mutex::new(Instant::now());
    move |progress: LoadProgress| {
        let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.elapsed() >= PAUSE {
            *told = Instant::now();
            say(format_args!("dataset: {}", words(&progress)));
        }
    }
}

/// The error without the secrets of a URL.
fn told(error: DataError, spec: &DatasetSpec) -> anyhow::Error {
    let text = format!("{:#}", anyhow::Error::new(error));
    anyhow::anyhow!(without_secrets(&text, spec))
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
