// SPDX-License-Identifier: GPL-3.0-or-later
//! What is deleted, on either side, and what never is.

pub mod folders;

use crate::imap::{Session, UidSet, among};
use crate::sync::account::Side;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::reconcile::compare;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::reconcile::folder::FolderSync;
use crate::task::RemoteDeletion;

/// A mailbox of more messages than this never loses more than half of them in one run.
pub(super) const SMALL: u64 = 20;

/// Compares what is recorded with what the remote folder still has: records of what is gone are dropped (and, with
/// `delete_local`, the local copies too), and a message that the server silently did not hand out is reported. `false` when
/// something had to be left undone, which the next run looks at again.
pub async fn reconcile(
    shared: &Shared,
    place: &FolderSync,
    connections: &mut Connections,
    remote_empty: bool,
) -> FolderResult<bool> {
    let id = place.folder.id;
    let Some(messages) = place.pair.source.messages else {
        return Ok(true);
    };
    report_missing(shared, place, connections).await?;
    let known = shared.state.borrow().count(id)?;
    let inbox_only = shared.job.inbox_only();
    let deletes = shared.job.delete_local && !place.pair.joined;
    let local_only = if deletes {
        shared.state.borrow().deletable_local_only(id)?
    } else {
        UidSet::default()
    };
    if deletes && place.folder.replaced {
        let extra = shared.state.borrow().local_only(id)?.len();
        if extra > 0 {
            let reason = format!(
                "nothing was deleted locally: one of the two sides replaced the folder; the {extra} messages that \
                 only the local side has stay"
            );
            let mut reporter = shared.reporter.borrow_mut();
            reporter.problem(place.pair.remote.name(), Exit::WithErrors, &reason);
        }
    }
    let differs = if inbox_only {
        known > messages
    } else {
        known != messages || place.gaps.get()
    };
    if !differs && local_only.is_empty() {
        return Ok(true);
    }
    let (selected, there) = place
        .search_remote(&mut connections.remote, false, ["ALL"])
        .await?;
    let recorded = {
        let state = shared.state.borrow();
        state.done_uids(id)?.union(&state.pending_uids(id)?)
    };
    if !inbox_only
        && !shared.job.dry
        && let Some(next) = place.pair.source.uid_next
    {
        for uid in there.minus(&recorded).below(next).iter() {
            withheld(shared, place, uid)?;
        }
    }
    // What a cut answer lacks is not gone.
    if there.len() < u64::from(selected.messages) {
        let reason = match deletes {
            true => "Host1 did not list all its messages: nothing is deleted locally",
            false => "Host1 did not list all its messages",
        };
        let folder = place.pair.remote.name();
        shared
            .reporter
            .borrow_mut()
            .problem(folder, Exit::WithErrors, reason);
        return Ok(false);
    }
    let gone = recorded.minus(&there);
    if deletes {
        let doomed = shared.state.borrow().copies(id, &gone)?.union(&local_only);
        if !delete_local(shared, place, &mut connections.local, &doomed, remote_empty).await? {
            return Ok(false);
        }
        shared.state.borrow_mut().forget(id, &gone)?;
    } else {
        shared.state.borrow_mut().mark_local_only(id, &gone)?;
    }
    Ok(true)
}

/// Reports messages that the remote side did not hand out, unless they have gone meanwhile.
async fn report_missing(
    shared: &Shared,
    place: &FolderSync,
    connections: &mut Connections,
) -> FolderResult<()> {
    if place.missing.borrow().is_empty() {
        return Ok(());
    }
    let missing = among(&place.missing.borrow());
    let (_, there) = place
        .search_remote(&mut connections.remote, false, missing)
        .await?;
    place.missing.take();
    for uid in there.iter() {
        withheld(shared, place, uid)?;
    }
    Ok(())
}

/// Notes a message that the remote side has and did not give.
fn withheld(shared: &Shared, place: &FolderSync, uid: u32) -> FolderResult<()> {
    let reason = "the remote server did not hand it out";
    shared
        .reporter
        .borrow_mut()
        .message_problem(place.index, Exit::FetchErrors, uid, None, reason);
    let mut state = shared.state.borrow_mut();
    Ok(state.withhold(place.folder.id, std::iter::once(uid))?)
}

/// Deletes local messages unless a guard forbids it; `false` when it does.
async fn delete_local(
    shared: &Shared,
    place: &FolderSync,
    local: &mut Session,
    doomed: &UidSet,
    remote_empty: bool,
) -> FolderResult<bool> {
    if doomed.is_empty() {
        return Ok(true);
    }
    let selected = place.open_local(local, !shared.job.dry).await?;
    let mut alive = local
        .search_among(doomed)
        .await
        .map_err(|error| FolderError::fetch(Side::Local, error))?;
    let messages = u64::from(selected.messages);
    let guard = if remote_empty {
        Some("the remote server listed no folder".to_owned())
    } else if place.folder.replaced {
        Some("one of the two sides replaced the folder".to_owned())
    } else if messages > SMALL && alive.len() * 2 > messages {
        Some(format!("{} of its {messages} messages would go", alive.len()))
    } else {
        None
    };
    if let Some(reason) = guard {
        let reason = format!("nothing was deleted locally: {reason}");
        shared
            .reporter
            .borrow_mut()
            .problem(place.pair.remote.name(), Exit::WithErrors, &reason);
        return Ok(false);
    }
    let mut kept = UidSet::default();
    if !shared.job.dry {
        kept = local
            .delete(&alive)
            .await
            .map_err(|error| FolderError::change(Side::Local, error))?;
        alive = alive.minus(&kept);
        let mut state = shared.state.borrow_mut();
        state.remove_local_only(place.folder.id, &doomed.minus(&kept))?;
    }
    report_kept(shared, place, Side::Local, &kept);
    let mut reporter = shared.reporter.borrow_mut();
    reporter.report.deleted_local += alive.len();
    if let Some(folder) = reporter.folder(place.index) {
        folder.deleted_local += alive.len();
    }
    Ok(kept.is_empty())
}

fn report_kept(shared: &Shared, place: &FolderSync, side: Side, kept: &UidSet) {
    if kept.is_empty() {
        return;
    }
    let reason = format!(
        "{} did not delete {} messages: is the folder read-only?",
        side.host(),
        kept.len()
    );
    let mut reporter = shared.reporter.borrow_mut();
    reporter.problem(place.pair.remote.name(), Exit::WithErrors, &reason);
}

/// Deletes from the remote side what is known to be delivered.
pub async fn remote(shared: &Shared, place: &FolderSync, connections: &mut Connections) -> FolderResult<()> {
    let before = match shared.job.delete_remote {
        RemoteDeletion::Keep => return Ok(()),
        RemoteDeletion::AfterTransfer => None,
        RemoteDeletion::OlderThan(days) => Some(days_ago(days.get())),
    };
    if !shared.job.dry {
        compare::locate(shared, place, &mut connections.local).await?;
    }
    let remote = &mut connections.remote;
    let id = place.folder.id;
    let delivered = shared.state.borrow().deletable(id, before)?;
    if delivered.is_empty() {
        return Ok(());
    }
    let write = !shared.job.dry;
    let (_, mut alive) = place.search_remote(remote, write, among(&delivered)).await?;
    let mut kept = UidSet::default();
    if !alive.is_empty() && write {
        kept = remote
            .delete(&alive)
            .await
            .map_err(|error| FolderError::change(Side::Remote, error))?;
        alive = alive.minus(&kept);
    }
    shared
        .state
        .borrow_mut()
        .mark_remote_deleted(id, &delivered.minus(&kept))?;
    report_kept(shared, place, Side::Remote, &kept);
    let mut reporter = shared.reporter.borrow_mut();
    reporter.report.deleted_remote += alive.len();
    if let Some(folder) = reporter.folder(place.index) {
        folder.deleted_remote += alive.len();
    }
    Ok(())
}

/// The moment before which mail counts as older than so many days.
pub fn days_ago(days: u32) -> i64 {
    jiff::Timestamp::now().as_second() - i64::from(days) * 86_400
}
