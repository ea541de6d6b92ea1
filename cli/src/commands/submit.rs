//! `besom submit FILE`: hands a sweep to a coordinator, or to the local store, where a later `run`
//! trains it.

use crate::{
    again::At,
    connect::{Access, Connection},
    dataset,
    output::{Exit, say},
    render::{plan, sweeps},
    settings::{Settings, Target, Where},
    submission,
    sweep_file::FileArgs,
    text::state,
    watching,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: FileArgs,
    /// Stay until the sweep ends
    #[arg(long, conflicts_with = "plan")]
    watch: bool,
    /// Allow an https source on a private address
    #[arg(long)]
    allow_private_hosts: bool,
    #[command(flatten)]
    at: Where,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let file = args.file.read()?;
    // Contradicting flags are refused whatever else is asked.
    let target = settings.target(&args.at)?;
    if args.file.plan {
        return plan::print(&file, dataset::glimpse(&file, settings).await, args.file.json);
    }
    // That a coordinator does not answer is told before a dataset is fetched; a store is held only
    // after that.
    let coordinator = match target {
        Target::Coordinator(url) => Some(Connection::remote(&url).await?),
        Target::Store(_) => None,
    };
    let data = dataset::load(&file.spec.dataset, &file.folder, settings, args.allow_private_hosts).await?;
    for note in dataset::notes(&file.spec, &data.dataset) {
        say(format_args!("note: {note}"));
    }
    let connection = match coordinator {
        Some(connection) => connection,
        None => Connection::open(settings, &args.at, Access::Create).await?,
    };
    connection
        .then(async |connection| {
            let sweep = submission::submit(connection.artifacts(), connection.sweeps(), &file, &data).await?;
            let at = At::of(&args.at);
            let exit = if args.watch && !connection.is_alone() {
                watching::watch(connection.reader(), &sweep.name, at.clone(), args.file.json).await?
            } else {
                sweeps::print_one(&sweep, args.file.json)?;
                watching::say_what_retry_does(&sweep, &at);
                Exit::Success
            };
            if connection.is_alone() && !state::is_final(&sweep) {
                let unwatched = if args.watch { "nothing to watch: " } else { "" };
                let command = at.run(&args.file, args.allow_private_hosts);
                say(format_args!(
                    "{unwatched}nobody trains it yet: {command} does, or a `besom coordinator` with workers"
                ));
            }
            Ok(exit)
        })
        .await
}
