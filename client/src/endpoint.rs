//! Where a coordinator is, and connections to it.

use std::time::Duration;

use besom_proto::link;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint, Error, Uri};
use tower::{BoxError, Service, ServiceExt};

/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(5);

/// A text that names no coordinator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme, or nothing that a URL can be.
    #[error("expected the URL of a coordinator (http://HOST:PORT), got {0:?}")]
    NoUrl(String),
    /// Any digits pass the parser of URLs.
    #[error("{0:?}: a port is a number from 1 to 65535")]
    Port(String),
}

/// How a client or a worker reaches the coordinator at `url`; `http://` may be left out.
///
/// # Errors
/// The text names no coordinator.
pub fn parse(url: &str) -> Result<Endpoint, AddressError> {
    let no_url = || AddressError::NoUrl(url.to_owned());
    let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    if !full.starts_with("http://") {
        return Err(no_url());
    }
    let endpoint = Endpoint::from_shared(full).map_err(|_| no_url())?;
    let authority = endpoint.uri().authority().map_or("", |authority| authority.as_str());
    let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Err(AddressError::Port(url.to_owned()));
    }
    Ok(tuned(endpoint))
}

/// Notices a dead peer, also while nothing is asked, and takes no slow one for dead.
#[must_use]
pub fn tuned(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECTING)
        .http2_keep_alive_interval(link::KEEP_ALIVE)
        .keep_alive_timeout(link::KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
}

/// A channel to the coordinator there, which has answered.
///
/// # Errors
/// Nobody answers.
pub async fn connect(endpoint: &Endpoint) -> Result<Channel, Error> {
    endpoint.connect_with_connector(connector()).await
}

/// A channel to the coordinator there, connected when it is first used.
#[must_use]
pub fn lazy(endpoint: &Endpoint) -> Channel {
    endpoint.connect_with_connector_lazy(connector())
}

/// Connects over TCP, to whichever of a name's addresses answers first.
fn connector() -> impl Service<Uri, Response = TokioIo<TcpStream>, Error = BoxError, Future: Send> + Send + 'static {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECTING));
    let prepared = tcp.map_response(|stream| {
        prepare(stream.inner());
        stream
    });
    prepared.map_err(BoxError::from)
}

/// Sets the options of a socket that has just been connected. Without them it works as well, on
/// links that are not slow.
pub fn prepare(stream: &TcpStream) {
    if let Err(error) = link::tune(stream) {
        tracing::debug!(%error, "a connection's options could not be set");
    }
}
