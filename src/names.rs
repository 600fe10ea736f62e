// SPDX-License-Identifier: GPL-3.0-or-later
//! From host names to addresses.
//!
//! Nothing here asks the C library: in a static program that would load name service libraries of the host, which are
//! made for another C library or are not there. What `/etc/hosts` says of a name is all there is to say, as there.

pub mod exchangers;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::lookup_ip::LookupIp;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, Resolver};
use tokio::time::timeout;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::transport::NextTimeout;

const LIMIT: Duration = Duration::from_secs(15);
/// What a client of HTTP takes at most.
const ADDRESSES: usize = 16;

/// Why a name has no address, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError(String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameError {}

/// The name as DNS and certificates know it: international names in their ASCII form, addresses without brackets.
///
/// # Errors
/// When it is no host name.
pub fn ascii_host(host: &str) -> Result<String, NameError> {
    let bare = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(bare.to_owned());
    }
    idna::domain_to_ascii(bare).map_err(|_| NameError(format!("{host} is not a host name")))
}

/// The addresses of a host.
///
/// # Errors
/// When it has none, or none that can be found out.
pub async fn resolve(host: &str) -> Result<Vec<IpAddr>, NameError> {
    let host = ascii_host(host)?;
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    // RFC 6761, 6.3: these names never leave the machine.
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(vec![
            IpAddr::from([127, 0, 0, 1]),
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ]);
    }
    let known = in_hosts(&host, &Hosts::from_system().unwrap_or_default());
    if !known.is_empty() {
        return Ok(known);
    }
    let unresolved = |why: String| NameError(format!("the name {host} cannot be resolved: {why}"));
    let mut builder = Resolver::builder_tokio().map_err(|error| unresolved(error.to_string()))?;
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let resolver = builder.build().map_err(|error| unresolved(error.to_string()))?;
    let found = timeout(LIMIT, resolver.lookup_ip(host.as_str()))
        .await
        .map_err(|_| unresolved("the name server does not answer".to_owned()))?
        .map_err(|error| unresolved(in_words(&error)))?;
    let addresses = interleave(found.iter());
    if addresses.is_empty() {
        Err(unresolved("it has no address".to_owned()))
    } else {
        Ok(addresses)
    }
}

/// The same for callers that are not asynchronous.
///
/// # Errors
/// When there is no address, or none that can be found out.
pub fn resolve_now(host: &str) -> Result<Vec<IpAddr>, NameError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| NameError(format!("the name {host} cannot be resolved: {error}")))?;
    let found = runtime.block_on(resolve(host));
    runtime.shutdown_background();
    found
}

/// Names to addresses, for clients of HTTP.
#[derive(Debug)]
pub struct Names;

impl ureq::unversioned::resolver::Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let default = if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        let port = uri.port_u16().unwrap_or(default);
        let found = resolve_now(host).map_err(|_| ureq::Error::HostNotFound)?;
        let mut addresses = self.empty();
        for address in found.into_iter().take(ADDRESSES) {
            addresses.push(SocketAddr::new(address, port));
        }
        Ok(addresses)
    }
}

/// What the file of this machine knows of a name.
fn in_hosts(host: &str, hosts: &Hosts) -> Vec<IpAddr> {
    let Ok(name) = Name::from_ascii(host) else {
        return vec![];
    };
    let found = [RecordType::AAAA, RecordType::A]
        .into_iter()
        .filter_map(|kind| hosts.lookup_static_host(&Query::query(name.clone(), kind)))
        .flat_map(|lookup| LookupIp::from(lookup).iter().collect::<Vec<_>>());
    interleave(found)
}

/// What the resolver's error means to people.
fn in_words(error: &NetError) -> String {
    match error {
        error if error.is_nx_domain() => "there is no such name".to_owned(),
        error if error.is_no_records_found() => "it has no address".to_owned(),
        NetError::Timeout => "the name server does not answer".to_owned(),
        error => error.to_string(),
    }
}

/// Families in turn, IPv6 first (RFC 8305, section 4).
fn interleave(found: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let (six, four): (Vec<_>, Vec<_>) = found.partition(IpAddr::is_ipv6);
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    let mut out = vec![];
    loop {
        let pair = [six.next(), four.next()];
        if pair == [None, None] {
            return out;
        }
        out.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let list = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(|a| a.parse().unwrap());
        let order: Vec<String> = interleave(list.into_iter())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(order, ["2001:db8::1", "192.0.2.1", "192.0.2.2"]);
    }

    #[test]
    fn international_names_and_literals() {
        assert_eq!(ascii_host("bücher.example").unwrap(), "xn--bcher-kva.example");
        assert_eq!(ascii_host("[::1]").unwrap(), "::1");
        assert!(ascii_host("xn--a").is_err());
    }

    /// A node's leader has an IPv4 address there and nothing else: no name server is asked for another one.
    #[test]
    fn what_the_file_of_this_machine_says_is_enough() {
        let mut hosts = Hosts::default();
        hosts
            .read_hosts_conf("10.5.4.1 cluster-leader\n::2 both\n10.5.4.2 both\n".as_bytes())
            .unwrap();
        let found =
            |name: &str| -> Vec<String> { in_hosts(name, &hosts).iter().map(ToString::to_string).collect() };
        assert_eq!(found("cluster-leader"), ["10.5.4.1"]);
        assert_eq!(found("both"), ["::2", "10.5.4.2"]);
        assert!(found("elsewhere").is_empty());
    }

    #[test]
    fn names_of_this_machine_need_no_name_server() {
        let found = resolve_now("LOCALHOST").unwrap();
        assert!(found.iter().all(IpAddr::is_loopback) && found.len() == 2);
        assert_eq!(
            resolve_now("192.0.2.7").unwrap(),
            ["192.0.2.7".parse::<IpAddr>().unwrap()]
        );
    }
}
