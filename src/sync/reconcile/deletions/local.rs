// SPDX-License-Identifier: GPL-3.0-or-later
//! Which local messages may be deleted, with `delete_local`: those whose remote counterpart is gone. First all folders
//! are looked at; then the guards measure what would go against the mailbox as it was before the run; then it goes.

use std::collections::HashSet;
use std::rc::Rc;

use super::folders::{self, DoomedFolder};
use super::gate::{self, LocalDeletable};
use super::report_kept;
use crate::imap::{Mailbox, UidSet, among};
use crate::sync::account::{Failure, Side};
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::error::{FolderResult, contain};
use crate::sync::reconcile::folder::{self, FolderSync, open};
use crate::sync::reconcile::listing::Listing;
use crate::sync::state::{Copy, FolderState, LocalOnly, Origin};

/// A folder, or a mailbox, of more messages than this never loses more than half of them in one run.
pub(super) const SMALL: u64 = 20;

/// What would be deleted locally.
#[derive(Default)]
pub struct LocalPlan {
    folders: Vec<Doomed>,
}

/// What would be deleted in one folder.
struct Doomed {
    sync: Rc<FolderSync>,
    /// Remote messages that are gone.
    gone: UidSet,
    /// Local messages.
    local: UidSet,
}

impl LocalPlan {
    /// Whether anything is to be deleted in a folder.
    pub fn concerns(&self, sync: &FolderSync) -> bool {
        self.folders.iter().any(|doomed| doomed.sync.index == sync.index)
    }
}

/// Compares what is recorded with what the remote folder still has: records of what is gone are dropped or, with
/// `delete_local`, put into the plan, and a message that the server silently did not hand out is reported. `false` when
/// something had to be left undone, which the next run looks at again.
pub async fn reconcile(
    shared: &Shared,
    sync: &Rc<FolderSync>,
    connections: &mut Connections,
    plan: &mut LocalPlan,
) -> FolderResult<bool> {
    plan.folders.retain(|doomed| doomed.sync.index != sync.index);
    let id = sync.folder.id;
    let Some(messages) = sync.pair.source.messages else {
        return Ok(true);
    };
    report_missing(shared, sync, connections).await?;
    let known = shared.state.borrow().count(id)?;
    let inbox_only = shared.job.inbox_only();
    let deletes = shared.job.delete_local && !sync.pair.joined;
    let (extra, kept) = if deletes {
        only_local(shared, sync)?
    } else {
        Default::default()
    };
    report_older(shared, sync.pair.remote.name(), kept.len());
    let differs = if inbox_only {
        known > messages
    } else {
        known != messages || sync.gaps.get()
    };
    if !differs && extra.is_empty() {
        return Ok(true);
    }
    let (selected, present) = sync.search(&mut connections.remote, false, ["ALL"]).await?;
    let recorded = {
        let state = shared.state.borrow();
        state.done_uids(id)?.union(&state.pending_uids(id)?)
    };
    if !inbox_only
        && !shared.job.dry
        && let Some(next) = sync.pair.source.uid_next
    {
        let unexplained = present.minus(&recorded).below(next);
        if !unexplained.below(sync.folder.remote_next).is_empty() {
            // All UIDs there were dealt with: nothing appears among them but after a restored backup.
            folder::renumbered(shared, sync, Side::Remote)?;
            return Ok(false);
        }
        for uid in unexplained.iter() {
            withheld(shared, sync, uid)?;
        }
    }
    // What a cut answer lacks is not gone.
    if present.len() < u64::from(selected.messages) {
        let reason = match deletes {
            true => "Host1 did not list all its messages: nothing is deleted locally",
            false => "Host1 did not list all its messages",
        };
        let folder = sync.pair.remote.name();
        shared
            .reporter
            .borrow_mut()
            .problem(folder, Exit::WithErrors, reason);
        return Ok(false);
    }
    let mut gone = recorded.minus(&present);
    if !shared.job.dry {
        // What a run deleted that was cut off before it could record it is nobody's wish.
        let mut state = shared.state.borrow_mut();
        let ours = gone.intersection(&state.intended_remote_deletions(id)?);
        state.mark_remote_deleted(id, &ours)?;
        gone = gone.minus(&ours);
    }
    if !deletes {
        shared.state.borrow_mut().mark_local_only(id, &gone)?;
        return Ok(true);
    }
    let sorted = sort_gone(shared, sync, &gone)?;
    shared.state.borrow_mut().mark_local_only(id, &sorted.stays)?;
    if !sorted.stays.is_empty() {
        let (_, all_kept) = only_local(shared, sync)?;
        report_older(shared, sync.pair.remote.name(), all_kept.minus(&kept).len());
    }
    let local = sorted.copies.union(&extra);
    if local.is_empty() {
        shared.state.borrow_mut().forget(id, &sorted.goes)?;
        return Ok(sorted.waits == 0);
    }
    plan.folders.push(Doomed {
        sync: sync.clone(),
        gone: sorted.goes,
        local,
    });
    Ok(false)
}

/// Tells of local messages that stay until an administrator confirms that they may go.
pub(in crate::sync::reconcile) fn report_older(shared: &Shared, folder: &str, messages: u64) {
    if messages > 0 {
        let reason =
            "only the local side has them, and they are older than the task or were filed by their owner";
        shared.reporter.borrow_mut().withheld(folder, messages, reason);
    }
}

/// Local messages that came after the folder was first compared and that no task brought, and the others that only the
/// local side has. One whose key was ever delivered was filed by its owner.
fn only_local(shared: &Shared, sync: &FolderSync) -> FolderResult<(UidSet, UidSet)> {
    let mut state = shared.state.borrow_mut();
    let id = sync.folder.id;
    let confirmed = state.confirmed(id)?;
    let all = state.local_only(id)?;
    let uids = |list: Vec<LocalOnly>| list.iter().map(|message| message.uid).collect::<UidSet>();
    let young = uids(state.local_only_of(id, Origin::Younger)?);
    let brought = uids(state.local_only_of(id, Origin::Brought)?);
    let keys: HashSet<_> = all.iter().map(|message| message.key).collect();
    let filed = state.delivered_anywhere(&keys)?;
    let mut deletable = vec![];
    let mut kept = vec![];
    for LocalOnly { uid, key, .. } in all {
        let is_deletable = confirmed.contains(uid)
            || brought.contains(uid)
            || (young.contains(uid) && !filed.contains(&key));
        if is_deletable {
            if !state.belongs_to_others(id, uid)? {
                deletable.push(uid);
            }
        } else {
            kept.push(uid);
        }
    }
    let kept: UidSet = kept.into_iter().collect();
    if !shared.job.dry {
        // An administrator can confirm exactly these.
        state.withhold_local(id, &kept)?;
    }
    Ok((deletable.into_iter().collect(), kept))
}

/// Messages whose remote side is gone.
struct Gone {
    /// Remote messages whose records go with their copies.
    goes: UidSet,
    /// Local copies that may go.
    copies: UidSet,
    /// Remote messages whose copies stay: they were there before the task, or belong to another one.
    stays: UidSet,
    /// How many stay because an equal message has not arrived at another place yet.
    waits: u64,
}

fn sort_gone(shared: &Shared, sync: &FolderSync, gone: &UidSet) -> FolderResult<Gone> {
    let state = shared.state.borrow();
    let id = sync.folder.id;
    let former = state.brought_before(id)?;
    let mut sorted = Gone {
        goes: gone.clone(),
        copies: UidSet::default(),
        stays: UidSet::default(),
        waits: 0,
    };
    let mut waiting = UidSet::default();
    for Copy {
        uid,
        local_uid,
        key,
        is_delivered,
        ..
    } in state.copies(id, gone)?
    {
        let Some(local_uid) = local_uid else { continue };
        if state.is_waiting(&key)? {
            waiting.insert(uid);
        } else if !is_delivered || local_uid < former || state.belongs_to_others(id, local_uid)? {
            sorted.stays.insert(uid);
        } else {
            sorted.copies.insert(local_uid);
        }
    }
    sorted.waits = waiting.len();
    sorted.goes = gone.minus(&sorted.stays).minus(&waiting);
    if sorted.waits > 0 {
        let reason = format!(
            "{} messages moved on the remote side stay here until they have arrived at their new place",
            sorted.waits
        );
        let mut reporter = shared.reporter.borrow_mut();
        reporter.problem(sync.pair.remote.name(), Exit::WithErrors, &reason);
        reporter.withheld(
            sync.pair.remote.name(),
            sorted.waits,
            "an equal message has not arrived yet",
        );
    }
    Ok(sorted)
}

/// Reports messages that the remote side did not hand out, unless they have gone meanwhile.
async fn report_missing(
    shared: &Shared,
    sync: &FolderSync,
    connections: &mut Connections,
) -> FolderResult<()> {
    if sync.missing.borrow().is_empty() {
        return Ok(());
    }
    let missing = among(&sync.missing.borrow());
    let (_, present) = sync.search(&mut connections.remote, false, missing).await?;
    sync.missing.take();
    for uid in present.iter() {
        withheld(shared, sync, uid)?;
    }
    Ok(())
}

/// Notes a message that the remote side has and did not give.
fn withheld(shared: &Shared, sync: &FolderSync, uid: u32) -> FolderResult<()> {
    let reason = "the remote server did not hand it out";
    shared
        .reporter
        .borrow_mut()
        .message_problem(sync.index, Exit::FetchErrors, uid, None, reason);
    let mut state = shared.state.borrow_mut();
    Ok(state.withhold(sync.folder.id, std::iter::once(uid))?)
}

/// Deletes what is planned, and folders that the remote side has no longer, as far as no guard forbids it. `complete`:
/// every folder of this run could be read on both sides.
pub async fn carry_out(
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
            let opened = sync.open(&mut connections.local, false).await?;
            let alive = connections.local.search_among(&local).await?;
            Ok((opened, alive))
        })
        .await;
        if let Some((_, alive)) = contain(shared, sync.pair.remote.name(), outcome)? {
            let local = alive;
            doomed.push(Doomed { sync, gone, local });
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
        return Ok(());
    }
    let guard = guard(shared, listing, complete, missing.most_are_missing, total);
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
        contain(shared, doomed.sync.pair.remote.name(), outcome)?;
    }
    for folder in missing.folders {
        let outcome = connections::with_reconnect(shared, connections, async |connections| {
            delete_folder(shared, &folder, guard.as_deref(), connections).await
        })
        .await;
        contain(shared, folder.state.local.name(), outcome)?;
    }
    if !shared.job.dry {
        shared.state.borrow().forget_confirmations()?;
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
) -> Option<String> {
    let before: u64 = listing
        .local
        .folders
        .iter()
        .filter_map(|(_, status)| status.as_ref()?.messages)
        .sum();
    let source: u64 = listing.pairs.iter().filter_map(|pair| pair.source.messages).sum();
    if listing.remote_empty {
        Some("the remote server listed no folder".to_owned())
    } else if most_are_missing {
        Some("the remote server did not list most of the folders that it had".to_owned())
    } else if source == 0 {
        Some("the remote mailbox is empty".to_owned())
    } else if shared.mailbox_replaced.get() {
        Some("the local mailbox was replaced".to_owned())
    } else if shared.source_replaced.get() {
        Some("the remote inbox was replaced: is it another mailbox?".to_owned())
    } else if !complete {
        Some("not every folder could be read".to_owned())
    } else if before > SMALL && doomed * 2 > before {
        Some(format!(
            "{doomed} of the {before} messages of the mailbox would go"
        ))
    } else {
        None
    }
}

/// Deletes in one folder what no guard holds back, or what was confirmed.
async fn delete(
    shared: &Shared,
    doomed: &Doomed,
    guard: Option<&str>,
    connections: &mut Connections,
) -> FolderResult<()> {
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
    Ok(())
}

/// Records what is about to be deleted locally.
pub(super) fn intend(shared: &Shared, id: i64, uids: &UidSet) -> FolderResult<()> {
    let mut state = shared.state.borrow_mut();
    state.intend_local_deletion(id, uids)?;
    Ok(state.sync()?)
}

/// What a run was about to delete locally when it was cut off: what is gone is nobody's wish, and comes again when the source
/// has it again; what is there loses our mark, and is looked at again.
pub async fn settle_intended(
    shared: &Shared,
    mailbox: &Mailbox,
    folder: &FolderState,
    local: &mut SideSession,
) -> FolderResult<()> {
    let intended = shared.state.borrow().intended_local_deletions(folder.id)?;
    if intended.is_empty() || shared.job.dry {
        return Ok(());
    }
    open::open(local, mailbox, folder, true).await?;
    let present = local.search_among(&intended).await?;
    gate::take_back_marks(local, &present).await?;
    let mut state = shared.state.borrow_mut();
    state.forget_copies(folder.id, &intended.minus(&present))?;
    Ok(state.local_deletion_done(folder.id)?)
}

/// Forgets what went: it comes again when the source has it again.
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
    Ok(state.forget(id, &doomed.gone.minus(&staying))?)
}

fn hold_back(shared: &Shared, id: i64, folder: &str, held: &UidSet, why: &str) -> FolderResult<()> {
    let reason = format!(
        "{} messages were not deleted locally: {why}; confirm these deletions if they are meant",
        held.len()
    );
    {
        let mut reporter = shared.reporter.borrow_mut();
        reporter.problem(folder, Exit::WithErrors, &reason);
        reporter.withheld(folder, held.len(), why);
    }
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
    let messages = folder.uids.len();
    if !shared.job.dry && !folders::remove(shared, folder, &mut connections.local).await? {
        return Ok(());
    }
    let mut reporter = shared.reporter.borrow_mut();
    reporter.tell(&Event::FolderDeleted {
        folder: &local,
        messages,
    });
    reporter.report.deleted_local += messages;
    Ok(())
}
