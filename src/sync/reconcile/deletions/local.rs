// SPDX-License-Identifier: GPL-3.0-or-later
//! Which local messages may be deleted, with `delete_local`: those whose remote counterpart is gone. All folders are
//! looked at before anything goes.

use std::collections::HashSet;
use std::rc::Rc;

use crate::imap::{UidSet, among};
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::{self, FolderSync, open};
use crate::sync::side::Side;
use crate::sync::state::{Copy, Flag, LocalOnly, Origin};

/// A folder, or a mailbox, of more messages than this never loses more than half of them in one run.
pub(super) const SMALL: u64 = 20;

/// What would be deleted locally.
#[derive(Default)]
pub struct LocalPlan {
    pub(super) folders: Vec<Doomed>,
}

/// What would be deleted in one folder.
pub(super) struct Doomed {
    pub sync: Rc<FolderSync>,
    /// Remote messages that are gone.
    pub gone: UidSet,
    /// Local messages.
    pub local: UidSet,
}

impl LocalPlan {
    /// Whether anything is to be deleted in a folder.
    pub fn concerns(&self, sync: &FolderSync) -> bool {
        self.folders.iter().any(|doomed| doomed.sync.index == sync.index)
    }
}

/// Whether it has to be found out which messages a remote folder still has.
pub(super) fn is_to_be_listed(shared: &Shared, sync: &FolderSync) -> FolderResult<bool> {
    Ok(differs(shared, sync)? || deletes_in(shared, sync) && !only_local(shared, sync)?.deletable.is_empty())
}

fn deletes_in(shared: &Shared, sync: &FolderSync) -> bool {
    shared.job.delete_local && !sync.pair.joined
}

/// Whether a remote folder has another number of messages than are on record.
fn differs(shared: &Shared, sync: &FolderSync) -> FolderResult<bool> {
    let Some(messages) = sync.pair.source.messages else {
        return Ok(false);
    };
    let known = shared.state.borrow().count(sync.folder.id)?;
    Ok(match shared.job.inbox_only() {
        true => known > messages,
        false => {
            known != messages || sync.gaps.get() || (sync.folder.remote_next > 1 && lacks_last(shared, sync)?)
        }
    })
}

/// Whether UIDNEXT tells of messages behind the last one that was seen.
fn lacks_last(shared: &Shared, sync: &FolderSync) -> FolderResult<bool> {
    Ok(!shared.job.inbox_only() && sync.seen_below(shared)? < sync.pair.source.uid_next)
}

/// Compares what is recorded with what the remote folder still has: records of what is gone are dropped or, with
/// `delete_local`, put into the plan, and a message that the server lists and does not send is reported. `false` when
/// something had to be left undone, which the next run looks at again.
pub async fn plan_local(
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
    let inbox_only = shared.job.inbox_only();
    let deletes = deletes_in(shared, sync);
    let OnlyLocal {
        deletable: extra,
        kept,
        waits,
    } = if deletes {
        only_local(shared, sync)?
    } else {
        OnlyLocal::default()
    };
    report_older(shared, sync.pair.remote.name(), kept.len());
    report_waiting(shared, sync, waits);
    let is_different = differs(shared, sync)?;
    // In a folder that is new, messages deleted since are the usual reason, unless their number is wrong, too.
    sync.promised.set(is_different && lacks_last(shared, sync)?);
    if extra.is_empty() && !is_different {
        return Ok(waits == 0);
    }
    let ahead = sync.present.take();
    let (selected, present) = match ahead {
        Some((selected, present)) => {
            open::check(Side::Remote, selected, &sync.folder)?;
            (selected, present)
        }
        None => sync.search(&mut connections.remote, false, ["ALL"]).await?,
    };
    sync.note_opened(selected);
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
            folder::seems_renumbered(shared, sync)?;
            return Ok(false);
        }
        for uid in unexplained.iter() {
            report_unreadable(shared, sync, uid)?;
        }
    }
    // What a cut answer lacks is not gone.
    if present.len() < u64::from(selected.messages) {
        let reason = match deletes {
            true => "host1 did not list all its messages: nothing is deleted locally",
            false => "host1 did not list all its messages",
        };
        let folder = sync.pair.remote.name();
        shared
            .reporter
            .borrow_mut()
            .problem(folder, Exit::WithErrors, reason);
        return Ok(false);
    }
    // Its status tells of more: the next run looks again.
    let is_behind = !inbox_only && present.len() < messages;
    let mut gone = recorded.minus(&present);
    if !shared.job.dry {
        // What a run deleted that was cut off before it could record it is no one's wish.
        let mut state = shared.state.borrow_mut();
        let ours = gone.intersection(&state.intended_remote_deletions(id)?);
        state.mark_remote_deleted(id, &ours)?;
        gone = gone.minus(&ours);
    }
    if !deletes {
        shared.state.borrow_mut().mark_local_only(id, &gone)?;
        return Ok(!is_behind);
    }
    let sorted = sort_gone(shared, sync, &gone)?;
    shared.state.borrow_mut().mark_local_only(id, &sorted.stays)?;
    if !sorted.stays.is_empty() {
        let all_kept = only_local(shared, sync)?.kept;
        report_older(shared, sync.pair.remote.name(), all_kept.minus(&kept).len());
    }
    let local = sorted.copies.union(&extra);
    if local.is_empty() {
        shared.state.borrow_mut().move_to_history(id, &sorted.goes)?;
        return Ok(sorted.waits + waits == 0 && !is_behind);
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
        let reason = "only host2 has them, and they are older than the task or were filed by their owner";
        shared.reporter.borrow_mut().withheld(folder, messages, reason);
    }
}

/// Tells of local messages that stay until an equal one has arrived at another place.
fn report_waiting(shared: &Shared, sync: &FolderSync, messages: u64) {
    if messages == 0 {
        return;
    }
    let folder = sync.pair.remote.name();
    let reason = format!(
        "{messages} messages moved on the remote side stay here until they have arrived at their new place"
    );
    let mut reporter = shared.reporter.borrow_mut();
    reporter.problem(folder, Exit::WithErrors, &reason);
    reporter.withheld(folder, messages, "an equal message has not arrived yet");
}

/// Messages that only the local side has.
#[derive(Default)]
struct OnlyLocal {
    /// Those that may go: they came after all folders were compared, or this account brought them.
    deletable: UidSet,
    /// Those that an administrator can confirm.
    kept: UidSet,
    /// How many more stay because an equal message has not arrived at another place yet.
    waits: u64,
}

/// Looks which messages that only the local side has may go. One whose key was ever delivered was filed by its owner, which
/// is recorded.
fn only_local(shared: &Shared, sync: &FolderSync) -> FolderResult<OnlyLocal> {
    let mut state = shared.state.borrow_mut();
    let id = sync.folder.id;
    let confirmed = state.confirmed(id)?;
    let all = state.local_only(id)?;
    let uids = |list: Vec<LocalOnly>| list.iter().map(|message| message.uid).collect::<UidSet>();
    let in_doubt = state.is_set(Flag::NewMayBeOlder)?;
    let young = uids(state.local_only_of(id, Origin::Younger)?);
    let brought = uids(state.local_only_of(id, Origin::Brought)?);
    let keys: HashSet<_> = all.iter().map(|message| message.key).collect();
    let filed = state.delivered_anywhere(&keys)?;
    let (mut deletable, mut kept, mut filed_here) = (vec![], vec![], vec![]);
    let mut waits = 0;
    for message in all {
        let LocalOnly { uid, key, .. } = message;
        let is_filed = young.contains(uid) && filed.contains(&key);
        let is_deletable = confirmed.contains(uid)
            || brought.contains(uid)
            || (young.contains(uid) && !(is_filed || in_doubt));
        if is_deletable {
            let is_others = state.belongs_to_others(id, uid)? || state.is_claimed_by_others(id, &key)?;
            match !is_others && state.is_waiting(&key)? {
                true => waits += 1,
                false if is_others => {}
                false => deletable.push(uid),
            }
        } else {
            kept.push(uid);
        }
        if is_filed {
            filed_here.push(message);
        }
    }
    // It stays filed when that record is lost: when the folder is compared again, or the source deletes the message.
    state.add_local_only(id, &filed_here, Origin::Older)?;
    let kept: UidSet = kept.into_iter().collect();
    if !shared.job.dry {
        // An administrator can confirm exactly these.
        state.withhold_local(id, &kept)?;
    }
    Ok(OnlyLocal {
        deletable: deletable.into_iter().collect(),
        kept,
        waits,
    })
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
        } else if !is_delivered
            || local_uid < former
            || state.belongs_to_others(id, local_uid)?
            || state.is_claimed_by_others(id, &key)?
        {
            sorted.stays.insert(uid);
        } else {
            sorted.copies.insert(local_uid);
        }
    }
    sorted.waits = waiting.len();
    sorted.goes = gone.minus(&sorted.stays).minus(&waiting);
    report_waiting(shared, sync, sorted.waits);
    Ok(sorted)
}

/// Reports messages that the remote side lists and did not send, unless they have gone meanwhile.
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
        report_unreadable(shared, sync, uid)?;
    }
    Ok(())
}

/// Notes a message that the remote side has and did not send.
fn report_unreadable(shared: &Shared, sync: &FolderSync, uid: u32) -> FolderResult<()> {
    let reason = "host1 lists it but does not send it";
    shared
        .reporter
        .borrow_mut()
        .message_problem(sync.index, Exit::FetchErrors, uid, None, reason);
    let mut state = shared.state.borrow_mut();
    Ok(state.record_unreadable(sync.folder.id, std::iter::once(uid))?)
}
