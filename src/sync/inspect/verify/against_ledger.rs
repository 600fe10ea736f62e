// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether what the ledger says is true: a message on record is the one that its UID stands for, and what was
//! delivered is on one of the two sides, unless its owner deleted it.

use std::collections::{HashMap, HashSet};

use super::messages::VerifiedMessage;
use super::report::{Difference, FolderComparison, NOT_AS_RECORDED, VerifyReport};
use crate::imap::Mailbox;
use crate::sync::folder_mapping::{self, Pair};
use crate::sync::message_key::MessageKey;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::headers::{self, Detail};
use crate::sync::side::Side;
use crate::sync::state::{Recorded, RecordedFolder};

/// A message that is on record as delivered and is nowhere.
const GONE: &str = "gone";

/// Lists and counts the UIDs of a folder that stand for other messages than those on record.
pub(super) fn compare(
    record: &RecordedFolder,
    pair: &Pair,
    theirs: &[VerifiedMessage],
    ours: &[VerifiedMessage],
    report: &mut VerifyReport,
) -> u64 {
    let mut count = 0;
    let same_remote = record.state.is_same_remote(pair.source);
    let same_local = record.state.local == pair.local
        && pair
            .destination
            .is_some_and(|status| record.state.is_same_local(status));
    let sides = [
        (same_remote, theirs, Side::Remote),
        (same_local, ours, Side::Local),
    ];
    for (_, messages, side) in sides.into_iter().filter(|(is_same, ..)| *is_same) {
        let by_uid: HashMap<u32, &VerifiedMessage> = messages.iter().map(|one| (one.seen.uid, one)).collect();
        for one in &record.messages {
            let uid = match side {
                Side::Remote => one.remote_uid,
                Side::Local => one.local_uid,
            };
            let found = uid.and_then(|uid| by_uid.get(&uid));
            let Some(found) = found.filter(|found| is_another(one, found)) else {
                continue;
            };
            count += 1;
            let what = Some(found.seen.key.to_string());
            let (remote, local) = match side {
                Side::Remote => (what, None),
                Side::Local => (None, what),
            };
            report.note(Difference {
                folder: pair.remote.name().to_owned(),
                uid: found.seen.uid,
                message_id: None,
                kind: NOT_AS_RECORDED.to_owned(),
                remote,
                local,
            });
        }
    }
    count
}

fn is_another(recorded: &Recorded, found: &VerifiedMessage) -> bool {
    let other_octets = match (recorded.digest, found.digest) {
        (Some(then), Some(now)) => then != now,
        _ => false,
    };
    recorded.key != found.seen.key || other_octets
}

/// The keys of messages on record that the remote folder still has.
///
/// # Errors
/// When the folder cannot be read.
pub(super) async fn present(
    record: &RecordedFolder,
    remote: &mut SideSession,
    pair: &Pair,
) -> FolderResult<Vec<MessageKey>> {
    if remote.open(&pair.remote, false).await?.messages == 0 {
        return Ok(vec![]);
    }
    let present = remote.search("ALL").await?;
    let recorded = record.messages.iter();
    let present = recorded.filter(|one| one.remote_uid.is_some_and(|uid| present.contains(uid)));
    Ok(present.map(|one| one.key).collect())
}

/// Looks for what was delivered and was not `seen` when the folders were compared: its owner may have filed it elsewhere.
///
/// # Errors
/// When the connection is lost.
pub(super) async fn look_for(
    records: &[&RecordedFolder],
    local: &folder_mapping::Side,
    session: &mut SideSession,
    seen: &HashSet<MessageKey>,
    report: &mut VerifyReport,
) -> FolderResult<()> {
    let delivered = records.iter().flat_map(|record| &record.messages);
    let mut sought: HashSet<MessageKey> = delivered.map(|one| one.key).collect();
    sought.retain(|key| !seen.contains(key));
    for (listed, _) in &local.folders {
        if sought.is_empty() {
            return Ok(());
        }
        if listed.has("\\Noselect") {
            continue;
        }
        let Some(keys) = keys(session, &listed.mailbox).await? else {
            // It may be there.
            report.folders.push(FolderComparison {
                local: listed.mailbox.name().to_owned(),
                unreadable: Some("the local folder cannot be opened".to_owned()),
                ..FolderComparison::default()
            });
            return Ok(());
        };
        for key in keys {
            sought.remove(&key);
        }
    }
    for record in records {
        let gone = record.messages.iter().filter(|one| sought.contains(&one.key));
        let gone: Vec<&Recorded> = gone.collect();
        if gone.is_empty() {
            continue;
        }
        if let Some(folder) = report.folder(record) {
            folder.gone += gone.len() as u64;
        }
        for one in gone {
            report.note(Difference {
                folder: record.remote.name().to_owned(),
                uid: one.local_uid.or(one.remote_uid).unwrap_or(0),
                message_id: None,
                kind: GONE.to_owned(),
                remote: None,
                local: None,
            });
        }
    }
    Ok(())
}

/// The keys of all messages of a folder; `None` of one that cannot be opened.
async fn keys(session: &mut SideSession, mailbox: &Mailbox) -> FolderResult<Option<Vec<MessageKey>>> {
    let opened = match session.imap.open(mailbox, false).await {
        Err(crate::imap::Error::Command { .. }) => return Ok(None),
        opened => session.opened(opened)?,
    };
    if opened.messages == 0 {
        return Ok(Some(vec![]));
    }
    let uids = session.search("ALL").await?;
    let seen = headers::read(session, &uids, Detail::Key).await?;
    Ok(Some(seen.into_iter().map(|one| one.key).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Flags;
    use crate::sync::message_key::Digest;
    use crate::sync::reconcile::headers::Seen;
    use crate::sync::state::Completeness;

    fn found(key: u8, digest: Option<u8>) -> VerifiedMessage {
        VerifiedMessage {
            digest: digest.and_then(|octet| Digest::from_bytes(&[octet; 16])),
            seen: Seen {
                uid: 1,
                key: MessageKey::from_bytes(&[key; 16]).unwrap(),
                flags: std::rc::Rc::new(Flags::default()),
                date: 5,
                size: 6,
                has_trace: false,
                digest: None,
                completeness: Completeness::Whole,
            },
        }
    }

    #[test]
    fn a_uid_stands_for_the_message_on_record_or_for_another() {
        let recorded = Recorded {
            remote_uid: Some(1),
            local_uid: Some(1),
            key: MessageKey::from_bytes(&[7; 16]).unwrap(),
            digest: Digest::from_bytes(&[1; 16]),
        };
        assert!(!is_another(&recorded, &found(7, None)), "it was not read");
        assert!(!is_another(&recorded, &found(7, Some(1))));
        assert!(is_another(&recorded, &found(7, Some(2))), "other octets");
        assert!(is_another(&recorded, &found(8, None)), "another key");
    }
}
