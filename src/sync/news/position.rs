// SPDX-License-Identifier: GPL-3.0-or-later

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::imap::{Mailbox, MailboxStatus, Selected, Untagged};

/// Where folders stand: it changes when mail arrives, and only then, whatever else happens in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// Messages of the inbox, which is the open folder.
    messages: u32,
    /// The generation of the inbox, and its next UID.
    inbox: (u32, u64),
    /// The same of other folders, by their names on the wire; `None` before it was told.
    others: BTreeMap<Vec<u8>, Option<(u32, u32)>>,
    /// How often the server told that it has lost count.
    lost: u64,
}

impl Position {
    /// Where the inbox stands when it is opened.
    pub fn at(inbox: &Selected) -> Self {
        // A server that does not tell the next UID is believed by its messages alone.
        let next = inbox.uid_next.unwrap_or(inbox.messages);
        Self {
            messages: inbox.messages,
            inbox: (inbox.uid_validity.unwrap_or_default(), next.into()),
            ..Self::default()
        }
    }

    /// Heeds these folders too.
    pub fn watch(&mut self, others: &[Mailbox]) {
        let names = others.iter().map(|mailbox| (mailbox.wire().to_vec(), None));
        self.others.extend(names);
    }

    /// Takes in what the server said; whether mail has arrived.
    pub fn note(&mut self, data: &Untagged) -> bool {
        match data {
            Untagged::Exists(count) => {
                let more = count.saturating_sub(self.messages);
                self.messages = *count;
                self.inbox.1 += u64::from(more);
                more > 0
            }
            Untagged::Expunged => {
                self.messages = self.messages.saturating_sub(1);
                false
            }
            Untagged::MailboxStatus(mailbox, status) => self.other(mailbox, status),
            Untagged::Status(status) if status.has_code("NOTIFICATIONOVERFLOW") => {
                self.lost += 1;
                true
            }
            _ => false,
        }
    }

    fn other(&mut self, mailbox: &Mailbox, status: &MailboxStatus) -> bool {
        let Some(known) = self.others.get_mut(mailbox.wire()) else {
            return false;
        };
        let Some(next) = status.uid_next else {
            return false;
        };
        let told = (
            status
                .uid_validity
                .or(known.map(|known| known.0))
                .unwrap_or_default(),
            next,
        );
        let former = known.replace(told);
        former.is_some_and(|former| former != told)
    }

    /// The same in a few octets, to be kept.
    pub fn digest(&self) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.inbox.0.to_be_bytes());
        hash.update(self.inbox.1.to_be_bytes());
        for (name, told) in &self.others {
            let (generation, next) = told.unwrap_or_default();
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
            hash.update(generation.to_be_bytes());
            hash.update(next.to_be_bytes());
        }
        hash.update(self.lost.to_be_bytes());
        let octets = hash.finalize();
        octets
            .iter()
            .take(8)
            .fold(0, |sum, &octet| sum << 8 | u64::from(octet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::{Kind, StatusLine};

    fn inbox(messages: u32, uid_next: Option<u32>) -> Position {
        Position::at(&Selected {
            messages,
            uid_validity: Some(1),
            uid_next,
            ..Selected::default()
        })
    }

    fn status(name: &str, uid_validity: u32, uid_next: Option<u32>) -> Untagged {
        let status = MailboxStatus {
            uid_validity: Some(uid_validity),
            uid_next,
            ..MailboxStatus::default()
        };
        Untagged::MailboxStatus(Mailbox::from_name(name), status)
    }

    #[test]
    fn more_messages_are_news_and_fewer_are_not() {
        let mut position = inbox(10, Some(20));
        let before = position.digest();
        assert!(!position.note(&Untagged::Exists(10)));
        assert!(!position.note(&Untagged::Expunged) && !position.note(&Untagged::Expunged));
        assert_eq!(position.digest(), before);
        assert!(position.note(&Untagged::Exists(9)), "two went, one came");
        assert_eq!(
            position.digest(),
            inbox(9, Some(21)).digest(),
            "as a new connection sees it"
        );
        assert!(!position.note(&Untagged::Exists(3)) && position.note(&Untagged::Exists(u32::MAX)));
    }

    #[test]
    fn other_folders_count_as_far_as_they_are_heeded() {
        let mut position = inbox(0, None);
        position.watch(&[Mailbox::from_name("Work")]);
        assert!(
            !position.note(&status("Work", 1, Some(5))),
            "what was there before"
        );
        assert!(position.note(&status("Work", 1, Some(6))) && position.note(&status("Work", 2, Some(6))));
        for nothing in [
            status("Work", 2, Some(6)),
            status("Work", 2, None),
            status("Other", 1, Some(9)),
        ] {
            assert!(!position.note(&nothing), "{nothing:?}");
        }
        let before = position.digest();
        let overflow = StatusLine::parse(Kind::Ok, b"[NOTIFICATIONOVERFLOW] too much");
        assert!(position.note(&Untagged::Status(overflow)) && position.digest() != before);
    }
}
