// SPDX-License-Identifier: GPL-3.0-or-later
//! Status responses: `OK`, `NO`, `BAD`, `BYE`, `PREAUTH`, with their codes.

use std::fmt;

use super::capability::Capabilities;
use super::mailbox_id::MailboxId;
use super::uidset::UidSet;
use crate::text;

/// `OK`, `NO` and their kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Done.
    Ok,
    /// Refused.
    No,
    /// Not understood.
    Bad,
    /// The server closes.
    Bye,
    /// Logged in already.
    Preauth,
}

impl Kind {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_uppercase().as_str() {
            "OK" => Self::Ok,
            "NO" => Self::No,
            "BAD" => Self::Bad,
            "BYE" => Self::Bye,
            "PREAUTH" => Self::Preauth,
            _ => return None,
        })
    }
}

/// A status response with its code and the server's words.
#[derive(Clone, Debug)]
pub struct StatusLine {
    /// The outcome.
    pub kind: Kind,
    /// The code in brackets.
    pub code: Option<Code>,
    /// What the server tells people.
    pub text: String,
}

/// Response codes that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// Capabilities.
    Capability(Capabilities),
    /// Where appended messages went (RFC 4315).
    AppendUid {
        /// UIDVALIDITY of the mailbox.
        validity: u32,
        /// UIDs in the order of the messages.
        uids: UidSet,
    },
    /// The next UID.
    UidNext(u32),
    /// The mailbox's UIDVALIDITY.
    UidValidity(u32),
    /// The mailbox's highest modification sequence (RFC 7162).
    HighestModseq(u64),
    /// The mailbox's identity (RFC 8474).
    MailboxId(MailboxId),
    /// Flags that can be stored for good.
    PermanentFlags(Vec<String>),
    /// A code without meaning to this program: its name upper-cased, and what follows as it is, such as the address of
    /// a page.
    Other(String),
}

impl StatusLine {
    /// Whether the command was done.
    pub fn is_ok(&self) -> bool {
        self.kind == Kind::Ok
    }

    /// Whether the code is this one; `name` in upper case.
    pub fn has_code(&self, name: &str) -> bool {
        matches!(&self.code, Some(Code::Other(code)) if code.split(' ').next() == Some(name))
    }

    pub(crate) fn parse(kind: Kind, rest: &[u8]) -> Self {
        let mut code = None;
        let mut text = rest;
        if let Some(coded) = rest.strip_prefix(b"[")
            && let Some(end) = coded.iter().position(|&b| b == b']')
        {
            code = Some(Code::parse(&coded[..end]));
            text = coded.get(end + 1..).unwrap_or_default();
        }
        Self {
            kind,
            code,
            text: printable(text),
        }
    }
}

impl fmt::Display for StatusLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Ok => "OK",
            Kind::No => "NO",
            Kind::Bad => "BAD",
            Kind::Bye => "BYE",
            Kind::Preauth => "PREAUTH",
        };
        f.write_str(kind)?;
        if let Some(Code::Other(code)) = &self.code {
            write!(f, " [{code}]")?;
        }
        if self.text.is_empty() {
            Ok(())
        } else {
            write!(f, " {}", self.text)
        }
    }
}

/// A server's words as one may show them, of bearable length.
pub(super) fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text::printable(text.trim()).chars().take(500).collect()
}

impl Code {
    fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let (name, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let name = printable(name.to_ascii_uppercase().as_bytes());
        let parsed = match name.as_str() {
            "CAPABILITY" => Some(Self::Capability(Capabilities::parse(rest))),
            "APPENDUID" => rest.split_once(' ').and_then(|(validity, uids)| {
                Some(Self::AppendUid {
                    validity: validity.parse().ok()?,
                    uids: UidSet::parse(uids.trim().as_bytes())?,
                })
            }),
            "UIDNEXT" => rest.trim().parse().ok().filter(|&n| n > 0).map(Self::UidNext),
            "UIDVALIDITY" => rest.trim().parse().ok().filter(|&n| n > 0).map(Self::UidValidity),
            "HIGHESTMODSEQ" => rest.trim().parse().ok().map(Self::HighestModseq),
            "MAILBOXID" => {
                let id = rest.trim_matches(|c| matches!(c, '(' | ')' | ' '));
                MailboxId::parse(id).map(Self::MailboxId)
            }
            "PERMANENTFLAGS" => {
                let flags = rest.trim_matches(|c| matches!(c, '(' | ')' | ' '));
                Some(Self::PermanentFlags(
                    flags.split_ascii_whitespace().map(str::to_owned).collect(),
                ))
            }
            _ => None,
        };
        parsed.unwrap_or_else(|| {
            let rest = printable(rest.as_bytes());
            Self::Other(format!("{name} {rest}").trim_end().to_owned())
        })
    }
}
