// SPDX-License-Identifier: GPL-3.0-or-later
//! Literals: small ones in memory, large ones in the spool, so that memory stays bounded whatever a message weighs.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;

use super::spool::{Spool, Spooled};

/// The literals of one response are held in memory up to this size, all together.
pub const IN_MEMORY: u64 = 256 * 1024;

/// The octets of one literal.
#[derive(Debug)]
pub struct Literal {
    data: Data,
    len: u64,
    line_ends: LineEnds,
    joined: bool,
}

#[derive(Debug)]
enum Data {
    Memory(Vec<u8>),
    File(Spooled),
}

impl Data {
    /// The first `max` octets of `len`.
    fn head(&self, max: usize, len: u64) -> io::Result<Vec<u8>> {
        match self {
            Self::Memory(data) => Ok(data[..data.len().min(max)].to_vec()),
            Self::File(Spooled { file, .. }) => {
                let mut head = vec![0; max.min(usize::try_from(len).unwrap_or(max))];
                file.read_exact_at(&mut head, 0)?;
                Ok(head)
            }
        }
    }
}

/// What of a message has to be changed before it is stored: a line ends with one CR and one LF (RFC 5322, 2.1), and there
/// is no CR at the end. Servers repair what deviates, each in its way, and would show another message than the one that
/// was sent. Works across chunk borders.
#[derive(Clone, Copy, Debug, Default)]
struct LineEnds {
    /// Line feeds without a carriage return.
    bare: u64,
    /// Carriage returns in front of that of a line end.
    surplus: u64,
    /// Carriage returns at the end so far.
    held: usize,
}

/// How many carriage returns are at the end.
fn trailing(text: &[u8]) -> usize {
    text.iter().rev().take_while(|&&octet| octet == b'\r').count()
}

impl LineEnds {
    fn scan(&mut self, chunk: &[u8]) {
        let mut from = 0;
        for at in memchr::memchr_iter(b'\n', chunk) {
            let line = chunk.get(from..at).unwrap_or_default();
            match self.run(line) {
                0 => self.bare += 1,
                run => self.surplus += run as u64 - 1,
            }
            self.held = 0;
            from = at + 1;
        }
        self.held = self.run(chunk.get(from..).unwrap_or_default());
    }

    /// How many carriage returns are at the end, with those that were held before.
    fn run(&self, text: &[u8]) -> usize {
        match trailing(text) {
            all if all == text.len() => self.held + all,
            run => run,
        }
    }

    /// Appends `chunk` to `out` with its line ends as they must be. Carriage returns at its end wait for the next one.
    fn complete(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut from = 0;
        for at in memchr::memchr_iter(b'\n', chunk) {
            self.take(chunk.get(from..at).unwrap_or_default(), out);
            self.held = 0;
            out.extend_from_slice(b"\r\n");
            from = at + 1;
        }
        self.take(chunk.get(from..).unwrap_or_default(), out);
    }

    /// Appends text without a line feed, but for the carriage returns at its end.
    fn take(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let run = self.run(text);
        let length = text.len() - trailing(text);
        if length > 0 {
            out.resize(out.len() + self.held, b'\r');
            out.extend_from_slice(text.get(..length).unwrap_or_default());
        }
        self.held = run;
    }

    /// Whether nothing has to be changed.
    fn are_right(&self) -> bool {
        (self.bare, self.surplus, self.held) == (0, 0, 0)
    }
}

impl Literal {
    /// A literal held in memory.
    pub fn memory(data: Vec<u8>) -> Self {
        let mut line_ends = LineEnds::default();
        line_ends.scan(&data);
        Self {
            len: data.len() as u64,
            data: Data::Memory(data),
            line_ends,
            joined: false,
        }
    }

    /// Marks it as one of two pieces that came on two connections.
    pub fn joined(self) -> Self {
        Self { joined: true, ..self }
    }

    /// Whether it came in two pieces: on a server that generates messages they may be of two different ones.
    pub fn is_joined(&self) -> bool {
        self.joined
    }

    /// Octets as received.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Octets with line ends as a message must be stored with (RFC 3501, 2.3.1).
    pub fn canonical_len(&self) -> u64 {
        self.len + self.line_ends.bare - self.line_ends.surplus - self.line_ends.held as u64
    }

    /// The first `max` octets.
    pub fn head(&self, max: usize) -> io::Result<Vec<u8>> {
        self.data.head(max, self.len)
    }

    /// All octets when they are in memory.
    pub fn as_memory(&self) -> Option<&[u8]> {
        match &self.data {
            Data::Memory(data) => Some(data),
            Data::File(_) => None,
        }
    }

    /// The octets as they must be stored, in pieces.
    pub fn reader(&self) -> io::Result<CanonicalReader<'_>> {
        if let Data::File(Spooled { file, .. }) = &self.data {
            let mut file = file;
            file.seek(SeekFrom::Start(0))?;
        }
        Ok(CanonicalReader {
            literal: self,
            at: 0,
            line_ends: LineEnds::default(),
            chunk: vec![],
            out: vec![],
        })
    }
}

/// Gives out a literal piece by piece with CRLF line ends.
pub struct CanonicalReader<'a> {
    literal: &'a Literal,
    at: usize,
    line_ends: LineEnds,
    chunk: Vec<u8>,
    out: Vec<u8>,
}

impl CanonicalReader<'_> {
    const CHUNK: usize = 64 * 1024;

    /// The next piece; `None` at the end.
    pub fn next_chunk(&mut self) -> io::Result<Option<&[u8]>> {
        let clean = self.literal.line_ends.are_right();
        match &self.literal.data {
            Data::Memory(data) => {
                let end = data.len().min(self.at + Self::CHUNK);
                let chunk = &data[self.at..end];
                self.at = end;
                if chunk.is_empty() {
                    return Ok(None);
                }
                if clean {
                    return Ok(Some(chunk));
                }
                self.out.clear();
                self.line_ends.complete(chunk, &mut self.out);
            }
            Data::File(Spooled { file, .. }) => {
                let mut file = file;
                self.chunk.resize(Self::CHUNK, 0);
                let n = file.read(&mut self.chunk)?;
                if n == 0 {
                    return Ok(None);
                }
                if clean {
                    return Ok(Some(&self.chunk[..n]));
                }
                self.out.clear();
                self.line_ends.complete(&self.chunk[..n], &mut self.out);
            }
        }
        Ok(Some(&self.out))
    }
}

/// Collects a literal while it is received.
pub struct Collector {
    data: Data,
    len: u64,
    line_ends: LineEnds,
}

impl Collector {
    /// Prepares for a literal of the announced size, of which so much may be held in memory. What is larger waits for
    /// room in the spool.
    pub async fn new(size: u64, in_memory: u64, spool: &Spool) -> io::Result<Self> {
        let data = if size <= in_memory {
            Data::Memory(Vec::with_capacity(usize::try_from(size).unwrap_or(0)))
        } else {
            Data::File(spool.take(size).await?)
        };
        Ok(Self {
            data,
            len: 0,
            line_ends: LineEnds::default(),
        })
    }

    /// Takes the next octets.
    pub fn push(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.line_ends.scan(chunk);
        self.len += chunk.len() as u64;
        match &mut self.data {
            Data::Memory(data) => data.extend_from_slice(chunk),
            Data::File(spooled) => spooled.file.write_all(chunk)?,
        }
        Ok(())
    }

    /// Octets so far.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The first of them, `count` at most.
    pub fn head(&self, count: usize) -> io::Result<Vec<u8>> {
        self.data.head(count, self.len)
    }

    /// The last of them, `count` at most.
    pub fn tail(&self, count: usize) -> io::Result<Vec<u8>> {
        match &self.data {
            Data::Memory(data) => Ok(data[data.len().saturating_sub(count)..].to_vec()),
            Data::File(Spooled { file, .. }) => {
                let from = self.len.saturating_sub(count as u64);
                let mut tail = vec![0; count.min(usize::try_from(self.len).unwrap_or(count))];
                file.read_exact_at(&mut tail, from)?;
                Ok(tail)
            }
        }
    }

    /// The literal, complete.
    pub fn finish(self) -> Literal {
        Literal {
            data: self.data,
            len: self.len,
            line_ends: self.line_ends,
            joined: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(literal: &Literal) -> Vec<u8> {
        let mut reader = literal.reader().unwrap();
        let mut out = vec![];
        while let Some(chunk) = reader.next_chunk().unwrap() {
            out.extend_from_slice(chunk);
        }
        out
    }

    fn collector(size: usize) -> Collector {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let spool = Spool::default();
        runtime
            .block_on(Collector::new(size as u64, IN_MEMORY, &spool))
            .unwrap()
    }

    fn model(data: &[u8]) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = data.split(|&octet| octet == b'\n').map(<[u8]>::to_vec).collect();
        for line in &mut lines {
            while line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        lines.join(&b"\r\n"[..])
    }

    #[test]
    fn large_literals_go_to_disk_and_come_back() {
        let data: Vec<u8> = (0..700_000u32)
            .map(|i| if i % 61 == 0 { b'\n' } else { b'x' })
            .collect();
        let mut collector = collector(data.len());
        for chunk in data.chunks(997) {
            collector.push(chunk).unwrap();
        }
        let literal = collector.finish();
        assert!(literal.as_memory().is_none());
        assert_eq!(literal.head(10).unwrap(), &data[..10]);
        for _ in 0..2 {
            let out = all(&literal);
            assert_eq!(out.len() as u64, literal.canonical_len());
            assert!(out == model(&data), "content differs");
        }
    }

    proptest! {
        #[test]
        fn line_ends_are_completed(
            data in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'x')], 0..60),
            cut in 1usize..9,
        ) {
            let mut collector = collector(data.len());
            for chunk in data.chunks(cut) {
                collector.push(chunk).unwrap();
            }
            let literal = collector.finish();
            let out = all(&literal);
            prop_assert_eq!(out.len() as u64, literal.canonical_len());
            prop_assert_eq!(out, model(&data));
        }
    }
}
