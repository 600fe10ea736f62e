// SPDX-License-Identifier: GPL-3.0-or-later
//! A copy that arrived late: its APPEND was on the way when the connection broke, and was sent again.

use std::collections::HashMap;

use crate::imap::{Error, UidSet};
use crate::sync::event::Event;
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::message_key::Digest;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::deletions::gate::{self, Deletable as _, LateCopies};
use crate::sync::reconcile::deletions::second_copies;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::open;
use crate::sync::reconcile::headers::{self, Detail, Seen};
use crate::sync::state::{FolderState, LocalOnly, Repeated};

/// Removes second copies of messages that were sent twice, or may have been; gives those of the local messages that no one
/// claims which are accounted for by that. No more go than were sent twice.
pub(super) async fn remove(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    unclaimed: &[LocalOnly],
    local: &mut SideSession,
) -> FolderResult<UidSet> {
    let repeated = shared.state.borrow().repeated(folder.id)?;
    let is_suspect = |message: &&LocalOnly| repeated.iter().any(|sent| sent.key == message.key);
    if shared.job.dry || !unclaimed.iter().any(|message| is_suspect(&message)) {
        return Ok(UidSet::default());
    }
    let suspects = unclaimed.iter().filter(is_suspect);
    let both: UidSet = suspects
        .map(|message| message.uid)
        .chain(repeated.iter().map(|sent| sent.uid))
        .collect();
    open::open(local, &pair.local, folder, true).await?;
    let mut digests = headers::digests(local, &both).await?;
    let seen = headers::read(local, &both, Detail::Record).await?;
    // A server that gives dates of its own gives each copy another one.
    let is_kept = |seen: &&Seen| {
        repeated
            .iter()
            .any(|sent| sent.uid == seen.uid && sent.date == seen.date)
    };
    let dates = seen.iter().filter(is_kept).map(|seen| (seen.uid, seen.date));
    let dates: HashMap<u32, i64> = dates.collect();
    let marked = seen.iter().filter(|seen| seen.flags.contains("\\Deleted"));
    let marked: UidSet = marked.map(|seen| seen.uid).collect();
    let mut filed = UidSet::default();
    for &Repeated {
        uid: original, key, ..
    } in &repeated
    {
        let filtered = shared.state.borrow().filtered_digest(folder.id, original)?;
        let Some(digest) = filtered.filter(|_| !digests.contains_key(&original)) else {
            continue;
        };
        let is_late = |message: &&LocalOnly| message.key == key && digests.get(&message.uid) == Some(&digest);
        if let Some(message) = unclaimed.iter().find(is_late)
            && is_elsewhere(shared, pair, message, &digest, local).await?
        {
            digests.insert(original, digest);
            filed.insert(original);
        }
    }
    let selected = open::open(local, &pair.local, folder, true).await?;
    let late = LateCopies::among(unclaimed, &repeated, &filed, &digests, &dates, &marked);
    if !late.copies().is_empty() {
        let mut state = shared.state.borrow_mut();
        state.intend_to_remove(folder.id, late.copies())?;
        state.sync()?;
    }
    let kept = gate::delete(shared, &pair.local, selected, local, &late).await?;
    second_copies::settled(shared, folder, late.copies(), &kept)?;
    let removed = late.uids().minus(&kept);
    if !removed.is_empty() {
        shared.reporter.borrow_mut().tell(&Event::LateCopiesRemoved {
            folder: &pair.local,
            messages: removed.len(),
        });
    }
    let staying = late.copies().iter().filter(|copy| removed.contains(copy.goes));
    let staying: UidSet = staying.map(|copy| copy.stays).collect();
    Ok(removed.union(&staying.intersection(late.turned())))
}

/// Whether another local folder has the same message: the filters filed the copy that was sent again there.
async fn is_elsewhere(
    shared: &Shared,
    pair: &Pair,
    message: &LocalOnly,
    digest: &Digest,
    local: &mut SideSession,
) -> FolderResult<bool> {
    let folders = shared.local_folders.borrow().clone();
    let others = folders.iter().filter(|(mailbox, _)| *mailbox != pair.local);
    for (mailbox, _) in others.filter(|(_, status)| status.messages != Some(0)) {
        match local.imap.open(mailbox, false).await {
            Err(Error::Command { .. }) => continue,
            opened => local.opened(opened)?,
        };
        let (above, below) = (message.size.saturating_sub(1), message.size.saturating_add(1));
        let of_size = local.search(&format!("LARGER {above} SMALLER {below}")).await?;
        let alike = headers::read(local, &of_size, Detail::Key).await?;
        let alike = alike.iter().filter(|seen| seen.key == message.key);
        let found = headers::digests(local, &alike.map(|seen| seen.uid).collect()).await?;
        if found.values().any(|found| found == digest) {
            return Ok(true);
        }
    }
    Ok(false)
}
