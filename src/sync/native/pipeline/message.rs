// SPDX-License-Identifier: GPL-3.0-or-later
//! A message on its way.

use std::collections::HashMap;

use crate::imap::{Flags, InternalDate, Literal};
use crate::sync::message_key::{Digest, MessageKey};
use crate::sync::state::{Completeness, Entry};

/// A message on its way.
pub struct FetchedMessage {
    /// The remote UID.
    pub uid: u32,
    /// The key.
    pub key: MessageKey,
    /// The digest of the octets.
    pub digest: Digest,
    /// Whether as many octets came as the server says that the message has.
    pub completeness: Completeness,
    /// The flags.
    pub flags: Flags,
    /// The date of arrival, or that of its Date field where the server does not tell: by it mail is deleted as old.
    pub date: Option<InternalDate>,
    /// The date that it is stored with: where that one lies ahead or is missing, the best that its header tells. A server
    /// makes it today otherwise.
    pub stored_date: Option<InternalDate>,
    /// The Message-Id, for reports.
    pub message_id: Option<String>,
    /// The octets.
    pub body: Literal,
}

impl FetchedMessage {
    /// What is recorded of it.
    pub fn entry(&self) -> Entry {
        let date = self.date.as_ref().map_or(0, InternalDate::unix);
        Entry {
            uid: self.uid,
            key: self.key,
            size: self.body.canonical_len(),
            digest: Some(self.digest),
            flags: self.flags.clone(),
            date,
            completeness: self.completeness,
        }
    }
}

/// Pairs messages with local ones by key, each local one once: local UIDs by remote ones.
pub fn claim<'a>(
    messages: impl Iterator<Item = &'a FetchedMessage>,
    mut found: HashMap<MessageKey, Vec<u32>>,
) -> HashMap<u32, u32> {
    let mut claimed = HashMap::new();
    for message in messages {
        if let Some(local) = found.get_mut(&message.key).and_then(Vec::pop) {
            claimed.insert(message.uid, local);
        }
    }
    claimed
}
