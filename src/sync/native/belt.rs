// SPDX-License-Identifier: GPL-3.0-or-later
//! What goes from fetchers to appenders: folders at work, messages on their way.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use crate::imap::{Flags, InternalDate, Literal, UidSet};
use crate::sync::account::Failure;
use crate::sync::folders::Pair;
use crate::sync::key::Key;
use crate::sync::state::{Entry, FolderState};

/// So often a message is tried again that a server refuses for the time being; then it is one that it refuses.
pub const PATIENCE: u8 = 2;
/// Messages that may be refused because the local mailbox is full before the rest is left for another run.
const TOO_LARGE: usize = 50;

/// A folder at work.
pub struct Place {
    /// Its number in the report.
    pub index: usize,
    /// Both names.
    pub pair: Pair,
    /// Its record.
    pub folder: FolderState,
    /// Set when the folder cannot be worked on any more.
    pub broken: Cell<bool>,
    /// Unread messages of the inbox that were asked for and did not come.
    pub missing: RefCell<UidSet>,
}

/// Some messages of one folder, to be fetched with one command.
pub struct Item {
    /// The folder.
    pub place: Rc<Place>,
    /// The UIDs.
    pub uids: UidSet,
    /// Fetched one by one, because the server refused them together.
    pub single: bool,
    /// How often the server put it off.
    pub put_off: u8,
}

/// A message on its way.
pub struct Parcel {
    /// The remote UID.
    pub uid: u32,
    /// The key.
    pub key: Key,
    /// The flags.
    pub flags: Flags,
    /// The date of arrival.
    pub date: Option<InternalDate>,
    /// The Message-Id, for reports.
    pub message_id: Option<String>,
    /// The octets.
    pub body: Literal,
}

impl Parcel {
    /// What is recorded of it.
    pub fn entry(&self) -> Entry {
        let date = self.date.as_ref().map_or(0, InternalDate::unix);
        Entry {
            uid: self.uid,
            key: self.key,
            flags: self.flags.clone(),
            date,
        }
    }
}

/// Messages of one folder that are appended together.
pub struct Batch {
    /// The folder.
    pub place: Rc<Place>,
    /// The messages.
    pub parcels: Vec<Parcel>,
}

/// What fetchers and appenders share.
pub struct Belt {
    /// What is still to be fetched.
    pub items: RefCell<VecDeque<Item>>,
    /// Why everything has to stop.
    pub failure: RefCell<Option<Failure>>,
    /// Messages that did not fit into the local mailbox.
    pub too_large: Cell<usize>,
}

impl Belt {
    /// With all of this to be fetched.
    pub fn new(items: VecDeque<Item>) -> Self {
        Self {
            items: RefCell::new(items),
            failure: RefCell::new(None),
            too_large: Cell::new(0),
        }
    }

    /// Whether the local mailbox is full: where a large message does not fit, many a small one does, but in the end
    /// there is no point in trying all of them.
    pub fn is_full(&self) -> bool {
        self.too_large.get() >= TOO_LARGE
    }

    /// Whether there is no point in going on.
    pub fn halted(&self) -> bool {
        self.is_full() || self.failure.borrow().is_some()
    }

    /// Stops everything; the first reason counts.
    pub fn fail(&self, failure: Failure) {
        self.failure.borrow_mut().get_or_insert(failure);
    }
}

/// Pairs messages with local ones by key, each local one once: local UIDs by remote ones.
pub fn claim<'a>(
    parcels: impl Iterator<Item = &'a Parcel>,
    mut found: HashMap<Key, Vec<u32>>,
) -> HashMap<u32, u32> {
    let mut claimed = HashMap::new();
    for parcel in parcels {
        if let Some(local) = found.get_mut(&parcel.key).and_then(Vec::pop) {
            claimed.insert(parcel.uid, local);
        }
    }
    claimed
}
