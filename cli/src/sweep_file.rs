//! A sweep file on disk: read with a limit, parsed and worked out before anything is opened or
//! sent.
//!
//! Everything wrong with it is a usage error that names the file and the line.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use besom_sweep::{Engine, Expansion, SpecErrors, SweepName, SweepSpec};

use crate::{
    output::usage,
    text::{number, source},
};

/// A sweep file is written by hand; the longest that makes sense lists some thousand values.
const MAX_BYTES: u64 = 1 << 20;

/// A sweep file that makes sense.
#[derive(Debug)]
pub(crate) struct SweepFile {
    /// As it stands.
    pub(crate) text: String,
    /// What it says.
    pub(crate) spec: SweepSpec,
    /// Its points and jobs.
    pub(crate) expansion: Expansion,
    /// The name that the sweep will have: `--name`, the file's own, or its stem.
    pub(crate) name: SweepName,
    /// The file's stem.
    pub(crate) stem: String,
    /// `--name`, or empty.
    pub(crate) name_override: String,
    /// `--engine`.
    pub(crate) engine: Option<Engine>,
    /// What a relative dataset path is relative to.
    pub(crate) folder: PathBuf,
}

/// What `run` and `submit` say about a file.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct FileArgs {
    /// The sweep file (YAML or JSON, with the keys of a W&B sweep file and a block `besom`)
    pub(crate) file: PathBuf,
    /// Name of the sweep; beats the file's own name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Which code computes gradients; beats the file's besom.engine
    #[arg(long, value_parser = parse_engine)]
    pub(crate) engine: Option<Engine>,
    /// Show the points and jobs, and train nothing: nothing is fetched, no store is opened, no
    /// coordinator asked
    #[arg(long)]
    pub(crate) plan: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn parse_engine(text: &str) -> Result<Engine, String> {
    Engine::parse(text).ok_or_else(|| "no such engine; known: native, candle".to_owned())
}

impl FileArgs {
    /// Reads and works out the file.
    ///
    /// # Errors
    /// A usage error: the file cannot be read, or what is wrong in it, with its line.
    pub(crate) fn read(&self) -> anyhow::Result<SweepFile> {
        let path = &self.file;
        let (text, spec) = parse(path)?;
        let expansion = Expansion::of_file(&text, &spec, self.engine).map_err(|errors| wrong_file(path, &errors))?;
        let stem = path.file_stem().map_or_else(|| "sweep".to_owned(), |stem| stem.to_string_lossy().into_owned());
        let name = self.name.as_ref().or(spec.name.as_ref()).unwrap_or(&stem);
        let name = SweepName::new(name).map_err(|problem| match self.name {
            Some(_) => usage(format_args!("--name: {problem}")),
            None => wrong(path, &format_args!("name: {problem}; --name gives another")),
        })?;
        Ok(SweepFile {
            name,
            stem,
            name_override: self.name.clone().unwrap_or_default(),
            engine: self.engine,
            folder: folder(path),
            text,
            spec,
            expansion,
        })
    }
}

/// A name with its handle, where that is another word.
fn with_handle(name: &SweepName) -> String {
    match name.title() == name.handle() {
        true => name.title().to_owned(),
        false => format!("{} [{}]", name.title(), name.handle()),
    }
}

/// Reads and checks a sweep file without working out its points.
///
/// # Errors
/// As for [`FileArgs::read`].
pub(crate) fn parse(path: &Path) -> anyhow::Result<(String, SweepSpec)> {
    let text = read_text(path).map_err(|problem| wrong(path, &problem))?;
    let spec = besom_sweep::parse(&text).map_err(|errors| wrong_file(path, &errors))?;
    Ok((text, spec))
}

/// What a relative dataset path in the file at `path` is relative to.
pub(crate) fn folder(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// All that is wrong with the file: one line where it is one error, else a line for each below a
/// heading.
fn wrong_file(path: &Path, errors: &SpecErrors) -> anyhow::Error {
    match errors.count() {
        1 => wrong(path, errors),
        count => wrong(path, &format_args!("{count} errors\n  {}", errors.to_string().replace('\n', "\n  "))),
    }
}

fn wrong(path: &Path, problem: &dyn std::fmt::Display) -> anyhow::Error {
    usage(format_args!("{}: {problem}", path.display()))
}

fn read_text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("larger than 1 MiB, which no sweep file is".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        format!("line {line}: not UTF-8 text")
    })
}

impl SweepFile {
    /// `classic: one_at_a_time, 9 points x 3 seeds = 27 jobs`, and what run_cap cut.
    pub(crate) fn heading(&self) -> String {
        let plan = self.expansion.plan();
        let cut = match plan.jobs_cut {
            0 => String::new(),
            cut => format!(" (run_cap cuts {cut} more)"),
        };
        format!(
            "{}: {}, {} x {} = {}{cut}",
            with_handle(&self.name),
            self.spec.method.as_str(),
            number::plural(plan.points, "point"),
            number::plural(self.spec.seeds.len() as u64, "seed"),
            number::plural(plan.jobs, "job"),
        )
    }

    /// Whether the data are made up by besom itself.
    pub(crate) fn is_synthetic(&self) -> bool {
        source::is_synthetic(&self.spec.dataset.source)
    }
}
