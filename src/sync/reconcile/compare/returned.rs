// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that came back to a folder under other UIDs: their owner moved them away and back between two runs. Their copies
//! are there, on record under the UIDs that are no more.

use std::collections::HashMap;

use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::open;
use crate::sync::state::{FolderState, LocalOnly};

/// Copies of messages that the remote folder has no longer, with the UIDs that these had.
#[derive(Default)]
pub(super) struct Orphans {
    /// To be compared by their octets alone.
    pub copies: Vec<LocalOnly>,
    remote: HashMap<u32, u32>,
}

impl Orphans {
    /// Looks for them where there may be new messages and some of the known ones are missing.
    pub(super) async fn find(
        shared: &Shared,
        pair: &Pair,
        folder: &FolderState,
        remote: &mut SideSession,
    ) -> FolderResult<Self> {
        let (Some(messages), Some(next)) = (pair.source.messages, pair.source.uid_next) else {
            return Ok(Self::default());
        };
        let new = u64::from(next.saturating_sub(folder.remote_next));
        let known = shared.state.borrow().count(folder.id)?;
        if shared.job.inbox_only() || new == 0 || known == 0 || messages >= known + new {
            return Ok(Self::default());
        }
        let (selected, present) = open::search(remote, &pair.remote, folder, false, ["ALL"]).await?;
        // What a cut answer lacks is not gone.
        if present.len() < u64::from(selected.messages) {
            return Ok(Self::default());
        }
        let mut state = shared.state.borrow_mut();
        let gone = state.done_uids(folder.id)?.minus(&present);
        // What this program was about to delete when it was cut off was not moved away: an equal message is a new one.
        let deleted = gone.intersection(&state.intended_remote_deletions(folder.id)?);
        state.mark_remote_deleted(folder.id, &deleted)?;
        let gone = gone.minus(&deleted);
        let mut orphans = Self::default();
        for copy in state.copies(folder.id, &gone)? {
            if let Some(local) = copy.local_uid {
                orphans.remote.insert(local, copy.uid);
                orphans.copies.push(LocalOnly {
                    uid: local,
                    key: copy.key,
                    size: copy.size,
                    // Unknown: no likeness counts.
                    date: 0,
                });
            }
        }
        Ok(orphans)
    }

    /// The remote UID that the message had whose copy this is.
    pub(super) fn former_uid(&self, local: u32) -> Option<u32> {
        self.remote.get(&local).copied()
    }
}
