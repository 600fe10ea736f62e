// SPDX-License-Identifier: GPL-3.0-or-later
//! What the remote side tells of a folder's flags, asked with the folder, or ahead of it.

use std::collections::{BTreeMap, HashMap};

use crate::imap::flags::Dropped;
use crate::imap::{Capability, Command, Error, Flags, Selected, Session, UidSet, Untagged};
use crate::sync::account::Failure;
use crate::sync::job::Shared;
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::headers;
use crate::sync::side::Side;
use crate::sync::state::{Ledger, LedgerError, Mark, PostDelivery, Row};

/// Messages whose keys are looked at along with the flags.
const SAMPLE: u32 = 8;

/// Octets of changes that a run may ask for ahead of the folders that they belong to, about.
const OCTETS_AHEAD: usize = 4 * 1024 * 1024;

/// What one change takes in addition to the words of its flags.
const OCTETS_PER_CHANGE: usize = 200;

/// The answers to the questions of [`RemoteFlags::ask`].
pub struct RemoteFlags {
    folder: i64,
    /// The youngest messages on record.
    youngest: HashMap<u32, Mark>,
    /// One of them is another message by now.
    renumbered: bool,
    found: FolderResult<Found>,
    /// Only what changed since the last run was asked for.
    only_changes: bool,
    /// What opening the folder showed.
    selected: Option<Selected>,
    /// Questions without an answer.
    left: usize,
    /// One of them was refused, or will not be answered.
    void: bool,
}

impl RemoteFlags {
    /// What is to be asked of the folder; `None` when nothing can have changed since the last run.
    pub fn ask(
        shared: &Shared,
        sync: &FolderSync,
        remote: &Session,
    ) -> Result<Option<(Self, Vec<Command>)>, LedgerError> {
        let folder = &sync.folder;
        let modseq = sync.pair.source.highest_modseq.unwrap_or(0);
        let same_modseq = folder.remote_modseq != 0 && modseq == folder.remote_modseq;
        // Up to there a task of the inbox has looked, which carries over no flags.
        let next = folder
            .remote_next
            .max(folder.looked_below)
            .max(sync.flags_below.get());
        if next <= 1 || same_modseq || sync.pair.source.messages == Some(0) {
            return Ok(None);
        }
        let mut items = format!("1:{} (UID FLAGS)", next - 1);
        // One that went back belongs to another count, as after a server was set up again: all flags are looked at.
        let only_changes = folder.remote_modseq != 0
            && modseq > folder.remote_modseq
            && remote.capabilities().has(Capability::Condstore)
            && !remote.workarounds().refuses_changes();
        if only_changes {
            items.push_str(&format!(" (CHANGEDSINCE {})", folder.remote_modseq));
        }
        let mut questions = vec![Command::new("UID FETCH").text(&items)];
        // Numbers alone do not show that a server was restored and gave a UID for a second time.
        let youngest = shared.state.borrow().youngest(folder.id, SAMPLE)?;
        let sample: UidSet = youngest.keys().copied().collect();
        if !sample.is_empty() {
            questions.push(headers::key_question(&sample));
        }
        let told = Self {
            folder: folder.id,
            youngest,
            renumbered: false,
            found: Ok(Found::default()),
            only_changes,
            selected: None,
            left: questions.len(),
            void: false,
        };
        Ok(Some((told, questions)))
    }

    /// Takes in what the folder says ahead of the work on it. With many changes they are asked for folder by folder.
    pub fn note_ahead(&mut self, shared: &Shared, data: &Untagged) {
        let taken = shared.flags_ahead.get();
        if self.void || taken > OCTETS_AHEAD {
            self.void = true;
            self.found = Ok(Found::default());
            return;
        }
        let before = self.changes();
        self.note(shared, data);
        if let (true, Untagged::Fetch(fetch)) = (self.changes() > before, data) {
            let words = fetch.flags.as_ref().map_or(0, |flags| flags.to_string().len());
            shared.flags_ahead.set(taken + OCTETS_PER_CHANGE + 2 * words);
        }
    }

    fn changes(&self) -> usize {
        self.found.as_ref().map_or(0, Found::len)
    }

    /// Takes in what the open folder says.
    pub fn note(&mut self, shared: &Shared, data: &Untagged) {
        let Untagged::Fetch(fetch) = data else { return };
        match headers::answered_key(fetch) {
            Ok(Some((uid, key))) => {
                self.renumbered |= self.youngest.get(&uid).is_some_and(|known| known.key != key);
            }
            Ok(None) => {}
            Err(error) => self.found = Err(FolderError::fetch(Side::Remote, Error::Spool(error))),
        }
        if let (Some(uid), Some(flags)) = (fetch.uid, &fetch.flags)
            && let Ok(found) = &mut self.found
            && let Err(error) = found.note(&shared.state.borrow(), self.folder, uid, flags, self.only_changes)
        {
            self.found = Err(error.into());
        }
    }

    /// The folder was opened, and showed this.
    pub fn opened(&mut self, selected: Selected) {
        self.selected = Some(selected);
    }

    /// One of the questions has its outcome.
    pub fn answered(&mut self, is_ok: bool) {
        self.left = self.left.saturating_sub(1);
        self.void |= !is_ok;
    }

    /// All was answered that was asked, by a folder that opening showed like this.
    pub fn complete(&mut self, selected: Selected) {
        self.opened(selected);
        self.left = 0;
    }

    /// Whether all was answered.
    pub fn is_complete(&self) -> bool {
        self.selected.is_some() && self.left == 0 && !self.void
    }

    /// Whether the key of this message was asked for.
    pub fn is_sampled(&self, uid: u32) -> bool {
        self.youngest.contains_key(&uid)
    }

    /// Whether a refusal may be that of a server that cannot tell changes alone, so that all flags are to be asked for.
    pub(super) fn is_about_changes(&self, error: &FolderError) -> bool {
        self.only_changes
            && matches!(error, FolderError::Imap { error: Error::Command { command: "UID FETCH", answer }, .. }
                if !answer.is_temporary())
    }

    /// What opening showed, the changes, and whether a UID means another message than before.
    pub(super) fn outcome(self) -> FolderResult<(Selected, Found, bool)> {
        let unanswered = || {
            Failure::local(
                "internal error: flags of this folder were applied before the server had sent them",
            )
        };
        Ok((
            self.selected.ok_or_else(unanswered)?,
            self.found?,
            self.renumbered,
        ))
    }
}

/// The remote flags that changed and what was known of these messages, by UID.
#[derive(Default)]
pub(super) struct Found {
    changed: BTreeMap<u32, (Flags, Row)>,
    /// Keywords that cannot be handed on, of messages whose flags are newly told.
    dropped: BTreeMap<u32, Dropped>,
}

/// Messages whose flags change alike, on both sides.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Alike {
    /// Their UIDs on the remote side, by which they are remembered.
    pub(super) remote: UidSet,
    /// Those of their copies.
    pub(super) local: UidSet,
}

/// Which flags to add and to remove, and where.
pub(super) type Changes = HashMap<(Flags, Flags), Alike>;

impl Found {
    fn len(&self) -> usize {
        self.changed.len() + self.dropped.len()
    }

    /// Takes in the flags of one remote message; of those that did not change, a large folder has many. What a server
    /// says last holds.
    fn note(
        &mut self,
        state: &Ledger,
        folder: i64,
        uid: u32,
        flags: &Flags,
        only_changes: bool,
    ) -> Result<(), LedgerError> {
        match state.row(folder, uid)? {
            Some(row) => self.note_known(uid, row, flags, only_changes),
            None => self.forget(uid),
        }
        Ok(())
    }

    fn forget(&mut self, uid: u32) {
        self.changed.remove(&uid);
        self.dropped.remove(&uid);
    }

    fn note_known(&mut self, uid: u32, mut row: Row, told: &Flags, only_changes: bool) {
        // `\Deleted` that we set ourselves, or tried to, is not the owner's wish; that of others is never carried over
        // either, only taken back.
        let was_marked = row.flags.contains("\\Deleted") && !row.remote_deletion;
        let flags = if was_marked {
            told.clone()
        } else {
            told.minus(&Flags::parse("\\Deleted"))
        };
        // So is `\Seen` that a task of the inbox set: no one has read the message by that. What its owner does later counts.
        let is_marked = row.seen != PostDelivery::None && !row.flags.contains("\\Seen");
        let shows_mark = is_marked && flags.contains("\\Seen");
        if shows_mark {
            row.flags.insert("\\Seen");
        }
        let is_over = shows_mark || is_marked && row.seen == PostDelivery::Done;
        self.forget(uid);
        let is_changed = row.flags != flags;
        // Where all flags are told in each run, nothing shows that a keyword which the ledger cannot know is new.
        if (is_changed || only_changes)
            && let Some(dropped) = told.dropped()
        {
            self.dropped.insert(uid, dropped.clone());
        }
        if is_changed || is_over {
            self.changed.insert(uid, (flags, row));
        }
    }

    /// Gives out the keywords that cannot be handed on, by message.
    pub(super) fn take_dropped(&mut self) -> BTreeMap<u32, Dropped> {
        std::mem::take(&mut self.dropped)
    }

    /// What to change locally, and what to remember of the remote side.
    pub(super) fn changes(self) -> (Changes, Vec<(u32, Flags)>) {
        let (mut changes, mut remembered) = (Changes::new(), vec![]);
        for (uid, (flags, row)) in self.changed {
            let (added, removed) = (flags.minus(&row.flags), row.flags.minus(&flags));
            let is_alike = added.is_empty() && removed.is_empty();
            if is_alike && row.seen == PostDelivery::None {
                continue;
            }
            if let Some(local) = row.local_uid.filter(|_| !is_alike) {
                let alike = changes.entry((added, removed)).or_default();
                alike.local.insert(local);
                alike.remote.insert(uid);
            }
            remembered.push((uid, flags));
        }
        (changes, remembered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(local: u32, flags: &str) -> Row {
        Row {
            local_uid: Some(local),
            flags: Flags::parse(flags),
            remote_deletion: false,
            seen: PostDelivery::None,
        }
    }

    fn uids(numbers: &[u32]) -> UidSet {
        numbers.iter().copied().collect()
    }

    #[test]
    fn changes_know_the_messages_on_both_sides() {
        let mut found = Found::default();
        for uid in [1, 2] {
            found.note_known(uid, row(uid + 10, "Junk"), &Flags::parse("Junk \\Seen"), false);
        }
        found.note_known(3, row(13, "Junk"), &Flags::parse("Junk \\Deleted"), false);
        let marked = Row {
            seen: PostDelivery::Done,
            ..row(14, "Junk")
        };
        found.note_known(4, marked, &Flags::parse("Junk \\Seen"), false);
        let (changes, remembered) = found.changes();
        let alike = changes.get(&(Flags::parse("\\Seen"), Flags::default()));
        let expected = Alike {
            remote: uids(&[1, 2]),
            local: uids(&[11, 12]),
        };
        assert_eq!((changes.len(), alike), (1, Some(&expected)));
        // The mark is remembered as one, too.
        assert_eq!(remembered.len(), 3);
    }

    #[test]
    fn a_keyword_that_cannot_travel_is_told_with_what_is_new() {
        let odd = Flags::parse("Junk a]b");
        let mut found = Found::default();
        found.note_known(1, row(11, "Junk"), &odd, false);
        found.note_known(2, row(12, ""), &odd, false);
        found.note_known(3, row(13, "Junk"), &odd, true);
        // What a server says last holds, and a message counts once.
        found.note_known(2, row(12, ""), &odd, false);
        found.note_known(4, row(14, ""), &odd, false);
        found.note_known(4, row(14, ""), &Flags::parse("Junk"), false);
        assert_eq!(found.len(), 4);
        let dropped = found.take_dropped();
        assert_eq!(dropped.keys().copied().collect::<Vec<_>>(), [2, 3]);
        assert!(dropped.values().all(|dropped| dropped.count() == 1));
    }
}
