// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether both sides hold the same mail, message by message: by key, size, flags and date; on demand by the digest of
//! every octet. Mailboxes are only read.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::imap::{Besides, Mailbox, Session, UidSet};
use crate::sync::account::{Account, Failure, Side};
use crate::sync::folder_mapping::{self, Known, Pair, Selection};
use crate::sync::message_key::{Digest, MessageKey};
use crate::sync::reconcile::headers::{self, Detail, Seen};
use crate::sync::reconcile::listing;
use crate::sync::reconcile::narrow::period;
use crate::task::Labels;

/// A message that only the local side has.
const EXTRA: &str = "extra";

/// Differences listed one by one; beyond, they are counted.
const LISTED: usize = 1000;

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VerifyReport {
    /// Nothing is missing, extra or different.
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
}

/// One message that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Difference {
    /// The remote folder.
    pub folder: String,
    /// The UID, of the local side for an extra message, else of the remote side.
    pub uid: u32,
    /// The Message-Id.
    pub message_id: Option<String>,
    /// `missing`, `extra`, `size`, `flags`, `date` or `content`.
    pub kind: String,
    /// What the remote side has.
    pub remote: Option<String>,
    /// What the local side has.
    pub local: Option<String>,
}

/// Compares both sides; with `deep` every octet of every message. `known` tells where folders went so far.
pub async fn verify(
    remote: &Account,
    local: &Account,
    selection: &Selection,
    known: &Known,
    deep: bool,
) -> Result<VerifyReport, Failure> {
    let (there, here) = tokio::join!(
        listing::log_in_and_list(remote, Besides::Nothing),
        listing::log_in_and_list(local, Besides::Nothing)
    );
    let ((there, mut remote), (here, mut local)) = (there?, here?);
    let mut verdict = VerifyReport::default();
    let options = &selection.options;
    let criteria = match period::criteria(options.period) {
        limits if limits.is_empty() => "ALL".to_owned(),
        limits => limits,
    };
    // What the folders so far hold locally: another folder need not have it as well.
    let mut held: HashSet<MessageKey> = HashSet::new();
    for pair in folder_mapping::pair(&there, &here, selection, known) {
        let (theirs, ours) = tokio::join!(
            read(&mut remote, Some(&pair.remote), &criteria, deep),
            read(&mut local, pair.destination.map(|_| &pair.local), &criteria, deep)
        );
        let theirs = theirs.map_err(|error| Failure::from_imap(Side::Remote, &error))?;
        let ours = ours.map_err(|error| Failure::from_imap(Side::Local, &error))?;
        let mut theirs = theirs;
        let here: HashSet<MessageKey> = ours.iter().map(|one| one.seen.key).collect();
        if pair.view || options.labels == Labels::Once {
            theirs.retain(|one| here.contains(&one.seen.key) || !held.contains(&one.seen.key));
        }
        held.extend(here);
        let told = verdict.differences.len();
        let folder = judge(&pair, theirs, ours, &mut verdict);
        verdict.folders.push(folder);
        let differences = &mut verdict.differences[told..];
        name(&mut remote, differences, |kind| kind != EXTRA)
            .await
            .map_err(|error| Failure::from_imap(Side::Remote, &error))?;
        name(&mut local, differences, |kind| kind == EXTRA)
            .await
            .map_err(|error| Failure::from_imap(Side::Local, &error))?;
    }
    verdict.agree = verdict
        .folders
        .iter()
        .all(|f| f.missing + f.extra + f.different == 0);
    tokio::join!(remote.logout(), local.logout());
    Ok(verdict)
}

/// Fills in the Message-Ids of those differences that are messages of the open folder. Only these are asked for: a
/// folder has many messages, and most do not differ.
async fn name(
    session: &mut Session,
    differences: &mut [Difference],
    here: impl Fn(&str) -> bool,
) -> crate::imap::Result<()> {
    let mut named: Vec<_> = differences.iter_mut().filter(|one| here(&one.kind)).collect();
    let uids: UidSet = named.iter().map(|one| one.uid).collect();
    let ids = headers::message_ids(session, &uids).await?;
    for one in &mut named {
        one.message_id = ids.get(&one.uid).cloned();
    }
    Ok(())
}

/// A message and, on demand, the digest of its octets.
struct VerifiedMessage {
    seen: Seen,
    digest: Option<Digest>,
}

async fn read(
    session: &mut Session,
    mailbox: Option<&Mailbox>,
    criteria: &str,
    deep: bool,
) -> crate::imap::Result<Vec<VerifiedMessage>> {
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
    let exhibit = |seen: Seen| VerifiedMessage {
        digest: digests.remove(&seen.uid),
        seen,
    };
    Ok(seen.into_iter().map(exhibit).collect())
}

fn judge(
    pair: &Pair,
    theirs: Vec<VerifiedMessage>,
    ours: Vec<VerifiedMessage>,
    verdict: &mut VerifyReport,
) -> FolderComparison {
    let mut folder = FolderComparison {
        remote: pair.remote.name().to_owned(),
        local: pair.local.name().to_owned(),
        remote_messages: theirs.len() as u64,
        local_messages: ours.len() as u64,
        ..FolderComparison::default()
    };
    let mut by_key: HashMap<MessageKey, Vec<VerifiedMessage>> = HashMap::new();
    for exhibit in ours {
        by_key.entry(exhibit.seen.key).or_default().push(exhibit);
    }
    for one in theirs {
        let twins = by_key.entry(one.seen.key).or_default();
        // Among twins the one that differs least is the other half of the pair.
        let best = (0..twins.len()).min_by_key(|&at| differences(&one, &twins[at]).len());
        let Some(at) = best else {
            folder.missing += 1;
            note(
                verdict,
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
        folder.different += u64::from(!found.is_empty());
        for (kind, remote, local) in found {
            note(verdict, pair, &one.seen, kind, Some(remote), Some(local));
        }
    }
    let mut extra: Vec<VerifiedMessage> = by_key.into_values().flatten().collect();
    extra.sort_by_key(|exhibit| exhibit.seen.uid);
    for exhibit in extra {
        folder.extra += 1;
        note(
            verdict,
            pair,
            &exhibit.seen,
            EXTRA,
            None,
            Some(describe(&exhibit.seen)),
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
    compare("size", one.seen.size.to_string(), other.seen.size.to_string());
    compare("flags", one.seen.flags.to_string(), other.seen.flags.to_string());
    compare("date", moment(one.seen.date), moment(other.seen.date));
    if one.digest != other.digest {
        compare("content", hex(one.digest), hex(other.digest));
    }
    found
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
    verdict: &mut VerifyReport,
    pair: &Pair,
    seen: &Seen,
    kind: &str,
    remote: Option<String>,
    local: Option<String>,
) {
    if verdict.differences.len() >= LISTED {
        verdict.truncated = true;
        return;
    }
    verdict.differences.push(Difference {
        folder: pair.remote.name().to_owned(),
        uid: seen.uid,
        message_id: None,
        kind: kind.to_owned(),
        remote,
        local,
    });
}
