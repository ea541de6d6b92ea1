//! Which coordinator a command talks to, and how: by URL, or the same services in this process on
//! the local store.
//!
//! Every command speaks the wire's clients, so there is one path through the program. A store that
//! another process holds is reached through that process, whose address stands in the lock file.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use besom_client::{endpoint, transfer::Artifacts};
use besom_coordinator::{
    Coordinator, CoordinatorConfig,
    open::{self, Opened},
    store::{
        OpenError, StoreUrl,
        query::{Queries, Rights},
    },
};
use besom_proto::v1::sweep_service_client::SweepServiceClient;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};

use crate::{
    output::{say, usage},
    reader::Reader,
    settings::{Settings, Target, Where},
    signals,
};

/// How long a client waits for a coordinator, and for a holder of the store to say where it
/// listens.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// The largest answer: a list of thousands of sweeps stays far below.
const MAX_ANSWER: usize = 32 << 20;

/// A coordinator to talk to.
pub(crate) struct Connection {
    channel: Channel,
    /// The services themselves, where they run in this process; stopped by [`Connection::close`].
    local: Option<Coordinator>,
    /// What they serve; it holds the store's lock.
    opened: Option<Opened>,
}

/// Whether a command changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Needs no lock on the local store.
    Read,
    /// Changes what is there: holds the local store while it works.
    Change,
    /// As [`Access::Change`], and makes the local store where there is none.
    Create,
}

impl Connection {
    /// The coordinator that the flags, the environment and the file mean.
    ///
    /// # Errors
    /// Wrong flags, no answer within ten seconds, or a store that cannot be opened.
    pub(crate) async fn open(settings: &Settings, flags: &Where, access: Access) -> anyhow::Result<Self> {
        match settings.target(flags)? {
            Target::Coordinator(url) => Self::remote(&url).await,
            Target::Store(url) => Self::store(&parse_store(&url)?, access).await,
        }
    }

    /// Opens a connection, does `work` with it, and closes it however the work ends.
    ///
    /// # Errors
    /// As [`Connection::open`], and what the work says.
    pub(crate) async fn with<T>(
        settings: &Settings,
        flags: &Where,
        access: Access,
        work: impl AsyncFnOnce(&Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        Self::open(settings, flags, access).await?.then(work).await
    }

    /// Does `work` with an open connection, and closes it however the work ends.
    ///
    /// # Errors
    /// What the work says.
    pub(crate) async fn then<T>(self, work: impl AsyncFnOnce(&Self) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let result = work(&self).await;
        self.close().await;
        result
    }

    /// The coordinator at `url`, once it answers.
    ///
    /// # Errors
    /// No URL, or no answer within ten seconds.
    pub(crate) async fn remote(url: &str) -> anyhow::Result<Self> {
        let endpoint = self::endpoint(url)?;
        let deadline = Instant::now() + PATIENCE;
        let mut told = false;
        loop {
            match endpoint::connect(&endpoint).await {
                Ok(channel) => return Ok(Self { channel, local: None, opened: None }),
                Err(error) if Instant::now() >= deadline => {
                    return Err(anyhow::Error::new(error).context(format!(
                        "no coordinator answers at {}: start one with `besom coordinator`, or name another with \
                         --coordinator",
                        endpoint.uri()
                    )));
                }
                Err(_) => {}
            }
            if !told {
                say(format_args!("waiting up to {} s for the coordinator at {}", PATIENCE.as_secs(), endpoint.uri()));
                told = true;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn store(url: &StoreUrl, access: Access) -> anyhow::Result<Self> {
        if access == Access::Read {
            let opened = open::open_read_only(url).await?;
            let queries = queries(url, Rights::OfTheUrl);
            let local = Coordinator::read_only(opened.store.clone(), opened.artifacts.clone(), queries);
            return Ok(Self { channel: local.connector().channel(), local: Some(local), opened: Some(opened) });
        }
        if access == Access::Change {
            // There is nothing to change in a store that would be made just now; this says so.
            open::open_read_only(url).await?;
        }
        match open_or_holder(url).await? {
            Store::Opened(opened) => {
                let queries = queries(url, Rights::OfTheUrl);
                let local = start(&opened, CoordinatorConfig { queries, ..CoordinatorConfig::default() })?;
                Ok(Self { channel: local.connector().channel(), local: Some(local), opened: Some(opened) })
            }
            Store::Held(address) => Self::remote(&address).await,
        }
    }

    /// A client of the sweeps.
    pub(crate) fn sweeps(&self) -> SweepServiceClient<Channel> {
        sweeps(self.channel.clone())
    }

    /// Clients of what commands read.
    pub(crate) fn reader(&self) -> Reader {
        Reader::new(self.channel.clone())
    }

    /// A client of the artifacts.
    pub(crate) fn artifacts(&self) -> Artifacts {
        Artifacts::new(self.channel.clone())
    }

    /// Whether this process holds the store for itself: nobody else trains what it submits.
    pub(crate) fn is_alone(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.lock.is_some())
    }

    /// Ends the services of this process, if it has any.
    async fn close(self) {
        if let Some(local) = self.local {
            local.stop().await;
        }
        if let Some(opened) = self.opened {
            opened.close().await;
        }
    }
}

/// A client of the sweeps at the other end of `channel`.
pub(crate) fn sweeps(channel: Channel) -> SweepServiceClient<Channel> {
    SweepServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER)
}

/// How a coordinator in this process reads its store in SQL.
pub(crate) fn queries(url: &StoreUrl, rights: Rights) -> Option<Arc<Queries>> {
    Some(Arc::new(Queries::new(url, rights)))
}

/// The services on an opened store; the process ends when a sync of its files fails.
///
/// # Errors
/// The configuration contradicts itself: a usage error.
pub(crate) fn start(opened: &Opened, config: CoordinatorConfig) -> anyhow::Result<Coordinator> {
    signals::exit_on_failed_sync();
    Coordinator::start(opened.store.clone(), opened.artifacts.clone(), config).map_err(usage)
}

/// A store, or where its holder listens.
pub(crate) enum Store {
    /// Ours.
    Opened(Opened),
    /// The URL of the process that holds it.
    Held(String),
}

/// Opens the store, or finds who holds it; waits a while for a holder that does not listen yet.
///
/// # Errors
/// The store cannot be opened, or its holder does not listen.
pub(crate) async fn open_or_holder(url: &StoreUrl) -> anyhow::Result<Store> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match open::open(url).await {
            Ok(opened) => return Ok(Store::Opened(opened)),
            Err(OpenError::Held { address: Some(address), .. }) => return Ok(Store::Held(address)),
            Err(error @ OpenError::Held { .. }) if Instant::now() >= deadline => return Err(error.into()),
            Err(OpenError::Held { .. }) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Opens the store for a coordinator; waits a while for a holder that may be about to end.
///
/// # Errors
/// The store cannot be opened, or its holder stays.
pub(crate) async fn open_or_wait(url: &StoreUrl) -> anyhow::Result<Opened> {
    let deadline = Instant::now() + PATIENCE;
    let mut told = false;
    loop {
        match open::open(url).await {
            Err(error @ OpenError::Held { .. }) if Instant::now() < deadline => {
                if !told {
                    say(format_args!("waiting up to {} s: {error}", PATIENCE.as_secs()));
                    told = true;
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error @ OpenError::Held { .. }) => {
                return Err(anyhow::Error::new(error).context("one SQLite store has one coordinator at a time"));
            }
            opened => return Ok(opened?),
        }
    }
}

/// Reads a store's URL.
///
/// # Errors
/// A usage error.
pub(crate) fn parse_store(url: &str) -> anyhow::Result<StoreUrl> {
    StoreUrl::parse(url).map_err(usage)
}

/// Reads the URL of the role for readers, which only a store in Postgres has.
///
/// # Errors
/// A usage error.
pub(crate) fn parse_reader(store: &StoreUrl, url: Option<String>) -> anyhow::Result<Option<String>> {
    let Some(url) = url else { return Ok(None) };
    match (store, parse_store(&url)?) {
        (StoreUrl::Postgres(_), StoreUrl::Postgres(url)) => Ok(Some(url)),
        (StoreUrl::Postgres(_), StoreUrl::Sqlite(_)) => {
            Err(usage("--reader-url: expected postgres://ROLE@HOST/DATABASE, got a SQLite store"))
        }
        // SQLite has no roles. A setting in the environment is often there for several stores.
        (StoreUrl::Sqlite(_), _) => Ok(None),
    }
}

/// How a client or a worker reaches the coordinator at `url`; `http://` may be left out.
///
/// # Errors
/// A usage error.
pub(crate) fn endpoint(url: &str) -> anyhow::Result<Endpoint> {
    endpoint::parse(url).map_err(|error| usage(format_args!("--coordinator: {error}")))
}

/// What a coordinator refused, in its words. A refused sweep file or argument is wrong use.
pub(crate) fn refused(status: Status) -> anyhow::Error {
    match status.code() {
        Code::InvalidArgument => usage(status.message()),
        Code::Unavailable => anyhow::anyhow!("the coordinator is not available: {}", status.message()),
        _ => anyhow::anyhow!("{}", status.message()),
    }
}
