// SPDX-License-Identifier: GPL-3.0-or-later
//! A folder at work.

pub mod open;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use crate::imap::{MailboxStatus, Selected, UidSet};
use crate::sync::exit_code::Exit;
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::message_key::MessageKey;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::flags::told::RemoteFlags;
use crate::sync::side::Side;
use crate::sync::state::{Flag, FolderState, LedgerError};

/// A folder at work.
pub struct FolderSync {
    /// Its number in the report.
    pub index: usize,
    /// Both names.
    pub pair: Pair,
    /// Its record.
    pub folder: FolderState,
    /// The keys of messages whose mark `\\Deleted` may be ours.
    pub own_marks: HashSet<MessageKey>,
    /// Set when the folder cannot be worked on any more.
    pub broken: Cell<bool>,
    /// Messages that this run copied and the local server confirmed.
    pub copied: RefCell<UidSet>,
    /// Messages that arrived in two pieces, on two connections.
    pub joined: RefCell<UidSet>,
    /// Messages whose parts do not fit together, or do not come: they are fetched as a whole.
    pub whole_only: RefCell<UidSet>,
    /// Flags are asked for up to this UID at least.
    pub flags_below: Cell<u32>,
    /// How many messages are to be fetched, as the server's numbers tell.
    pub expected: Cell<u64>,
    /// How many of them came, or were not asked for because they are too large.
    pub received: Cell<u64>,
    /// Messages that were asked for and did not come.
    pub missing: RefCell<UidSet>,
    /// The rest of ranges of which not all UIDs came.
    pub unanswered: RefCell<UidSet>,
    /// Of a range not all UIDs came: messages that are no more, or some that the server kept to itself.
    pub gaps: Cell<bool>,
    /// UIDNEXT tells of messages behind the last one that was seen.
    pub promised: Cell<bool>,
    /// The highest UIDNEXT that opening the remote folder showed, 0 where there was none.
    pub opened_next: Cell<u32>,
    /// How many messages were not tried because the local mailbox has no room for them.
    pub left: Cell<u64>,
    /// The number of the fetcher that was last at it.
    pub reader: Cell<Option<usize>>,
    /// The number of the appender that was last at it.
    pub writer: Cell<Option<usize>>,
    /// What the remote side told of its flags, where it was asked ahead.
    pub flags: RefCell<Option<RemoteFlags>>,
    /// What opening the remote folder showed and the messages that it had, where it was asked ahead.
    pub present: RefCell<Option<(Selected, UidSet)>>,
    /// The local server refused some of them for the moment: the next run has to look at them again.
    pub flags_pending: Cell<bool>,
}

impl FolderSync {
    /// A folder about to be worked on.
    pub fn new(index: usize, pair: Pair, folder: FolderState) -> Self {
        Self {
            index,
            pair,
            folder,
            own_marks: HashSet::new(),
            broken: Cell::new(false),
            copied: RefCell::default(),
            joined: RefCell::default(),
            whole_only: RefCell::default(),
            expected: Cell::new(0),
            received: Cell::new(0),
            missing: RefCell::default(),
            unanswered: RefCell::default(),
            gaps: Cell::new(false),
            promised: Cell::new(false),
            opened_next: Cell::new(0),
            left: Cell::new(0),
            reader: Cell::new(None),
            writer: Cell::new(None),
            flags: RefCell::default(),
            flags_below: Cell::new(1),
            present: RefCell::default(),
            flags_pending: Cell::new(false),
        }
    }

    /// The first UID from which on nothing was seen, UIDNEXT at most. Where it is lower, the messages in between were deleted,
    /// or the server promises them before it shows them.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn seen_below(&self, shared: &Shared) -> Result<Option<u32>, LedgerError> {
        let Some(next) = self.pair.source.uid_next else {
            return Ok(None);
        };
        let last = shared.state.borrow().last_uid(self.folder.id)?;
        Ok(Some(
            next.min(last.saturating_add(1).max(self.folder.remote_next)),
        ))
    }

    /// Takes in what opening the remote folder showed.
    pub fn note_opened(&self, selected: Selected) {
        let next = MailboxStatus::from(selected).uid_next.unwrap_or(0);
        self.opened_next.set(next.max(self.opened_next.get()));
    }

    /// Whether opening the remote folder showed a higher UIDNEXT than its status tells.
    pub fn has_stale_status(&self) -> bool {
        let told = self.pair.source.uid_next;
        told.is_some_and(|told| told < self.opened_next.get())
    }
}

/// The UIDs of a side turned out to mean other messages than those on record: nothing that is known of them holds.
pub fn renumbered(shared: &Shared, sync: &FolderSync, side: Side) -> FolderResult<()> {
    tell_renumbered(shared, sync, side);
    Ok(taken_back(shared, sync, side)?)
}

/// A message appeared among the remote UIDs that were dealt with: the same, or a server that shows some late.
pub fn seems_renumbered(shared: &Shared, sync: &FolderSync) -> FolderResult<()> {
    tell_renumbered(shared, sync, Side::Remote);
    let mut state = shared.state.borrow_mut();
    state.set(Flag::SourceRenumbered, true)?;
    Ok(state.forget_remote_generation(sync.folder.id)?)
}

fn tell_renumbered(shared: &Shared, sync: &FolderSync, side: Side) {
    let reason = format!(
        "{}: the UIDs name other messages than before, as after a restored backup: nothing is \
         deleted, the next run compares both sides",
        side.in_words()
    );
    let name = sync.pair.remote.name();
    shared
        .reporter
        .borrow_mut()
        .problem(name, Exit::WithErrors, &reason);
    sync.broken.set(true);
}

/// A folder came back from a backup while the run was at work. All folders of that side may have, which the next run sees
/// to: the records are in use.
///
/// # Errors
/// When the ledger cannot be written.
pub fn taken_back(shared: &Shared, sync: &FolderSync, side: Side) -> Result<(), LedgerError> {
    if side == Side::Local {
        return local_taken_back(shared);
    }
    let mut state = shared.state.borrow_mut();
    state.set(Flag::SourceRenumbered, true)?;
    if sync.pair.remote.is_inbox() {
        // It may be another mailbox.
        state.set(Flag::SourceReplaced, true)?;
        shared.source_replaced.set(true);
    }
    state.forget_remote_generation(sync.folder.id)
}

/// The same for the local mailbox: what is missing there was removed by no one meanwhile.
///
/// # Errors
/// When the ledger cannot be written.
pub fn local_taken_back(shared: &Shared) -> Result<(), LedgerError> {
    shared.restored_meanwhile.set(true);
    shared.state.borrow().set_restored_meanwhile()
}
