// SPDX-License-Identifier: GPL-3.0-or-later
//! `.queue/queue.json`: the queue as the next supervisor finds it, and as the host reads it without asking anybody.
//!
//! Next to it are `serving`, which a living supervisor holds with flock, and `socket`. What the file says counts only
//! while somebody holds that lock: after a supervisor was killed, nothing waits until the next one takes over.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Origin, State};
use crate::files;
use crate::sync::run::queue;
use crate::task::lock::{self, TaskLock};
use crate::task::{Store, TaskName};

/// How long a supervisor that is ending is waited for.
const END_TIMEOUT: Duration = Duration::from_secs(20);

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// Whether no runs are started.
    pub paused: bool,
    /// The tasks, oldest first.
    pub entries: Vec<Entry>,
}

/// The queue's files.
#[derive(Debug, Clone)]
pub struct QueueFile {
    folder: PathBuf,
}

impl QueueFile {
    /// Those of an instance; nothing is touched yet.
    pub fn of(store: &Store) -> Self {
        Self {
            folder: queue::folder(store),
        }
    }

    /// The folder, with the socket in it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self) -> PathBuf {
        self.folder.join("queue.json")
    }

    fn lock(&self) -> PathBuf {
        self.folder.join("serving")
    }

    /// Becomes the supervisor, for as long as the lock is kept.
    ///
    /// # Errors
    /// When there is another one that does not end, or the file system does not let us.
    pub fn serve(&self) -> io::Result<TaskLock> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let taken = TaskLock::acquire(&self.lock(), END_TIMEOUT)?;
        taken.ok_or_else(|| io::Error::other("another supervisor is at work in this state folder"))
    }

    /// Whether there is a supervisor.
    pub fn is_served(&self) -> bool {
        lock::is_held(&self.lock()).unwrap_or_default()
    }

    /// What the file holds; nothing when there is none.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn read(&self) -> io::Result<Content> {
        match files::read(&self.path())? {
            Some(text) => Ok(serde_json::from_slice(&text)?),
            None => Ok(Content::default()),
        }
    }

    /// Replaces what the file holds.
    ///
    /// # Errors
    /// Whatever the file system says; the file is then as it was.
    pub fn write(&self, content: &Content) -> io::Result<()> {
        let text = serde_json::to_vec(content)?;
        files::write_atomic(&self.folder, &self.path(), &text, 0o600)
    }

    /// Forgets the queue, as of an instance that this one was copied from.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn forget(&self) -> io::Result<()> {
        files::remove(&self.path())
    }
}

/// What waits and runs at one moment, for those who only look.
#[derive(Debug, Default)]
pub struct Snapshot {
    entries: BTreeMap<TaskName, Entry>,
}

impl Snapshot {
    /// Reads the queue. Without a supervisor, and when it cannot be read, nothing is in it.
    pub fn read(store: &Store) -> Self {
        let file = QueueFile::of(store);
        let content = match file.is_served() {
            true => file.read().unwrap_or_default(),
            false => Content::default(),
        };
        let named = |entry: Entry| (entry.task.clone(), entry);
        Self {
            entries: content.entries.into_iter().map(named).collect(),
        }
    }

    /// What is known of a task, if it is in the queue.
    pub fn entry(&self, name: &TaskName) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Whether a start by hand would change nothing, since the task waits for one and its time has come. Whether it runs
    /// its lock says: a run that is about to be gone does not count.
    pub fn waits_by_hand(&self, name: &TaskName, now: i64) -> bool {
        self.entry(name).is_some_and(|entry| {
            entry.state != State::Running && entry.origin == Origin::Manual && !entry.is_early(now)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Layout;

    #[test]
    fn what_is_left_of_a_dead_supervisor_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Layout::in_container(folder.path()));
        let file = QueueFile::of(&store);
        let name = TaskName::parse("u1_a").unwrap();
        let content = Content {
            paused: false,
            entries: vec![Entry {
                task: name.clone(),
                origin: Origin::Schedule,
                since: 7,
                state: State::Waiting,
                started: None,
                batch: 1,
                not_before: None,
            }],
        };
        assert!(Snapshot::read(&store).entry(&name).is_none());
        let serving = file.serve().unwrap();
        file.write(&content).unwrap();
        assert_eq!(file.read().unwrap(), content);
        let snapshot = Snapshot::read(&store);
        assert_eq!(snapshot.entry(&name), content.entries.first());
        assert!(
            !snapshot.waits_by_hand(&name, 8),
            "a start by hand makes it come earlier"
        );
        drop(serving);
        assert!(!file.is_served() && Snapshot::read(&store).entry(&name).is_none());
        file.forget().unwrap();
        assert_eq!(file.read().unwrap(), Content::default());
    }
}
