// SPDX-License-Identifier: GPL-3.0-or-later
//! Every mail that ever existed in a sequence, and how it is known again wherever it is.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// The number of a mail.
pub(super) type Token = usize;

/// A mail. No two have the same content, but one may come several times; the versions of a draft have the same header.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    pub content: Vec<u8>,
    /// When it was received, in seconds since 1970.
    pub date: i64,
    /// Whether that is longer ago than [`Remote::DeleteOlder`] asks for.
    ///
    /// [`Remote::DeleteOlder`]: super::action::Remote::DeleteOlder
    pub old: bool,
    /// Which draft it is a version of.
    pub draft: bool,
}

/// Where a mail is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub folder: String,
    pub token: Token,
    /// Which of the equal ones in the folder, the eldest first.
    pub nth: usize,
}

/// A mail in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub token: Token,
    pub flags: Vec<String>,
}

/// A mailbox: its folders, and the mails in each.
pub(super) type Contents = BTreeMap<String, Vec<Found>>;

/// All mails, by their tokens.
pub(super) struct Mails {
    all: Vec<Mail>,
    by_digest: HashMap<String, Token>,
    drafts: usize,
    /// When the first one was received, in seconds since 1970.
    begun: i64,
}

const DAY: i64 = 86_400;

impl Default for Mails {
    fn default() -> Self {
        Self {
            all: vec![],
            by_digest: HashMap::new(),
            drafts: 0,
            begun: Timestamp::now().as_second() - 600,
        }
    }
}

impl Mails {
    pub(super) fn get(&self, token: Token) -> &Mail {
        &self.all[token]
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// A new mail.
    pub(super) fn write(&mut self, old: bool) -> Token {
        let id = format!("mail-{:05}@x", self.all.len());
        self.add(&id, 1, old, false)
    }

    /// The next version of a draft, or the first one of a new draft.
    pub(super) fn write_draft(&mut self, former: Option<Token>, same_size: bool) -> Token {
        let Some(former) = former else {
            self.drafts += 1;
            let id = format!("draft-{}@x", self.drafts);
            return self.add(&id, 1, false, true);
        };
        let content = self.all[former].content.clone();
        let text = String::from_utf8_lossy(&content).into_owned();
        let id = text.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let lines = text.matches("Token ").count() + usize::from(!same_size);
        self.add(&id, lines, false, true)
    }

    fn add(&mut self, id: &str, lines: usize, old: bool, draft: bool) -> Token {
        let token = self.all.len();
        // Each at its own second: what is alike in that, too, counts as the same.
        let moment = self.begun + i64::try_from(token).unwrap_or_default();
        let date = moment - if old { 60 * DAY } else { 0 };
        let content = format!(
            "Received: from there by here; {id}\r\nMessage-Id: <{id}>\r\nFrom: a@example.net\r\nSubject: A mail\r\n\r\n{}",
            format!("Token {token:05}\r\n").repeat(lines)
        )
        .into_bytes();
        self.by_digest.insert(digest(&content), token);
        self.all.push(Mail {
            content,
            date,
            old,
            draft,
        });
        token
    }

    /// The mail with this content.
    pub(super) fn known(&self, digest: &str) -> anyhow::Result<Token> {
        self.by_digest
            .get(digest)
            .copied()
            .context("a mail that no one wrote: truncated, or changed on its way")
    }
}

/// SHA-256 in hex.
pub(super) fn digest(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Where a mail is: the folders, once for each time.
pub(super) fn folders_of(contents: &Contents, token: Token) -> Vec<&str> {
    let mut folders = vec![];
    for (folder, found) in contents {
        let times = found.iter().filter(|found| found.token == token).count();
        folders.extend(std::iter::repeat_n(folder.as_str(), times));
    }
    folders
}
