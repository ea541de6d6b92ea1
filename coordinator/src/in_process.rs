//! The services without a socket: pipes within the process, through the same HTTP/2 as any other
//! connection.

use std::io::{Error, ErrorKind};

use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tonic::transport::{Channel, Endpoint, Uri};

/// Bytes that each direction of a pipe holds.
const PIPE: usize = 256 * 1024;

/// Connects to the coordinator in this process.
///
/// The coordinator's end of every pipe lives on its own runtime and ends with it; connecting then
/// is refused.
#[derive(Clone, Debug)]
pub struct InProcess {
    connections: mpsc::Sender<std::io::Result<DuplexStream>>,
}

impl InProcess {
    /// The connector and the stream of connections that the server is given.
    pub(crate) fn new() -> (Self, mpsc::Receiver<std::io::Result<DuplexStream>>) {
        let (connections, incoming) = mpsc::channel(8);
        (Self { connections }, incoming)
    }

    /// A channel that belongs to the current runtime. It connects at its first call, and again
    /// after its pipe broke.
    pub fn channel(&self) -> Channel {
        let connections = self.connections.clone();
        let connect = tower::service_fn(move |_: Uri| {
            let connections = connections.clone();
            async move {
                let (client, server) = tokio::io::duplex(PIPE);
                let gone = |_| Error::new(ErrorKind::ConnectionRefused, "the coordinator of this process has stopped");
                connections.send(Ok(server)).await.map_err(gone)?;
                Ok::<_, Error>(TokioIo::new(client))
            }
        });
        Endpoint::from_static("http://in-process").connect_with_connector_lazy(connect)
    }
}
