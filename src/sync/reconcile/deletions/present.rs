// SPDX-License-Identifier: GPL-3.0-or-later
//! Which messages remote folders still have, of many folders in a few round trips.

use std::rc::Rc;

use super::local;
use crate::imap::{MailboxRequest, UidSet, Untagged};
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::{Connections, requests};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::side::Side;

/// Messages of all folders that are asked together at most: their UIDs are held until the work on each folder.
const MESSAGES: u64 = 100_000;

/// Asks the folders of which something may be gone. What does not come, or makes no sense, is asked for with its folder.
pub async fn ask_ahead(
    shared: &Shared,
    folders: &[Rc<FolderSync>],
    connections: &mut Connections,
) -> FolderResult<()> {
    // Where a server answers with message numbers, it takes more than the answer to know the UIDs.
    if !connections.remote.finds_uids() {
        return Ok(());
    }
    let (mut asked, mut asking, mut messages) = (vec![], vec![], 0);
    for sync in folders {
        let size = sync.pair.source.messages.unwrap_or(0);
        if sync.broken.get() || messages + size > MESSAGES || !local::is_to_be_listed(shared, sync)? {
            continue;
        }
        messages += size;
        asked.push((sync, UidSet::default()));
        let question = connections.remote.imap.search_command("ALL");
        asking.push(MailboxRequest::to_read(&sync.pair.remote, vec![question]));
    }
    let answered = requests::send_all(shared, connections, Side::Remote, asking, |at, data| {
        if let (Some((_, found)), Untagged::Search(uids)) = (asked.get_mut(at), data) {
            *found = found.union(&uids);
        }
    })
    .await?;
    for ((sync, found), selected) in asked.into_iter().zip(answered) {
        // Another number than opening the folder showed: something is wrong, or has just changed.
        let selected = selected.filter(|selected| u64::from(selected.messages) == found.len());
        sync.present.replace(selected.map(|selected| (selected, found)));
    }
    Ok(())
}
