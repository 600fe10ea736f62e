// SPDX-License-Identifier: GPL-3.0-or-later
//! Moving messages: fetchers read them from the remote side, appenders write them to the local side, a short
//! channel of batches between them. Each connection has several commands in flight.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

use tokio::sync::{Mutex, mpsc};

use super::account::Failure;
use super::append::Appender;
use super::fetch::Fetcher;
use super::folders::Pair;
use super::job::Shared;
use super::key::Key;
use super::state::{Entry, FolderState};
use crate::imap::{Flags, InternalDate, Literal, Session, UidSet};

/// Connections to the local server at most.
const APPENDERS: usize = 4;
/// Connections to the remote server at most; providers count them.
const FETCHERS: usize = 2;
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
    /// It was known and had to be compared anew: one of the two sides replaced it.
    pub replaced: bool,
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
    /// The local mailbox is full.
    pub full: Cell<bool>,
}

impl Belt {
    /// Whether there is no point in going on.
    pub fn halted(&self) -> bool {
        self.full.get() || self.failure.borrow().is_some()
    }

    /// Stops everything; the first reason counts.
    pub fn fail(&self, failure: Failure) {
        self.failure.borrow_mut().get_or_insert(failure);
    }
}

/// The connections of a run.
pub struct Lines {
    /// To the remote server.
    pub remote: Session,
    /// To the local server.
    pub local: Session,
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
        full: Cell::new(false),
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
        _ if belt.full.get() => Ok(None),
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

/// Pairs messages with local ones by key, each local one once.
pub fn claim(parcels: &[Parcel], mut found: HashMap<Key, Vec<u32>>) -> (Vec<(u32, u32)>, HashSet<u32>) {
    let mut claimed = vec![];
    let mut uids = HashSet::new();
    for parcel in parcels {
        if let Some(local) = found.get_mut(&parcel.key).and_then(Vec::pop) {
            claimed.push((parcel.uid, local));
            uids.insert(parcel.uid);
        }
    }
    (claimed, uids)
}
