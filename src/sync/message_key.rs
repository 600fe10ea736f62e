// SPDX-License-Identifier: GPL-3.0-or-later
//! How two messages are recognised as the same.
//!
//! [`written`]: when a message was written, as its header tells.

mod written;

use std::borrow::Cow;
use std::{fmt, io};

use sha2::{Digest as _, Sha256};

use crate::imap::{InternalDate, Literal};

/// The fields that a key is made of; what to ask a server for.
pub const FIELDS: &str = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID RECEIVED)]";

/// How much of a message is read at first for its header.
const HEADER_HEAD: usize = 256 * 1024;

/// A header longer than this is no header.
const HEADER_LIMIT: usize = 16 * 1024 * 1024;

/// Date fields of one header that are tried; one is right, and some programs add another.
const MOST_DATES: usize = 4;

/// The beginning of a message, with its whole header.
///
/// # Errors
/// When a large message cannot be read back from the disk.
pub fn head_of(message: &Literal) -> io::Result<Cow<'_, [u8]>> {
    if let Some(bytes) = message.as_memory() {
        return Ok(Cow::Borrowed(bytes));
    }
    let head = message.head(HEADER_HEAD)?;
    let is_whole = header(&head).len() < head.len();
    Ok(Cow::Owned(if is_whole {
        head
    } else {
        message.head(HEADER_LIMIT)?
    }))
}

/// Identifies a message on both sides: Message-Id and Received lines, upper-cased, as imapsync does; a message
/// without them is known by its whole header and its size.
///
/// ```
/// use ns8_imapsync::sync::message_key::MessageKey;
///
/// let sent = b"Message-Id: <one@example.com>\r\nSubject: Hello\r\n\r\nText";
/// let edited = b"Subject: Hello again\r\nMESSAGE-ID: <one@example.com>\r\n\r\nAnother text";
/// let key = |message: &[u8]| MessageKey::of_message(message, message.len() as u64);
/// // The key finds candidates; size and digest tell whether they are equal.
/// assert!(key(sent) == key(edited));
/// assert!(key(sent) != key(b"Subject: Hello\r\n\r\nText"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageKey([u8; 16]);

impl MessageKey {
    /// The key of a message, from its header (or any part that begins with it).
    pub fn of_message(message: &[u8], size: u64) -> Self {
        let header = header(message);
        Self::of_fields(header).unwrap_or_else(|| Self::of_header(header, size))
    }

    /// The key from the header fields that identify; `None` when there are none.
    pub fn of_fields(header: &[u8]) -> Option<Self> {
        let mut digest = Sha256::new();
        let mut found = false;
        for wanted in [&b"MESSAGE-ID"[..], b"RECEIVED"] {
            for (name, value) in Fields(header) {
                if name.eq_ignore_ascii_case(wanted) {
                    found = true;
                    digest.update(wanted);
                    digest.update(b":");
                    digest.update(canonical(value));
                    digest.update(b"\n");
                }
            }
        }
        found.then(|| Self::from_digest(&digest.finalize()))
    }

    fn of_header(header: &[u8], size: u64) -> Self {
        let mut digest = Sha256::new();
        for line in header.split(|&b| b == b'\n') {
            digest.update(canonical(line));
            digest.update(b"\n");
        }
        digest.update(size.to_be_bytes());
        Self::from_digest(&digest.finalize())
    }

    fn from_digest(digest: &[u8]) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }

    /// The octets, for the database.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The key that [`MessageKey::as_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// Identifies the octets of a message: the first half of the SHA-256 of its canonical form, with line ends as CRLF,
/// without NUL, which mail servers replace, and without a CR at its very end, which Dovecot drops.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of a message.
    ///
    /// # Errors
    /// When a large message cannot be read back from the disk.
    pub fn of(message: &Literal) -> io::Result<Self> {
        let mut digest = Sha256::new();
        let mut reader = message.reader()?;
        while let Some(chunk) = reader.next_chunk()? {
            // What servers put in place of a NUL (RFC 3501 has none in a literal; Dovecot stores 0x80).
            if memchr::memchr(0, chunk).is_some() {
                let replaced: Vec<u8> = chunk.iter().map(|&b| if b == 0 { 0x80 } else { b }).collect();
                digest.update(&replaced);
            } else {
                digest.update(chunk);
            }
        }
        let mut half = [0; 16];
        half.copy_from_slice(&digest.finalize()[..16]);
        Ok(Self(half))
    }

    /// The octets, for the database.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The digest that [`Digest::as_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
}

/// The Message-Id of a header, for people.
pub fn message_id(header_bytes: &[u8]) -> Option<String> {
    let (_, value) =
        Fields(header(header_bytes)).find(|(name, _)| name.eq_ignore_ascii_case(b"MESSAGE-ID"))?;
    let text: String = String::from_utf8_lossy(value)
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Whether a header has a trace field: then it went through a mail server once, which gives no two messages the same
/// ones. Drafts have none, and keep their Message-Id from version to version.
pub fn has_trace(header_bytes: &[u8]) -> bool {
    Fields(header(header_bytes)).any(|(name, _)| name.eq_ignore_ascii_case(b"RECEIVED"))
}

/// The moment of the Date field (RFC 5322, 3.6.1): when the message was written.
pub fn date(header_bytes: &[u8]) -> Option<InternalDate> {
    values(header_bytes, b"DATE")
        .take(MOST_DATES)
        .find_map(written::moment)
}

/// The moment of the topmost Received field: when the last server took the message.
pub fn received(header_bytes: &[u8]) -> Option<InternalDate> {
    values(header_bytes, b"RECEIVED")
        .next()
        .and_then(written::moment_received)
}

fn values<'a>(header_bytes: &'a [u8], wanted: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    let fields = Fields(header(header_bytes));
    fields.filter_map(move |(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value))
}

/// The part of a message up to the empty line.
fn header(message: &[u8]) -> &[u8] {
    let mut at = 0;
    while let Some(end) = memchr::memchr(b'\n', &message[at..]) {
        let line = &message[at..at + end];
        // Some senders write several CRs, of which servers keep one.
        if line.iter().all(|&octet| octet == b'\r') {
            return &message[..at];
        }
        at += end + 1;
    }
    message
}

/// Upper case, one blank for any white space, and nothing that servers change on the way (8-bit and NUL).
fn canonical(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for word in value
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
    {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend(word.iter().map(|b| {
            if b.is_ascii_graphic() {
                b.to_ascii_uppercase()
            } else {
                b'X'
            }
        }));
    }
    out
}

/// Header fields with their folded lines.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            let mut end = 0;
            loop {
                end += memchr::memchr(b'\n', &self.0[end..]).map_or(self.0.len() - end, |at| at + 1);
                if !matches!(self.0.get(end), Some(b' ' | b'\t')) {
                    break;
                }
            }
            let (field, rest) = self.0.split_at(end);
            self.0 = rest;
            if let Some(colon) = memchr::memchr(b':', field) {
                return Some((field[..colon].trim_ascii_end(), &field[colon + 1..]));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Spool;
    use crate::imap::literal::{Collector, IN_MEMORY};
    use proptest::prelude::*;

    const MESSAGE: &[u8] =
        b"Received: from a\r\n\tby b; Mon\r\nSubject: x\r\nMessage-Id: <Abc@d>\r\n\r\nMessage-ID: <body>\r\n";

    #[test]
    fn several_cr_before_a_line_feed_are_one() {
        let key = |text: &[u8]| MessageKey::of_message(text, 30);
        assert!(key(b"Subject: x\r\n\r\r\nbody\r\n") == key(b"Subject: x\r\n\r\nbody\r\n"));
        assert!(key(b"Subject: x\r\r\n\r\r\nbody\r\n") == key(b"Subject: x\n\nbody\n"));
    }

    #[test]
    fn whole_message_and_fetched_fields_agree() {
        let fields = b"Received:  from a by b;\r\n Mon\r\nMESSAGE-ID: <aBC@D>\r\n\r\n";
        assert_eq!(
            MessageKey::of_fields(fields),
            Some(MessageKey::of_message(MESSAGE, 7))
        );
        assert_eq!(message_id(MESSAGE).as_deref(), Some("<Abc@d>"));
    }

    #[test]
    fn a_cr_at_the_very_end_does_not_count_and_any_other_does() {
        let digest = |text: &[u8]| Digest::of(&Literal::memory(text.to_vec())).unwrap();
        assert_eq!(digest(b"one\r\ntwo\r"), digest(b"one\r\ntwo"));
        assert_ne!(digest(b"one\rtwo"), digest(b"onetwo"));
        // A piece that is read may end anywhere.
        let long = [&[b'x'; 64 * 1024 - 1][..], b"\ry"].concat();
        assert_ne!(
            digest(&long),
            digest(&[&[b'x'; 64 * 1024 - 1][..], b"y"].concat())
        );
    }

    #[test]
    fn without_fields_header_and_size_count() {
        let plain = b"Subject: x\n\nbody";
        assert_eq!(
            MessageKey::of_message(plain, 5),
            MessageKey::of_message(b"Subject: x\r\n\r\n", 5)
        );
        assert_ne!(MessageKey::of_message(plain, 5), MessageKey::of_message(plain, 6));
        assert_ne!(
            MessageKey::of_message(plain, 5),
            MessageKey::of_message(b"Subject: y\n\nbody", 5)
        );
        MessageKey::of_message(b"", 0);
    }

    #[test]
    fn a_long_header_is_read_back_from_the_disk_as_a_whole() {
        let header = format!(
            "Subject: {}\r\nMessage-Id: <last@d>\r\n\r\n",
            "x".repeat(HEADER_HEAD)
        );
        let message = [header.as_bytes(), &[b'y'; HEADER_HEAD]].concat();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let spool = Spool::default();
        let collector = Collector::new(message.len() as u64, IN_MEMORY, &spool);
        let mut collector = runtime.block_on(collector).unwrap();
        collector.push(&message).unwrap();
        let literal = collector.finish();
        assert!(literal.as_memory().is_none());
        let head = head_of(&literal).unwrap();
        assert_eq!(message_id(&head).as_deref(), Some("<last@d>"));
    }

    #[test]
    fn a_message_is_as_old_as_its_header_tells() {
        let text = |date: Option<InternalDate>| date.map(|date| date.to_string());
        let read = |header: &[u8]| text(date(header));
        let received = "Received: from a by b; Tue, 3 Mar 2020 10:00:00 +0100\r\n\
                        Received: from c by a; Sun, 1 Mar 2020 10:00:00 +0100\r\n";
        let dated =
            format!("{received}Date: Mon Mar  2 10:00:00 2020\r\n\r\nDate: 1 Jan 1990 00:00:00 GMT\r\n");
        assert_eq!(
            read(dated.as_bytes()).as_deref(),
            Some(" 2-Mar-2020 10:00:00 +0000")
        );
        for unreadable in ["", "Date: soon\r\n", "Date:\r\n"] {
            let header = format!("{received}{unreadable}\r\n");
            assert_eq!(read(header.as_bytes()), None, "{unreadable}");
            let topmost = Some(" 3-Mar-2020 10:00:00 +0100");
            assert_eq!(text(super::received(header.as_bytes())).as_deref(), topmost);
        }
        let second = b"Date: soon\r\nDate: 2 Mar 2020 10:00:00 GMT\r\n\r\n";
        assert_eq!(read(second).as_deref(), Some(" 2-Mar-2020 10:00:00 +0000"));
        assert_eq!(read(b"Date: soon\r\n\r\n"), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in proptest::collection::vec(prop_oneof![
            Just(b'\n'), Just(b'\r'), Just(b':'), Just(b' '), Just(b'm'), any::<u8>()], 0..80)) {
            MessageKey::of_message(&text, 1);
            message_id(&text);
        }
    }
}
