//! `besom dataset inspect | fetch`: look at a dataset, or have it here before it is needed.

use std::path::{Path, PathBuf};

use anyhow::Context;
use besom_client::datasets::DatasetCache;
use besom_dataset::{Description, Kind};
use besom_sweep::{DatasetSpec, Scale, SweepSpec};
use serde::Serialize;

use crate::{
    dataset,
    output::{self, Exit, usage},
    render::{json, table::Table},
    settings::Settings,
    sweep_file,
    text::{number, source},
};

/// Longer names of classes are shortened in the table; JSON has them whole.
const NAME_WIDTH: usize = 40;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show shape, ranges, classes with counts and the digest
    Inspect(Inspect),
    /// Load the dataset of a sweep file and keep it in the cache of this machine
    Fetch(Fetch),
}

#[derive(Debug, clap::Args)]
struct Inspect {
    /// A sweep file (.yaml, .yml, .json) or a source: a path, an https URL, builtin:sketches;
    /// several are one .npy file for each class
    #[arg(required = true)]
    file_or_source: Vec<String>,
    /// Share of samples in the test split [default: 0.2, or the source's own split]
    #[arg(long)]
    test_fraction: Option<f64>,
    /// Seed of the shuffle before the split
    #[arg(long, default_value_t = 42)]
    split_seed: u64,
    /// Tables only: the label column by its name, or its number (0 is the first, -1 the last)
    /// [default: label, class, target or y]
    #[arg(long, allow_hyphen_values = true)]
    label_column: Option<String>,
    /// Classes in files or folders of their own only: samples to take of each [default: all]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=u64::from(u32::MAX)))]
    per_class: Option<u64>,
    /// Pictures only: the width and height to resize them to [default: they must have one size]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    size: Option<u32>,
    /// Split by class: each keeps its share in both splits
    #[arg(long)]
    stratify: bool,
    /// How values are scaled: none, max or standard [default: whole numbers 0 to 255 by the largest
    /// one, others not]
    #[arg(long, value_parser = parse_scale)]
    scale: Option<Scale>,
    /// Allow an https source on a private address
    #[arg(long)]
    allow_private_hosts: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn parse_scale(text: &str) -> Result<Scale, String> {
    Scale::parse(text).ok_or_else(|| "expected none, max or standard".to_owned())
}

#[derive(Debug, clap::Args)]
struct Fetch {
    /// The sweep file
    file: PathBuf,
    /// Allow an https source on a private address
    #[arg(long)]
    allow_private_hosts: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    match args.command {
        Command::Inspect(args) => inspect(args, settings).await,
        Command::Fetch(args) => fetch(args, settings).await,
    }
}

async fn inspect(args: Inspect, settings: &Settings) -> anyhow::Result<Exit> {
    let (sweep, spec, folder) = args.spec()?;
    let loaded = dataset::load(&spec, &folder, settings, args.allow_private_hosts).await?;
    let description = besom_dataset::describe(&loaded.dataset);
    let (source, source_sha256) = (spec.source_text(source::shown), loaded.source_sha256.as_deref());
    let notes = match &sweep {
        Some(sweep) => dataset::notes(sweep, &loaded.dataset),
        None => besom_dataset::notes(&loaded.dataset),
    };
    if args.json {
        json::print(&Inspected::new(&source, source_sha256, &description, &notes))?;
    } else {
        print(&source, source_sha256, &description, &notes)?;
    }
    Ok(Exit::Success)
}

async fn fetch(args: Fetch, settings: &Settings) -> anyhow::Result<Exit> {
    let (_, spec, folder) = of_file(&args.file)?;
    let loaded = dataset::load(&spec, &folder, settings, args.allow_private_hosts).await?;
    DatasetCache::new(&settings.home).insert(&loaded.dataset).await.context("the cache")?;
    let digest = loaded.dataset.digest();
    if args.json {
        json::print(&Fetched {
            source: &spec.source_text(source::shown),
            source_sha256: loaded.source_sha256.as_deref(),
            dataset: digest,
        })?;
    } else {
        output::line(digest)?;
    }
    Ok(Exit::Success)
}

impl Inspect {
    /// The sweep, where it is one, what to load, and what a relative path is relative to.
    fn spec(&self) -> anyhow::Result<(Option<SweepSpec>, DatasetSpec, PathBuf)> {
        let (first, more) = self.file_or_source.split_first().ok_or_else(|| usage("expected a file or source"))?;
        let path = Path::new(first);
        let is_sweep_file = path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
        if is_sweep_file && more.is_empty() && !first.contains("://") {
            let (sweep, spec, folder) = of_file(path)?;
            return Ok((Some(sweep), spec, folder));
        }
        if self.test_fraction.is_some_and(|share| !(share > 0.0 && share < 1.0)) {
            return Err(usage("--test-fraction: a share between 0 and 1 is meant, such as 0.2"));
        }
        let spec = DatasetSpec {
            test_fraction: self.test_fraction,
            split_seed: self.split_seed,
            label_column: self.label_column.clone(),
            stratify: self.stratify,
            scale: self.scale,
            per_class: self.per_class,
            size: self.size,
            more_sources: more.to_vec(),
            ..DatasetSpec::new(first)
        };
        Ok((None, spec, PathBuf::from(".")))
    }
}

fn of_file(path: &Path) -> anyhow::Result<(SweepSpec, DatasetSpec, PathBuf)> {
    let (_, spec) = sweep_file::parse(path)?;
    let dataset = spec.dataset.clone();
    Ok((spec, dataset, sweep_file::folder(path)))
}

/// `dataset fetch --json`.
#[derive(Serialize)]
struct Fetched<'a> {
    source: &'a str,
    source_sha256: Option<&'a str>,
    dataset: &'a str,
}

/// `dataset inspect --json`.
#[derive(Serialize)]
struct Inspected<'a> {
    source: &'a str,
    source_sha256: Option<&'a str>,
    dataset: &'a str,
    bytes: u64,
    synthetic: bool,
    shape: &'a [u32],
    features: u32,
    values: Kind,
    scale: Option<Scale>,
    train: Split,
    test: Split,
    classes: Vec<Class<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Split {
    samples: u32,
    min: Number,
    max: Number,
}

/// Bytes are whole numbers.
#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Byte(u8),
    Float(f32),
}

#[derive(Serialize)]
struct Class<'a> {
    class: &'a str,
    train: u32,
    test: u32,
}

impl<'a> Inspected<'a> {
    fn new(source: &'a str, source_sha256: Option<&'a str>, description: &'a Description, notes: &'a [String]) -> Self {
        let kind = description.header.values;
        let number = |value: f32| match kind {
            Kind::Bytes => Number::Byte(value as u8),
            Kind::Floats => Number::Float(value),
        };
        let split = |split: &besom_dataset::SplitDescription| Split {
            samples: split.samples,
            min: number(split.min),
            max: number(split.max),
        };
        Self {
            source,
            source_sha256,
            dataset: &description.digest,
            bytes: description.bytes,
            synthetic: description.header.synthetic,
            shape: &description.header.shape,
            features: description.header.features,
            values: kind,
            scale: description.header.scale,
            train: split(&description.train),
            test: split(&description.test),
            classes: classes(description).collect(),
            notes,
        }
    }
}

fn classes(description: &Description) -> impl Iterator<Item = Class<'_>> {
    let counts = description.train.classes.iter().zip(&description.test.classes);
    let named = description.header.classes.iter().zip(counts);
    named.map(|(class, (&train, &test))| Class { class, train, test })
}

fn print(source: &str, source_sha256: Option<&str>, description: &Description, notes: &[String]) -> anyhow::Result<()> {
    let header = &description.header;
    let synthetic = if header.synthetic { " (synthetic data)" } else { "" };
    let shape: Vec<String> = header.shape.iter().map(u32::to_string).collect();
    output::line(format_args!("source   {source}{synthetic}"))?;
    if let Some(sha256) = source_sha256 {
        output::line(format_args!("sha256   {sha256}"))?;
    }
    output::line(format_args!("dataset  {} ({} bytes)", description.digest, description.bytes))?;
    output::line(format_args!(
        "shape    {} = {} a sample",
        shape.join(" x "),
        number::plural(header.features.into(), "feature")
    ))?;
    for (name, split) in [("train  ", &description.train), ("test   ", &description.test)] {
        output::line(format_args!(
            "{name}  {}, values {} to {}",
            number::plural(split.samples.into(), "sample"),
            split.min,
            split.max
        ))?;
    }
    if let Some(scale) = header.scale {
        let scaled = match scale {
            Scale::None => "not scaled",
            Scale::Max => "scaled by the largest of each feature (max)",
            Scale::Standard => "scaled to mean 0 and deviation 1 (standard)",
        };
        output::line(format_args!("values   32-bit floats, {scaled}"))?;
    }
    for note in notes {
        output::line(format_args!("note: {note}"))?;
    }
    let mut table = Table::new(["label", "class", "train", "test"]);
    for (label, class) in classes(description).enumerate() {
        table.row([
            label.to_string(),
            console::truncate_str(class.class, NAME_WIDTH, "…").into_owned(),
            class.train.to_string(),
            class.test.to_string(),
        ]);
    }
    output::line(format_args!("\n{}", table.render()))
}
