//! `besom run FILE`: a whole sweep on this machine.
//!
//! The local store is opened (or its holder found), the sweep made or found, and local workers
//! train its jobs until it ends. The same file again shows the results, or goes on where it was
//! interrupted.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use besom_client::transfer::Artifacts;
use besom_dataset::Loaded;
use besom_proto::v1::{Goal, Sweep, SweepState};
use besom_worker::{
    Patience,
    agent::{self, Connect, Shutdown, WorkerConfig, WorkerError, WorkerEvent},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    again::At,
    connect, dataset,
    figures::{Figures, Format},
    output::{Exit, say},
    place::Place,
    ranking,
    reader::Reader,
    render::{self, plan, slots::Slots},
    results,
    settings::{self, Settings},
    signals, submission,
    sweep_file::{FileArgs, SweepFile},
    text::state,
    watching::{self, SHOWN},
};

/// A coordinator that restarts, or a store that changes hands, is back sooner; after this long the
/// person is told.
const OUTAGE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: FileArgs,
    /// Jobs trained at once [env: BESOM_SLOTS] [default: the cores this process may use]
    #[arg(long, value_parser = settings::parse_slots)]
    slots: Option<u32>,
    /// Where state lives: sqlite:PATH or postgres://... [env: BESOM_STORE] [default:
    /// sqlite:$BESOM_HOME/besom.db]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Allow an https source on a private address
    #[arg(long)]
    allow_private_hosts: bool,
    /// Leave out the figures at the end (else in $BESOM_HOME/figures/SWEEP; `besom plot` draws all
    /// of them)
    #[arg(long)]
    no_figures: bool,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let file = args.file.read()?;
    if args.file.plan {
        return plan::print(&file, dataset::glimpse(&file, settings).await, args.file.json);
    }
    let interrupted = signals::first_signal("giving the jobs back; the sweep stays active (again: stop at once)")?;
    let url = connect::parse_store(&settings.store_of_run(args.store.as_deref()))?;
    // Before the store: a dataset that cannot be had leaves none behind.
    let load = dataset::load(&file.spec.dataset, &file.folder, settings, args.allow_private_hosts);
    let Some(data) = interrupted.run_until_cancelled(load).await.transpose()? else {
        return Ok(Exit::Interrupted);
    };
    let notes = dataset::notes(&file.spec, &data.dataset);
    notes.iter().for_each(|note| say(format_args!("note: {note}")));
    let Some(place) = interrupted.run_until_cancelled(Place::take(url)).await.transpose()? else {
        return Ok(Exit::Interrupted);
    };
    if let Some(holder) = place.holder() {
        say(format_args!("the store is served by another process at {holder}: working there"));
    }
    let mut session = Session { args, file, notes, place, interrupted };
    let exit = session.work(data, settings).await;
    session.place.leave().await;
    exit
}

struct Session {
    args: Args,
    file: SweepFile,
    /// What is odd about the data: told at the start, and again beside the results.
    notes: Vec<String>,
    place: Place,
    interrupted: CancellationToken,
}

impl Session {
    async fn work(&mut self, data: Loaded, settings: &Settings) -> anyhow::Result<Exit> {
        let channel = self.place.address().channel();
        let (artifacts, sweeps) = (Artifacts::new(channel.clone()), connect::sweeps(channel));
        let submitted = submission::submit(artifacts, sweeps, &self.file, &data);
        let Some(sweep) = self.interrupted.run_until_cancelled(submitted).await.transpose()? else {
            return Ok(Exit::Interrupted);
        };
        // The workers read it from the store's artifacts, as every worker does.
        drop(data);
        if sweep.state() == SweepState::Paused {
            let resume = self.at().hint(&format!("resume {}", sweep.name));
            anyhow::bail!("sweep {} is paused: {resume} first", sweep.name);
        }
        if state::is_final(&sweep) {
            return self.show(&sweep, settings).await;
        }
        match self.train(&sweep, settings).await? {
            Some(ended) => self.show(&ended, settings).await,
            None => {
                let command = self.at().run(&self.args.file, self.args.allow_private_hosts);
                say(format_args!("interrupted: {command} goes on with sweep {}", sweep.name));
                Ok(Exit::Interrupted)
            }
        }
    }

    /// The place that a hint names.
    fn at(&self) -> At {
        At::of_store(self.args.store.as_deref())
    }

    /// Runs local workers until the sweep ends; nothing if it was interrupted.
    async fn train(&mut self, sweep: &Sweep, settings: &Settings) -> anyhow::Result<Option<Sweep>> {
        let slots = settings.slots(self.args.slots).unwrap_or_else(agent::default_slots);
        let board = Arc::new(Slots::new(slots, sweep));
        let config = WorkerConfig {
            name: None,
            coordinator: "this machine".to_owned(),
            slots,
            home: settings.home.clone(),
            sweep: Some(sweep.id),
            patience: Patience::default(),
        };
        let drain = self.interrupted.child_token();
        let mut worker = self.start_worker(config, drain.clone(), board.clone());
        let interrupted = self.interrupted.clone();
        let followed = tokio::select! {
            // First: an interrupted worker ends as well as one whose sweep is over.
            biased;
            () = interrupted.cancelled() => Ok(None),
            ended = self.follow(sweep, &board) => ended.map(Some),
            // It ends by itself only when the sweep does, or for a reason that no waiting mends.
            ended = &mut worker => match ended.context("the worker ended badly")? {
                Ok(()) => interrupted.run_until_cancelled(self.follow(sweep, &board)).await.transpose(),
                Err(error) => Err(error.into()),
            },
        };
        drain.cancel();
        if !worker.is_finished() {
            let _ = (&mut worker).await;
        }
        board.finish();
        followed
    }

    fn start_worker(
        &self,
        config: WorkerConfig,
        drain: CancellationToken,
        board: Arc<Slots>,
    ) -> JoinHandle<Result<(), WorkerError>> {
        let address = self.place.address();
        let connect: Connect = Arc::new(move || address.channel());
        let shutdown = Shutdown { drain, stop: CancellationToken::new() };
        tokio::spawn(agent::run(connect, config, shutdown, move |event| show(&board, event)))
    }

    /// Follows the sweep to its end, wherever the coordinator goes meanwhile.
    async fn follow(&mut self, sweep: &Sweep, board: &Slots) -> anyhow::Result<Sweep> {
        let mut client = connect::sweeps(self.place.address().channel());
        let mut answered = Instant::now();
        let mut told = false;
        loop {
            let place = &mut self.place;
            let followed = watching::follow(&mut client, &sweep.name, |progress| {
                place.answers();
                (answered, told) = (Instant::now(), false);
                board.progress(progress);
                Ok(())
            });
            match followed.await {
                Ok(Some(ended)) => return Ok(ended),
                Ok(None) => {}
                Err(error) if watching::is_away(&error) => {
                    if self.place.recover().await? {
                        say("the process that held the store is gone: serving it from here");
                    } else if !told && answered.elapsed() >= OUTAGE {
                        told = true;
                        say(format_args!("still trying: {error:#}"));
                    }
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// The table, the figures, and what to ask next.
    async fn show(&self, sweep: &Sweep, settings: &Settings) -> anyhow::Result<Exit> {
        let reader = Reader::new(self.place.address().channel());
        if self.args.file.json {
            render::results::print(&results::ranked(&reader, &sweep.name, None).await?, true)?;
        } else {
            let ranking = ranking::fetch(&reader, &sweep.name, None, SHOWN).await?;
            render::results::print_ranking(&ranking, false)?;
        }
        watching::say_what_retry_does(sweep, &self.at());
        self.notes.iter().for_each(|note| say(format_args!("note: {note}")));
        if !self.args.no_figures {
            // What was trained is stored: a figure that cannot be drawn does not make the sweep a
            // failure.
            match draw(&reader, sweep, &settings.figures(&sweep.name)).await {
                Ok(said) => say(format_args!("\n{said}")),
                Err(error) => say(format_args!("\nno figures: {error:#}")),
            }
        }
        say(format_args!("\nask more of it in SQL{}", suggestion(sweep, self.args.store.as_deref())));
        Ok(watching::exit(sweep))
    }
}

/// Draws what a run draws at its end, and says where.
async fn draw(reader: &Reader, sweep: &Sweep, folder: &Path) -> anyhow::Result<String> {
    let figures = Figures::fetch(reader, &sweep.name, &Figures::OF_A_RUN).await?;
    figures.check()?;
    let written = figures.write(&Figures::OF_A_RUN, folder, Format::Svg)?;
    let names = written.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy());
    let names: Vec<_> = names.collect();
    Ok(format!("figures in {}: {} (`besom plot {}` draws more)", folder.display(), names.join(", "), sweep.name))
}

/// A command that compares the swept values over the seeds by the sweep's own metric, the best
/// first.
fn suggestion(sweep: &Sweep, store: Option<&str>) -> String {
    const COLUMNS: [&str; 7] =
        ["optimizer", "learning_rate", "batch_size", "epochs", "hidden", "activation", "dropout"];
    let swept: Vec<&str> = sweep.swept.iter().map(String::as_str).filter(|name| COLUMNS.contains(name)).collect();
    let by = if swept.is_empty() { "optimizer".to_owned() } else { swept.join(", ") };
    let At { flags, condition } = At::of_store(store);
    let metric = &sweep.metric;
    let direction = if sweep.goal() == Goal::Minimize { "ASC" } else { "DESC" };
    format!(
        "{condition}:\n  besom sql{flags} \"SELECT {by}, count(*) AS runs, avg(objective) AS {metric} FROM runs \
         WHERE sweep = '{}' GROUP BY {by} ORDER BY {metric} {direction} NULLS LAST\"",
        sweep.name
    )
}

fn show(board: &Slots, event: WorkerEvent) {
    match event {
        WorkerEvent::Started { slot, job, attempt: _, params, seed, epochs } => {
            board.started(slot, job, &params, seed, epochs);
        }
        WorkerEvent::Epoch { slot, job, record } => board.epoch(slot, job, &record),
        WorkerEvent::Ended { slot, job, outcome, error } => board.ended(slot, job, outcome, error.as_deref()),
        WorkerEvent::Notice(notice) => say(notice),
        // The agent logs it.
        WorkerEvent::Away { .. } => {}
        WorkerEvent::Connected { .. } | WorkerEvent::Waiting | WorkerEvent::FetchingDataset { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(metric: &str, goal: Goal) -> Sweep {
        Sweep { name: "s".into(), metric: metric.into(), goal: goal.into(), ..Sweep::default() }
    }

    #[test]
    fn the_suggestion_ranks_by_the_metric_in_its_direction() {
        let text = suggestion(&sweep("val_loss", Goal::Minimize), None);
        assert!(text.contains("AS val_loss") && text.contains("ORDER BY val_loss ASC NULLS LAST"), "{text}");
        let text = suggestion(&sweep("val_accuracy", Goal::Maximize), Some("sqlite:a b.db"));
        assert!(text.contains("--store 'sqlite:a b.db'") && text.contains("val_accuracy DESC NULLS LAST"), "{text}");
    }

    #[test]
    fn the_suggestion_does_not_repeat_a_password() {
        let sweep = sweep("val_accuracy", Goal::Maximize);
        for store in ["postgres://boss:PW@host/db", "postgres://host/db?user=boss&password=PW"] {
            let text = suggestion(&sweep, Some(store));
            assert!(!text.contains("PW") && text.contains("BESOM_STORE"), "{text}");
        }
        let text = suggestion(&sweep, Some("postgres://boss@host/db"));
        assert!(text.contains("besom sql --store postgres://boss@host/db "), "{text}");
    }
}
