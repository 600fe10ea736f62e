// SPDX-License-Identifier: GPL-3.0-or-later
//! What is done to every task of a batch and takes long: it goes on when no one looks, is found again with its results,
//! and goes on where it was cut off.
//!
//! `imapsync/.batches/ID.KIND.json` says when it began and ended; while it is at work, the lock next to it is held. What is
//! found about a task is in one of the task's files, so it goes with the task.

use serde::{Deserialize, Serialize};

use super::stored;
use crate::control::state_files::{StateFiles, Turn};
use crate::error::Result;
use crate::task::{BatchName, FileKind, Store};

/// What is done to every task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Both sides are looked at before the move.
    Assess,
    /// Both sides are compared message by message.
    Verify,
}

impl Kind {
    /// The file of a task that has what was found.
    pub fn finding(self) -> FileKind {
        match self {
            Self::Assess => FileKind::Assessment,
            Self::Verify => FileKind::Verification,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Assess => "assess",
            Self::Verify => "verify",
        }
    }
}

/// When a job began and ended, in milliseconds since 1970: what was found in the second before it began is older.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Record {
    /// When it began.
    pub started: i64,
    /// When it had been through all tasks; `None` while it is at work, or was cut off.
    pub ended: Option<i64>,
    /// Whether every octet is compared.
    #[serde(default)]
    pub deep: bool,
}

/// A job of a batch, at work or not.
#[derive(Debug)]
pub struct Job {
    stored: StateFiles,
}

impl Job {
    /// The job of a batch; nothing is touched yet.
    pub fn of(store: &Store, batch: &BatchName, kind: Kind) -> Self {
        Self {
            stored: stored(store, batch, kind.word()),
        }
    }

    /// When it began and ended; `None` before the first time.
    pub fn record(&self) -> Option<Record> {
        self.stored.show()
    }

    /// Stores when it began and ended.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save(&self, record: &Record) -> Result<()> {
        self.stored.write(record)
    }

    /// Takes the turn; `None` while another process has it.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn begin(&self) -> Result<Option<Turn>> {
        self.stored.take_turn()
    }

    /// Whether somebody works on it now.
    pub fn is_at_work(&self) -> bool {
        self.stored.is_at_work()
    }

    /// Asks the process that works on it to end after what is under way.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn ask_to_stop(&self) -> Result<()> {
        self.stored.ask_to_stop()
    }

    /// Whether somebody asked for its end.
    pub fn is_to_stop(&self) -> bool {
        self.stored.is_to_stop()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::task::Layout;

    #[test]
    fn one_works_on_a_job_and_others_see_that() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Layout::in_container(folder.path()));
        let name = BatchName::parse("../Week 12").unwrap();
        let job = Job::of(&store, &name, Kind::Assess);
        assert!(job.record().is_none() && !job.is_at_work());
        job.ask_to_stop().unwrap();
        let turn = job.begin().unwrap();
        assert!(turn.is_some() && job.is_at_work() && !job.is_to_stop());
        let same = Job::of(&store, &name, Kind::Assess);
        assert!(same.begin().unwrap().is_none());
        assert!(!Job::of(&store, &name, Kind::Verify).is_at_work());
        same.ask_to_stop().unwrap();
        assert!(job.is_to_stop());
        let record = Record {
            started: 5,
            ended: Some(6),
            deep: true,
        };
        job.save(&record).unwrap();
        assert_eq!(same.record(), Some(record));
        drop(turn);
        assert!(!job.is_at_work());
        // A new turn forgets who wanted the last one to end.
        assert!(job.begin().unwrap().is_some() && !job.is_to_stop());
        assert!(fs::read_dir(folder.path()).unwrap().count() == 1);
    }
}
