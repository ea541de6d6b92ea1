//! `besom coordinator`: serves sweeps to workers and clients until it is told to stop.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::Context;
use besom_coordinator::{
    CoordinatorConfig,
    store::{StoreUrl, query::Rights},
};
use tokio::net::TcpListener;
use tracing::warn;

use crate::{
    connect,
    output::{self, Exit, usage},
    settings::Settings,
    signals,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where state lives: sqlite:PATH or postgres://... [env: BESOM_STORE] [default:
    /// sqlite:$BESOM_HOME/besom.db]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Address to listen on; port 0 takes a free one [env: BESOM_LISTEN] [default: 127.0.0.1:7070]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Listen beyond this machine although nothing is encrypted and nobody is asked who they are
    #[arg(long)]
    insecure: bool,
    /// How long a worker may stay silent before its jobs go to others: 30s, 2m, 500ms
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "30s")]
    lease_ttl: Duration,
    /// How often workers report at the latest; at most a third of the lease [default: 8s, or a
    /// third of a short lease]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    report_interval: Option<Duration>,
    /// The role that statements of readers log in as, with Postgres; without it the coordinator
    /// makes one
    /// [env: BESOM_READER_URL]
    #[arg(long, value_name = "URL")]
    reader_url: Option<String>,
    /// Answer gRPC reflection (for grpcurl and the like)
    #[arg(long)]
    reflection: bool,
}

/// A lease or an interval.
fn parse_time(text: &str) -> Result<Duration, String> {
    time_up_to(text, 86_400.0, "24h")
}

/// A number with the unit ms, s, m or h; seconds without one. At most so many seconds, which `most`
/// says in words.
pub(super) fn time_up_to(text: &str, most_seconds: f64, most: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a time such as 30s (a number with ms, s, m or h), got {text:?}");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let unit = match &text[digits..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let value: f64 = text[..digits].parse().map_err(|_| wrong())?;
    let seconds = value * unit;
    if !(0.1..=most_seconds).contains(&seconds) {
        return Err(format!("expected a time from 100ms to {most}, got {text:?}"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

impl Args {
    fn config(&self) -> CoordinatorConfig {
        let default = CoordinatorConfig::default();
        let third = self.lease_ttl / 3;
        CoordinatorConfig {
            lease_ttl: self.lease_ttl,
            report_interval: self.report_interval.unwrap_or(default.report_interval.min(third)),
            reaper_interval: default.reaper_interval.min(third),
            reflection: self.reflection,
            ..default
        }
    }
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<Exit> {
    let signal = signals::first_signal("stopping: no new requests, running ones end (again: at once)")?;
    let url = connect::parse_store(&settings.store(args.store.as_deref()))?;
    let listen = settings.listen(args.listen.as_deref());
    let addresses = resolve(&listen, args.insecure).await?;
    let reader_url = connect::parse_reader(&url, settings.reader_url(args.reader_url.as_deref()))?;
    let queries = connect::queries(&url, Rights::OfAReader { url: reader_url });
    let config = CoordinatorConfig { queries: queries.clone(), ..args.config() };
    config.check().map_err(usage)?;
    // A port that is taken is told before a store is made. Where there is a store, its present
    // coordinator may be about to leave both the store and the port.
    if matches!(&url, StoreUrl::Sqlite(path) if !path.exists()) {
        drop(bind(&addresses, &listen).await?);
    }
    let Some(opened) = signal.run_until_cancelled(connect::open_or_wait(&url)).await else {
        return Ok(Exit::Interrupted);
    };
    let opened = opened?;
    let listener = bind(&addresses, &listen).await?;
    let address = listener.local_addr()?;
    let coordinator = connect::start(&opened, config)?;
    if let Some(queries) = &queries
        && let Err(error) = queries.prepare().await
    {
        warn!("{:#}", anyhow::Error::new(error).context("statements of readers are answered with an error"));
    }
    if let Some(lock) = &opened.lock {
        lock.set_address(&format!("http://{}", reachable(address)))
            .with_context(|| lock.path().display().to_string())?;
    }
    output::say(format_args!("besom coordinator is listening on http://{address}, store {url}"));
    if address.ip().is_loopback() {
        output::say(format_args!(
            "only this machine reaches it; `besom coordinator --listen 0.0.0.0:{} --insecure` listens to others as well, on a \
             network that you trust",
            address.port()
        ));
    } else {
        warn!(
            "nothing is encrypted and nobody is asked who they are (--insecure): whoever reaches {address} reads and changes \
             everything; use it on a network that you trust"
        );
        output::say(format_args!(
            "other machines join with `besom worker --coordinator http://{}`",
            authority(address, &host_name())
        ));
    }
    let served = coordinator.serve(listener, signal).await;
    coordinator.stop().await;
    opened.close().await;
    served.context("the server ended")?;
    Ok(Exit::Success)
}

/// How other machines name a listener: an unspecified address by the name of this machine.
fn authority(address: SocketAddr, host: &str) -> String {
    match address.ip().is_unspecified() {
        true => format!("{host}:{}", address.port()),
        false => address.to_string(),
    }
}

/// As this machine calls itself; others may know it by another name.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "THIS-MACHINE".to_owned(),
        name => name.to_owned(),
    }
}

async fn bind(addresses: &[SocketAddr], listen: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addresses).await.with_context(|| format!("cannot listen on {listen}"))
}

/// The addresses that `listen` means. Beyond loopback only where the person said so.
async fn resolve(listen: &str, insecure: bool) -> anyhow::Result<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(listen)
        .await
        .map_err(|error| usage(format_args!("--listen: {listen:?} is no HOST:PORT of this machine: {error}")))?
        .collect();
    if !insecure && addresses.iter().any(|address| !address.ip().is_loopback()) {
        return Err(usage(format_args!(
            "--listen {listen}: other machines reach this address, but nothing is encrypted and nobody is asked who they \
             are; add --insecure if you trust the network"
        )));
    }
    Ok(addresses)
}

/// Where a process of this machine reaches a listener: an unspecified address is reached by
/// loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        let cases = [("30s", 30.0), ("500ms", 0.5), ("2m", 120.0), ("1h", 3600.0), ("1.5", 1.5)];
        for (text, seconds) in cases {
            assert_eq!(parse_time(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "s", "soon", "30 s", "-1s", "0s", "25h", "1.2.3s"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_machines_are_told_a_name_where_there_is_no_address() {
        assert_eq!(authority("0.0.0.0:7070".parse().unwrap(), "hub"), "hub:7070");
        assert_eq!(authority("[::]:7070".parse().unwrap(), "hub"), "hub:7070");
        assert_eq!(authority("10.0.0.1:7070".parse().unwrap(), "hub"), "10.0.0.1:7070");
    }

    #[tokio::test]
    async fn beyond_loopback_needs_insecure() {
        assert!(resolve("0.0.0.0:0", false).await.is_err());
        assert!(resolve("0.0.0.0:0", true).await.is_ok());
        assert!(resolve("127.0.0.1:0", false).await.is_ok());
        assert!(resolve("127.0.0.1", false).await.is_err());
    }
}
