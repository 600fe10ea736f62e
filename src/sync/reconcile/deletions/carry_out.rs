// SPDX-License-Identifier: GPL-3.0-or-later
//! Deleting what is planned: the guards measure what would go against the mailbox as it was before the run; then it goes.

use super::arrived;
use super::folders::{self, DoomedFolder, Removed};
use super::gate::{self, LocalDeletable};
use super::intended::intend;
use super::local::{Doomed, LocalPlan, SMALL};
use super::recorded::are_recorded;
use super::report_kept;
use crate::imap::UidSet;
use crate::sync::account::Failure;
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::error::{FolderResult, contain};
use crate::sync::reconcile::listing::Listing;
use crate::sync::side::Side;
use crate::sync::state::Flag;

/// Deletes what is planned, and folders that the remote side has no longer, as far as no guard forbids it. `complete`:
/// every folder of this run could be read on both sides.
pub async fn delete_local(
    shared: &Shared,
    plan: LocalPlan,
    listing: &Listing,
    complete: bool,
    connections: &mut Connections,
) -> Result<(), Failure> {
    if !shared.job.delete_local {
        return Ok(());
    }
    let mut doomed = vec![];
    for Doomed { sync, gone, local } in plan.folders {
        let outcome = connections::with_reconnect(shared, connections, async |connections| {
            sync.open(&mut connections.local, false).await?;
            let alive = connections.local.search_among(&local).await?;
            let (id, name) = (sync.folder.id, sync.pair.remote.name());
            let are_recorded = are_recorded(shared, id, name, &alive, &mut connections.local).await?;
            Ok(are_recorded.then_some(alive))
        })
        .await;
        if let Some(local) = contain(shared, sync.pair.remote.name(), outcome)?.flatten() {
            doomed.push(Doomed { sync, gone, local });
        }
    }
    if doomed.iter().any(|doomed| !doomed.local.is_empty()) {
        let arrived = arrived::keys(shared, listing, connections).await?;
        for doomed in doomed.iter_mut().filter(|_| !arrived.is_empty()) {
            arrived::spare(shared, doomed, &arrived)?;
        }
    }
    let missing = folders::missing(shared, listing, connections).await?;
    if missing.most_are_missing {
        let reason = "host1 did not list most of the folders that it had: nothing is deleted locally";
        let mut reporter = shared.reporter.borrow_mut();
        reporter.problem("", Exit::WithErrors, reason);
    }
    let total: u64 = doomed.iter().map(|doomed| doomed.local.len()).sum::<u64>()
        + missing
            .folders
            .iter()
            .map(|folder| folder.uids.len())
            .sum::<u64>();
    if total == 0 && missing.folders.is_empty() {
        for doomed in doomed {
            forget(shared, &doomed, &UidSet::default())?;
        }
        return conclude(shared, !complete);
    }
    let mut guard = guard(shared, listing, complete, missing.most_are_missing, total)?;
    if guard.is_none() && is_any_unread(shared, listing, &doomed)? {
        guard = Some(
            "not every message could be read: what moved on the remote side may be among them".to_owned(),
        );
    }
    let mut holds_back = false;
    for doomed in &doomed {
        let before = doomed.sync.pair.destination.and_then(|status| status.messages);
        let before = before.unwrap_or(0);
        let own = (before > SMALL && doomed.local.len() * 2 > before)
            .then(|| format!("{} of its {before} messages would go", doomed.local.len()));
        let reason = guard.clone().or(own);
        let outcome = connections::with_reconnect(shared, connections, async |connections| {
            delete(shared, doomed, reason.as_deref(), connections).await
        })
        .await;
        // What failed may still be there.
        holds_back |= contain(shared, doomed.sync.pair.remote.name(), outcome)?.unwrap_or(true);
    }
    for folder in missing.folders {
        let outcome = connections::with_reconnect(shared, connections, async |connections| {
            delete_folder(shared, &folder, guard.as_deref(), connections).await
        })
        .await;
        contain(shared, folder.state.local.name(), outcome)?;
    }
    conclude(shared, holds_back || !complete)
}

/// What was confirmed was confirmed for this run. That the source may be another mailbox counts until an administrator has
/// confirmed what was held back for it, or nothing was, and all folders could be read.
fn conclude(shared: &Shared, is_open: bool) -> Result<(), Failure> {
    if !shared.job.dry {
        let state = shared.state.borrow();
        let is_confirmed = state.is_anything_confirmed()?;
        state.forget_confirmations()?;
        if is_confirmed || !is_open {
            state.set(Flag::SourceReplaced, false)?;
        }
    }
    Ok(())
}

/// Why nothing may be deleted locally in this run.
fn guard(
    shared: &Shared,
    listing: &Listing,
    complete: bool,
    most_are_missing: bool,
    doomed: u64,
) -> Result<Option<String>, Failure> {
    let before: u64 = listing
        .local
        .folders
        .iter()
        .filter(|(listed, _)| listing.local.is_own(&listed.mailbox))
        .filter_map(|(_, status)| status.as_ref()?.messages)
        .sum();
    let source: u64 = listing.pairs.iter().filter_map(|pair| pair.source.messages).sum();
    let cut_off = shared.state.borrow().cut_off_imapsync_run()?;
    Ok(if listing.remote_empty {
        Some("the remote server listed no folder".to_owned())
    } else if listing.is_incomplete {
        Some("not every folder that is listed can be read".to_owned())
    } else if most_are_missing {
        Some("the remote server did not list most of the folders that it had".to_owned())
    } else if source == 0 {
        Some("the remote mailbox is empty".to_owned())
    } else if shared.mailbox_replaced.get() || shared.restored_meanwhile.get() {
        Some("the local mailbox was replaced".to_owned())
    } else if shared.source_replaced.get() {
        Some("the remote inbox was replaced: is it another mailbox?".to_owned())
    } else if !complete {
        Some("not every folder could be read".to_owned())
    } else if let Some(task) = cut_off {
        Some(format!(
            "a run of {task} by imapsync was cut off, and not all that it brought is on record: let it run to its end"
        ))
    } else if before > SMALL && doomed * 2 > before {
        Some(format!(
            "{doomed} of the {before} messages of the mailbox would go"
        ))
    } else {
        None
    })
}

/// Whether the source has messages of which nothing is known, as they could not be read, or did not fit.
fn is_any_unread(shared: &Shared, listing: &Listing, doomed: &[Doomed]) -> Result<bool, Failure> {
    let state = shared.state.borrow();
    for pair in &listing.pairs {
        if let Some(folder) = state.known_folder(&pair.remote)? {
            let here = doomed.iter().find(|doomed| doomed.sync.folder.id == folder.id);
            let gone = here.map(|doomed| doomed.gone.clone()).unwrap_or_default();
            if !state.unexplained_uids(folder.id)?.minus(&gone).is_empty() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Deletes in one folder what no guard holds back, or what was confirmed; whether anything was held back.
async fn delete(
    shared: &Shared,
    doomed: &Doomed,
    guard: Option<&str>,
    connections: &mut Connections,
) -> FolderResult<bool> {
    let sync = &doomed.sync;
    let id = sync.folder.id;
    let guard = guard.or(sync
        .folder
        .replaced
        .then_some("one of the two sides replaced the folder"));
    let allowed = match guard {
        None => doomed.local.clone(),
        Some(_) => doomed.local.intersection(&shared.state.borrow().confirmed(id)?),
    };
    let held = doomed.local.minus(&allowed);
    if let Some(reason) = guard.filter(|_| !held.is_empty()) {
        hold_back(shared, id, sync.pair.remote.name(), &held, reason)?;
    }
    let mut kept = held.clone();
    if !allowed.is_empty() && !shared.job.dry {
        let opened = sync.open(&mut connections.local, true).await?;
        intend(shared, id, &allowed)?;
        let proof = LocalDeletable::new(allowed.clone());
        let refused = gate::delete(shared, &sync.pair.local, opened, &mut connections.local, &proof).await?;
        report_kept(shared, sync, Side::Local, &refused);
        kept = kept.union(&refused);
    }
    let deleted = doomed.local.minus(&kept).len();
    if !shared.job.dry {
        forget(shared, doomed, &kept)?;
        shared.state.borrow().local_deletion_done(id)?;
    }
    let mut reporter = shared.reporter.borrow_mut();
    reporter.report.deleted_local += deleted;
    if let Some(folder) = reporter.folder(sync.index) {
        folder.deleted_local += deleted;
    }
    Ok(!held.is_empty())
}

/// Forgets what went: it comes again when the source has it again. What went by itself was filed or deleted by its owner.
fn forget(shared: &Shared, doomed: &Doomed, kept: &UidSet) -> FolderResult<()> {
    let mut state = shared.state.borrow_mut();
    let id = doomed.sync.folder.id;
    let staying: UidSet = state
        .copies(id, &doomed.gone)?
        .iter()
        .filter(|copy| copy.local_uid.is_some_and(|uid| kept.contains(uid)))
        .map(|copy| copy.uid)
        .collect();
    state.forget_copies(id, &doomed.local.minus(kept))?;
    Ok(state.move_to_history(id, &doomed.gone.minus(&staying))?)
}

fn hold_back(shared: &Shared, id: i64, folder: &str, held: &UidSet, why: &str) -> FolderResult<()> {
    shared.reporter.borrow_mut().held_back(folder, held.len(), why);
    if !shared.job.dry {
        shared.state.borrow_mut().withhold_local_too(id, held)?;
    }
    Ok(())
}

/// Deletes a folder that the remote side has no longer: first its messages, then, when it is empty, the folder.
async fn delete_folder(
    shared: &Shared,
    folder: &DoomedFolder,
    guard: Option<&str>,
    connections: &mut Connections,
) -> FolderResult<()> {
    let (id, local) = (folder.state.id, &folder.state.local);
    let own =
        (folder.uids.len() > SMALL).then(|| format!("all of its {} messages would go", folder.uids.len()));
    let guard = guard.map(str::to_owned).or(own);
    let confirmed = shared.state.borrow().confirmed(id)?;
    if let Some(reason) = guard.filter(|_| !folder.uids.minus(&confirmed).is_empty()) {
        return hold_back(shared, id, local.name(), &folder.uids, &reason);
    }
    let removed = match shared.job.dry {
        true => Removed {
            messages: folder.uids.len(),
            folder: true,
        },
        false => folders::remove(shared, folder, &mut connections.local).await?,
    };
    let mut reporter = shared.reporter.borrow_mut();
    reporter.report.deleted_local += removed.messages;
    if removed.folder {
        reporter.tell(&Event::FolderDeleted {
            folder: &local,
            messages: removed.messages,
        });
    }
    Ok(())
}
