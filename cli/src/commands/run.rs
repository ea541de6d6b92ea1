//! `besom run FILE`: a whole sweep on this machine.
//!
//! The local store is opened (or its holder found), the sweep made or found, and local workers train its jobs until it
//! ends. The same file again shows the results, or goes on where it was interrupted.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use besom_proto::v1::{Sweep, SweepState};
use besom_worker::agent::{self, Connect, Shutdown, WorkerConfig, WorkerError, WorkerEvent};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    connect, dataset,
    output::{Exit, say},
    place::Place,
    render::{
        plan,
        results::{self, Order},
        slots::Slots,
        state,
    },
    settings::{MAX_SLOTS, Settings},
    signals, submission,
    sweep_file::{FileArgs, SweepFile},
    watching::{self, SHOWN},
};

/// A coordinator that restarts, or a store that changes hands, is back sooner; after this long the person is told.
const OUTAGE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: FileArgs,
    /// Jobs trained at once [env: BESOM_SLOTS] [default: the cores this process may use]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SLOTS)))]
    slots: Option<u32>,
    /// Where state lives: sqlite:PATH or postgres://... [env: BESOM_STORE] [default: sqlite:$BESOM_HOME/besom.db]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Allow an https source on a private address
    #[arg(long)]
    allow_private_hosts: bool,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let file = args.file.read()?;
    if args.file.plan {
        plan::print(&file, args.file.json)?;
        return Ok(Exit::Success);
    }
    let interrupted = signals::first_signal("giving the jobs back; the sweep stays active (again: stop at once)")?;
    let url = connect::parse_store(&settings.store(args.store.as_deref()))?;
    let Some(place) = interrupted.run_until_cancelled(Place::take(url)).await.transpose()? else {
        return Ok(Exit::Failed);
    };
    if let Some(holder) = place.holder() {
        say(format_args!("the store is served by another process at {holder}: working there"));
    }
    let mut session = Session { args, file, place, interrupted };
    let exit = session.work(settings).await;
    session.place.leave().await;
    exit
}

struct Session {
    args: Args,
    file: SweepFile,
    place: Place,
    interrupted: CancellationToken,
}

impl Session {
    async fn work(&mut self, settings: &Settings) -> anyhow::Result<Exit> {
        let load = dataset::load(&self.file.spec.dataset, &self.file.folder, settings, self.args.allow_private_hosts);
        let data = tokio::select! {
            data = load => data?,
            () = self.interrupted.cancelled() => return Ok(Exit::Failed),
        };
        let channel = self.place.address().channel();
        let (artifacts, sweeps) = (connect::artifacts(channel.clone()), connect::sweeps(channel));
        let submitted = submission::submit(artifacts, sweeps, &self.file, &data);
        let Some(sweep) = self.interrupted.run_until_cancelled(submitted).await.transpose()? else {
            return Ok(Exit::Failed);
        };
        // The workers read it from the store's artifacts, as every worker does.
        drop(data);
        if sweep.state() == SweepState::Paused {
            anyhow::bail!("sweep {} is paused: `besom resume {}` first", sweep.name, sweep.name);
        }
        if state::is_final(&sweep) {
            return self.show(&sweep).await;
        }
        match self.train(&sweep, settings).await? {
            Some(ended) => self.show(&ended).await,
            None => {
                say(format_args!(
                    "interrupted: `besom run {}` goes on with sweep {}",
                    self.args.file.file.display(),
                    sweep.name
                ));
                Ok(Exit::Failed)
            }
        }
    }

    /// Runs local workers until the sweep ends; nothing if it was interrupted.
    async fn train(&mut self, sweep: &Sweep, settings: &Settings) -> anyhow::Result<Option<Sweep>> {
        let slots = settings.slots(self.args.slots).unwrap_or_else(agent::default_slots);
        let board = Arc::new(Slots::new(slots, &sweep.swept));
        let config = WorkerConfig { name: None, slots, home: settings.home.clone(), sweep: Some(sweep.id) };
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

    /// The table, and what to ask next.
    async fn show(&self, sweep: &Sweep) -> anyhow::Result<Exit> {
        let client = connect::sweeps(self.place.address().channel());
        let limit = (!self.args.file.json).then_some(SHOWN);
        let results = results::fetch(client, &sweep.name, Order::BestFirst, limit).await?;
        results.print(self.args.file.json)?;
        say(format_args!("\nask more of it in SQL:\n  {}", self.suggestion(sweep)));
        Ok(watching::exit(sweep))
    }

    /// A command that compares the swept values over the seeds.
    fn suggestion(&self, sweep: &Sweep) -> String {
        const COLUMNS: [&str; 7] =
            ["optimizer", "learning_rate", "batch_size", "epochs", "hidden", "activation", "dropout"];
        let swept: Vec<&str> = sweep.swept.iter().map(String::as_str).filter(|name| COLUMNS.contains(name)).collect();
        let by = if swept.is_empty() { "optimizer".to_owned() } else { swept.join(", ") };
        let store = self.args.store.as_ref().map(|store| format!(" --store {store}")).unwrap_or_default();
        format!(
            "besom sql{store} \"SELECT {by}, count(*) AS runs, avg(final_val_accuracy) AS val_accuracy FROM runs \
             WHERE sweep = '{}' GROUP BY {by} ORDER BY val_accuracy DESC\"",
            sweep.name
        )
    }
}

fn show(board: &Slots, event: WorkerEvent) {
    match event {
        WorkerEvent::Started { slot, job, attempt: _, params, seed, epochs } => {
            board.started(slot, job, &params, seed, epochs);
        }
        WorkerEvent::Epoch { slot, job, record } => board.epoch(slot, job, record.epoch, record.val_accuracy),
        WorkerEvent::Ended { slot, job, outcome, error } => board.ended(slot, job, outcome, error.as_deref()),
        WorkerEvent::Notice(notice) => say(notice),
        // The agent logs it.
        WorkerEvent::Away { .. } => {}
        WorkerEvent::Connected { .. } | WorkerEvent::Waiting | WorkerEvent::FetchingDataset { .. } => {}
    }
}
