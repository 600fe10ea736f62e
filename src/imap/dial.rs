// SPDX-License-Identifier: GPL-3.0-or-later
//! From a host name to a TCP connection: resolver, then happy eyeballs (RFC 8305).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::Resolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::error::{Error, Result};

/// RFC 8305, section 5: the pause before the next address is tried as well.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
const RESOLVE_LIMIT: Duration = Duration::from_secs(15);
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// The name as DNS and certificates know it: international names in their ASCII form.
pub fn ascii_host(host: &str) -> Result<String> {
    let bare = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(bare.to_owned());
    }
    idna::domain_to_ascii(bare).map_err(|_| Error::Unreachable(format!("{host} is no host name")))
}

/// Connects to the first address of `host` that answers.
pub async fn connect(host: &str, port: u16) -> Result<TcpStream> {
    let addresses = resolve(host).await?;
    let attempt = race(&addresses, port);
    match timeout(CONNECT_LIMIT, attempt).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Error::Unreachable(format!(
            "cannot connect to {host} port {port}: {error}"
        ))),
        Err(_) => {
            let seconds = CONNECT_LIMIT.as_secs();
            Err(Error::Unreachable(format!(
                "cannot connect to {host} port {port}: no answer within {seconds} seconds"
            )))
        }
    }
}

/// The addresses of a host.
///
/// # Errors
/// When it has none, or none that can be found out.
pub async fn resolve(host: &str) -> Result<Vec<IpAddr>> {
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
    let unresolved = |why: String| Error::Unreachable(format!("the name {host} cannot be resolved: {why}"));
    let mut builder = Resolver::builder_tokio().map_err(|error| unresolved(error.to_string()))?;
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let resolver = builder.build().map_err(|error| unresolved(error.to_string()))?;
    let found = timeout(RESOLVE_LIMIT, resolver.lookup_ip(host.as_str()))
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

async fn race(addresses: &[IpAddr], port: u16) -> std::io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut waiting = addresses.iter();
    let mut last = std::io::Error::other("no address");
    loop {
        if let Some(&address) = waiting.next() {
            attempts.spawn(dial(SocketAddr::new(address, port)));
        } else if attempts.is_empty() {
            return Err(last);
        }
        let more = waiting.len() > 0;
        tokio::select! {
            Some(done) = attempts.join_next() => match done {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(error) => last = std::io::Error::other(error),
            },
            () = sleep(ATTEMPT_DELAY), if more => {}
        }
    }
}

async fn dial(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    socket.set_keepalive(true)?;
    socket.set_nodelay(true)?;
    socket.connect(address).await
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
}
