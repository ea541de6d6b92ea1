//! Accepts connections, and ends those that nobody uses once the server closes.
//!
//! Accepting goes on when it fails: a process that has no descriptor left waits for one, says so
//! once, and does not spin. A closing server waits for open calls. A connection without one is
//! ended here, since hyper would wait for ever for a peer that never sent its preface, and as long
//! for one that does not answer its goodbye.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, stream};
use http_body_util::BodyExt;
use rustix::io::Errno;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tonic::{
    body::Body,
    codegen::{BoxFuture, Service, http},
    transport::server::Connected,
};
use tracing::{debug, info, warn};

use crate::descriptors;

/// The pause after the first accept that failed; it doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(1);

/// Accepting counts as working again after so long without a failure: one descriptor that becomes
/// free and is taken at once must not end one outage and begin the next.
const CALM: Duration = Duration::from_secs(2);

/// What a closing connection gets after its last call: for the answer to leave, and for a peer that
/// reads to say goodbye.
const FAREWELL: Duration = Duration::from_millis(250);

/// The connections of `listener`, without end. Once `closing` is cancelled those without an open
/// call end.
pub(crate) fn incoming(
    listener: TcpListener,
    closing: CancellationToken,
) -> impl Stream<Item = io::Result<Connection>> + Send {
    let acceptor = Acceptor { listener, closing, outage: Outage::default() };
    stream::unfold(acceptor, |mut acceptor| async move {
        let connection = acceptor.accept().await;
        Some((Ok(connection), acceptor))
    })
}

/// The options of every accepted socket. A connection without them serves as well, on links that
/// are not slow.
fn prepare(stream: &TcpStream) {
    if let Err(error) = besom_proto::link::tune(stream) {
        debug!(%error, "a connection's options could not be set");
    }
}

struct Acceptor {
    listener: TcpListener,
    closing: CancellationToken,
    outage: Outage,
}

impl Acceptor {
    async fn accept(&mut self) -> Connection {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = self.outage.over() => {
                    info!("connections are accepted again");
                    self.outage = Outage::default();
                    continue;
                }
            };
            match accepted {
                Ok((stream, _)) => {
                    self.outage.accepted(Instant::now());
                    prepare(&stream);
                    return Connection::new(stream, self.closing.clone());
                }
                Err(error) if is_of_one_connection(&error) => {
                    debug!(%error, "a connection ended before it was accepted")
                }
                Err(error) => sleep(self.outage.failed(&error)).await,
            }
        }
    }
}

/// Whether the next connection may well be accepted at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | Interrupted | TimedOut | WouldBlock)
}

/// A time in which accepting fails.
#[derive(Debug, Default)]
struct Outage {
    /// Failures since a connection was accepted; 0 outside of an outage.
    failures: u32,
    /// The first connection accepted after the latest failure.
    accepted: Option<Instant>,
}

impl Outage {
    /// Notes a failure, says so if it is the first of an outage, and answers how long to wait.
    fn failed(&mut self, error: &io::Error) -> Duration {
        if self.failures == 0 {
            warn!("{}", explain(error));
        }
        self.failures += 1;
        self.accepted = None;
        FIRST.saturating_mul(1 << (self.failures - 1).min(8)).min(LONGEST)
    }

    fn accepted(&mut self, now: Instant) {
        if self.failures > 0 {
            self.failures = 1;
            self.accepted.get_or_insert(now);
        }
    }

    /// Returns when an outage is over, and never outside of one.
    async fn over(&self) {
        match self.accepted {
            Some(accepted) => sleep_until(accepted + CALM).await,
            None => std::future::pending().await,
        }
    }
}

fn explain(error: &io::Error) -> String {
    let code = error.raw_os_error();
    if code == Some(Errno::MFILE.raw_os_error()) {
        let limit = descriptors::limit();
        return format!(
            "all {limit} file descriptors of this process are in use: new connections wait until one is free; raise \
             the hard limit (ulimit -Hn, or LimitNOFILE= of a service), or find out who holds so many connections"
        );
    }
    if code == Some(Errno::NFILE.raw_os_error()) {
        return "the system's table of open files is full: new connections wait until other programs close some; \
                raise fs.file-max"
            .to_owned();
    }
    format!("no connection can be accepted: {error}; they wait, and it is tried again every second")
}

/// A TCP connection of the server.
pub(crate) struct Connection {
    stream: TcpStream,
    calls: Calls,
    /// Returns when the connection is to be ended.
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

impl Connection {
    fn new(stream: TcpStream, closing: CancellationToken) -> Self {
        let calls = Calls::default();
        Self { stream, end: Box::pin(until_unused(closing, calls.clone())), calls, ended: false }
    }

    /// Whether the connection is to be ended; otherwise the task is woken when it is.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.ended = self.ended || self.end.as_mut().poll(cx).is_ready();
        self.ended
    }

    /// What an operation comes to that has to wait: of a connection that is over nothing is waited
    /// for.
    fn or_broken<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_pending() && self.is_over(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        poll
    }
}

/// Returns once the server closes and the connection has no open call. A peer that never called is
/// not waited for.
async fn until_unused(closing: CancellationToken, calls: Calls) {
    closing.cancelled().await;
    let closed = Instant::now();
    let mut states = calls.0.subscribe();
    loop {
        let latest = match states.wait_for(|state| state.open == 0).await {
            Ok(state) => state.ended,
            Err(_gone) => return,
        };
        let Some(latest) = latest else { return };
        tokio::select! {
            () = sleep_until(latest.max(closed) + FAREWELL) => return,
            // A call that was on its way when the server closed.
            _ = states.wait_for(|state| state.open > 0) => {}
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            // As if the peer had closed it.
            Poll::Pending if this.is_over(cx) => Poll::Ready(Ok(())),
            poll => poll,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.or_broken(cx, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.or_broken(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_flush(cx);
        this.or_broken(cx, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.or_broken(cx, poll)
    }
}

impl Connected for Connection {
    type ConnectInfo = Calls;

    fn connect_info(&self) -> Calls {
        self.calls.clone()
    }
}

/// The open calls of one connection; every request carries it among its extensions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<watch::Sender<CallState>>);

#[derive(Debug, Default)]
struct CallState {
    open: usize,
    /// When the latest one ended.
    ended: Option<Instant>,
}

impl Calls {
    fn begin(&self) -> OpenCall {
        self.0.send_modify(|state| state.open += 1);
        OpenCall(self.clone())
    }
}

/// A call from its request to the last byte of its answer, or until its peer gave it up.
#[derive(Debug)]
struct OpenCall(Calls);

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| {
            state.open -= 1;
            state.ended = Some(Instant::now());
        });
    }
}

/// A service whose calls count as open on their connection.
#[derive(Clone, Debug)]
pub(crate) struct Counted<S>(pub(crate) S);

impl<S> Service<http::Request<Body>> for Counted<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<S::Response, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let call = request.extensions().get().map(Calls::begin);
        let answer = self.0.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            Ok(answer.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _open = &call;
                    frame
                }))
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_an_outage_is_one_until_it_was_calm() {
        let error = io::Error::from_raw_os_error(Errno::MFILE.raw_os_error());
        let mut outage = Outage::default();
        let pauses: Vec<Duration> = (0..40).map(|_| outage.failed(&error)).collect();
        assert!(pauses.is_sorted() && pauses[0] == FIRST && pauses[39] == LONGEST, "{pauses:?}");
        outage.accepted(Instant::now());
        assert!(outage.failures > 0, "one connection does not end an outage");
        outage.failed(&error);
        assert!(outage.accepted.is_none());
    }

    #[test]
    fn what_is_used_up_is_named_with_what_to_do() {
        let said = |errno: Errno| explain(&io::Error::from_raw_os_error(errno.raw_os_error()));
        assert!(
            said(Errno::MFILE).contains("file descriptors of this process") && said(Errno::MFILE).contains("ulimit")
        );
        assert!(said(Errno::NFILE).contains("fs.file-max"));
        assert!(said(Errno::NOBUFS).contains("tried again"));
    }
}
