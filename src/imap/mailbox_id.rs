// SPDX-License-Identifier: GPL-3.0-or-later
//! What a server calls a mailbox for good, whatever its name (RFC 8474).

use sha2::{Digest as _, Sha256};

/// The identity of a mailbox: the first half of the SHA-256 of its MAILBOXID, so that all are of one length.
///
/// ```
/// use ns8_imapsync::imap::MailboxId;
///
/// let id = MailboxId::parse("F2212ea87-6097-4256-9d51-71338625").unwrap();
/// assert_eq!(MailboxId::from_bytes(id.as_bytes()), Some(id));
/// assert_ne!(MailboxId::parse("F6352ae03-b7f5-463c-896f-d8b48ee3"), Some(id));
/// assert_eq!(MailboxId::parse("what is none"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MailboxId([u8; 16]);

impl MailboxId {
    /// Of what the server said; `None` where that is no identity (RFC 8474, section 7: `objectid`).
    pub fn parse(text: &str) -> Option<Self> {
        let may_be_in_it = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !(1..=255).contains(&text.len()) || !text.chars().all(may_be_in_it) {
            return None;
        }
        let digest = Sha256::digest(text);
        let mut half = [0; 16];
        half.iter_mut().zip(digest).for_each(|(to, octet)| *to = octet);
        Some(Self(half))
    }

    /// Whether two are the same as far as is known: not every server tells.
    pub fn may_be_same(one: Option<Self>, other: Option<Self>) -> bool {
        one.is_none() || other.is_none() || one == other
    }

    /// For storage.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The identity that [`MailboxId::as_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}
