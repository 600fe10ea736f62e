// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail of the inbox whose copies went with a former local mailbox. It carries our mark, so that no search for unread mail finds
//! it; what filters or its owner filed may be there all the same.

use std::collections::HashSet;

use crate::imap::UidSet;
use crate::sync::job::Shared;
use crate::sync::message_key::MessageKey;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::headers::{self, Detail, Seen};
use crate::sync::state::FolderState;

/// Messages whose headers are held at once.
const AT_ONCE: usize = 10_000;

/// Which of the lost messages are in another local folder; they count as filed from then on.
pub(super) async fn filed_elsewhere(
    shared: &Shared,
    folder: &FolderState,
    messages: &[Seen],
    lost: &UidSet,
    local: &mut SideSession,
) -> FolderResult<UidSet> {
    let lost: Vec<&Seen> = messages
        .iter()
        .filter(|message| lost.contains(message.uid))
        .collect();
    if lost.is_empty() {
        return Ok(UidSet::default());
    }
    let wanted: HashSet<MessageKey> = lost.iter().map(|message| message.key).collect();
    let mut found = HashSet::new();
    let folders = shared.local_folders.borrow().clone();
    for (mailbox, status) in folders {
        if mailbox == folder.local || status.messages == Some(0) {
            continue;
        }
        match local.imap.open(&mailbox, false).await {
            Err(crate::imap::Error::Command { .. }) => continue,
            opened => local.fetched(opened)?,
        };
        let all = local.search("ALL").await?;
        for uids in all.chunks(AT_ONCE) {
            let seen = headers::read(local, &uids, Detail::Key).await?;
            found.extend(
                seen.iter()
                    .map(|message| message.key)
                    .filter(|key| wanted.contains(key)),
            );
        }
    }
    let filed = lost.iter().filter(|message| found.contains(&message.key));
    let filed: Vec<_> = filed.map(|message| message.entry()).collect();
    shared.state.borrow_mut().removed_by_owner(folder.id, &filed)?;
    // They stay among the lost ones: should this mailbox be lost, too, they are looked for again.
    Ok(filed.iter().map(|entry| entry.uid).collect())
}
