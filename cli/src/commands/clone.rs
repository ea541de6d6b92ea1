//! `besom clone SWEEP --name NEW --set KEY=VALUE`: the file of a sweep, with other values, as a new
//! file to edit.

use std::path::{Path, PathBuf};

use anyhow::Context;
use besom_proto::v1::{Sweep, SweepRef};
use besom_sweep::{Edit, SweepName};
use serde::Serialize;
use tonic::Code;

use crate::{
    again::{self, At},
    connect::{self, Access, Connection},
    new_file,
    output::{self, Exit, say, usage},
    render::json,
    settings::{Settings, Where},
    text::{number, state},
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
    /// Print JSON: the name, the file and its text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

/// `clone --json`.
#[derive(Serialize)]
struct Written<'a> {
    sweep: &'a str,
    title: &'a str,
    /// Nothing where no file is written.
    path: Option<String>,
    text: &'a str,
}

fn parse_name(text: &str) -> Result<SweepName, String> {
    SweepName::new(text)
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let (sweep, taken) = Connection::with(settings, &args.at, Access::Read, async |connection| {
        let sweep = connection.reader().sweep(&args.sweep).await?;
        let taken = connection.sweeps().get_sweep(SweepRef { sweep: args.name.handle().to_owned() }).await;
        Ok((sweep, taken))
    })
    .await?;
    match taken {
        Ok(taken) => return Err(usage(format_args!("--name: {}", why_taken(taken.get_ref(), &args.name)))),
        Err(status) if status.code() == Code::NotFound => {}
        Err(status) => return Err(connect::refused(status)),
    }
    // The command line chose it, so the file does not say it. What the person sets now comes later,
    // and counts.
    let engine = Edit { key: "besom.engine".to_owned(), value: sweep.engine.clone() };
    let edits: Vec<Edit> = Some(engine).filter(|edit| !edit.value.is_empty()).into_iter().chain(args.set).collect();
    let edited = besom_sweep::edit(&sweep.text, &args.name, &edits).map_err(|error| match error {
        besom_sweep::EditError::Setting { .. } => usage(format_args!("--set {error}")),
        besom_sweep::EditError::File(errors) => {
            let errors = errors.to_string().replace('\n', "\n  ");
            usage(format_args!("sweep {} with these settings would be refused:\n  {errors}", sweep.name))
        }
    })?;
    if !edited.keeps_layout {
        say("the file is written anew, without its comments: its layout leaves no room for these changes");
    }
    if edited.keeps_layout && !edited.lost.is_empty() {
        let lost = &edited.lost;
        let shown: Vec<&str> = lost.iter().take(3).map(String::as_str).collect();
        let more = if lost.len() > shown.len() { ", ..." } else { "" };
        say(format_args!(
            "{} stood with what was replaced and left the file: {}{more}",
            number::plural(lost.len() as u64, "comment"),
            shown.join(", ")
        ));
    }
    let path = args.out.unwrap_or_else(|| PathBuf::from(format!("{}.yaml", args.name.handle())));
    let shown = |path| Written { sweep: args.name.handle(), title: args.name.title(), path, text: &edited.text };
    if path.as_os_str() == "-" {
        match args.json {
            true => json::print(&shown(None))?,
            false => output::bytes(edited.text.as_bytes())?,
        }
        return Ok(Exit::Success);
    }
    if !args.force && path.symlink_metadata().is_ok() {
        return Err(usage(format_args!(
            "{}: exists already; --force replaces it, --out names another file, and `--out -` prints the text",
            path.display()
        )));
    }
    new_file::write(&path, edited.text.as_bytes())?;
    let command = At::of_store(args.at.store.as_deref()).hint(&again::run(&path));
    say(format_args!("{}: edit it, then {command} trains it", path.display()));
    say_if_data_are_elsewhere(&path, &edited.text).context("the new file")?;
    if args.json {
        json::print(&shown(Some(path.display().to_string())))?;
    }
    Ok(Exit::Success)
}

/// Why the new sweep cannot have the name: another name may have the same handle.
fn why_taken(taken: &Sweep, name: &SweepName) -> String {
    let (theirs, handle, ours) = (state::given_name(taken), &taken.name, name.title());
    if theirs == ours {
        return format!("there is a sweep {ours} already; give the new one another name");
    }
    let made = if ours == handle { String::new() } else { format!(", which is made from {ours}") };
    format!("sweep {theirs} already has the handle {handle}{made}; give the new one another name")
}

/// A relative source is looked for beside the new file, which may lie elsewhere than the former one
/// did.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sweep_that_has_the_handle_is_named_by_its_own_name() {
        let taken = |name: &str, title: &str, asked: &str| {
            let taken = Sweep { name: name.into(), title: title.into(), ..Sweep::default() };
            why_taken(&taken, &SweepName::new(asked).unwrap())
        };
        let advice = "; give the new one another name";
        assert_eq!(taken("may", "", "may"), format!("there is a sweep may already{advice}"));
        assert_eq!(
            taken("may", "", "May!"),
            format!("sweep may already has the handle may, which is made from May!{advice}")
        );
        assert_eq!(taken("may-2", "May 2", "may-2"), format!("sweep May 2 already has the handle may-2{advice}"));
    }
}
