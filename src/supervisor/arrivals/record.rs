// SPDX-License-Identifier: GPL-3.0-or-later
//! `.queue/arrivals.json`: how it stands with the tasks whose mail is pulled as it arrives, for the next supervisor and for
//! the host, which only reads it. As with the queue, it counts only while there is a supervisor.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::files;
use crate::supervisor::queue_file::QueueFile;
use crate::task::{Store, TaskName};

/// How it stands with the news of a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Listening {
    /// A connection is being made, again perhaps.
    #[default]
    Connecting,
    /// The source tells of new mail.
    Watching,
    /// The source has no way to tell; the schedule pulls the mail.
    NotOffered,
    /// The source refused the login; a run that gets in ends that.
    Refused,
    /// Somebody has to sign in for its mailbox; that ends it.
    SignInNeeded,
    /// The task has never met its source over a protected connection.
    Unmet,
    /// The source allows so few connections that a run has this one.
    Yielding,
}

/// What is remembered of a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// How it stands.
    pub state: Listening,
    /// Where its folders stood when the last run began.
    pub covered: Option<u64>,
}

/// All tasks that are listened for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// By their names.
    pub tasks: BTreeMap<TaskName, Remembered>,
}

fn path(store: &Store) -> PathBuf {
    QueueFile::of(store).folder().join("arrivals.json")
}

impl Record {
    /// What the file holds; nothing when there is none, or a damaged one.
    pub fn read(store: &Store) -> Self {
        let text = files::read(&path(store)).ok().flatten();
        let record = text.and_then(|text| serde_json::from_slice(&text).ok());
        record.unwrap_or_default()
    }

    /// The same for those who only look.
    pub fn of_living(store: &Store) -> Self {
        match QueueFile::of(store).is_served() {
            true => Self::read(store),
            false => Self::default(),
        }
    }

    /// Replaces what the file holds.
    ///
    /// # Errors
    /// Whatever the file system says; the file is then as it was.
    pub fn write(&self, store: &Store) -> io::Result<()> {
        let text = serde_json::to_vec(self)?;
        files::write_atomic(QueueFile::of(store).folder(), &path(store), &text, 0o600)
    }
}
