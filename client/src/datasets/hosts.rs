//! Which addresses a dataset may come from.
//!
//! A sweep file names the URL and another machine may open it, so a URL must not reach what only
//! that machine can: loopback, private and link-local addresses are refused after the name is
//! resolved, and the addresses that were checked are the ones connected to (a name that changes its
//! answer in between gains nothing).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A host that only this machine or its network can reach.
#[derive(Debug)]
pub(super) struct PrivateHost {
    pub(super) host: String,
    pub(super) address: IpAddr,
}

impl std::error::Error for PrivateHost {}

impl std::fmt::Display for PrivateHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, address } = self;
        match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(literal) if *address == literal => write!(f, "{address} is")?,
            _ => write!(f, "{host} is {address},")?,
        }
        f.write_str(" an address of this machine or a private network: give --allow-private-hosts if that is meant")
    }
}

/// Resolves names by the system and leaves out addresses that are not public.
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let private = addresses.iter().map(SocketAddr::ip).find(|&address| !is_public(address));
            let public: Vec<SocketAddr> = addresses.into_iter().filter(|address| is_public(address.ip())).collect();
            match private {
                Some(address) if public.is_empty() => Err(PrivateHost { host, address }.into()),
                _ => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

/// Checks a host that is an address itself, which no resolver ever sees.
pub(super) fn check_literal(host: &str) -> Result<(), PrivateHost> {
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(address) if !is_public(address) => Err(PrivateHost { host: host.to_owned(), address }),
        _ => Ok(()),
    }
}

/// True for addresses of the public internet (IANA's special-purpose registries, without the rare
/// public ones).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is given out; of it, documentation, Teredo (2001:0) and 6to4, which wrap IPv4,
    // are not meant.
    first & 0xe000 == 0x2000 && !(first == 0x2001 && (second == 0xdb8 || second == 0)) && first != 0x2002
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_and_its_networks_are_private() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "140.82.121.3", "2606:50c0:8000::154", "::ffff:8.8.8.8"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn literal_addresses_in_urls_are_checked() {
        let text = check_literal("127.0.0.1").unwrap_err().to_string();
        assert!(text.starts_with("127.0.0.1 is an address of this machine"), "{text}");
        assert!(check_literal("[::1]").is_err());
        assert!(check_literal("8.8.8.8").is_ok());
        assert!(check_literal("example.org").is_ok());
    }
}
