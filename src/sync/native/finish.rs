// SPDX-License-Identifier: GPL-3.0-or-later
//! What follows the copying of a folder: flags, Sieve, `\Seen`, deletions, and the record of how far it is known.

use std::rc::Rc;
use std::time::Duration;

use crate::imap::UidSet;
use crate::sync::account::Failure;
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::native::MAX_MISSING;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::deletions::{self, LocalPlan, gate, second_copies};
use crate::sync::reconcile::error::{FolderError, FolderResult, contain};
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::prepare::sync_fingerprint;
use crate::sync::reconcile::{flags, inbox, narrow};
use crate::sync::side::Side;
use crate::sync::state::FolderState;

/// Finishes all folders. What deletes on the remote side comes after all else, for all of them together; what is to be
/// deleted locally is returned, and whether nothing was left undone.
pub(super) async fn all(
    shared: &Shared,
    folders: &[Rc<FolderSync>],
    connections: &mut Connections,
) -> Result<(LocalPlan, bool), Failure> {
    let mut plan = LocalPlan::default();
    let mut complete = true;
    for sync in folders {
        contain(shared, sync.pair.remote.name(), narrow::settle(shared, sync))?;
    }
    let mut to_delete = vec![];
    for sync in folders {
        let outcome = if sync.broken.get() {
            finish(shared, sync, connections, &mut plan).await
        } else {
            connections::at_folder(shared, connections, &sync.pair, async |connections| {
                finish(shared, sync, connections, &mut plan).await
            })
            .await
        };
        let outcome = contain(shared, sync.pair.remote.name(), outcome)?;
        complete &= outcome.is_some() && !sync.broken.get();
        if let Some(Step::Delete { is_complete }) = outcome {
            to_delete.push((sync.clone(), is_complete));
        }
    }
    let (syncs, _): (Vec<_>, Vec<_>) = to_delete.iter().cloned().unzip();
    let done = deletions::delete_remote_together(shared, &syncs, connections).await?;
    for (sync, is_complete) in &to_delete {
        let outcome = connections::at_folder(shared, connections, &sync.pair, async |connections| {
            let is_done = done.contains(&sync.index);
            conclude(shared, sync, connections, *is_complete, is_done).await
        })
        .await;
        complete &= contain(shared, sync.pair.remote.name(), outcome)?.is_some() && !sync.broken.get();
    }
    Ok((plan, complete))
}

/// What a folder needs after [`finish`].
enum Step {
    /// Nothing: all is done, or it cannot be worked on any more.
    Over,
    /// What is delivered goes from the remote side, and how far the folder is known is recorded after that.
    Delete {
        /// Whether nothing is left undone so far.
        is_complete: bool,
    },
}

/// What follows the copying of a folder, up to deletions on the remote side.
async fn finish(
    shared: &Shared,
    sync: &Rc<FolderSync>,
    connections: &mut Connections,
    plan: &mut LocalPlan,
) -> FolderResult<Step> {
    let started = shared.reporter.borrow().elapsed();
    let left = sync.left.take();
    if left > 0 {
        let reason = format!(
            "{left} messages wait for another run: the local mailbox has no room for them; raise its quota"
        );
        let mut reporter = shared.reporter.borrow_mut();
        reporter.problem(sync.pair.remote.name(), Exit::OverQuota, &reason);
    }
    let (expected, received) = (sync.expected.get(), sync.received.get());
    if !sync.broken.get() && expected > received + MAX_MISSING {
        sync.broken.set(true);
        let reason = format!("sent {received} of the {expected} messages to copy");
        return Err(FolderError::unusable(Side::Remote, Exit::FetchErrors, reason));
    }
    let mut step = Step::Over;
    if !sync.broken.get() {
        inbox::cancel_filters(shared, sync)?;
        // After a connection was lost: what is lifted is not what its owner took back.
        gate::restore_lifted_marks(shared, connections).await?;
        deletions::take_back_own_marks(shared, sync, connections).await?;
        second_copies::remove(shared, sync, &mut connections.local).await?;
        flags::set_missing_keywords(shared, sync, &mut connections.local).await?;
        if shared.job.inbox_only() {
            inbox::finish(shared, sync, connections).await?;
        } else {
            flags::apply_remote(shared, sync, &mut connections.remote, &mut connections.local).await?;
        }
        if sync.broken.get() {
            return Ok(Step::Over);
        }
        let is_complete = deletions::plan_local(shared, sync, connections, plan).await? && left == 0;
        if sync.broken.get() {
            return Ok(Step::Over);
        }
        if shared.job.delete_remote.deletes() {
            step = Step::Delete { is_complete };
        } else {
            conclude(shared, sync, connections, is_complete, false).await?;
        }
    }
    spend(shared, sync, started);
    Ok(step)
}

/// Deletes from the remote folder what is delivered, unless that is done, and records how far the folder is known.
async fn conclude(
    shared: &Shared,
    sync: &FolderSync,
    connections: &mut Connections,
    is_complete: bool,
    is_deleted: bool,
) -> FolderResult<()> {
    let started = shared.reporter.borrow().elapsed();
    if !is_deleted {
        // After a connection was lost: what is lifted is not what its owner took back.
        gate::restore_lifted_marks(shared, connections).await?;
        deletions::delete_remote(shared, sync, connections).await?;
    }
    if !sync.broken.get() {
        record(shared, sync, sync.folder.clone(), is_complete)?;
    }
    if shared.job.delete_remote.deletes() {
        spend(shared, sync, started);
    }
    Ok(())
}

/// Counts the time since then as the folder's.
fn spend(shared: &Shared, sync: &FolderSync, started: Duration) {
    let mut reporter = shared.reporter.borrow_mut();
    let spent = (reporter.elapsed() - started).as_secs_f64();
    if let Some(folder) = reporter.folder(sync.index) {
        folder.seconds += spent;
    }
}

/// The line of the log that sums up a folder.
pub(super) fn tell(shared: &Shared, sync: &FolderSync) {
    let mut reporter = shared.reporter.borrow_mut();
    if let Some(folder) = reporter.folder(sync.index).cloned() {
        reporter.tell(&Event::FolderDone(&folder));
    }
}

/// Records how far the folder is known now.
fn record(shared: &Shared, sync: &FolderSync, mut folder: FolderState, complete: bool) -> FolderResult<()> {
    let waiting = narrow::is_waiting(shared, &folder)?;
    let seen_below = sync.seen_below(shared)?;
    let next = sync.pair.source.uid_next;
    // A second look that shows no more settles it: the messages behind the last one were deleted.
    let is_awaited =
        sync.promised.get() && !(complete && next.is_some_and(|next| next <= folder.looked_below));
    let mut state = shared.state.borrow_mut();
    if !shared.job.inbox_only()
        && let Some(next) = if is_awaited { seen_below } else { next }
    {
        folder.remote_next = next.max(folder.remote_next);
        // Flags that are still to be set count as changed since.
        if !sync.flags_pending.get() {
            folder.remote_modseq = sync.pair.source.highest_modseq.unwrap_or(0);
        }
    }
    if complete && let Some(next) = next {
        // What could not be read was not looked at.
        let unread = state.unexplained_uids(folder.id)?.from(folder.looked_below);
        let next = unread.first().map_or(next, |uid| uid.min(next));
        folder.looked_below = next.max(folder.looked_below);
    }
    // A status that tells a lower one is not believed from now on.
    folder.remote_high = folder.remote_high.max(sync.opened_next.get());
    folder.remote_messages = sync.pair.source.messages.unwrap_or(0);
    // Local UIDs below what the start showed are all accounted for by now.
    if let Some(next) = sync.pair.destination.and_then(|status| status.uid_next) {
        folder.local_next = next.max(folder.local_next);
    }
    let known_at_start = folder.local_next;
    // So is what was brought right behind them, and by no one else.
    let own = state.local_uids(folder.id, folder.local_next)?;
    if let Some(last) = own.last() {
        let others = UidSet::range(folder.local_next..=last).minus(&own);
        folder.local_next = others.first().unwrap_or(last.saturating_add(1));
    }
    state.stop_awaiting_late_copies(folder.id)?;
    folder.replaced = false;
    // Nothing found may be what the server did not tell.
    let is_unanswered =
        folder.remote_messages > 0 && shared.job.remote.workarounds.leaves_search_unanswered();
    let unfinished = !complete
        || is_unanswered
        || is_awaited
        || sync.has_stale_status()
        || sync.flags_pending.get()
        || waiting
        || state.lacks_keywords(folder.id)?
        || !state.pending_uids(folder.id)?.is_empty()
        || !state.cut(folder.id)?.is_empty();
    // What was deleted there is not in what the start showed.
    let deleted = shared
        .reporter
        .borrow_mut()
        .folder(sync.index)
        .is_some_and(|folder| folder.deleted_remote > 0);
    let (deletes, left) = (shared.job.delete_remote.deletes(), state.count(folder.id)? > 0);
    folder.fingerprint = if unfinished || deleted || (deletes && left) {
        String::new()
    } else {
        sync_fingerprint(shared, &sync.pair, sync.pair.source, sync.pair.destination)
    };
    state.save_folder(&folder)?;
    // Not before: cut off in between, their copies would count as new local mail.
    state.forget_remote_deleted(folder.id, known_at_start)?;
    Ok(())
}
