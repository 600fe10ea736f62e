// SPDX-License-Identifier: GPL-3.0-or-later
//! Batches on their way from fetchers to appenders. Each folder stays with one appender as long as that is not busy
//! with another: where several append to one folder, each has to catch up with what the others did, and with Dovecot,
//! the larger the folder, the longer that takes.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::sync::native::pipeline::message::FetchedMessage;
use crate::sync::reconcile::folder::FolderSync;

/// Batches and octets that wait at most for one folder, so that none keeps the place of the others, and in all: little should
/// have been fetched when it turns out that the mailbox is full. Octets in memory: those on disk have their own bound.
const WAITING_OF_FOLDER: usize = 4;
const WAITING_OCTETS_OF_FOLDER: u64 = 2 * 1024 * 1024;
const WAITING: usize = 16;
const WAITING_OCTETS: u64 = 8 * 1024 * 1024;

/// Messages of one folder that are appended together.
pub struct Batch {
    /// The folder.
    pub sync: Rc<FolderSync>,
    /// The messages.
    pub messages: Vec<FetchedMessage>,
}

impl Batch {
    fn octets(&self) -> u64 {
        let bodies = self
            .messages
            .iter()
            .filter_map(|message| message.body.as_memory());
        bodies.map(|body| body.len() as u64).sum()
    }
}

/// A short queue.
pub struct Batches {
    waiting: RefCell<VecDeque<Batch>>,
    /// Fetchers that may still put something on.
    fetchers: Cell<usize>,
    /// At which folder each appender is, by their numbers; those that wait are at none.
    at_work: RefCell<HashMap<usize, Option<usize>>>,
    ended: Cell<bool>,
    changed: Notify,
}

impl Batches {
    /// An empty queue that so many fetchers fill.
    pub fn new(fetchers: usize) -> Self {
        Self {
            waiting: RefCell::default(),
            fetchers: Cell::new(fetchers),
            at_work: RefCell::default(),
            ended: Cell::new(false),
            changed: Notify::new(),
        }
    }

    /// Puts on a batch once there is space; after the end there is no need to wait.
    pub async fn put(&self, batch: Batch) {
        while !self.has_space(&batch.sync) && !self.ended.get() {
            self.changed.notified().await;
        }
        self.waiting.borrow_mut().push_back(batch);
        self.changed.notify_waiters();
    }

    fn has_space(&self, sync: &Rc<FolderSync>) -> bool {
        let waiting = self.waiting.borrow();
        let of_folder = waiting.iter().filter(|batch| Rc::ptr_eq(&batch.sync, sync));
        let (mut batches, mut octets) = (0, 0);
        for batch in of_folder {
            batches += 1;
            octets += batch.octets();
        }
        batches < WAITING_OF_FOLDER
            && octets < WAITING_OCTETS_OF_FOLDER
            && waiting.len() < WAITING
            && waiting.iter().map(Batch::octets).sum::<u64>() < WAITING_OCTETS
    }

    /// Whether nothing waits, and no appender is at work: then the destination has nothing to do.
    pub fn is_idle(&self) -> bool {
        self.waiting.borrow().is_empty() && self.at_work.borrow().values().all(Option::is_none)
    }

    /// A fetcher has nothing more.
    pub fn leave(&self) {
        self.fetchers.set(self.fetchers.get().saturating_sub(1));
        self.changed.notify_waiters();
    }

    /// Nothing more is moved.
    pub fn end(&self) {
        self.ended.set(true);
        self.waiting.borrow_mut().clear();
        self.changed.notify_waiters();
    }

    /// Takes off a batch for an appender that has nothing else to do; `None` when no more will come.
    pub async fn take(&self, writer: usize) -> Option<Batch> {
        loop {
            if let Some(batch) = self.try_take(writer) {
                return Some(batch);
            }
            if self.is_over() {
                return None;
            }
            self.at_work.borrow_mut().insert(writer, None);
            self.changed.notified().await;
        }
    }

    /// Takes off a batch for an appender if there is one.
    pub fn try_take(&self, writer: usize) -> Option<Batch> {
        let mut waiting = self.waiting.borrow_mut();
        let own = waiting
            .iter()
            .position(|batch| batch.sync.writer.get() == Some(writer));
        let at = own.or_else(|| waiting.iter().position(|batch| self.is_free(&batch.sync)))?;
        let batch = waiting.remove(at)?;
        batch.sync.writer.set(Some(writer));
        let folder = Some(batch.sync.index);
        self.at_work.borrow_mut().insert(writer, folder);
        self.changed.notify_waiters();
        Some(batch)
    }

    /// Whether no more batches will come.
    pub fn is_over(&self) -> bool {
        self.ended.get() || (self.fetchers.get() == 0 && self.waiting.borrow().is_empty())
    }

    /// An appender has lost its connection, or is done: others may take over its folders.
    pub fn retire(&self, writer: usize) {
        self.at_work.borrow_mut().remove(&writer);
        self.changed.notify_waiters();
    }

    /// Whether any appender may take a folder.
    fn is_free(&self, sync: &FolderSync) -> bool {
        let Some(writer) = sync.writer.get() else {
            return true;
        };
        match self.at_work.borrow().get(&writer) {
            None => true,
            // It waits for this very batch.
            Some(None) => false,
            Some(Some(folder)) => *folder != sync.index,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::native::plan::tests::folder_sync;

    fn put(batches: &Batches, sync: &Rc<FolderSync>) {
        batches.waiting.borrow_mut().push_back(Batch {
            sync: sync.clone(),
            messages: vec![],
        });
    }

    fn taken(batches: &Batches, writer: usize) -> Option<usize> {
        batches.try_take(writer).map(|batch| batch.sync.index)
    }

    #[test]
    fn a_folder_stays_with_its_appender() {
        let batches = Batches::new(1);
        let (a, b) = (Rc::new(folder_sync(0)), Rc::new(folder_sync(1)));
        for sync in [&a, &a, &b, &a] {
            put(&batches, sync);
        }
        assert_eq!(taken(&batches, 7), Some(0));
        assert_eq!(taken(&batches, 8), Some(1));
        assert_eq!(taken(&batches, 8), None, "the other is at it");
        assert_eq!(taken(&batches, 7), Some(0));
        batches.retire(7);
        assert_eq!(taken(&batches, 8), Some(0));
    }

    #[test]
    fn a_folder_is_taken_over_from_one_that_is_busy_elsewhere() {
        let batches = Batches::new(1);
        let (a, b) = (Rc::new(folder_sync(0)), Rc::new(folder_sync(1)));
        for sync in [&a, &b, &a] {
            put(&batches, sync);
        }
        assert_eq!(taken(&batches, 7), Some(0));
        assert_eq!(taken(&batches, 7), Some(0), "its own comes first");
        assert_eq!(taken(&batches, 7), Some(1));
        put(&batches, &a);
        assert_eq!(taken(&batches, 8), Some(0));
    }

    #[test]
    fn a_folder_whose_appender_is_slow_keeps_no_one_waiting() {
        let batches = Batches::new(2);
        let (slow, other) = (Rc::new(folder_sync(0)), Rc::new(folder_sync(1)));
        for _ in 0..WAITING_OF_FOLDER {
            assert!(batches.has_space(&slow));
            put(&batches, &slow);
        }
        assert!(!batches.has_space(&slow));
        assert!(batches.has_space(&other));
    }

    #[test]
    fn it_is_over_when_all_fetchers_have_left() {
        let batches = Batches::new(1);
        put(&batches, &Rc::new(folder_sync(0)));
        batches.leave();
        assert!(!batches.is_over());
        assert_eq!(taken(&batches, 7), Some(0));
        assert!(batches.is_over());
    }
}
