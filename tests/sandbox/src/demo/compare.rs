// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether two mailboxes hold the same mail.

use std::collections::BTreeMap;

use crate::mail::{Mailbox, Message, Side};

/// Every message that is on one side only, in words. Messages are the same if content (SHA-256), flags and
/// INTERNALDATE are; twins count as often as they are there.
pub fn differences(remote: &Mailbox, local: &Mailbox) -> Vec<String> {
    let mut found = Vec::new();
    let mut local: BTreeMap<&str, &[Message]> = local
        .iter()
        .map(|(folder, messages)| (folder.as_str(), messages.as_slice()))
        .collect();
    for (folder, messages) in remote {
        let name = local_name(folder);
        let Some(theirs) = local.remove(name.as_str()) else {
            found.push(format!("folder {name} is missing"));
            continue;
        };
        found.extend(
            only_in(messages, theirs).map(|message| format!("{name}: missing {}", describe(message))),
        );
        found.extend(
            only_in(theirs, messages).map(|message| format!("{name}: unexpected {}", describe(message))),
        );
    }
    found.extend(
        local
            .into_keys()
            .map(|folder| format!("folder {folder} is unexpected")),
    );
    found
}

/// The name of a remote folder on the local side.
pub(super) fn local_name(remote: &str) -> String {
    remote.replace(Side::Remote.separator(), &Side::Local.separator().to_string())
}

fn only_in<'a>(these: &'a [Message], those: &[Message]) -> impl Iterator<Item = &'a Message> {
    let mut counts = BTreeMap::new();
    for message in those {
        *counts.entry(message.identity()).or_insert(0) += 1;
    }
    let only: Vec<&Message> = these
        .iter()
        .filter(|message| match counts.get_mut(&message.identity()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        })
        .collect();
    only.into_iter()
}

fn describe(message: &Message) -> String {
    let Message {
        message_id,
        flags,
        date,
        size,
        digest,
        uid,
    } = message;
    format!(
        "UID {uid} {message_id} ({size} octets, {}, arrived {date}, {:.12})",
        flags.join(" "),
        digest
    )
}

#[cfg(test)]
mod tests {
    use super::differences;
    use crate::mail::{Mailbox, Message};

    fn message(digest: &str, flags: &[&str]) -> Message {
        Message {
            message_id: "<a@b>".into(),
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            date: 1,
            size: 1,
            digest: digest.into(),
            uid: 1,
        }
    }

    fn mailbox(folder: &str, messages: &[Message]) -> Mailbox {
        Mailbox::from([(folder.to_owned(), messages.to_vec())])
    }

    #[test]
    fn separators_are_no_difference_but_flags_and_twins_are() {
        let twins = [message("x", &[]), message("x", &[])];
        assert!(differences(&mailbox("A.B", &twins), &mailbox("A/B", &twins)).is_empty());
        assert_eq!(
            differences(&mailbox("A.B", &twins), &mailbox("A/B", &twins[..1])).len(),
            1
        );
        let seen = [message("x", &["\\Seen"])];
        assert_eq!(
            differences(&mailbox("A", &seen), &mailbox("A", &twins[..1])).len(),
            2
        );
        assert_eq!(differences(&mailbox("A", &[]), &mailbox("B", &[])).len(), 2);
    }
}
