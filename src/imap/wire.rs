// SPDX-License-Identifier: GPL-3.0-or-later
//! Octets in, octets out: lines and literals from the server, commands to it. Whatever the server says
//! while a command is being written is taken in meanwhile, so that the two sides never wait for each
//! other with full buffers.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::error::{Error, Result};
use super::literal::{Collector, Literal};
use super::scan::Raw;

/// What a connection runs over: TCP, TLS, or a test's pipe.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Limits against servers that never stop talking.
const MAX_TEXT: usize = 16 * 1024 * 1024;
const MAX_LITERAL: u64 = 4 * 1024 * 1024 * 1024;
const MAX_LITERALS: usize = 1000;
/// What is read ahead while writing.
const READ_AHEAD: usize = 256 * 1024;
const CHUNK: usize = 32 * 1024;

/// The two directions of a connection.
pub struct Wire {
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    inbox: Vec<u8>,
    start: usize,
    out: Vec<u8>,
    ended: bool,
    sent: u64,
    idle: Duration,
}

impl Wire {
    /// Starts on a fresh stream; `idle` is how long the server may keep silent while it is waited for.
    pub fn new(stream: Box<dyn Stream>, idle: Duration) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            reader,
            writer,
            inbox: vec![],
            start: 0,
            out: vec![],
            ended: false,
            sent: 0,
            idle,
        }
    }

    /// The stream, for an upgrade to TLS. What was received before is dropped: an attacker may have put
    /// responses there that would be taken for the server's (RFC 9051, 6.2.1; CVE-2011-0411 and its kin).
    pub fn into_stream(self) -> Box<dyn Stream> {
        self.reader.unsplit(self.writer)
    }

    /// How many octets were sent so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Changes the time limit.
    pub fn set_idle(&mut self, idle: Duration) {
        self.idle = idle;
    }

    /// Adds octets to what goes out with the next [`Wire::flush`].
    pub fn queue(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Whether something waits for a flush.
    pub fn has_queued(&self) -> bool {
        !self.out.is_empty()
    }

    /// Sends what is queued.
    pub async fn flush(&mut self) -> Result<()> {
        let out = std::mem::take(&mut self.out);
        let sent = self.write(&out).await;
        self.out = out;
        self.out.clear();
        sent?;
        self.guarded_flush().await
    }

    /// Sends a large piece without copying it; what is queued goes first.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.out.is_empty() {
            let out = std::mem::take(&mut self.out);
            let sent = self.write(&out).await;
            self.out = out;
            self.out.clear();
            sent?;
        }
        self.write(bytes).await
    }

    async fn guarded_flush(&mut self) -> Result<()> {
        match timeout(self.idle, self.writer.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(lost(&error)),
            Err(_) => Err(Error::Timeout(format!(
                "the server accepted no data for {} seconds",
                self.idle.as_secs()
            ))),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            let room = !self.ended && self.inbox.len() - self.start < READ_AHEAD;
            self.inbox.reserve(CHUNK);
            let step = timeout(self.idle, async {
                tokio::select! {
                    biased;
                    written = self.writer.write(&bytes[sent..]) => Step::Written(written),
                    read = self.reader.read_buf(&mut self.inbox), if room => Step::Read(read),
                }
            });
            match step.await {
                Ok(Step::Written(Ok(0))) => {
                    return Err(Error::Lost("the server closed the connection".to_owned()));
                }
                Ok(Step::Written(Ok(n))) => {
                    sent += n;
                    self.sent += n as u64;
                }
                Ok(Step::Written(Err(error)) | Step::Read(Err(error))) => {
                    return Err(lost(&error));
                }
                Ok(Step::Read(Ok(0))) => self.ended = true,
                Ok(Step::Read(Ok(_))) => {}
                Err(_) => {
                    let seconds = self.idle.as_secs();
                    return Err(Error::Timeout(format!(
                        "the server accepted no data for {seconds} seconds"
                    )));
                }
            }
        }
        Ok(())
    }

    /// The next complete response.
    pub async fn receive(&mut self) -> Result<Raw> {
        let mut raw = Raw::default();
        loop {
            let before = raw.text.len();
            self.line(&mut raw.text).await?;
            let Some(size) = literal_mark(&raw.text[before..]) else {
                return Ok(raw);
            };
            raw.text.extend_from_slice(b"\r\n");
            if size > MAX_LITERAL || raw.literals.len() >= MAX_LITERALS {
                return Err(Error::protocol(
                    "the server announced a literal that is larger than any message can be",
                ));
            }
            raw.literals.push(self.literal(size).await?);
        }
    }

    /// Appends the next line to `text`, without its end.
    async fn line(&mut self, text: &mut Vec<u8>) -> Result<()> {
        let mut seen = 0;
        loop {
            let unread = &self.inbox[self.start..];
            if let Some(at) = memchr::memchr(b'\n', &unread[seen..]) {
                let line = &unread[..seen + at];
                text.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
                self.consume(seen + at + 1);
                return Ok(());
            }
            seen = unread.len();
            if seen + text.len() > MAX_TEXT {
                return Err(Error::protocol("the server sent a line that is too long"));
            }
            self.fill().await?;
        }
    }

    async fn literal(&mut self, size: u64) -> Result<Literal> {
        let mut collector = Collector::new(size).map_err(Error::Spool)?;
        let mut left = size;
        while left > 0 {
            if self.start == self.inbox.len() {
                self.fill().await?;
            }
            let unread = &self.inbox[self.start..];
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(unread.len());
            collector.push(&unread[..take]).map_err(Error::Spool)?;
            self.consume(take);
            left -= take as u64;
        }
        Ok(collector.finish())
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start == self.inbox.len() {
            self.inbox.clear();
            self.start = 0;
        } else if self.start > CHUNK {
            self.inbox.drain(..self.start);
            self.start = 0;
        }
    }

    /// Reads at least one octet.
    async fn fill(&mut self) -> Result<()> {
        if self.has_queued() {
            self.flush().await?;
        }
        if self.ended {
            return Err(Error::Lost("the server closed the connection".to_owned()));
        }
        self.inbox.reserve(CHUNK);
        match timeout(self.idle, self.reader.read_buf(&mut self.inbox)).await {
            Ok(Ok(0)) => {
                self.ended = true;
                Err(Error::Lost("the server closed the connection".to_owned()))
            }
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(lost(&error)),
            Err(_) => Err(Error::Timeout(format!(
                "no data received for {} seconds",
                self.idle.as_secs()
            ))),
        }
    }
}

fn lost(error: &std::io::Error) -> Error {
    Error::Lost(match error.kind() {
        // rustls explains at length that the peer did not say goodbye.
        std::io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
        _ => error.to_string(),
    })
}

enum Step {
    Written(std::io::Result<usize>),
    Read(std::io::Result<usize>),
}

/// The size in `…{123}` or `…{123+}` at the end of a line.
fn literal_mark(line: &[u8]) -> Option<u64> {
    let inner = line.strip_suffix(b"}")?;
    let inner = inner.strip_suffix(b"+").unwrap_or(inner);
    let open = memchr::memrchr(b'{', inner)?;
    let digits = std::str::from_utf8(&inner[open + 1..]).ok()?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::DuplexStream;

    fn pair() -> (Wire, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(4096);
        (Wire::new(Box::new(ours), Duration::from_secs(300)), theirs)
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn literals_arrive_whole_whatever_the_pieces() {
        run(async {
            let session = b"* 1 FETCH (BODY[] {7}\r\nab\r\n}c\n UID 4)\r\n* OK fine {5}x\r\nA1 OK done\r\n";
            for cut in 1..session.len() {
                let (mut wire, mut server) = pair();
                let writer = async {
                    for piece in session.chunks(cut) {
                        server.write_all(piece).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                };
                let reader = async {
                    let first = wire.receive().await.unwrap();
                    assert_eq!(first.text, b"* 1 FETCH (BODY[] {7}\r\n UID 4)");
                    assert_eq!(first.literals[0].as_memory(), Some(&b"ab\r\n}c\n"[..]));
                    assert_eq!(wire.receive().await.unwrap().text, b"* OK fine {5}x");
                    assert_eq!(wire.receive().await.unwrap().text, b"A1 OK done");
                };
                tokio::join!(writer, reader);
            }
        });
    }

    #[test]
    fn closing_anywhere_is_a_lost_connection() {
        run(async {
            let session = b"* 1 FETCH (BODY[] {7}\r\nab\r\n}c\n UID 4)\r\n";
            for end in 0..session.len() {
                let (mut wire, mut server) = pair();
                server.write_all(&session[..end]).await.unwrap();
                drop(server);
                assert!(
                    matches!(wire.receive().await, Err(Error::Lost(_))),
                    "cut at {end}"
                );
            }
        });
    }

    #[test]
    fn endless_lines_and_absurd_literals_are_refused() {
        run(async {
            let (mut wire, mut server) = pair();
            server
                .write_all(b"* 1 FETCH (BODY[] {99999999999999999999}\r\n")
                .await
                .unwrap();
            assert!(matches!(wire.receive().await, Err(Error::Protocol(_))));
        });
    }

    #[test]
    fn a_server_that_talks_while_it_is_written_to_is_heard() {
        run(async {
            let (mut wire, server) = pair();
            let (mut from, mut to) = tokio::io::split(server);
            let chatter = async {
                for _ in 0..2000 {
                    to.write_all(b"* 1 EXISTS\r\n").await.unwrap();
                }
                let mut sink = vec![0; 200_000];
                from.read_exact(&mut sink).await.unwrap();
            };
            let ours = async {
                wire.send(&vec![b'x'; 200_000]).await.unwrap();
                for _ in 0..2000 {
                    assert_eq!(wire.receive().await.unwrap().text, b"* 1 EXISTS");
                }
            };
            tokio::join!(chatter, ours);
        });
    }
}
