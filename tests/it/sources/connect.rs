// SPDX-License-Identifier: GPL-3.0-or-later
//! An HTTP proxy that wants a login.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A proxy on loopback, until the process ends.
pub(super) struct Connect {
    /// Its port.
    pub port: u16,
    served: Arc<AtomicUsize>,
}

impl Connect {
    /// Starts one for one who logs in as `login`, `user:password`.
    pub(super) fn start(login: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let served = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&served);
        let wanted = format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(login));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if pass(client, &wanted).is_ok() {
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Ok(Self { port, served })
    }

    /// How many connections it has made.
    pub(super) fn count(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }
}

fn pass(mut client: TcpStream, wanted: &str) -> std::io::Result<()> {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        client.read_exact(&mut octet)?;
        head.push(octet[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    if !head.contains(wanted) {
        client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")?;
        return Err(std::io::ErrorKind::PermissionDenied.into());
    }
    let server = TcpStream::connect(head.split(' ').nth(1).unwrap_or_default())?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    for (mut from, mut to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Both);
        });
    }
    Ok(())
}
