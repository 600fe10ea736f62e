// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that came short, or turned out to be others: they stay on the remote side.

use std::collections::HashMap;

use super::report_kept_remotely;
use crate::imap::{UidSet, among};
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::{FolderSync, open};
use crate::sync::reconcile::headers::{self, Detail, Seen};
use crate::sync::state::{Completeness, Copy, FolderState};

/// Looks again at messages of earlier runs that came short: what is given whole by now is copied again. In a task that
/// deletes nothing remotely, only at those that were cut.
pub async fn look_again(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    remote: &mut SideSession,
) -> FolderResult<()> {
    let id = folder.id;
    let incomplete = match shared.job.delete_remote.deletes() {
        true => shared.state.borrow().incomplete(id)?,
        false => shared.state.borrow().cut(id)?,
    };
    if incomplete.is_empty() || shared.job.dry {
        return Ok(());
    }
    let among = among(&incomplete);
    let (_, alive) = open::search(remote, &pair.remote, folder, false, among).await?;
    let seen = by_uid(remote, &alive).await?;
    let wholes = headers::wholes(remote, &alive).await?;
    let copies = shared.state.borrow().copies(id, &alive)?;
    let (mut whole, mut other) = (UidSet::default(), UidSet::default());
    for copy in copies {
        let Some(seen) = seen.get(&copy.uid) else {
            continue;
        };
        match wholes.get(&copy.uid) {
            Some((digest, _)) if copy.digest.as_ref() != Some(digest) => other.insert(copy.uid),
            Some(&(_, octets)) if copy.key == seen.key && octets >= seen.size => whole.insert(copy.uid),
            _ => {}
        }
    }
    let mut state = shared.state.borrow_mut();
    state.set_completeness(id, &whole, Completeness::Whole)?;
    Ok(state.copy_again(id, &other)?)
}

/// Says that messages stay on the remote side until the server gives as much of them as it announces.
pub async fn report_short(
    shared: &Shared,
    sync: &FolderSync,
    connections: &mut Connections,
) -> FolderResult<()> {
    let incomplete = shared.state.borrow().incomplete(sync.folder.id)?;
    if incomplete.is_empty() || shared.job.dry {
        return Ok(());
    }
    let (_, alive) = sync
        .search(&mut connections.remote, false, among(&incomplete))
        .await?;
    if !alive.is_empty() {
        let reason = "host1 sent less of them than it announces";
        report_kept_remotely(shared, sync, alive.len(), reason);
    }
    Ok(())
}

/// Which of the messages that this run copied differ, by key or size, from what the server shows of them: they are
/// not whole.
pub async fn unlike(
    shared: &Shared,
    sync: &FolderSync,
    seen: &HashMap<u32, Seen>,
    copies: &[Copy],
    remote: &mut SideSession,
) -> FolderResult<UidSet> {
    let (mut unlike, mut shorter) = (UidSet::default(), UidSet::default());
    for copy in copies
        .iter()
        .filter(|copy| sync.copied.borrow().contains(copy.uid))
    {
        match seen.get(&copy.uid).filter(|seen| seen.key == copy.key) {
            Some(seen) if copy.size >= seen.size => {}
            Some(_) => shorter.insert(copy.uid),
            None => unlike.insert(copy.uid),
        }
    }
    if !shorter.is_empty() {
        // Line ends that were put right make a message shorter, too.
        sync.open(remote, true).await?;
        let wholes = headers::wholes(remote, &shorter).await?;
        for copy in copies.iter().filter(|copy| shorter.contains(copy.uid)) {
            let announced = seen.get(&copy.uid).map(|seen| seen.size);
            let is_whole = wholes.get(&copy.uid).is_some_and(|(digest, octets)| {
                copy.digest.as_ref() == Some(digest) && Some(*octets) >= announced
            });
            if !is_whole {
                unlike.insert(copy.uid);
            }
        }
    }
    if !unlike.is_empty() {
        let mut state = shared.state.borrow_mut();
        state.set_completeness(sync.folder.id, &unlike, Completeness::Cut)?;
        drop(state);
        let reason = "host1 sent something else of them than it shows now";
        report_kept_remotely(shared, sync, unlike.len(), reason);
    }
    Ok(unlike)
}

/// What the open remote folder shows of some messages.
pub(super) async fn by_uid(remote: &mut SideSession, uids: &UidSet) -> FolderResult<HashMap<u32, Seen>> {
    let seen = headers::read(remote, uids, Detail::Record).await?;
    Ok(seen.into_iter().map(|seen| (seen.uid, seen)).collect())
}
