// SPDX-License-Identifier: GPL-3.0-or-later
//! Connections that misbehave: far away, or cut in the middle.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::Context;

/// A TCP proxy on 127.0.0.1 before a server.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    rules: Arc<Rules>,
}

#[derive(Debug)]
struct Rules {
    target: SocketAddr,
    delay: Duration,
    /// How many octets from the server pass before every connection is cut.
    budget: AtomicU64,
    connections: AtomicUsize,
    stopped: AtomicBool,
}

impl Proxy {
    /// Passes everything on to `target`, each direction `delay` late: half of the round-trip time.
    pub fn start(target: SocketAddr, delay: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port for the proxy")?;
        let rules = Arc::new(Rules {
            target,
            delay,
            budget: AtomicU64::new(u64::MAX),
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let proxy = Self {
            port: listener.local_addr()?.port(),
            rules: Arc::clone(&rules),
        };
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if rules.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(server) = TcpStream::connect(rules.target) else {
                    continue;
                };
                rules.connections.fetch_add(1, Ordering::Relaxed);
                drop(carry(&client, &server, &rules));
            }
        });
        Ok(proxy)
    }

    /// The port on 127.0.0.1 to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// After so many more octets from the server, in all connections together, every connection is cut at once.
    pub fn cut_after(&self, octets: u64) {
        self.rules.budget.store(octets, Ordering::Relaxed);
    }

    /// Lets everything pass again.
    pub fn heal(&self) {
        self.cut_after(u64::MAX);
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.rules.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.rules.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn carry(client: &TcpStream, server: &TcpStream, rules: &Arc<Rules>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    pass(client.try_clone()?, server.try_clone()?, rules.delay, None);
    pass(
        server.try_clone()?,
        client.try_clone()?,
        rules.delay,
        Some(Arc::clone(rules)),
    );
    Ok(())
}

/// Passes octets on in the order they came, each as late as it should be, without holding back those behind it.
fn pass(mut from: TcpStream, to: TcpStream, delay: Duration, metered: Option<Arc<Rules>>) {
    let (sender, receiver) = channel();
    std::thread::spawn(move || deliver(&receiver, to));
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = match from.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(length) => length,
            };
            let mut allowed = length;
            if let Some(rules) = &metered {
                let left = rules.budget.load(Ordering::Relaxed);
                if left != u64::MAX {
                    allowed = allowed.min(usize::try_from(left).unwrap_or(usize::MAX));
                    rules.budget.fetch_sub(allowed as u64, Ordering::Relaxed);
                }
            }
            if sender
                .send((Instant::now() + delay, buffer[..allowed].to_vec()))
                .is_err()
                || allowed < length
            {
                break;
            }
        }
        drop(from.shutdown(Shutdown::Both));
    });
}

fn deliver(queue: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    for (due, octets) in queue {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&octets).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}
