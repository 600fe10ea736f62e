// SPDX-License-Identifier: GPL-3.0-or-later
//! Which remote messages may be deleted: those that are now what was delivered, whole, and whose local copies are alive
//! or were removed by their owner.

use super::candidates::Candidates;
use super::gate::{self, RemoteDeletable};
use super::{days_ago, different_mailboxes, incomplete, report_kept, report_kept_remotely};
use crate::imap::{UidSet, among};
use crate::sync::job::Shared;
use crate::sync::reconcile::compare;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::side::Side;
use crate::task::{LocalUser, RemoteDeletion};

/// Deletes from the remote side what is known to be delivered.
pub async fn delete_remote(
    shared: &Shared,
    sync: &FolderSync,
    connections: &mut Connections,
) -> FolderResult<()> {
    if sync.pair.view {
        // What is deleted there is deleted from the folders that it shows.
        return Ok(());
    }
    let before = match shared.job.delete_remote {
        RemoteDeletion::Keep => return take_back_marks(shared, sync, connections, &UidSet::default()).await,
        RemoteDeletion::AfterTransfer => None,
        RemoteDeletion::OlderThan(days) => Some(days_ago(days.get())),
    };
    if !shared.job.dry {
        compare::locate(shared, sync, &mut connections.local).await?;
    }
    incomplete::report_short(shared, sync, connections).await?;
    let id = sync.folder.id;
    let delivered = shared.state.borrow().deletable(id, before)?;
    let may_go = match shared.job.shared_with.is_empty() {
        true => delivered.clone(),
        false => UidSet::default(),
    };
    take_back_marks(shared, sync, connections, &may_go).await?;
    // What is not there locally may have gone with the restored mailbox, and not by its owner.
    if delivered.is_empty() || shared.restored_meanwhile.get() {
        return Ok(());
    }
    if shared.job.dry {
        let (_, alive) = sync
            .search(&mut connections.remote, false, among(&delivered))
            .await?;
        count(shared, sync, alive.len());
        return Ok(());
    }
    let (mut opened, alive) = sync
        .search(&mut connections.remote, true, among(&delivered))
        .await?;
    let gone = delivered.minus(&alive);
    shared.state.borrow_mut().mark_remote_deleted(id, &gone)?;
    if !shared.job.shared_with.is_empty() {
        report_shared(shared, sync, alive.len());
        return Ok(());
    }
    let Some(candidates) = Candidates::check(shared, sync, connections, &alive, None).await? else {
        return Ok(());
    };
    if candidates.proven.is_empty() {
        return Ok(());
    }
    let Some(different) = different_mailboxes::prove(shared, connections).await? else {
        return Ok(());
    };
    if !candidates
        .still_hold(shared, sync, &mut connections.local)
        .await?
    {
        return Ok(());
    }
    {
        let mut state = shared.state.borrow_mut();
        state.intend_remote_deletion(id, &candidates.proven)?;
        state.sync()?;
    }
    if candidates.has_earlier {
        // It was opened to be read meanwhile.
        opened = sync.open(&mut connections.remote, true).await?;
    }
    let proven = candidates.proven.clone();
    let proof = RemoteDeletable::new(candidates.proven, different);
    let kept = gate::delete(shared, &sync.pair.remote, opened, &mut connections.remote, &proof).await?;
    let deleted = proven.minus(&kept);
    shared.state.borrow_mut().mark_remote_deleted(id, &deleted)?;
    report_kept(shared, sync, Side::Remote, &kept);
    count(shared, sync, deleted.len());
    Ok(())
}

/// What one task deleted another one would never see.
fn report_shared(shared: &Shared, sync: &FolderSync, messages: u64) {
    if messages == 0 {
        return;
    }
    report_kept_remotely(shared, sync, messages, &same_account_reason(shared));
}

/// Why nothing is deleted from an account that tasks of other users pull from, too.
pub fn same_account_reason(shared: &Shared) -> String {
    let users: Vec<&str> = shared.job.shared_with.iter().map(LocalUser::as_str).collect();
    format!(
        "tasks of other users pull from the same account: {}",
        users.join(", ")
    )
}

pub(super) fn count(shared: &Shared, sync: &FolderSync, messages: u64) {
    let mut reporter = shared.reporter.borrow_mut();
    reporter.report.deleted_remote += messages;
    if let Some(folder) = reporter.folder(sync.index) {
        folder.deleted_remote += messages;
    }
}

/// Marks that a former run made and could not carry through are taken back, but for those of messages that may still go.
async fn take_back_marks(
    shared: &Shared,
    sync: &FolderSync,
    connections: &mut Connections,
    may_go: &UidSet,
) -> FolderResult<()> {
    let id = sync.folder.id;
    let intended = shared.state.borrow().intended_remote_deletions(id)?.minus(may_go);
    if shared.job.dry || intended.is_empty() {
        return Ok(());
    }
    let (_, alive) = sync
        .search(&mut connections.remote, true, among(&intended))
        .await?;
    gate::take_back_marks(&mut connections.remote, &alive).await?;
    Ok(shared.state.borrow_mut().cancel_remote_deletion(id, &intended)?)
}

/// Takes back marks of ours that were on no record any more when the folder was compared.
pub async fn take_back_own_marks(
    shared: &Shared,
    sync: &FolderSync,
    connections: &mut Connections,
) -> FolderResult<()> {
    if sync.own_marks.is_empty() || shared.job.dry {
        return Ok(());
    }
    let (_, marked) = sync.search(&mut connections.remote, true, ["DELETED"]).await?;
    let copies = shared.state.borrow().copies(sync.folder.id, &marked)?;
    let own = copies.iter().filter(|copy| sync.own_marks.contains(&copy.key));
    let own = own.map(|copy| copy.uid).collect();
    gate::take_back_marks(&mut connections.remote, &own).await?;
    Ok(shared.state.borrow().forget_own_marks(&sync.pair.remote)?)
}
