//! `besom clone SWEEP --name NEW --set KEY=VALUE`: the file of a sweep, with other values, as a new file to edit.

use std::path::{Path, PathBuf};

use anyhow::Context;
use besom_proto::v1::SweepRef;
use besom_sweep::{Edit, SweepName};
use tonic::Code;

use crate::{
    connect::{self, Access, Connection},
    new_file,
    output::{self, Exit, say, usage},
    settings::{Settings, Where},
    trained,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Values are YAML: --set learning_rate=0.1 --set 'batch_size=[16, 64]' --set besom.seeds=3")]
pub(super) struct Args {
    /// Name or number of the sweep whose file is copied
    sweep: String,
    /// Name of the new sweep
    #[arg(long, value_parser = parse_name)]
    name: SweepName,
    /// Set a hyperparameter, or a key of the file by its full name; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Edit>,
    /// The file to write; `-` prints it [default: NAME.yaml in this folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    at: Where,
}

fn parse_name(text: &str) -> Result<SweepName, String> {
    SweepName::new(text)
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let connection = Connection::open(settings, &args.at, Access::Read).await?;
    let sweep = trained::sweep(&connection, &args.sweep).await?;
    let taken = connection.sweeps().get_sweep(SweepRef { sweep: args.name.handle().to_owned() }).await;
    connection.close().await;
    match taken {
        Ok(_) => {
            let name = args.name.title();
            return Err(usage(format_args!("--name: there is a sweep {name} already; give the new one another name")));
        }
        Err(status) if status.code() == Code::NotFound => {}
        Err(status) => return Err(connect::refused(status)),
    }
    let edited = besom_sweep::edit(&sweep.text, &args.name, &args.set).map_err(|error| match error {
        besom_sweep::EditError::Setting { .. } => usage(format_args!("--set {error}")),
        besom_sweep::EditError::File(errors) => {
            let errors = errors.to_string().replace('\n', "\n  ");
            usage(format_args!("sweep {} with these settings would be refused:\n  {errors}", sweep.name))
        }
    })?;
    if !edited.keeps_layout {
        say("the file is written anew, without its comments: its layout leaves no room for these changes");
    }
    let path = args.out.unwrap_or_else(|| PathBuf::from(format!("{}.yaml", args.name.handle())));
    if path.as_os_str() == "-" {
        output::bytes(edited.text.as_bytes())?;
        return Ok(Exit::Success);
    }
    if !args.force && path.symlink_metadata().is_ok() {
        return Err(usage(format_args!(
            "{}: exists already; --force replaces it, --out names another file, and `--out -` prints the text",
            path.display()
        )));
    }
    new_file::write(&path, edited.text.as_bytes())?;
    say(format_args!("{}: edit it, then `besom run {}` trains it", path.display(), path.display()));
    say_if_data_are_elsewhere(&path, &edited.text).context("the new file")?;
    Ok(Exit::Success)
}

/// A relative source is looked for beside the new file, which may lie elsewhere than the former one did.
fn say_if_data_are_elsewhere(path: &Path, text: &str) -> anyhow::Result<()> {
    let spec = besom_sweep::parse(text).map_err(|errors| anyhow::anyhow!("{errors}"))?;
    let is_path = |source: &str| !source.contains("://") && !source.starts_with("builtin:") && !source.starts_with('~');
    let missing = |source: &&str| is_path(source) && !crate::sweep_file::folder(path).join(source).exists();
    if let Some(source) = spec.dataset.sources().find(missing) {
        say(format_args!(
            "note: besom.dataset.source {source} is relative to the file and is not there; give its path from here"
        ));
    }
    Ok(())
}
