//! Where `run` works: it serves the local store itself, or it is the guest of the process that
//! does.
//!
//! Whoever holds the store listens on loopback, and everybody in this program speaks to "the
//! current address". When the holder goes away (its sweep ended, it was killed) a guest takes the
//! store over and serves it; its workers go on over the same channel and notice nothing but a
//! moment's absence.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use besom_client::endpoint;
use besom_coordinator::{
    Coordinator, CoordinatorConfig,
    open::{self, Opened},
    store::{OpenError, StoreUrl, query::Rights},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use crate::connect::{self, Store};

/// A coordinator that restarts is given this long before a guest takes its store: longer than a
/// service manager waits before it starts one again (2 s in deploy/), shorter than the leases that
/// the guest's workers hold.
const GRACE: Duration = Duration::from_secs(5);
/// What connections get to end by themselves.
const FAREWELL: Duration = Duration::from_millis(500);

/// All workers are processes of this machine: no network can be slow, and after a kill nobody wants
/// to wait long.
const LEASE_TTL: Duration = Duration::from_secs(5);
/// A live display; on one machine it costs nothing.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// `host:port` of the coordinator, as it is now.
#[derive(Clone, Default)]
pub(crate) struct Address(Arc<Mutex<String>>);

impl Address {
    fn set(&self, url: &str) {
        let authority = url.trim_start_matches("http://").trim_end_matches('/');
        authority.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A channel that connects, and connects again, to wherever the coordinator is then.
    pub(crate) fn channel(&self) -> Channel {
        let address = self.clone();
        let connector = tower::service_fn(move |_| {
            let address = address.get();
            async move {
                let stream = TcpStream::connect(address).await?;
                endpoint::prepare(&stream);
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        endpoint::tuned(Endpoint::from_static("http://besom")).connect_with_connector_lazy(connector)
    }
}

/// Host or guest.
pub(crate) struct Place {
    url: StoreUrl,
    address: Address,
    host: Option<Host>,
    away_since: Option<Instant>,
}

struct Host {
    /// Ends the server.
    shutdown: CancellationToken,
    /// Owns the coordinator.
    server: JoinHandle<()>,
    /// Holds the lock.
    opened: Opened,
}

impl Place {
    /// Opens the store and serves it, or finds who does.
    ///
    /// # Errors
    /// The store can be neither opened nor reached.
    pub(crate) async fn take(url: StoreUrl) -> anyhow::Result<Self> {
        let mut place = Self { url, address: Address::default(), host: None, away_since: None };
        match connect::open_or_holder(&place.url).await? {
            Store::Opened(opened) => place.serve(opened).await?,
            Store::Held(address) => place.address.set(&address),
        }
        Ok(place)
    }

    /// Where the coordinator is.
    pub(crate) fn address(&self) -> Address {
        self.address.clone()
    }

    /// The process that holds the store, if it is another one.
    pub(crate) fn holder(&self) -> Option<String> {
        self.host.is_none().then(|| self.address.get())
    }

    /// To be called while the coordinator does not answer: finds a new holder, or takes the store
    /// over. Says whether it did.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub(crate) async fn recover(&mut self) -> anyhow::Result<bool> {
        if self.host.is_some() {
            return Ok(false);
        }
        let since = *self.away_since.get_or_insert_with(Instant::now);
        if since.elapsed() < GRACE {
            return Ok(false);
        }
        match open::open(&self.url).await {
            Ok(opened) => {
                self.serve(opened).await?;
                self.away_since = None;
                Ok(true)
            }
            Err(OpenError::Held { address, .. }) => {
                if let Some(address) = address {
                    self.address.set(&address);
                }
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// To be called whenever the coordinator answers.
    pub(crate) fn answers(&mut self) {
        self.away_since = None;
    }

    async fn serve(&mut self, opened: Opened) -> anyhow::Result<()> {
        let config = CoordinatorConfig {
            queries: connect::queries(&self.url, Rights::OfAReader { url: None }),
            lease_ttl: LEASE_TTL,
            report_interval: REPORT_INTERVAL,
            reaper_interval: REPORT_INTERVAL,
            ..CoordinatorConfig::default()
        };
        let coordinator = connect::start(&opened, config)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen on loopback")?;
        let url = format!("http://{}", listener.local_addr()?);
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(serve(coordinator, listener, shutdown.clone()));
        if let Some(lock) = &opened.lock {
            lock.set_address(&url).with_context(|| lock.path().display().to_string())?;
        }
        self.address.set(&url);
        self.host = Some(Host { shutdown, server, opened });
        Ok(())
    }

    /// Stops serving and gives the store back.
    pub(crate) async fn leave(self) {
        let Some(host) = self.host else { return };
        host.shutdown.cancel();
        if let Err(error) = host.server.await {
            tracing::error!(%error, "the server ended badly");
        }
        // Only now may another process have the store.
        host.opened.close().await;
    }
}

/// Serves until `shutdown`, then cuts what does not end by itself: a person waits for the end of
/// `run`.
async fn serve(coordinator: Coordinator, listener: TcpListener, shutdown: CancellationToken) {
    let cut = async {
        shutdown.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        served = coordinator.serve(listener, shutdown.clone()) => {
            if let Err(error) = served {
                tracing::error!(%error, "the local server ended");
            }
        }
        () = cut => {}
    }
    coordinator.stop().await;
}
