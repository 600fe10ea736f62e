// SPDX-License-Identifier: GPL-3.0-or-later
//! What stock imapsync cannot do, done natively around it: `\Seen` and Sieve in inbox mode, retention by days.
//!
//! Before imapsync starts, what it is going to bring is written down as planned. Which of it has arrived is told by
//! its log and, where that was cut off, by comparing both sides; then the same code as in the native engine does
//! what is left to do, once for each message.

use std::collections::HashSet;
use std::rc::Rc;

use crate::imap::{Flags, UidSet};
use crate::sync::account::Failure;
use crate::sync::exit_code::Exit;
use crate::sync::folder_mapping::Pair;
use crate::sync::imapsync::late::{self, Ends};
use crate::sync::imapsync::log::Copied;
use crate::sync::job::Shared;
use crate::sync::message_key::MessageKey;
use crate::sync::reconcile::connections::settle;
use crate::sync::reconcile::connections::{self, Connections, close};
use crate::sync::reconcile::deletions::{self, LocalPlan, gate};
use crate::sync::reconcile::error::{FolderResult, contain};
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::headers::{self, Detail, Seen};
use crate::sync::reconcile::inbox;
use crate::sync::reconcile::listing::{self, Listing, filed};
use crate::sync::reconcile::prepare::prepare;
use crate::sync::state::{Completeness, Entry, Flag};
use crate::task::RemoteDeletion;

/// Whether there is anything to do around imapsync.
fn any(shared: &Shared) -> bool {
    let job = &shared.job;
    job.inbox_only()
        || job.delete_local
        || matches!(job.delete_remote, RemoteDeletion::OlderThan(_))
        // What it brings is to be on record, or a mirror among the other tasks would delete it.
        || job.shares_mailbox
}

/// Records what a run that was cut off had copied into the inbox, before its log is written over. It needs no server:
/// if a folder was replaced since, all records of it are void anyway.
pub fn recover(shared: &Shared, copied: &[Copied]) -> Result<(), Failure> {
    if !shared.state.borrow().is_set(Flag::ImapsyncRunning)? {
        return Ok(());
    }
    let inbox = crate::imap::Mailbox::inbox();
    let known = shared.state.borrow().known_folder(&inbox)?;
    if let Some(folder) = known.filter(|_| !copied.is_empty()) {
        confirm(shared, folder.id, copied, &[])?;
    }
    Ok(())
}

/// What was found before imapsync starts.
pub struct Before {
    /// How far the folders reach.
    pub ends: Ends,
    /// There is mail that imapsync would not see when it looks back so many days.
    pub has_late: bool,
    /// Whether imapsync may delete what it has transferred.
    pub may_delete: bool,
}

/// Tries both logins, looks for mail that imapsync would not see when it looks back so many days, plans what it is about
/// to bring where something is left to do for it, and finds out whether it may delete.
pub async fn before(shared: &Shared, days: Option<u32>) -> Result<Before, Failure> {
    let mut connections = connections::connect(shared).await?;
    settle::settle_after_crash(shared, &mut connections).await?;
    let Listing {
        pairs, mut subscribe, ..
    } = listing::list(shared, &mut connections).await?;
    let (ends, has_late) = late::look(shared, &pairs, days, &mut connections).await?;
    if any(shared) {
        for pair in pairs {
            let name = pair.remote.name().to_owned();
            let outcome = plan(shared, pair, &mut connections, &mut subscribe).await;
            contain(shared, &name, outcome)?;
        }
    }
    let may_delete = may_delete(shared, &mut connections).await?;
    shared.state.borrow().set(Flag::ImapsyncRunning, true)?;
    close(connections).await;
    Ok(Before {
        ends,
        has_late,
        may_delete,
    })
}

/// Whether imapsync may delete what it has transferred: both sides are different mailboxes, and no task of another user
/// waits for the same mail. Where all of it is to be on record it is not imapsync that deletes.
async fn may_delete(shared: &Shared, connections: &mut Connections) -> Result<bool, Failure> {
    if shared.job.delete_remote != RemoteDeletion::AfterTransfer {
        return Ok(false);
    }
    if shared.job.shares_mailbox && !shared.job.inbox_only() {
        return Ok(false);
    }
    if !shared.job.shared_with.is_empty() {
        let reason = format!(
            "nothing is deleted remotely: {}",
            deletions::same_account_reason(shared)
        );
        let mut reporter = shared.reporter.borrow_mut();
        reporter.problem("", Exit::WithErrors, &reason);
        return Ok(false);
    }
    let different = connections::with_reconnect(shared, connections, async |connections| {
        deletions::different_mailboxes::prove(shared, connections).await
    });
    Ok(different.await?.is_some())
}

async fn plan(
    shared: &Shared,
    pair: Pair,
    connections: &mut Connections,
    subscribe: &mut HashSet<crate::imap::Mailbox>,
) -> FolderResult<()> {
    let Some((sync, comparison)) = prepare(shared, 0, pair, connections, subscribe).await? else {
        return Ok(());
    };
    let wanted = UidSet::union_of(&comparison.wanted);
    if wanted.is_empty() {
        return Ok(());
    }
    connections.remote.open(&sync.pair.remote, false).await?;
    let messages = headers::read(&mut connections.remote, &wanted, Detail::Record).await?;
    let entries: Vec<Entry> = messages.iter().map(Seen::entry).collect();
    shared.state.borrow_mut().plan(sync.folder.id, &entries)?;
    Ok(())
}

/// Completes what imapsync has copied. `copied` is what its log says of the inbox.
pub async fn complete(shared: &Shared, copied: &[Copied]) -> Result<(), Failure> {
    if any(shared) {
        let mut connections = connections::connect(shared).await?;
        let restored = connections::with_reconnect(shared, &mut connections, async |connections| {
            gate::restore_lifted_marks(shared, connections).await
        });
        restored.await?;
        let listing = listing::list(shared, &mut connections).await?;
        let mut subscribe = listing.subscribe.clone();
        let (mut plan, mut complete, mut syncs) = (LocalPlan::default(), true, vec![]);
        for pair in &listing.pairs {
            let compared = compare(shared, pair.clone(), copied, &mut connections, &mut subscribe).await;
            let compared = contain(shared, pair.remote.name(), compared)?;
            complete &= compared.is_some();
            syncs.extend(compared.flatten());
        }
        if complete {
            filed::all_compared(shared, &listing.pairs, &mut connections).await?;
        }
        for sync in &syncs {
            let outcome = finish(shared, sync, &mut connections, &mut plan).await;
            complete &= contain(shared, sync.pair.remote.name(), outcome)?.is_some() && !sync.broken.get();
        }
        deletions::carry_out(shared, plan, &listing, complete, &mut connections).await?;
        listing::accept_local_mailbox(shared, &listing)?;
        close(connections).await;
    }
    let state = shared.state.borrow();
    state.set(Flag::ImapsyncRunning, false)?;
    state.set(Flag::Running, false)?;
    Ok(())
}

/// Compares a folder after imapsync has filled it; `None` when nothing is left to do there.
async fn compare(
    shared: &Shared,
    pair: Pair,
    copied: &[Copied],
    connections: &mut Connections,
    subscribe: &mut HashSet<crate::imap::Mailbox>,
) -> FolderResult<Option<Rc<FolderSync>>> {
    if pair.destination.is_none() {
        return Ok(None);
    }
    if shared.job.inbox_only() {
        settle(shared, &pair, copied, connections).await?;
    }
    let index = index_of(shared, &pair);
    let prepared = prepare(shared, index, pair, connections, subscribe).await?;
    Ok(prepared.map(|(sync, _)| Rc::new(sync)))
}

async fn finish(
    shared: &Shared,
    sync: &Rc<FolderSync>,
    connections: &mut Connections,
    plan: &mut LocalPlan,
) -> FolderResult<()> {
    if shared.job.inbox_only() {
        inbox::inbox(shared, sync, connections).await?;
    } else {
        deletions::reconcile(shared, sync, connections, plan).await?;
    }
    if sync.broken.get() {
        return Ok(());
    }
    deletions::remote(shared, sync, connections).await
}

/// Records what the log says was copied, messages included that came after the plan was made.
async fn settle(
    shared: &Shared,
    pair: &Pair,
    copied: &[Copied],
    connections: &mut Connections,
) -> FolderResult<()> {
    let Some(folder) = shared.state.borrow().known_folder(&pair.remote)? else {
        return Ok(());
    };
    let same = pair.source.uid_validity == Some(folder.remote_validity)
        && pair.destination.and_then(|status| status.uid_validity) == Some(folder.local_validity);
    if !same || copied.is_empty() {
        return Ok(());
    }
    let unplanned: UidSet = {
        let state = shared.state.borrow();
        let (done, pending) = (state.done_uids(folder.id)?, state.pending_uids(folder.id)?);
        let uids = copied.iter().map(|message| message.remote_uid);
        uids.filter(|&uid| !done.contains(uid) && !pending.contains(uid))
            .collect()
    };
    let mut entries = vec![];
    if !unplanned.is_empty() {
        connections.remote.open(&pair.remote, false).await?;
        let messages = headers::read(&mut connections.remote, &unplanned, Detail::Record).await?;
        entries = messages.iter().map(Seen::entry).collect();
    }
    Ok(confirm(shared, folder.id, copied, &entries)?)
}

/// Records messages as delivered, with what is left to do for them. `known` describes those that were not planned; one
/// that imapsync has deleted on the remote side already is described by nothing any more.
fn confirm(shared: &Shared, id: i64, copied: &[Copied], known: &[Entry]) -> Result<(), Failure> {
    let mut state = shared.state.borrow_mut();
    let (done, pending) = (state.done_uids(id)?, state.pending_uids(id)?);
    let copied: Vec<&Copied> = copied
        .iter()
        .filter(|message| !done.contains(message.remote_uid))
        .collect();
    let unplanned = copied
        .iter()
        .filter(|message| !pending.contains(message.remote_uid));
    let entries: Vec<Entry> = unplanned
        .map(|message| {
            let found = known.iter().find(|entry| entry.uid == message.remote_uid);
            found.cloned().unwrap_or_else(|| Entry {
                uid: message.remote_uid,
                key: MessageKey::of_message(b"", message.bytes),
                size: message.bytes,
                digest: None,
                flags: Flags::default(),
                date: 0,
                completeness: Completeness::Whole,
            })
        })
        .collect();
    state.plan(id, &entries)?;
    let delivered: Vec<_> = copied
        .iter()
        .map(|message| (message.remote_uid, message.local_uid))
        .collect();
    let (sieve, seen) = shared.job.post_delivery();
    state.confirm(id, &delivered, sieve, seen)?;
    Ok(())
}

/// The folder's number in the report, which imapsync's log has begun.
fn index_of(shared: &Shared, pair: &Pair) -> usize {
    let mut reporter = shared.reporter.borrow_mut();
    let folders = &mut reporter.report.folders;
    let name = pair.remote.name();
    folders
        .iter()
        .position(|folder| folder.remote == name)
        .unwrap_or_else(|| {
            folders.push(crate::task::report::Folder {
                remote: name.to_owned(),
                local: pair.local.name().to_owned(),
                ..Default::default()
            });
            folders.len() - 1
        })
}
