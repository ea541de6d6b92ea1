//! `besom run FILE`
use crate::{output::Exit, render::plan, settings::Settings, sweep_file::FileArgs};
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: FileArgs,
}
pub(super) async fn run(args: Args, _settings: &Settings) -> anyhow::Result<Exit> {
    let file = args.file.read()?;
    plan::print(&file, args.file.json)?;
    Ok(Exit::Success)
}
