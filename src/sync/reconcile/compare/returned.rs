// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that came back to a remote folder: their owner moved them away and back between two runs, or a backup was
//! restored.

use std::collections::HashMap;

use crate::imap::UidSet;
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::compare::RemoteSide;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::open;
use crate::sync::reconcile::headers::{self, Seen};
use crate::sync::state::{Entry, FolderState, LocalOnly};

/// Copies of messages that the remote folder has no longer, with the UIDs that these had. What its owner moved away and back
/// has another UID now.
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

impl RemoteSide<'_> {
    /// Whether what has this UID may have been delivered before, under another one. What came after the last look is new,
    /// however equal it is.
    fn may_be_back(&self, uid: u32) -> bool {
        let FolderState {
            remote_next,
            looked_below,
            ..
        } = *self.folder;
        (remote_next <= 1 || self.shared.job.inbox_only()) && (looked_below <= 1 || uid < looked_below)
    }

    /// Messages that were delivered before, from a former generation of the remote folder or in inbox mode, and are not in
    /// the local folder any more, whose own generation is intact: their owner moved or deleted them.
    pub(super) async fn removed_by_owner(
        &self,
        messages: &[Seen],
        matched: &UidSet,
        remote: &mut SideSession,
    ) -> FolderResult<UidSet> {
        let Self { shared, pair, folder } = *self;
        let (mut removed, mut in_doubt) = (vec![], vec![]);
        {
            let state = shared.state.borrow();
            let unexplained = state.unexplained_uids(folder.id)?;
            // What an earlier run was about to copy was looked at then.
            let decided = state.pending_uids(folder.id)?.minus(&unexplained).union(matched);
            let may_be_back = |message: &&Seen| {
                let uid = message.uid;
                let is_unexplained = !shared.job.inbox_only() && unexplained.contains(uid);
                !decided.contains(uid) && (self.may_be_back(uid) || is_unexplained)
            };
            for message in messages.iter().filter(may_be_back) {
                if message.has_trace && state.was_delivered(folder.id, &message.key, message.size)? {
                    removed.push(message.entry());
                } else if !state.delivered_digests(folder.id, &message.key)?.is_empty() {
                    in_doubt.push(message);
                }
            }
        }
        if !in_doubt.is_empty() {
            open::open(remote, &pair.remote, folder, false).await?;
            let unread = in_doubt.iter().filter(|message| message.digest.is_none());
            let digests = headers::digests(remote, &unread.map(|message| message.uid).collect()).await?;
            for message in in_doubt {
                let known = shared.state.borrow().delivered_digests(folder.id, &message.key)?;
                if let Some(digest) = message.digest.or(digests.get(&message.uid).copied())
                    && known.contains(&digest)
                {
                    removed.push(Entry {
                        digest: Some(digest),
                        ..message.entry()
                    });
                }
            }
        }
        shared.state.borrow_mut().removed_by_owner(folder.id, &removed)?;
        Ok(removed.iter().map(|entry| entry.uid).collect())
    }

    /// Messages that this program deleted after their delivery, and that are there again under the UIDs that they had: they
    /// are delivered.
    pub(super) async fn back_under_same_uids(
        &self,
        new: &UidSet,
        remote: &mut SideSession,
    ) -> FolderResult<UidSet> {
        let Self { shared, pair, folder } = *self;
        let deleted = shared.state.borrow().remote_deleted(folder.id)?;
        let there: UidSet = deleted
            .iter()
            .map(|(uid, _)| *uid)
            .filter(|&uid| new.contains(uid))
            .collect();
        if there.is_empty() {
            return Ok(there);
        }
        open::open(remote, &pair.remote, folder, false).await?;
        let digests = headers::digests(remote, &there).await?;
        let same = deleted
            .iter()
            .filter(|(uid, digest)| digests.get(uid) == Some(digest));
        let same: UidSet = same.map(|(uid, _)| *uid).collect();
        let mut state = shared.state.borrow_mut();
        state.delivered_again(folder.id, &same)?;
        // Another message has the UID now: what was delivered under it stays known.
        state.move_to_history(folder.id, &there.minus(&same))?;
        Ok(same)
    }
}
