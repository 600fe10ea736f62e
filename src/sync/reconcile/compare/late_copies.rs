// SPDX-License-Identifier: GPL-3.0-or-later
//! A copy that arrived late: its APPEND was on the way when the connection broke, and was sent again.

use crate::imap::UidSet;
use crate::sync::event::Event;
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::deletions::gate::{self, Deletable as _, LateCopies};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::open;
use crate::sync::reconcile::headers;
use crate::sync::state::{FolderState, LocalOnly};

/// Removes those of the local messages that nobody claims which are second copies of messages that were sent twice; gives
/// their UIDs. No more go than were sent twice.
pub(super) async fn remove(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    unclaimed: &[LocalOnly],
    local: &mut SideSession,
) -> FolderResult<UidSet> {
    let repeated = shared.state.borrow().repeated(folder.id)?;
    let is_suspect = |message: &&LocalOnly| repeated.iter().any(|(_, key)| *key == message.key);
    if shared.job.dry || !unclaimed.iter().any(|message| is_suspect(&message)) {
        return Ok(UidSet::default());
    }
    let suspects = unclaimed.iter().filter(is_suspect);
    let both: UidSet = suspects
        .map(|message| message.uid)
        .chain(repeated.iter().map(|&(uid, _)| uid))
        .collect();
    let selected = open::open(local, &pair.local, folder, true).await?;
    let digests = headers::digests(local, &both).await?;
    let late = LateCopies::among(unclaimed, &repeated, &digests);
    // Before the effect: what was sent twice has come twice now, and nothing more is late.
    shared
        .state
        .borrow_mut()
        .late_copy_came(folder.id, late.originals())?;
    let kept = gate::delete(shared, &pair.local, selected, local, &late).await?;
    let removed = late.uids().minus(&kept);
    if !removed.is_empty() {
        shared.reporter.borrow_mut().tell(&Event::LateCopiesRemoved {
            folder: &pair.local,
            messages: removed.len(),
        });
    }
    Ok(removed)
}
