// SPDX-License-Identifier: GPL-3.0-or-later
//! What answers on a port, recognised by its first words: where that is not IMAP, people are told what it is instead.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Enough to know a protocol by.
const ENOUGH: usize = 128;

/// The first octets that came in.
#[derive(Clone, Default)]
pub(super) struct FirstWords(Arc<Mutex<Vec<u8>>>);

impl FirstWords {
    /// What they tell of who is there.
    pub(super) fn speaker(&self) -> Option<Speaker> {
        self.0.lock().ok().and_then(|words| Speaker::of(&words))
    }

    fn add(&self, octets: &[u8]) -> bool {
        let Ok(mut words) = self.0.lock() else {
            return true;
        };
        let room = ENOUGH.saturating_sub(words.len()).min(octets.len());
        words.extend_from_slice(&octets[..room]);
        words.len() >= ENOUGH
    }
}

/// Who is there, as far as one can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// IMAP in plain text.
    Imap,
    /// TLS.
    Tls,
    /// Another protocol, by its name.
    Other(&'static str),
}

impl Speaker {
    /// Knows a protocol by its first words.
    pub(super) fn of(words: &[u8]) -> Option<Self> {
        let starts = |prefix: &[u8]| {
            words
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let text = String::from_utf8_lossy(words).to_ascii_lowercase();
        Some(match words {
            _ if starts(b"* ") => Self::Imap,
            // A record of TLS: handshake or alert, of any version.
            [0x15 | 0x16, 0x03, ..] => Self::Tls,
            _ if starts(b"+OK") || starts(b"-ERR") => Self::Other("POP3"),
            _ if starts(b"SSH-") => Self::Other("SSH"),
            _ if starts(b"HTTP/") || starts(b"<!DOCTYPE") || starts(b"<HTML") => Self::Other("HTTP (web)"),
            _ if starts(b"RFB ") => Self::Other("VNC"),
            _ if starts(b"\"IMPLEMENTATION\"") => Self::Other("ManageSieve"),
            _ if starts(b"220") && text.contains("ftp") && !text.contains("smtp") => Self::Other("FTP"),
            _ if starts(b"220") || starts(b"421") || starts(b"554") => Self::Other("SMTP"),
            _ if starts(b"200 ") || starts(b"201 ") => Self::Other("NNTP"),
            _ => return None,
        })
    }
}

/// A stream that remembers its first words.
pub(super) struct Overheard<S> {
    stream: S,
    words: FirstWords,
    enough: bool,
}

impl<S> Overheard<S> {
    pub(super) fn new(stream: S) -> (Self, FirstWords) {
        let words = FirstWords::default();
        let overheard = Self {
            stream,
            words: words.clone(),
            enough: false,
        };
        (overheard, words)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Overheard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        if !this.enough {
            this.enough = this.words.add(&buffer.filled()[before..]);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Overheard<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_their_first_words() {
        for (words, speaker) in [
            (&b"* OK ready"[..], Some(Speaker::Imap)),
            (b"+OK POP3 ready <1@x>", Some(Speaker::Other("POP3"))),
            (b"220 mail.example ESMTP Postfix", Some(Speaker::Other("SMTP"))),
            (b"220-Pure-FTPd", Some(Speaker::Other("FTP"))),
            (b"SSH-2.0-OpenSSH_9.6", Some(Speaker::Other("SSH"))),
            (b"HTTP/1.1 400 Bad Request", Some(Speaker::Other("HTTP (web)"))),
            (b"<!doctype html>", Some(Speaker::Other("HTTP (web)"))),
            (b"\x15\x03\x01\x00\x02\x02\x46", Some(Speaker::Tls)),
            (b"hello", None),
            (b"", None),
        ] {
            assert_eq!(Speaker::of(words), speaker);
        }
    }
}
