// SPDX-License-Identifier: GPL-3.0-or-later
//! What imapsync stored. It records no octets itself, and stores what comes short: so its copies are read, and what they hold
//! is recorded before anything is done with them.

use crate::imap::UidSet;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::headers;
use crate::sync::state::Completeness;

/// Reads copies of which no octets are on record: their digests, and whether they are as long as the source announced.
pub(super) async fn record(
    shared: &Shared,
    sync: &FolderSync,
    connections: &mut Connections,
) -> FolderResult<()> {
    let id = sync.folder.id;
    let unread = shared.state.borrow().unread(id)?;
    if unread.is_empty() {
        return Ok(());
    }
    sync.open(&mut connections.local, false).await?;
    let wanted: UidSet = unread.iter().map(|copy| copy.local_uid).collect();
    let stored = headers::wholes(&mut connections.local, &wanted).await?;
    let mut short = UidSet::default();
    let mut read = vec![];
    for copy in unread {
        if let Some(&(digest, octets)) = stored.get(&copy.local_uid) {
            let completeness = Completeness::of(octets, Some(copy.size));
            if completeness != Completeness::Whole {
                short.insert(copy.uid);
            }
            read.push((copy, digest, completeness));
        }
    }
    if !short.is_empty() {
        // Line ends that were put right make a message shorter, too.
        sync.open(&mut connections.remote, false).await?;
        let given = headers::wholes(&mut connections.remote, &short).await?;
        for (copy, digest, completeness) in &mut read {
            let again = given.get(&copy.uid);
            if again.is_some_and(|(again, octets)| again == digest && *octets >= copy.size) {
                *completeness = Completeness::Whole;
            }
        }
    }
    let read = read.into_iter();
    let read: Vec<_> = read
        .map(|(copy, digest, completeness)| (copy.uid, digest, completeness))
        .collect();
    Ok(shared.state.borrow_mut().set_contents(id, &read)?)
}

/// Reads messages that imapsync was to bring and did not, so that those are told apart of which an equal one is there.
pub(super) async fn record_at_source(
    shared: &Shared,
    sync: &FolderSync,
    uids: &UidSet,
    connections: &mut Connections,
) -> FolderResult<()> {
    if uids.is_empty() {
        return Ok(());
    }
    let alike = shared.state.borrow().unread_twins(sync.folder.id, uids)?;
    if !alike.is_empty() {
        sync.open(&mut connections.local, false).await?;
        let copies = alike.iter().map(|copy| copy.local_uid).collect();
        let stored = headers::wholes(&mut connections.local, &copies).await?;
        let read = alike.iter().filter_map(|copy| {
            let &(digest, octets) = stored.get(&copy.local_uid)?;
            // Whether the source gives more of it is looked at before anything is deleted there.
            let completeness = match octets < copy.size {
                true => Completeness::Short,
                false => Completeness::Whole,
            };
            Some((copy.uid, digest, completeness))
        });
        let read: Vec<_> = read.collect();
        shared.state.borrow_mut().set_contents(sync.folder.id, &read)?;
    }
    sync.open(&mut connections.remote, false).await?;
    let given = headers::wholes(&mut connections.remote, uids).await?;
    let given = given.into_iter();
    let given: Vec<_> = given
        .map(|(uid, (digest, _))| (uid, digest, Completeness::Whole))
        .collect();
    Ok(shared.state.borrow_mut().set_contents(sync.folder.id, &given)?)
}
