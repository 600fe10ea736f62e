// SPDX-License-Identifier: GPL-3.0-or-later
//! What the remote side tells of a folder's flags, asked with the folder, or ahead of it.

use std::collections::{BTreeMap, HashMap};

use crate::imap::{Capability, Command, Flags, Selected, Session, UidSet, Untagged};
use crate::sync::account::Failure;
use crate::sync::job::Shared;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::headers;
use crate::sync::state::{Ledger, LedgerError, Mark, Row};

/// Messages whose keys are looked at along with the flags.
const SAMPLE: u32 = 8;

/// Octets of changes that a run may ask for ahead of the folders that they belong to, about.
const OCTETS_AHEAD: usize = 4 * 1024 * 1024;

/// What one change takes besides the words of its flags.
const OCTETS_PER_CHANGE: usize = 200;

/// The answers to the questions of [`RemoteFlags::ask`].
pub struct RemoteFlags {
    folder: i64,
    /// The youngest messages on record.
    youngest: HashMap<u32, Mark>,
    /// One of them is another message by now.
    renumbered: bool,
    found: Result<Found, LedgerError>,
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
        if folder.remote_next <= 1 || same_modseq || sync.pair.source.messages == Some(0) {
            return Ok(None);
        }
        let mut items = format!("1:{} (UID FLAGS)", folder.remote_next - 1);
        // One that went back belongs to another count, as after a server was set up again: all flags are looked at.
        if folder.remote_modseq != 0
            && modseq > folder.remote_modseq
            && remote.capabilities().has(Capability::Condstore)
        {
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
        self.found.as_ref().map_or(0, |found| found.0.len())
    }

    /// Takes in what the open folder says.
    pub fn note(&mut self, shared: &Shared, data: &Untagged) {
        let Untagged::Fetch(fetch) = data else { return };
        if let Some((uid, key)) = headers::answered_key(fetch) {
            self.renumbered |= self.youngest.get(&uid).is_some_and(|known| known.key != key);
        }
        if let (Some(uid), Some(flags)) = (fetch.uid, &fetch.flags)
            && let Ok(found) = &mut self.found
            && let Err(error) = found.note(&shared.state.borrow(), self.folder, uid, flags)
        {
            self.found = Err(error);
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

    /// What opening showed, the changes, and whether a UID means another message than before.
    pub(super) fn outcome(self) -> FolderResult<(Selected, Found, bool)> {
        let unanswered = || Failure::local("flags were to be applied that had not been told");
        Ok((
            self.selected.ok_or_else(unanswered)?,
            self.found?,
            self.renumbered,
        ))
    }
}

/// The remote flags that changed and what was known of these messages, by UID.
#[derive(Default)]
pub(super) struct Found(BTreeMap<u32, (Flags, Row)>);

/// Which flags to add and to remove, and where locally.
type Changes = HashMap<(Flags, Flags), UidSet>;

impl Found {
    /// Takes in the flags of one remote message; of those that did not change, a large folder has many. What a server
    /// says last holds.
    fn note(&mut self, state: &Ledger, folder: i64, uid: u32, flags: &Flags) -> Result<(), LedgerError> {
        // `\Deleted` that we set ourselves, or tried to, is not the owner's wish; that of others is never carried over either,
        // only taken back.
        let deleted = Flags::parse("\\Deleted");
        let row = state.row(folder, uid)?;
        let was_marked = row
            .as_ref()
            .is_some_and(|row| row.flags.contains("\\Deleted") && !row.remote_deletion);
        let flags = if was_marked {
            flags.clone()
        } else {
            flags.minus(&deleted)
        };
        match row {
            Some(row) if row.flags != flags => {
                self.0.insert(uid, (flags, row));
            }
            _ => {
                self.0.remove(&uid);
            }
        }
        Ok(())
    }

    /// What to change locally, and what to remember of the remote side.
    pub(super) fn changes(self) -> (Changes, Vec<(u32, Flags)>) {
        let (mut changes, mut remembered) = (Changes::new(), vec![]);
        for (uid, (flags, row)) in self.0 {
            let (added, removed) = (flags.minus(&row.flags), row.flags.minus(&flags));
            if added.is_empty() && removed.is_empty() {
                continue;
            }
            if let Some(local) = row.local_uid {
                changes.entry((added, removed)).or_default().insert(local);
            }
            remembered.push((uid, flags));
        }
        (changes, remembered)
    }
}
