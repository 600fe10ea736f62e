// SPDX-License-Identifier: GPL-3.0-or-later
//! What goes from fetchers to appenders: folders at work, messages on their way.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};

use super::backoff::Backoff;
use super::batches::Batches;
use super::order::Item;
use super::room::Room;
use crate::imap::{Error, Flags, InternalDate, Literal, UidSet};
use crate::sync::account::{Failure, Side};
use crate::sync::folders::Pair;
use crate::sync::job::Shared;
use crate::sync::key::Key;
use crate::sync::state::{Entry, FolderState};

/// So often a message is tried again that a server refuses for the time being; then it is one that it refuses.
pub const PATIENCE: u8 = 2;
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
    /// Messages that were asked for and did not come.
    pub missing: RefCell<UidSet>,
    /// Of a range not all UIDs came: messages that are no more, or some that the server kept to itself.
    pub gaps: Cell<bool>,
    /// How many messages were not tried because the local mailbox has no room for them.
    pub left: Cell<u64>,
    /// The number of the fetcher that was last at it.
    pub reader: Cell<Option<usize>>,
    /// The number of the appender that was last at it.
    pub writer: Cell<Option<usize>>,
}

impl Place {
    /// A folder about to be worked on.
    pub fn new(index: usize, pair: Pair, folder: FolderState) -> Self {
        Self {
            index,
            pair,
            folder,
            broken: Cell::new(false),
            missing: RefCell::default(),
            gaps: Cell::new(false),
            left: Cell::new(0),
            reader: Cell::new(None),
            writer: Cell::new(None),
        }
    }
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

/// What fetchers and appenders share.
pub struct Belt {
    /// What is still to be fetched.
    pub items: RefCell<VecDeque<Item>>,
    /// Messages on their way.
    pub batches: Batches,
    /// What the local mailbox still takes.
    pub room: Room,
    /// Why everything has to stop.
    pub failure: RefCell<Option<Failure>>,
}

impl Belt {
    /// With all of this to be fetched, by so many fetchers.
    pub fn new(items: VecDeque<Item>, fetchers: usize) -> Self {
        Self {
            items: RefCell::new(items),
            batches: Batches::new(fetchers),
            room: Room::default(),
            failure: RefCell::new(None),
        }
    }

    /// Whether there is no point in going on.
    pub fn halted(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// Waits before a broken connection is made anew; `false` when it is time to give up, which stops everything.
    pub async fn recovers(&self, shared: &Shared, side: Side, error: &Error, backoff: &mut Backoff) -> bool {
        if error.is_transient() {
            let line = format!("{}: {error}; reconnecting", side.host());
            shared.recorder.borrow_mut().line(&line);
        }
        let goes_on = error.is_transient() && backoff.pause_after(error).await;
        if !goes_on {
            self.fail(Failure::from_imap(side, error));
        }
        goes_on
    }

    /// Stops everything; the first reason counts.
    pub fn fail(&self, failure: Failure) {
        self.failure.borrow_mut().get_or_insert(failure);
        self.batches.end();
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
