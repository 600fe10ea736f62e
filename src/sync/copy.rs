// SPDX-License-Identifier: GPL-3.0-or-later
//! Moving messages: fetchers read them from the remote side, appenders write them to the local side, a short
//! channel of batches between them. Each connection has several commands in flight.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use tokio::sync::{Mutex, mpsc};

use super::account::Failure;
use super::append::Appender;
use super::fetch::Fetcher;
use super::folders::Pair;
use super::job::Shared;
use super::key::Key;
use super::lines::Lines;
use super::state::{Entry, FolderState};
use crate::imap::{Flags, InternalDate, Literal, Session, UidSet};

/// So often a message is tried again that a server refuses for the time being; then it is one that it refuses.
pub const PATIENCE: u8 = 2;
/// Connections to the local server at most.
const APPENDERS: usize = 4;
/// Connections to the remote server at most; providers count them.
const FETCHERS: usize = 2;
/// Messages that may be refused because the local mailbox is full before the rest is left for another run.
const TOO_LARGE: usize = 50;
/// Below this many messages one connection to each side does.
const WORTH_MORE: u64 = 200;

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

/// Copies all items. The connections come back for what is left to do; they do not when the local mailbox is full
/// and nothing more can be done.
pub async fn copy(
    shared: &Shared,
    lines: Lines,
    items: VecDeque<Item>,
    count: u64,
) -> Result<Option<Lines>, Failure> {
    let many = count > WORTH_MORE;
    let belt = Rc::new(Belt {
        items: RefCell::new(items),
        failure: RefCell::new(None),
        too_large: Cell::new(0),
    });
    let (sender, receiver) = mpsc::channel::<Batch>(2);
    let receiver = Rc::new(Mutex::new(receiver));
    let mut appenders = vec![];
    let mut local = Some(lines.local);
    for _ in 0..if many { APPENDERS } else { 1 } {
        let appender = Appender::new(shared.clone(), belt.clone(), local.take());
        appenders.push(tokio::task::spawn_local(appender.run(receiver.clone())));
    }
    drop(receiver);
    let mut fetchers = vec![];
    let mut remote = Some(lines.remote);
    for _ in 0..if many { FETCHERS } else { 1 } {
        let fetcher = Fetcher::new(shared.clone(), belt.clone(), remote.take(), sender.clone());
        fetchers.push(tokio::task::spawn_local(fetcher.run()));
    }
    drop(sender);
    let remote = first(fetchers).await;
    let local = first(appenders).await;
    if let Some(failure) = belt.failure.borrow_mut().take() {
        return Err(failure);
    }
    match (remote, local) {
        _ if belt.is_full() => Ok(None),
        (Some(remote), Some(local)) => Ok(Some(Lines { remote, local })),
        _ => Err(Failure::local("a part of the program ended unexpectedly")),
    }
}

/// Waits for all and keeps the first connection; the others say goodbye.
async fn first(tasks: Vec<tokio::task::JoinHandle<Option<Session>>>) -> Option<Session> {
    let mut kept = None;
    for task in tasks {
        if let Ok(Some(session)) = task.await {
            match kept {
                None => kept = Some(session),
                Some(_) => session.logout().await,
            }
        }
    }
    kept
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
