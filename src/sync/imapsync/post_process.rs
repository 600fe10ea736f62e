// SPDX-License-Identifier: GPL-3.0-or-later
//! What stock imapsync cannot do, done natively around it: `\Seen` and Sieve in inbox mode, and all deletions, which need
//! proof. imapsync deletes nothing itself: it would delete what it has just cut, and what its owner had marked.
//!
//! Before imapsync starts, what it is going to bring is written down as planned. Which of it has arrived is told by
//! its log and, where that was cut off, by comparing both sides; then the same code as in the native engine does
//! what is left to do, once for each message, and what was passed over is reported.

use std::collections::HashSet;
use std::rc::Rc;

use crate::imap::{Mailbox, UidSet, among};
use crate::sync::account::Failure;
use crate::sync::exit_code::Exit;
use crate::sync::folder_mapping::Pair;
use crate::sync::imapsync::late::{self, Ends};
use crate::sync::imapsync::log::Copied;
use crate::sync::imapsync::{command, contents, excluded};
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::settle;
use crate::sync::reconcile::connections::{self, Connections, close};
use crate::sync::reconcile::deletions::{self, LocalPlan, gate};
use crate::sync::reconcile::error::{FolderResult, contain};
use crate::sync::reconcile::flags;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::headers::{self, Detail, Seen};
use crate::sync::reconcile::inbox;
use crate::sync::reconcile::listing::{self, Listing, filed};
use crate::sync::reconcile::prepare::prepare;
use crate::sync::state::{Entry, Flag};
use crate::task::Task;

/// Records what a run of the task that was cut off had copied into the inbox, before its log is written over. It needs no
/// server: if a folder was replaced since, all records of it are void anyway.
pub fn recover(shared: &Shared, copied: &[Copied]) -> Result<(), Failure> {
    if !shared.state.borrow().is_imapsync_run_cut_off(&shared.job.task)? {
        return Ok(());
    }
    let known = shared.state.borrow().known_folder(&Mailbox::inbox())?;
    match known {
        Some(folder) => confirm(shared, folder.id, copied),
        None => Ok(()),
    }
}

/// What was found before imapsync starts.
pub struct Before {
    /// How far the folders reach.
    pub ends: Ends,
    /// There is mail that imapsync would not see when it looks back so many days.
    pub has_late: bool,
    /// The folders that are pulled.
    pub selected: Vec<Mailbox>,
    /// The other folders of the source.
    pub left_out: Vec<Mailbox>,
    /// The unread messages of the inbox that are to be moved, where it is no other folder.
    pub unread: Option<UidSet>,
}

/// Tries both logins, looks for mail that imapsync would not see when it looks back so many days, and plans what it is about
/// to bring. `None`: the folders are such that imapsync would not bring their mail to where it belongs.
pub async fn before(shared: &Shared, task: &Task, days: Option<u32>) -> Result<Option<Before>, Failure> {
    let mut connections = connections::connect(shared).await?;
    settle::settle_after_crash(shared, &mut connections).await?;
    restore_lifted_marks(shared, &mut connections).await?;
    let listing = listing::list(shared, &mut connections).await?;
    let is_odd = |pair: &Pair| pair.joined || pair.view || pair.renamed || excluded::leaves_out(&pair.remote);
    // There imapsync takes a message that has several labels once, wherever it meets it first.
    let is_labelled = task.remote_host.is_gmail() && listing.pairs.len() > 1;
    if listing.is_incomplete || listing.has_spellings || is_labelled || listing.pairs.iter().any(is_odd) {
        close(connections).await;
        return Ok(None);
    }
    let Listing {
        pairs, remote_names, ..
    } = listing;
    let mut selected: Vec<Mailbox> = pairs.iter().map(|pair| pair.remote.clone()).collect();
    let mut left_out: Vec<Mailbox> = match shared.job.inbox_only() {
        true => vec![],
        false => {
            let pulled: HashSet<&Mailbox> = selected.iter().collect();
            let others = remote_names.into_iter().filter(|name| !pulled.contains(name));
            others.collect()
        }
    };
    let (ends, mut has_late) = late::look(shared, &pairs, days, &mut connections).await?;
    let former = Ends::former(shared)?;
    let (mut wanted, mut suits, mut plans) = (UidSet::default(), true, vec![]);
    for pair in pairs {
        let (name, local) = (pair.remote.name().to_owned(), pair.local.clone());
        let remote = pair.remote.clone();
        let outcome = plan(shared, pair, &mut connections).await;
        let Some(planned) = contain(shared, &name, outcome)? else {
            continue;
        };
        let (brings, repeats) = match &planned {
            None => (false, shared.state.borrow().known_folder(&remote)?.is_some()),
            Some(Planned { uids, repeats, .. }) => (!uids.is_empty(), *repeats),
        };
        if !shared.job.inbox_only() && !brings && (repeats || days.is_some()) {
            left_out.push(remote);
        }
        let Some(Planned { sync, uids, repeats }) = planned else {
            continue;
        };
        // What carries our mark it does not look at.
        let hidden = shared.state.borrow().lost_copies(sync.folder.id)?;
        suits &= !shared.job.inbox_only() || hidden.intersection(&uids).is_empty();
        suits &= sync.pair.local == local && (!repeats || uids.is_empty() || shared.job.inbox_only());
        // What was looked at before, and is missing now, may be of any age.
        has_late |= days.is_some() && former.has_any(&name, &uids);
        wanted.clone_from(&uids);
        plans.push((sync, uids));
    }
    left_out.sort();
    selected.retain(|folder| !left_out.contains(folder));
    let mut before = Before {
        ends,
        has_late,
        selected,
        left_out,
        unread: shared.job.inbox_only().then_some(wanted),
    };
    if !suits || !command::fits(&before.left_out, before.unread.as_ref()) {
        close(connections).await;
        return Ok(None);
    }
    for (sync, uids) in plans {
        let recorded = record_planned(shared, &sync, &uids, &mut connections).await;
        let recorded = contain(shared, sync.pair.remote.name(), recorded)?;
        if recorded.is_none() && shared.job.inbox_only() {
            // Nothing would be known of what it brings.
            before.unread = Some(UidSet::default());
        }
    }
    close(connections).await;
    shared.state.borrow().begin_imapsync_run(&shared.job.task)?;
    Ok(Some(before))
}

async fn restore_lifted_marks(shared: &Shared, connections: &mut Connections) -> Result<(), Failure> {
    let restored = connections::with_reconnect(shared, connections, async |connections| {
        gate::restore_lifted_marks(shared, connections).await
    });
    Ok(restored.await?)
}

/// What imapsync is to bring to a folder.
struct Planned {
    sync: FolderSync,
    /// Remote messages that are not there.
    uids: UidSet,
    /// Its owner filed or deleted messages that were brought: imapsync would bring them again.
    repeats: bool,
}

/// What a folder lacks locally. `None`: there is nothing to do in it.
async fn plan(shared: &Shared, pair: Pair, connections: &mut Connections) -> FolderResult<Option<Planned>> {
    let Some((sync, comparison)) = prepare(shared, 0, pair, connections).await? else {
        return Ok(None);
    };
    let uids = UidSet::union_of(&comparison.wanted);
    let done = shared.state.borrow().done_uids(sync.folder.id)?.minus(&uids);
    let copies = shared.state.borrow().copies(sync.folder.id, &done)?;
    let there: UidSet = copies.iter().filter_map(|copy| copy.local_uid).collect();
    let mut repeats = there.len() < done.len();
    if !repeats && !there.is_empty() {
        let (_, alive) = sync.search(&mut connections.local, false, among(&there)).await?;
        repeats = !there.minus(&alive).is_empty();
    }
    Ok(Some(Planned { sync, uids, repeats }))
}

async fn record_planned(
    shared: &Shared,
    sync: &FolderSync,
    uids: &UidSet,
    connections: &mut Connections,
) -> FolderResult<()> {
    if uids.is_empty() {
        return Ok(());
    }
    sync.open(&mut connections.remote, false).await?;
    let messages = headers::read(&mut connections.remote, uids, Detail::Record).await?;
    let entries: Vec<Entry> = messages.iter().map(Seen::entry).collect();
    Ok(shared.state.borrow_mut().plan(sync.folder.id, &entries)?)
}

/// Completes what imapsync has copied. `copied` is what its log says of the inbox; `is_well`: it says that nothing failed.
pub async fn complete(shared: &Shared, copied: &[Copied], is_well: bool) -> Result<(), Failure> {
    let mut connections = connections::connect(shared).await?;
    restore_lifted_marks(shared, &mut connections).await?;
    let listing = listing::list(shared, &mut connections).await?;
    let (mut plan, mut complete, mut syncs) = (LocalPlan::default(), true, vec![]);
    for pair in &listing.pairs {
        let name = pair.remote.name();
        let compared = compare(shared, pair.clone(), copied, is_well, &mut connections).await;
        let compared = contain(shared, name, compared)?;
        complete &= compared.is_some();
        if let Some(Compared {
            sync,
            left,
            passed_over,
        }) = compared.flatten()
        {
            if !passed_over.is_empty() {
                let reason = format!(
                    "imapsync passed over messages ({}, UIDs {passed_over}): the native engine moves them",
                    passed_over.len()
                );
                let mut reporter = shared.reporter.borrow_mut();
                reporter.problem(name, Exit::WithErrors, &reason);
            }
            syncs.push((sync, left));
        }
    }
    if complete {
        filed::all_compared(shared, &listing.pairs, &mut connections).await?;
        // All that it brought is on record now.
        shared.state.borrow().end_imapsync_run(&shared.job.task)?;
    }
    for (sync, left) in &syncs {
        let outcome = finish(shared, sync, left, &mut connections, &mut plan).await;
        complete &= contain(shared, sync.pair.remote.name(), outcome)?.is_some() && !sync.broken.get();
    }
    deletions::delete_local(shared, plan, &listing, complete, &mut connections).await?;
    listing::accept_local_mailbox(shared, &listing)?;
    close(connections).await;
    Ok(shared.state.borrow().set(Flag::Running, false)?)
}

/// A folder after imapsync has filled it.
struct Compared {
    sync: Rc<FolderSync>,
    /// What it still lacks locally.
    left: UidSet,
    /// Of these, what imapsync was to bring, and of which no equal message is there either.
    passed_over: UidSet,
}

/// Compares a folder after imapsync has filled it; `None` when nothing is left to do there.
async fn compare(
    shared: &Shared,
    pair: Pair,
    copied: &[Copied],
    is_well: bool,
    connections: &mut Connections,
) -> FolderResult<Option<Compared>> {
    if shared.job.inbox_only() {
        settle(shared, &pair, copied)?;
    }
    let index = index_of(shared, &pair);
    let Some((sync, comparison)) = prepare(shared, index, pair, connections).await? else {
        return Ok(None);
    };
    contents::record(shared, &sync, connections).await?;
    let left = UidSet::union_of(&comparison.wanted);
    let known = shared.state.borrow().pending_uids(sync.folder.id)?;
    let not_brought = left.intersection(&known);
    if is_well {
        contents::record_at_source(shared, &sync, &not_brought, connections).await?;
    }
    let mut passed_over = shared
        .state
        .borrow_mut()
        .passed_over(sync.folder.id, &not_brought)?;
    if !is_well {
        // Why is told already.
        passed_over = UidSet::default();
    }
    // What came meanwhile waits: a mirror is not to delete its former place.
    record_planned(shared, &sync, &left.minus(&known), connections).await?;
    Ok(Some(Compared {
        sync: Rc::new(sync),
        left,
        passed_over,
    }))
}

async fn finish(
    shared: &Shared,
    sync: &Rc<FolderSync>,
    left: &UidSet,
    connections: &mut Connections,
    plan: &mut LocalPlan,
) -> FolderResult<()> {
    inbox::cancel_filters(shared, sync)?;
    deletions::take_back_own_marks(shared, sync, connections).await?;
    if shared.job.inbox_only() {
        inbox::finish(shared, sync, connections).await?;
    } else {
        // Whatever it passed over.
        sync.flags_below.set(sync.pair.source.uid_next.unwrap_or(1));
        flags::apply_remote(shared, sync, &mut connections.remote, &mut connections.local).await?;
        deletions::plan_local(shared, sync, connections, plan).await?;
    }
    if sync.broken.get() {
        return Ok(());
    }
    deletions::delete_remote(shared, sync, connections).await?;
    if let Some(next) = sync.pair.source.uid_next.filter(|_| !sync.broken.get()) {
        let mut folder = sync.folder.clone();
        let next = left.first().map_or(next, |uid| uid.min(next));
        folder.looked_below = next.max(folder.looked_below);
        shared.state.borrow_mut().save_folder(&folder)?;
    }
    Ok(())
}

/// Records what the log says was copied, unless a folder was replaced since.
fn settle(shared: &Shared, pair: &Pair, copied: &[Copied]) -> Result<(), Failure> {
    let Some(folder) = shared.state.borrow().known_folder(&pair.remote)? else {
        return Ok(());
    };
    let same = pair.source.uid_validity == Some(folder.remote_validity)
        && pair.destination.and_then(|status| status.uid_validity) == Some(folder.local_validity);
    match same {
        true => confirm(shared, folder.id, copied),
        false => Ok(()),
    }
}

/// Records messages that were planned as delivered, with what is left to do for them. Of others nothing is known but their
/// UIDs: the comparison finds them.
fn confirm(shared: &Shared, id: i64, copied: &[Copied]) -> Result<(), Failure> {
    let mut state = shared.state.borrow_mut();
    let planned = state.pending_uids(id)?;
    let copied = copied
        .iter()
        .filter(|message| planned.contains(message.remote_uid));
    let delivered: Vec<_> = copied
        .map(|message| (message.remote_uid, message.local_uid))
        .collect();
    let (sieve, seen) = shared.job.post_delivery();
    Ok(state.confirm(id, &delivered, sieve, seen)?)
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
