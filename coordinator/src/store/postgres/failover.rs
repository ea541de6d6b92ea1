//! For tests: a store that loses its server without a word.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::{ACQUIRE_TIMEOUT, PostgresStore, WRITERS, pool, postgres_options};

/// Passes connections on to `server`. What was connected before a change of `host` stays connected and says nothing
/// more, as after a failover that the network does not tell anybody of.
async fn pass_on(listener: TcpListener, server: (String, u16), host: watch::Receiver<u32>) {
    let mut connections = JoinSet::new();
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let (server, mut host) = (server.clone(), host.clone());
        host.mark_unchanged();
        connections.spawn(async move {
            let mut upstream = TcpStream::connect(server).await.unwrap();
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut upstream) => {}
                _ = host.changed() => std::future::pending().await,
            }
        });
    }
}

/// A store whose server falls silent with each change of the sender.
pub(crate) async fn behind_failover(url: &str, limit: Duration) -> (PostgresStore, watch::Sender<u32>, JoinSet<()>) {
    let options = postgres_options(url).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (failover, host) = watch::channel(0);
    let server = (options.get_host().to_owned(), options.get_port());
    let mut proxy = JoinSet::new();
    proxy.spawn(pass_on(listener, server, host));
    let pool = pool(options.host("127.0.0.1").port(port), WRITERS, ACQUIRE_TIMEOUT);
    (PostgresStore::with(Some(pool.clone()), pool, limit, "test"), failover, proxy)
}
