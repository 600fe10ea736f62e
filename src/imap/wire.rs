// SPDX-License-Identifier: GPL-3.0-or-later
//! Octets in, octets out: lines and literals from the server, commands to it. Whatever the server says
//! while a command is being written is taken in meanwhile, so that the two sides never wait for each
//! other with full buffers.

mod announced;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::time::{Instant, timeout};

use self::announced::{check_literal, lists_uids, literal_mark};
use super::answer_time::AnswerTime;
use super::begun::{Begun, OVERLAP};
use super::error::{Error, Result};
use super::limits;
use super::literal::{Collector, IN_MEMORY, Literal};
use super::scan::{Raw, number_after};
use super::spool::Spool;
use super::throttle::Throttle;

/// What a connection runs over: TCP, TLS, or a test's pipe.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// How many octets have to come, or to be taken, within the time limit: a server that gives one a minute cannot keep
/// a connection for ever.
const LEAST_PROGRESS: u64 = 1024;
/// What is read ahead while writing.
const READ_AHEAD: usize = 256 * 1024;
const CHUNK: usize = 32 * 1024;
/// A server that is silent for so long although it announced more will hardly send it.
const SILENCE: Duration = Duration::from_secs(10);

/// The two directions of a connection.
pub struct Wire {
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    inbox: Vec<u8>,
    start: usize,
    out: Vec<u8>,
    ended: bool,
    sent: u64,
    limit: Duration,
    /// How long the server was waited for since it last got anywhere, and what it has done since then.
    waited: Duration,
    progress: u64,
    spool: Spool,
    /// What holds the reading back.
    throttle: Throttle,
    answer_time: AnswerTime,
    /// Since when the first answer to what is in flight is awaited.
    asked: Option<Instant>,
    /// No messages are expected, only news of them.
    news_only: bool,
    /// The message that was coming when the connection broke, or whose rest is awaited.
    begun: Option<Begun>,
}

impl Wire {
    /// Starts on a fresh stream; `limit` is how long the server may be waited for without getting anywhere.
    pub fn new(stream: Box<dyn Stream>, limit: Duration) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            reader,
            writer,
            inbox: vec![],
            start: 0,
            out: vec![],
            ended: false,
            sent: 0,
            limit,
            waited: Duration::ZERO,
            progress: 0,
            spool: Spool::default(),
            throttle: Throttle::default(),
            answer_time: AnswerTime::default(),
            asked: None,
            news_only: false,
            begun: None,
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
    pub fn set_idle(&mut self, limit: Duration) {
        self.limit = limit;
        self.advance();
    }

    /// Takes no messages from here on, only what is told of them.
    pub fn expect_little(&mut self) {
        self.news_only = true;
        // There may be hundreds of such connections, after long lists.
        self.inbox.drain(..std::mem::take(&mut self.start));
        self.inbox.shrink_to_fit();
        self.out.shrink_to_fit();
    }

    /// Octets that the lines of this response may have.
    fn most_of_lines(&self, text: &[u8]) -> usize {
        match self.news_only {
            true => limits::NEWS_OCTETS,
            false if lists_uids(text) => limits::SEARCH_OCTETS,
            false => limits::RESPONSE_OCTETS,
        }
    }

    /// Where large literals are put.
    pub fn set_spool(&mut self, spool: Spool) {
        self.spool = spool;
    }

    /// What holds the reading back from here on.
    pub fn set_throttle(&mut self, throttle: Throttle) {
        self.throttle = throttle;
    }

    /// Where is noted how long the server takes to answer.
    pub fn set_answer_time(&mut self, answer_time: AnswerTime) {
        self.answer_time = answer_time;
    }

    /// A server that owed nothing is asked something.
    pub fn ask(&mut self) {
        self.advance();
        self.asked = Some(Instant::now());
    }

    /// Awaits the rest of a message.
    pub fn await_rest(&mut self, mut begun: Begun) {
        begun.await_rest();
        self.begun = Some(begun);
    }

    /// What came of the message at which the connection broke, and what is no longer awaited.
    pub fn take_begun(&mut self) -> Option<Begun> {
        self.begun.take()
    }

    /// The server got somewhere: the time limit begins again.
    pub fn advance(&mut self) {
        self.waited = Duration::ZERO;
        self.progress = 0;
    }

    /// Credits the server with octets that are of use.
    pub fn credit(&mut self, octets: u64) {
        self.progress += octets;
        if self.progress >= LEAST_PROGRESS {
            self.advance();
        }
    }

    /// Whether there is something to be received without waiting for it.
    pub fn has_received(&self) -> bool {
        self.start < self.inbox.len()
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
        match timeout(self.limit, self.writer.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(lost(&error)),
            Err(_) => Err(self.not_taken()),
        }
    }

    fn not_taken(&self) -> Error {
        let seconds = self.limit.as_secs();
        Error::Timeout(format!("the server accepted no data for {seconds} seconds"))
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            let room = !self.ended && self.inbox.len() - self.start < READ_AHEAD;
            self.inbox.reserve(CHUNK);
            let begun = Instant::now();
            let step = timeout(self.limit.saturating_sub(self.waited), async {
                tokio::select! {
                    biased;
                    written = self.writer.write(&bytes[sent..]) => Step::Written(written),
                    read = self.reader.read_buf(&mut self.inbox), if room => Step::Read(read),
                }
            });
            let step = step.await;
            self.waited += begun.elapsed();
            match step {
                Ok(Step::Written(Ok(0))) => {
                    return Err(Error::Lost("the server closed the connection".to_owned()));
                }
                Ok(Step::Written(Ok(n))) => {
                    sent += n;
                    self.sent += n as u64;
                    self.credit(n as u64);
                }
                Ok(Step::Written(Err(error)) | Step::Read(Err(error))) => {
                    return Err(lost(&error));
                }
                Ok(Step::Read(Ok(0))) => self.ended = true,
                // Commands do not wait for it; the next answer that is waited for does.
                Ok(Step::Read(Ok(octets))) => self.throttle.spend(octets),
                Err(_) => return Err(self.not_taken()),
            }
        }
        Ok(())
    }

    /// The next complete response.
    pub async fn receive(&mut self) -> Result<Raw> {
        let mut raw = Raw::default();
        let mut in_memory = IN_MEMORY;
        loop {
            let before = raw.text.len();
            self.line(&mut raw.text).await?;
            // A literal of the wrong length leaves the middle of something behind.
            if !raw.literals.is_empty() && !matches!(raw.text.get(before), None | Some(b' ' | b')')) {
                return Err(Error::protocol("the length of a literal is wrong"));
            }
            let Some(size) = literal_mark(&raw.text[before..]) else {
                return Ok(raw);
            };
            raw.text.extend_from_slice(b"\r\n");
            // The size of the message, where the response tells it before the literal.
            let said = number_after(&raw.text, b"RFC822.SIZE ");
            let most = match self.news_only {
                true => limits::NEWS_OCTETS as u64,
                false => limits::literal_octets(said),
            };
            check_literal(&raw, size, said, most)?;
            let literal = match self.begun.take_if(|begun| begun.is_continued_by(&raw.text)) {
                Some(begun) => self.rest(begun, size, said, &mut raw.text).await?,
                None => self.literal(size, in_memory, said, &raw.text).await?,
            };
            in_memory = in_memory.saturating_sub(size);
            raw.literals.push(literal);
        }
    }

    /// Appends the next line to `text`, without its end.
    async fn line(&mut self, text: &mut Vec<u8>) -> Result<()> {
        let from = text.len();
        loop {
            let unread = &self.inbox[self.start..];
            let end = memchr::memchr(b'\n', unread);
            let taken = end.unwrap_or(unread.len());
            let length = text.len() + taken;
            if length > limits::NEWS_OCTETS && length > self.most_of_lines(text) {
                return Err(Error::Limit("a line that does not end".to_owned()));
            }
            text.extend_from_slice(&unread[..taken]);
            if end.is_some() {
                self.consume(taken + 1);
                if text.len() > from && text.ends_with(b"\r") {
                    text.pop();
                }
                return Ok(());
            }
            self.consume(taken);
            if text.len() - from > CHUNK {
                // What is this long holds data.
                self.credit(taken as u64);
            }
            self.fill().await?;
        }
    }

    async fn literal(
        &mut self,
        size: u64,
        in_memory: u64,
        said: Option<u64>,
        text: &[u8],
    ) -> Result<Literal> {
        let collector = Collector::new(size, in_memory, &self.spool).await;
        let mut collector = collector.map_err(Error::Spool)?;
        if let Err(error) = self.collect(&mut collector, size, said).await {
            if error.is_break() {
                self.begun = Begun::new(text, size, collector);
            }
            return Err(error);
        }
        Ok(collector.finish())
    }

    /// The rest of a message that was begun on another connection.
    async fn rest(
        &mut self,
        mut begun: Begun,
        size: u64,
        said: Option<u64>,
        text: &mut Vec<u8>,
    ) -> Result<Literal> {
        let overlap = Collector::new(OVERLAP, OVERLAP, &self.spool).await;
        let mut overlap = overlap.map_err(Error::Spool)?;
        let mut came = self.collect(&mut overlap, OVERLAP, None).await;
        if came.is_ok() {
            let overlap = overlap
                .tail(usize::try_from(OVERLAP).unwrap_or(0))
                .map_err(Error::Spool)?;
            if !begun.ends_with(&overlap).map_err(Error::Spool)? {
                return Err(Error::protocol("the rest of a message is of another one"));
            }
            begun.join(text);
            came = self.collect(&mut begun.collector, size - OVERLAP, said).await;
        }
        match came {
            Ok(()) => Ok(begun.collector.finish().joined()),
            Err(error) => {
                self.begun = Some(begun).filter(|_| error.is_break());
                Err(error)
            }
        }
    }

    /// Takes in so many octets.
    async fn collect(&mut self, collector: &mut Collector, size: u64, said: Option<u64>) -> Result<()> {
        let mut left = size;
        while left > 0 {
            if self.start == self.inbox.len() {
                self.more_of_literal(size, left, said).await?;
            }
            let unread = &self.inbox[self.start..];
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(unread.len());
            collector.push(&unread[..take]).map_err(Error::Spool)?;
            self.consume(take);
            self.credit(take as u64);
            left -= take as u64;
        }
        Ok(())
    }

    /// Reads more of a literal. A server that has sent all of the message and keeps silent will send no more.
    async fn more_of_literal(&mut self, size: u64, left: u64, said: Option<u64>) -> Result<()> {
        let Some(said) = said.filter(|&said| said < size && size - left >= said) else {
            return self.fill().await;
        };
        match self.fill_within(SILENCE).await? {
            true => Ok(()),
            false => Err(Error::protocol(format!(
                "a literal of {size} octets was announced for a message of {said}, and does not come"
            ))),
        }
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

    /// Waits until there is something to be received. Dropping the future loses nothing once all is flushed.
    pub async fn wait(&mut self) -> Result<()> {
        match self.has_received() {
            true => Ok(()),
            false => self.fill().await,
        }
    }

    /// The same, but no longer than the server is silent for so long; whether there is something.
    pub async fn wait_within(&mut self, silence: Duration) -> Result<bool> {
        match self.has_received() {
            true => Ok(true),
            false => self.fill_within(silence).await,
        }
    }

    /// Reads at least one octet.
    async fn fill(&mut self) -> Result<()> {
        self.fill_within(Duration::MAX).await.map(|_| ())
    }

    /// Reads at least one octet, unless the server is silent for so long. How long this side holds itself back is no
    /// silence of the server's.
    async fn fill_within(&mut self, silence: Duration) -> Result<bool> {
        if self.has_queued() {
            self.flush().await?;
        }
        if self.ended {
            return Err(Error::Lost("the server closed the connection".to_owned()));
        }
        let room = self.throttle.turn().await;
        self.inbox.reserve(CHUNK);
        let begun = Instant::now();
        let waiting = Waiting::new(&mut self.waited);
        let left = self.limit.saturating_sub(waiting.before);
        let mut reader = (&mut self.reader).take(room);
        let read = timeout(left.min(silence), reader.read_buf(&mut self.inbox)).await;
        drop(waiting);
        match read {
            Ok(Ok(0)) => {
                self.ended = true;
                Err(Error::Lost("the server closed the connection".to_owned()))
            }
            Ok(Ok(octets)) => {
                self.throttle.spend(octets);
                if let Some(asked) = self.asked.take() {
                    note_answer(&self.answer_time, asked, begun);
                }
                Ok(true)
            }
            Ok(Err(error)) => Err(lost(&error)),
            Err(_) if silence < left => Ok(false),
            Err(_) => {
                let seconds = self.limit.as_secs();
                Err(Error::Timeout(match self.progress {
                    0 => format!("no data received for {seconds} seconds"),
                    octets => format!("only {octets} octets of data received in {seconds} seconds"),
                }))
            }
        }
    }
}

/// Notes how long an answer took, unless this side was late to read it and cannot know.
fn note_answer(answer_time: &AnswerTime, asked: Instant, begun: Instant) {
    let (late, waited) = (begun.duration_since(asked), begun.elapsed());
    if late <= waited {
        answer_time.note(late + waited);
    }
}

/// Adds to a sum of waiting times, also when the wait is broken off.
struct Waiting<'a> {
    sum: &'a mut Duration,
    before: Duration,
    begun: Instant,
}

impl<'a> Waiting<'a> {
    fn new(sum: &'a mut Duration) -> Self {
        Self {
            before: *sum,
            begun: Instant::now(),
            sum,
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        *self.sum = self.before + self.begun.elapsed();
    }
}

fn lost(error: &std::io::Error) -> Error {
    Error::Lost(match error.kind() {
        // rustls explains at length that the peer did not say goodbye.
        std::io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
        _ => crate::text::io_reason(error),
    })
}

enum Step {
    Written(std::io::Result<usize>),
    Read(std::io::Result<usize>),
}

#[cfg(test)]
mod tests;
