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
    let (mut whole, mut other) = (UidSet::default(), HashMap::new());
    for copy in copies {
        let (Some(seen), Some(&(digest, octets))) = (seen.get(&copy.uid), wholes.get(&copy.uid)) else {
            continue;
        };
        match copy.digest == Some(digest) {
            true if copy.key == seen.key && octets >= seen.size => whole.insert(copy.uid),
            // No more than is there already is no reason to bring it again.
            false if octets > copy.size || octets >= seen.size => {
                other.insert(copy.uid, digest);
            }
            _ => {}
        }
    }
    // Nor is what differs from itself.
    let other = match other.is_empty() {
        true => UidSet::default(),
        false => headers::that_last(remote, &other).await?,
    };
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
    connections: &mut Connections,
) -> FolderResult<UidSet> {
    let remote = &mut connections.remote;
    let (mut unlike, mut doubtful) = (UidSet::default(), UidSet::default());
    for copy in copies
        .iter()
        .filter(|copy| sync.copied.borrow().contains(copy.uid))
    {
        match seen.get(&copy.uid).filter(|seen| seen.key == copy.key) {
            Some(seen) if copy.size >= seen.size => {}
            Some(_) => doubtful.insert(copy.uid),
            None => unlike.insert(copy.uid),
        }
    }
    if !doubtful.is_empty() {
        // Line ends that were put right make a message shorter, too.
        sync.open(remote, true).await?;
        let wholes = headers::wholes(remote, &doubtful).await?;
        for copy in copies.iter().filter(|copy| doubtful.contains(copy.uid)) {
            let announced = seen.get(&copy.uid).map(|seen| seen.size);
            let is_whole = wholes.get(&copy.uid).is_some_and(|(digest, octets)| {
                copy.digest.as_ref() == Some(digest) && Some(*octets) >= announced
            });
            if !is_whole {
                unlike.insert(copy.uid);
            }
        }
    }
    let joined = sync.joined.borrow().clone();
    let joined: Vec<&Copy> = copies.iter().filter(|copy| joined.contains(copy.uid)).collect();
    unlike = unlike.union(&may_be_of_two(sync, &joined, connections).await?);
    if !unlike.is_empty() {
        let mut state = shared.state.borrow_mut();
        state.set_completeness(sync.folder.id, &unlike, Completeness::Cut)?;
        drop(state);
        let reason = "host1 sent something else of them than it shows now";
        report_kept_remotely(shared, sync, unlike.len(), reason);
    }
    Ok(unlike)
}

/// Which of the messages that came in two pieces may be of two: a server that generates them makes another header, with other
/// boundaries, at each request.
async fn may_be_of_two(
    sync: &FolderSync,
    joined: &[&Copy],
    connections: &mut Connections,
) -> FolderResult<UidSet> {
    let stored = joined.iter().filter_map(|copy| Some((copy.uid, copy.local_uid?)));
    let stored: HashMap<u32, u32> = stored.collect();
    if stored.is_empty() {
        return Ok(UidSet::default());
    }
    sync.open(&mut connections.remote, true).await?;
    sync.open(&mut connections.local, false).await?;
    let (uids, copies) = (
        stored.keys().copied().collect(),
        stored.values().copied().collect(),
    );
    let (there, here) = tokio::join!(
        headers::heads(&mut connections.remote, &uids),
        headers::heads(&mut connections.local, &copies)
    );
    let (there, here) = (there?, here?);
    let differ = stored.iter().filter(|(uid, local)| {
        let both = there.get(uid).zip(here.get(local));
        both.is_some_and(|(there, here)| there != here)
    });
    Ok(differ.map(|(&uid, _)| uid).collect())
}

/// What the open remote folder shows of some messages.
pub(super) async fn by_uid(remote: &mut SideSession, uids: &UidSet) -> FolderResult<HashMap<u32, Seen>> {
    let seen = headers::read(remote, uids, Detail::Record).await?;
    Ok(seen.into_iter().map(|seen| (seen.uid, seen)).collect())
}
