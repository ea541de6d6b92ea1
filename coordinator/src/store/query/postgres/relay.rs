//! A connection to Postgres that passes on only so many bytes at a time.
//!
//! The driver reads a whole message before anybody sees it, and the server sends messages of a
//! gigabyte: a value of that size, or an error that quotes it. So the driver connects to a socket
//! of ours, in a folder that only this user may enter, and this passes on what the server sends, up
//! to a bound since the last row that arrived. What is passed on is not looked at, and may be
//! encrypted.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixListener, UnixStream},
    task::JoinHandle,
};

/// Read at once.
const PIECE: usize = 16 << 10;

/// The name of a socket has at most some hundred bytes.
const LONGEST_FOLDER: usize = 60;

/// Passes on what one connection says. Ends both ends when it is dropped.
pub(super) struct Relay {
    task: JoinHandle<()>,
    count: Arc<Count>,
    _folder: TempDir,
}

#[derive(Default)]
struct Count {
    passed: AtomicUsize,
    is_cut: AtomicBool,
}

impl Relay {
    /// Connects to the server of these options, and gives options that connect by way of it.
    pub(super) async fn start(options: PgConnectOptions, most: usize) -> io::Result<(Self, PgConnectOptions)> {
        let temporary = std::env::temp_dir();
        let folder = match temporary.as_os_str().len() {
            0..LONGEST_FOLDER => TempDir::with_prefix_in("besom-", temporary)?,
            _ => TempDir::with_prefix_in("besom-", "/tmp")?,
        };
        let (host, port) = (options.get_host(), options.get_port());
        let listener = UnixListener::bind(socket(folder.path(), port))?;
        let server: Box<dyn Server> = match options.get_socket() {
            Some(folder) => Box::new(UnixStream::connect(socket(folder, port)).await?),
            None if host.starts_with('/') => Box::new(UnixStream::connect(socket(Path::new(host), port)).await?),
            None => {
                let server = TcpStream::connect((host, port)).await?;
                server.set_nodelay(true)?;
                Box::new(server)
            }
        };
        let count = Arc::<Count>::default();
        let task = tokio::spawn(serve(listener, server, count.clone(), most));
        let options = options.socket(folder.path());
        Ok((Self { task, count, _folder: folder }, options))
    }

    /// Counts from nothing again: a row has arrived.
    pub(super) fn arrived(&self) {
        self.count.passed.store(0, Ordering::Relaxed);
    }

    /// Whether the server sent more than the bound.
    pub(super) fn is_cut(&self) -> bool {
        self.count.is_cut.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

trait Server: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Server for S {}

fn socket(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

async fn serve(listener: UnixListener, server: Box<dyn Server>, count: Arc<Count>, most: usize) {
    let Ok((client, _)) = listener.accept().await else { return };
    // The driver sees a connection that ends, and says so.
    if let Err(error) = pass(client, server, &count, most).await {
        tracing::debug!(%error, "a connection of a reader ended");
    }
}

async fn pass(client: UnixStream, server: Box<dyn Server>, count: &Count, most: usize) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let up = async {
        tokio::io::copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    let down = async {
        let mut piece = vec![0; PIECE];
        loop {
            let length = from_server.read(&mut piece).await?;
            if length == 0 {
                return to_client.shutdown().await;
            }
            if count.passed.fetch_add(length, Ordering::Relaxed) + length > most {
                count.is_cut.store(true, Ordering::Relaxed);
                return Ok(());
            }
            to_client.write_all(&piece[..length]).await?;
        }
    };
    // When one end is done, so is the other: a session has no halves.
    tokio::select! {
        result = up => result,
        result = down => result,
    }
}
