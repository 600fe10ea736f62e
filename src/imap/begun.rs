// SPDX-License-Identifier: GPL-3.0-or-later
//! A message that was arriving when the connection broke: what came of it is kept, and only the rest is asked for.

use std::io;

use super::literal::{Collector, IN_MEMORY};
use super::scan::number_after;

/// How many octets are asked for again and compared, so that nothing of another message is appended to them.
pub(super) const OVERLAP: u64 = 1024;

/// How many octets behind the header are compared as well: there are the boundaries of what its parts consist of.
const BEHIND_HEADER: usize = 4096;

/// What came of a message. What is small is not worth it, and is fetched again as a whole.
pub struct Begun {
    uid: u32,
    /// Octets of the message, as announced.
    total: u64,
    /// Octets that were there when the rest was asked for last.
    before: u64,
    pub(super) collector: Collector,
}

impl Begun {
    /// What `collector` took in of a literal of `total` octets that ends `text`, where that is the content of a message.
    pub(super) fn new(text: &[u8], total: u64, collector: Collector) -> Option<Self> {
        let uid = u32::try_from(number_after(text, b" FETCH (UID ")?).ok()?;
        let is_content = text.ends_with(format!(" BODY[] {{{total}}}\r\n").as_bytes());
        (is_content && collector.len() > IN_MEMORY).then_some(Self {
            uid,
            total,
            before: 0,
            collector,
        })
    }

    /// The UID of the message.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Whether much came since the rest was last asked for: then even a line that keeps breaking makes progress.
    pub fn has_grown(&self) -> bool {
        self.collector.len() >= self.before + IN_MEMORY
    }

    /// How the message began: its header and what comes next.
    ///
    /// # Errors
    /// When what came cannot be read back from the disk.
    pub fn beginning(&self) -> io::Result<Vec<u8>> {
        let mut head = self.collector.head(IN_MEMORY as usize)?;
        let end = [&b"\r\n\r\n"[..], b"\n\n"]
            .iter()
            .filter_map(|end| memchr::memmem::find(&head, end))
            .min();
        head.truncate(end.map_or(head.len(), |end| end + BEHIND_HEADER));
        Ok(head)
    }

    /// What to ask for instead of the whole content (RFC 3501, 6.4.5).
    pub fn rest(&self) -> String {
        format!("BODY.PEEK[]<{}.{}>", self.offset(), self.total - self.offset())
    }

    /// From here on the rest is awaited.
    pub(super) fn await_rest(&mut self) {
        self.before = self.collector.len();
    }

    fn offset(&self) -> u64 {
        self.collector.len() - OVERLAP
    }

    /// How a response announces the rest.
    fn mark(&self) -> String {
        let offset = self.offset();
        format!(" BODY[]<{offset}> {{{}}}\r\n", self.total - offset)
    }

    /// Whether `text` announces the rest of this very message.
    pub(super) fn is_continued_by(&self, text: &[u8]) -> bool {
        number_after(text, b" FETCH (UID ") == Some(self.uid.into()) && text.ends_with(self.mark().as_bytes())
    }

    /// `text` as it would be, had all come at once.
    pub(super) fn join(&self, text: &mut Vec<u8>) {
        text.truncate(text.len() - self.mark().len());
        text.extend_from_slice(format!(" BODY[] {{{}}}\r\n", self.total).as_bytes());
    }

    /// Whether these octets are those that came last.
    ///
    /// # Errors
    /// When what came cannot be read back from the disk.
    pub(super) fn ends_with(&self, octets: &[u8]) -> io::Result<bool> {
        Ok(self.collector.tail(octets.len())? == octets)
    }
}
