// SPDX-License-Identifier: GPL-3.0-or-later
//! From a host name to a TCP connection: its addresses, then happy eyeballs (RFC 8305).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::error::{Error, Result};
use super::proxy::Proxy;
use crate::names;
use crate::text::io_reason;

/// RFC 8305, section 5: the pause before the next address is tried as well.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// The name as DNS and certificates know it.
pub fn ascii_host(host: &str) -> Result<String> {
    names::ascii_host(host).map_err(|error| Error::Unreachable(error.to_string()))
}

/// Connects to a server, directly or through a proxy.
pub async fn connect(host: &str, port: u16, proxy: Option<&SecretString>) -> Result<TcpStream> {
    let Some(proxy) = proxy else {
        return reach(host, port).await;
    };
    let failed = |why: &str| Error::Unreachable(format!("cannot connect to {host} port {port} {why}"));
    let proxy = Proxy::parse(proxy.expose_secret()).map_err(|form| {
        failed(&format!(
            "through the proxy of this instance: invalid IMAP_PROXY: {form}"
        ))
    })?;
    let stream = reach(&proxy.host, proxy.port)
        .await
        .map_err(|error| failed(&format!("through the proxy {proxy}: {error}")))?;
    let target = ascii_host(host)?;
    match timeout(CONNECT_LIMIT, proxy.reach(stream, &target, port)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(why)) => Err(failed(&format!("through the proxy {proxy}: {why}"))),
        Err(_) => Err(failed(&format!("through the proxy {proxy}: it does not answer"))),
    }
}

/// Connects to the first address of `host` that answers.
async fn reach(host: &str, port: u16) -> Result<TcpStream> {
    let addresses = names::resolve(host)
        .await
        .map_err(|error| Error::Unreachable(error.to_string()))?;
    let attempt = race(&addresses, port);
    match timeout(CONNECT_LIMIT, attempt).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Error::Unreachable(format!(
            "cannot connect to {host} port {port}: {}",
            io_reason(&error)
        ))),
        Err(_) => {
            let seconds = CONNECT_LIMIT.as_secs();
            Err(Error::Unreachable(format!(
                "cannot connect to {host} port {port}: no answer within {seconds} seconds"
            )))
        }
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
