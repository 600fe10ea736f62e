// SPDX-License-Identifier: GPL-3.0-or-later
//! The bytes of a connection: lines and literals in, answers out, up to where it is cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use rustls::{ServerConnection, StreamOwned};

use super::{Closed, Session, Step};
use crate::server_faults::command::Received;
use crate::server_faults::fault::After;
use crate::server_faults::server::lock;

pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Session<'_> {
    /// One command with its literals; `None` when it was refused before its end.
    pub(super) fn receive(&mut self) -> Step<Option<Received>> {
        let mut received = Received::default();
        loop {
            let line = self.line()?;
            received.text.extend_from_slice(&line);
            let Some((size, immediate)) = mark(&line) else {
                break;
            };
            received.text.extend_from_slice(b"\r\n");
            let (plus, minus, largest) = {
                let faults = lock(&self.shared.faults);
                (faults.has("LITERAL+"), faults.has("LITERAL-"), faults.largest)
            };
            if immediate && !(plus || minus && size <= 4096) {
                self.violation("literal without consent", &line);
            }
            if !immediate {
                if largest.is_some_and(|largest| size > largest) {
                    let tag = String::from_utf8_lossy(&received.text);
                    let tag = tag.split(' ').next().unwrap_or_default().to_owned();
                    self.put(format!("{tag} NO [TOOBIG] Message too large\r\n").as_bytes())?;
                    return Ok(None);
                }
                self.put(b"+ OK\r\n")?;
                self.flush()?;
            }
            while self.inbox.len() < size {
                self.fill()?;
            }
            received.literals.push(self.inbox.drain(..size).collect());
        }
        let text = String::from_utf8_lossy(&received.text).into_owned();
        lock(&self.shared.heard).push(text);
        Ok(Some(received))
    }

    pub(super) fn line(&mut self) -> Step<Vec<u8>> {
        loop {
            if let Some(end) = self.inbox.windows(2).position(|pair| pair == b"\r\n") {
                let mut line: Vec<u8> = self.inbox.drain(..end + 2).collect();
                line.truncate(end);
                return Ok(line);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Step<()> {
        let mut chunk = [0; 65_536];
        let read = match self.stream.as_mut().ok_or(Closed)? {
            Stream::Plain(stream) => stream.read(&mut chunk),
            Stream::Tls(stream) => stream.read(&mut chunk),
        };
        match read {
            Ok(0) | Err(_) => Err(Closed),
            Ok(count) => {
                self.inbox.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }

    /// Says something, up to where the connection is cut.
    pub(in crate::server_faults) fn put(&mut self, bytes: &[u8]) -> Step<()> {
        let cut = lock(&self.shared.faults).cut;
        let mut sent = lock(&self.shared.sent);
        let Some(count) = sent.get_mut(self.number) else {
            return Err(Closed);
        };
        if let Some(cut) = cut.filter(|cut| cut.connection.is_none_or(|n| n == self.number))
            && let After::Octets(limit) = cut.after
            && *count + bytes.len() as u64 > limit
        {
            let size_limit = usize::try_from(limit - *count).unwrap_or(0);
            self.out.extend_from_slice(&bytes[..size_limit]);
            *count = limit;
            drop(sent);
            self.flush()?;
            return Err(Closed);
        }
        *count += bytes.len() as u64;
        drop(sent);
        self.out.extend_from_slice(bytes);
        if self.out.len() > 16_384 {
            self.flush()
        } else {
            Ok(())
        }
    }

    pub(in crate::server_faults) fn flush(&mut self) -> Step<()> {
        let out = std::mem::take(&mut self.out);
        let written = match self.stream.as_mut().ok_or(Closed)? {
            Stream::Plain(stream) => stream.write_all(&out),
            Stream::Tls(stream) => stream.write_all(&out).and_then(|()| stream.flush()),
        };
        written.map_err(|_| Closed)
    }

    pub(super) fn close(&mut self) {
        let _ = match self.stream.take() {
            Some(Stream::Plain(stream)) => stream.shutdown(Shutdown::Write),
            Some(Stream::Tls(stream)) => stream.sock.shutdown(Shutdown::Write),
            None => Ok(()),
        };
    }

    pub(super) fn bye(&mut self, text: &str) -> Step<()> {
        self.put(format!("* BYE {text}\r\n").as_bytes())?;
        self.flush()?;
        Err(Closed)
    }
}

/// The size of the literal that a line announces, and whether the client does not wait.
fn mark(line: &[u8]) -> Option<(usize, bool)> {
    let inner = line.strip_suffix(b"}")?;
    let (inner, immediate) = match inner.strip_suffix(b"+") {
        Some(inner) => (inner, true),
        None => (inner, false),
    };
    let open = inner.iter().rposition(|&byte| byte == b'{')?;
    let size = std::str::from_utf8(&inner[open + 1..]).ok()?.parse().ok()?;
    Some((size, immediate))
}
