// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether both sides hold the same mail, message by message: by key, size, flags and date; on demand by the digest
//! of every octet; and whether what the ledger says of them is true. Mailboxes are only read.
//!
//! [`report`]: what is found · `messages`: message by message · `against_ledger`: what is on record.

mod against_ledger;
mod messages;
pub mod report;

use std::collections::{HashMap, HashSet};

use self::messages::VerifiedMessage;
use self::report::{Difference, FolderComparison, VerifyReport};
use crate::imap::{Error, ListExtras, Mailbox, UidSet};
use crate::sync::account::{Account, Failure};
use crate::sync::folder_mapping::{self, Known, Pair, Selection};
use crate::sync::message_key::MessageKey;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::reconcile::headers::{self, Detail, Seen};
use crate::sync::reconcile::listing;
use crate::sync::reconcile::narrow::period;
use crate::sync::side::Side;
use crate::sync::state::RecordedFolder;
use crate::task::Labels;

/// All messages of a folder.
const ALL: &str = "ALL";

/// So often a folder is tried whose connection is lost.
const ATTEMPTS: u32 = 3;

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
        limits if limits.is_empty() => ALL.to_owned(),
        limits => limits,
    };
    let once = selection.options.labels == Labels::Once;
    // What the folders so far hold locally: another folder need not have it as well.
    let mut held: HashSet<MessageKey> = HashSet::new();
    // What of the records is accounted for: it is on one of the two sides.
    let mut seen: HashSet<MessageKey> = HashSet::new();
    let pairs = folder_mapping::pair(&remote_side, &local_side, selection, known);
    // Folders that the task leaves out are not read: what is not seen there may be there.
    let read: HashSet<&Mailbox> = pairs.iter().map(|pair| &pair.remote).collect();
    let listed = remote_side.folders.iter().map(|(listed, _)| &listed.mailbox);
    let left_out: HashSet<&Mailbox> = listed.filter(|mailbox| !read.contains(mailbox)).collect();
    let sought = records.iter().filter(|record| !left_out.contains(&record.remote));
    let sought: Vec<&RecordedFolder> = sought.collect();
    for pair in &pairs {
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
                .compare(pair, record, how, (&mut held, &mut seen), &mut report)
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
            against_ledger::look_for(&sought, &local_side, &mut sessions.local, &seen, &mut report).await
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
    listing::log_in_and_list(account, ListExtras::Nothing).await
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
        if let Some(record) = record
            && criteria != ALL
            && record.state.is_same_remote(pair.source)
        {
            // What is out of the task's period now is there all the same.
            all.extend(against_ledger::present(record, &mut self.remote, pair).await?);
        }
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
            let (remote_uids, local_uids) = messages::of_other_sizes(&theirs, &ours);
            let (remote_digests, local_digests) = tokio::join!(
                headers::digests(&mut self.remote, &remote_uids),
                headers::digests(&mut self.local, &local_uids)
            );
            let remote_digests = remote_digests?;
            let local_digests = local_digests?;
            messages::take_common_digests(&mut theirs, &remote_digests, &local_digests);
            messages::take_common_digests(&mut ours, &local_digests, &remote_digests);
        }
        let mut folder = messages::compare(pair, theirs, ours, report);
        folder.not_as_recorded = not_as_recorded;
        let differences = &mut report.differences[told..];
        name(&mut self.remote, differences, |one| !one.is_local()).await?;
        name(&mut self.local, differences, Difference::is_local).await?;
        held.extend(local_keys);
        Ok(folder)
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
