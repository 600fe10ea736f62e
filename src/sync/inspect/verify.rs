// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether both sides hold the same mail, message by message: by key, size, flags and date; on demand by the digest of
//! every octet; and whether what the ledger says of them is so. Mailboxes are only read.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::against_ledger;
use crate::imap::{Besides, Error, Mailbox, UidSet};
use crate::sync::account::{Account, Failure, Side};
use crate::sync::folder_mapping::{self, Known, Pair, Selection};
use crate::sync::message_key::{Digest, MessageKey};
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::reconcile::headers::{self, Detail, Seen};
use crate::sync::reconcile::listing;
use crate::sync::reconcile::narrow::period;
use crate::sync::state::RecordedFolder;
use crate::task::Labels;

/// A message that only the local side has.
const EXTRA: &str = "extra";

/// So often a folder is tried whose connection is lost.
const ATTEMPTS: u32 = 3;

/// Differences listed one by one; beyond, they are counted.
const LISTED: usize = 1000;

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VerifyReport {
    /// Nothing is missing, extra, different, gone or not as recorded, and every folder could be compared.
    pub agree: bool,
    /// Folder by folder.
    pub folders: Vec<FolderComparison>,
    /// Message by message.
    pub differences: Vec<Difference>,
    /// There are more differences than listed.
    pub truncated: bool,
}

/// What the comparison found in one folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FolderComparison {
    /// The remote folder.
    pub remote: String,
    /// The local folder.
    pub local: String,
    /// Messages there.
    pub remote_messages: u64,
    /// Messages here.
    pub local_messages: u64,
    /// Remote messages that are not here.
    pub missing: u64,
    /// Local messages that are not there.
    pub extra: u64,
    /// Messages that are on both sides and differ.
    pub different: u64,
    /// Messages that were delivered, that the remote side has no longer, and that are nowhere in the local mailbox: deleted
    /// by their owner, or lost.
    pub gone: u64,
    /// Messages that are others than those that the ledger has under their numbers, as after a restored backup.
    pub not_as_recorded: u64,
    /// Messages that are on both sides and the same but for what the local server changes when it stores a message: line
    /// ends, NULs, a date in the future. They are no difference.
    #[serde(default)]
    pub changed_by_destination: u64,
    /// Why the folder could not be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// One message that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Difference {
    /// The remote folder.
    pub folder: String,
    /// The UID, of the local side for a message that was found or recorded there alone, else of the remote side.
    pub uid: u32,
    /// The Message-Id.
    pub message_id: Option<String>,
    /// `missing`, `extra`, `size`, `flags`, `date`, `content`, `gone` or `not_as_recorded`.
    #[schemars(extend("enum" = [
        "missing", "extra", "size", "flags", "date", "content", "gone", "not_as_recorded"
    ]))]
    pub kind: String,
    /// What the remote side has.
    pub remote: Option<String>,
    /// What the local side has.
    pub local: Option<String>,
}

impl VerifyReport {
    /// Lists a difference, if there is room.
    pub(super) fn note(&mut self, difference: Difference) {
        if self.differences.len() >= LISTED {
            self.truncated = true;
            return;
        }
        self.differences.push(difference);
    }

    /// What was found in the folder of a record.
    pub(super) fn folder(&mut self, record: &RecordedFolder) -> Option<&mut FolderComparison> {
        let at = self
            .folders
            .iter()
            .position(|one| one.remote == record.remote.name());
        if at.is_none() {
            self.folders.push(FolderComparison {
                remote: record.remote.name().to_owned(),
                local: record.state.local.name().to_owned(),
                ..FolderComparison::default()
            });
        }
        match at {
            Some(at) => self.folders.get_mut(at),
            None => self.folders.last_mut(),
        }
    }
}

impl Difference {
    /// Whether its UID is one of the local side.
    fn is_local(&self) -> bool {
        self.kind == EXTRA || (self.kind == against_ledger::NOT_AS_RECORDED && self.local.is_some())
    }
}

/// Compares both sides, and both with what is on record; with `deep` every octet of every message. `known` tells where
/// folders went so far.
pub async fn verify(
    remote: &Account,
    local: &Account,
    selection: &Selection,
    known: &Known,
    records: &[RecordedFolder],
    deep: bool,
) -> Result<VerifyReport, Failure> {
    let (remote_side, local_side) = tokio::join!(log_in(remote), log_in(local));
    let ((remote_side, remote_session), (local_side, local_session)) = (remote_side?, local_side?);
    let mut sessions = Sessions {
        remote: remote_session,
        local: local_session,
    };
    let mut report = VerifyReport::default();
    let criteria = match period::criteria(selection.options.period) {
        limits if limits.is_empty() => "ALL".to_owned(),
        limits => limits,
    };
    let once = selection.options.labels == Labels::Once;
    // What the folders so far hold locally: another folder need not have it as well.
    let mut held: HashSet<MessageKey> = HashSet::new();
    // What of the records is accounted for: it is on one of the two sides.
    let mut seen: HashSet<MessageKey> = HashSet::new();
    for pair in folder_mapping::pair(&remote_side, &local_side, selection, known) {
        let told = report.differences.len();
        let mut attempts = 0;
        let folder = loop {
            let record = records.iter().find(|record| record.remote == pair.remote);
            let how = How {
                criteria: &criteria,
                deep,
                once,
            };
            let compared = sessions
                .compare(&pair, record, how, (&mut held, &mut seen), &mut report)
                .await;
            let (side, error) = match compared {
                Ok(folder) => break folder,
                Err(FolderError::Imap { side, error, .. }) => (side, error),
                Err(error) => return Err(error.into()),
            };
            report.differences.truncate(told);
            attempts += 1;
            if !matches!(error, Error::Command { .. }) {
                sessions.renew(side, remote, local).await?;
                if attempts < ATTEMPTS {
                    continue;
                }
            }
            break FolderComparison {
                remote: pair.remote.name().to_owned(),
                local: pair.local.name().to_owned(),
                unreadable: Some(Failure::from_imap(side, &error).message),
                ..FolderComparison::default()
            };
        };
        report.folders.push(folder);
    }
    // What could not be read may hide what is looked for.
    if report.folders.iter().all(|folder| folder.unreadable.is_none()) {
        let mut attempts = 1;
        while let Err(error) =
            against_ledger::look_for(records, &local_side, &mut sessions.local, &seen, &mut report).await
        {
            let is_lost =
                matches!(&error, FolderError::Imap { error, .. } if !matches!(error, Error::Command { .. }));
            if attempts == ATTEMPTS || !is_lost {
                return Err(error.into());
            }
            attempts += 1;
            sessions.renew(Side::Local, remote, local).await?;
        }
    }
    report.agree = report.folders.iter().all(|f| {
        f.missing + f.extra + f.different + f.gone + f.not_as_recorded == 0 && f.unreadable.is_none()
    });
    tokio::join!(sessions.remote.logout(), sessions.local.logout());
    Ok(report)
}

async fn log_in(account: &Account) -> Result<(folder_mapping::Side, SideSession), Failure> {
    listing::log_in_and_list(account, Besides::Nothing).await
}

/// How folders are compared.
#[derive(Clone, Copy)]
struct How<'a> {
    criteria: &'a str,
    deep: bool,
    once: bool,
}

/// The connections to both sides.
struct Sessions {
    remote: SideSession,
    local: SideSession,
}

impl Sessions {
    /// Replaces a connection that is lost.
    async fn renew(&mut self, side: Side, remote: &Account, local: &Account) -> Result<(), Failure> {
        match side {
            Side::Remote => self.remote = log_in(remote).await?.1,
            Side::Local => self.local = log_in(local).await?.1,
        }
        Ok(())
    }

    /// Compares one folder.
    async fn compare(
        &mut self,
        pair: &Pair,
        record: Option<&RecordedFolder>,
        How { criteria, deep, once }: How<'_>,
        (held, all): (&mut HashSet<MessageKey>, &mut HashSet<MessageKey>),
        report: &mut VerifyReport,
    ) -> FolderResult<FolderComparison> {
        let (theirs, ours) = tokio::join!(
            read(&mut self.remote, Some(&pair.remote), criteria, deep),
            read(
                &mut self.local,
                pair.destination.map(|_| &pair.local),
                criteria,
                deep
            )
        );
        let (mut theirs, mut ours) = (theirs?, ours?);
        let told = report.differences.len();
        let not_as_recorded = record.map_or(0, |record| {
            against_ledger::compare(record, pair, &theirs, &ours, report)
        });
        all.extend(theirs.iter().chain(&ours).map(|one| one.seen.key));
        let local_keys: HashSet<MessageKey> = ours.iter().map(|one| one.seen.key).collect();
        if pair.view || once {
            theirs.retain(|one| local_keys.contains(&one.seen.key) || !held.contains(&one.seen.key));
        }
        if !deep {
            // Sizes say little: line ends and NULs are changed on the way. What they make doubtful is read.
            let (remote_uids, local_uids) = of_other_sizes(&theirs, &ours);
            let (remote_digests, local_digests) = tokio::join!(
                headers::digests(&mut self.remote, &remote_uids),
                headers::digests(&mut self.local, &local_uids)
            );
            let remote_digests = remote_digests?;
            let local_digests = local_digests?;
            take_common_digests(&mut theirs, &remote_digests, &local_digests);
            take_common_digests(&mut ours, &local_digests, &remote_digests);
        }
        let mut folder = judge(pair, theirs, ours, report);
        folder.not_as_recorded = not_as_recorded;
        let differences = &mut report.differences[told..];
        name(&mut self.remote, differences, |one| !one.is_local()).await?;
        name(&mut self.local, differences, Difference::is_local).await?;
        held.extend(local_keys);
        Ok(folder)
    }
}

/// The messages of both sides whose key the other side has in other sizes only.
fn of_other_sizes(theirs: &[VerifiedMessage], ours: &[VerifiedMessage]) -> (UidSet, UidSet) {
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
fn take_common_digests(
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

/// Fills in the Message-Ids of those differences that are messages of the open folder. Only these are asked for: a
/// folder has many messages, and most do not differ.
async fn name(
    session: &mut SideSession,
    differences: &mut [Difference],
    is_in_folder: impl Fn(&Difference) -> bool,
) -> FolderResult<()> {
    let mut named: Vec<_> = differences.iter_mut().filter(|one| is_in_folder(one)).collect();
    let uids: UidSet = named.iter().map(|one| one.uid).collect();
    let ids = headers::message_ids(session, &uids).await?;
    for one in &mut named {
        one.message_id = ids.get(&one.uid).cloned();
    }
    Ok(())
}

/// A message and, on demand, the digest of its octets.
pub(super) struct VerifiedMessage {
    pub(super) seen: Seen,
    pub(super) digest: Option<Digest>,
}

async fn read(
    session: &mut SideSession,
    mailbox: Option<&Mailbox>,
    criteria: &str,
    deep: bool,
) -> FolderResult<Vec<VerifiedMessage>> {
    let Some(mailbox) = mailbox else {
        return Ok(vec![]);
    };
    if session.open(mailbox, false).await?.messages == 0 {
        return Ok(vec![]);
    }
    let uids = session.search(criteria).await?;
    let seen = headers::read(session, &uids, Detail::Record).await?;
    let mut digests = if deep {
        headers::digests(session, &uids).await?
    } else {
        HashMap::new()
    };
    let message = |seen: Seen| VerifiedMessage {
        digest: digests.remove(&seen.uid),
        seen,
    };
    Ok(seen.into_iter().map(message).collect())
}

fn judge(
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
    unix > jiff::Timestamp::now().as_second()
}

fn hex(digest: Option<Digest>) -> String {
    digest.map(|digest| format!("{digest:?}")).unwrap_or_default()
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
