// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail: messages as they are put into a mailbox, and as they are found there.

mod generate;
mod imap;
mod maildir;
mod reader;
pub mod utf7;

use std::collections::BTreeMap;

use serde::Serialize;

pub use generate::{Plan, plan};
pub use imap::{Imap, Response};
pub(crate) use maildir::create as create_folder;
pub use maildir::deliver;
pub use reader::{raw_names, read_mailbox};

/// The two mail servers of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Somebody else's server, from which mail is pulled: separator `.`.
    Remote,
    /// The node's mail module: separator `/`, master user `vmail`.
    Local,
}

impl Side {
    /// The hierarchy separator of this server.
    pub fn separator(self) -> char {
        match self {
            Self::Remote => '.',
            Self::Local => '/',
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::Local => "local",
        }
    }
}

/// A message to put into a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMail {
    /// The folder's levels, decoded: `["Work", "Sub"]`; `["INBOX"]`.
    pub folder: Vec<String>,
    /// The message with CRLF line ends.
    pub content: Vec<u8>,
    /// `\Seen` and other system flags, and keywords.
    pub flags: Vec<String>,
    /// The INTERNALDATE in seconds since 1970.
    pub date: i64,
}

impl NewMail {
    /// A small unread message in `INBOX` with this Message-Id (without brackets).
    pub fn new(message_id: &str) -> Self {
        let content = format!(
            "Message-Id: <{message_id}>\r\nFrom: sender@example.net\r\nTo: recipient@example.com\r\nSubject: {message_id}\r\nDate: Fri, 02 Jan 2026 03:04:05 +0000\r\n\r\nBody of {message_id}.\r\n"
        );
        Self {
            folder: vec!["INBOX".into()],
            content: content.into_bytes(),
            flags: Vec::new(),
            date: 1_767_323_045,
        }
    }

    /// Puts it into another folder; levels are separated by `/`.
    #[must_use]
    pub fn folder(mut self, path: &str) -> Self {
        self.folder = path.split('/').map(str::to_owned).collect();
        self
    }

    /// Gives it these flags and keywords.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        self
    }

    /// Gives it another INTERNALDATE.
    #[must_use]
    pub fn date(mut self, seconds: i64) -> Self {
        self.date = seconds;
        self
    }

    /// Gives it another content.
    #[must_use]
    pub fn content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.content = content.into();
        self
    }
}

/// A message as a server shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Message {
    /// With its brackets; empty when there is none.
    pub message_id: String,
    /// Sorted, without `\Recent`.
    pub flags: Vec<String>,
    /// INTERNALDATE in seconds since 1970.
    pub date: i64,
    /// RFC822.SIZE.
    pub size: u64,
    /// SHA-256 of the whole message, in hex.
    pub digest: String,
    /// Its UID in this folder.
    pub uid: u32,
}

impl Message {
    /// What must be the same on both sides: digest, flags, INTERNALDATE.
    pub fn identity(&self) -> (&str, &[String], i64) {
        (&self.digest, &self.flags, self.date)
    }
}

/// A mailbox: folder name (decoded, with the server's own separator) to its messages in UID order.
pub type Mailbox = BTreeMap<String, Vec<Message>>;
