// SPDX-License-Identifier: GPL-3.0-or-later
//! How two messages of the same key may differ: by size, flags, date or content.

use std::collections::{HashMap, HashSet};

use super::report::{Difference, EXTRA, FolderComparison, VerifyReport};
use crate::imap::UidSet;
use crate::sync::folder_mapping::Pair;
use crate::sync::message_key::{Digest, MessageKey};
use crate::sync::reconcile::headers::Seen;

/// A message and, on demand, the digest of its octets.
pub(super) struct VerifiedMessage {
    pub(super) seen: Seen,
    pub(super) digest: Option<Digest>,
}

/// The messages of both sides whose key the other side has in other sizes only.
pub(super) fn of_other_sizes(theirs: &[VerifiedMessage], ours: &[VerifiedMessage]) -> (UidSet, UidSet) {
    let among = |some: &[VerifiedMessage], others: &[VerifiedMessage]| {
        let keys: HashSet<MessageKey> = others.iter().map(|one| one.seen.key).collect();
        let sizes: HashSet<(MessageKey, u64)> =
            others.iter().map(|one| (one.seen.key, one.seen.size)).collect();
        some.iter()
            .map(|one| &one.seen)
            .filter(|seen| keys.contains(&seen.key) && !sizes.contains(&(seen.key, seen.size)))
            .map(|seen| seen.uid)
            .collect::<UidSet>()
    };
    (among(theirs, ours), among(ours, theirs))
}

/// Takes those digests that the other side has as well.
pub(super) fn take_common_digests(
    messages: &mut [VerifiedMessage],
    digests: &HashMap<u32, Digest>,
    others: &HashMap<u32, Digest>,
) {
    let others: HashSet<&Digest> = others.values().collect();
    for one in messages {
        let digest = digests.get(&one.seen.uid);
        one.digest = digest.filter(|digest| others.contains(digest)).copied();
    }
}

/// Compares the messages of both sides: each with the one that has its key, of several the most alike.
pub(super) fn compare(
    pair: &Pair,
    theirs: Vec<VerifiedMessage>,
    ours: Vec<VerifiedMessage>,
    report: &mut VerifyReport,
) -> FolderComparison {
    let mut folder = FolderComparison {
        remote: pair.remote.name().to_owned(),
        local: pair.local.name().to_owned(),
        remote_messages: theirs.len() as u64,
        local_messages: ours.len() as u64,
        ..FolderComparison::default()
    };
    let mut by_key: HashMap<MessageKey, Vec<VerifiedMessage>> = HashMap::new();
    for message in ours {
        by_key.entry(message.seen.key).or_default().push(message);
    }
    for one in theirs {
        let twins = by_key.entry(one.seen.key).or_default();
        // Among twins the one that differs least is the other half of the pair.
        let best = (0..twins.len()).min_by_key(|&at| differences(&one, &twins[at]).len());
        let Some(at) = best else {
            folder.missing += 1;
            note(
                report,
                pair,
                &one.seen,
                "missing",
                Some(describe(&one.seen)),
                None,
            );
            continue;
        };
        let other = twins.swap_remove(at);
        let found = differences(&one, &other);
        if found.is_empty() {
            folder.changed_by_destination += u64::from(is_changed_by_destination(&one, &other));
            continue;
        }
        folder.different += 1;
        for (kind, remote, local) in found {
            note(report, pair, &one.seen, kind, Some(remote), Some(local));
        }
    }
    let mut extra: Vec<VerifiedMessage> = by_key.into_values().flatten().collect();
    extra.sort_by_key(|message| message.seen.uid);
    for message in extra {
        folder.extra += 1;
        note(
            report,
            pair,
            &message.seen,
            EXTRA,
            None,
            Some(describe(&message.seen)),
        );
    }
    folder
}

fn differences(one: &VerifiedMessage, other: &VerifiedMessage) -> Vec<(&'static str, String, String)> {
    let mut found = vec![];
    let mut compare = |kind, remote: String, local: String| {
        if remote != local {
            found.push((kind, remote, local));
        }
    };
    if !is_same_content(one, other) {
        compare("size", one.seen.size.to_string(), other.seen.size.to_string());
    }
    compare("flags", one.seen.flags.to_string(), other.seen.flags.to_string());
    if !is_in_the_future(one.seen.date) {
        compare("date", moment(one.seen.date), moment(other.seen.date));
    }
    if one.digest.is_some() && other.digest.is_some() {
        compare("content", hex(one.digest), hex(other.digest));
    }
    found
}

/// Whether two messages are the same octet for octet in their canonical form.
fn is_same_content(one: &VerifiedMessage, other: &VerifiedMessage) -> bool {
    one.digest.is_some() && one.digest == other.digest
}

/// Whether what differs is what a mail server changes when it stores a message.
fn is_changed_by_destination(one: &VerifiedMessage, other: &VerifiedMessage) -> bool {
    one.seen.size != other.seen.size || one.seen.date != other.seen.date
}

/// Mail servers put their own time in place of one that has not come yet.
fn is_in_the_future(unix: i64) -> bool {
    unix > crate::clock::now()
}

fn hex(digest: Option<Digest>) -> String {
    digest.map(|digest| digest.to_string()).unwrap_or_default()
}

fn describe(seen: &Seen) -> String {
    format!("{} bytes, {}", seen.size, moment(seen.date))
}

fn moment(unix: i64) -> String {
    jiff::Timestamp::from_second(unix)
        .map(|moment| moment.to_string())
        .unwrap_or_default()
}

fn note(
    report: &mut VerifyReport,
    pair: &Pair,
    seen: &Seen,
    kind: &str,
    remote: Option<String>,
    local: Option<String>,
) {
    report.note(Difference {
        folder: pair.remote.name().to_owned(),
        uid: seen.uid,
        message_id: None,
        kind: kind.to_owned(),
        remote,
        local,
    });
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::imap::Flags;
    use crate::sync::state::Completeness;

    fn message(size: u64, date: i64, digest: Option<u8>) -> VerifiedMessage {
        VerifiedMessage {
            digest: digest.map(|octet| Digest::from_bytes(&[octet; 16]).unwrap()),
            seen: Seen {
                uid: 1,
                key: MessageKey::from_bytes(&[7; 16]).unwrap(),
                flags: Rc::new(Flags::default()),
                date,
                size,
                has_trace: false,
                digest: None,
                completeness: Completeness::Whole,
            },
        }
    }

    fn kinds(one: &VerifiedMessage, other: &VerifiedMessage) -> Vec<&'static str> {
        differences(one, other)
            .into_iter()
            .map(|(kind, ..)| kind)
            .collect()
    }

    #[test]
    fn what_the_destination_changes_is_no_difference() {
        let bare = message(6, 5, Some(1));
        let stored = message(8, 5, Some(1));
        assert!(kinds(&bare, &stored).is_empty() && is_changed_by_destination(&bare, &stored));
        assert_eq!(kinds(&bare, &message(8, 5, None)), ["size"]);
        assert_eq!(kinds(&bare, &message(8, 5, Some(2))), ["size", "content"]);
        let to_come = message(6, i64::from(u32::MAX), None);
        assert!(kinds(&to_come, &message(6, 5, None)).is_empty());
        assert_eq!(kinds(&message(6, 5, None), &to_come), ["date"]);
        assert!(!is_changed_by_destination(&to_come, &to_come));
    }

    #[test]
    fn only_messages_of_other_sizes_are_read() {
        let (one, other) = (message(6, 5, None), message(8, 5, None));
        assert_eq!(of_other_sizes(&[one], &[other]).0.len(), 1);
        let (one, other) = (message(6, 5, None), message(6, 9, None));
        assert_eq!(of_other_sizes(&[one], &[other]).0.len(), 0);
    }
}
