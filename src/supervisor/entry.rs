// SPDX-License-Identifier: GPL-3.0-or-later
//! What is known of a task in the queue.

use serde::{Deserialize, Serialize};

use crate::task::TaskName;

/// A task that waits or runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The task.
    pub task: TaskName,
    /// Who wanted the run.
    pub origin: Origin,
    /// When it was handed over, in seconds since 1970.
    pub since: i64,
    /// What it is doing.
    pub state: State,
    /// Since when, in seconds since 1970.
    pub started: Option<i64>,
    /// Tasks that were handed over together have the same number.
    pub batch: u64,
    /// When it may begin, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<i64>,
}

impl Entry {
    /// Whether its time has not come yet.
    pub fn is_early(&self, now: i64) -> bool {
        self.state != State::Running && self.not_before.is_some_and(|moment| moment > now)
    }

    /// Since when it could have begun, in seconds since 1970.
    pub fn ready_since(&self) -> i64 {
        self.not_before.unwrap_or_default().max(self.since)
    }
}

/// Who wanted a run. What somebody starts by hand comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Somebody, by hand.
    Manual,
    /// The source told of new mail.
    Arrival,
    /// The task's schedule.
    Schedule,
}

/// What a task in the queue is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It waits for its turn.
    Waiting,
    /// It has a process.
    Running,
    /// Its run was ended by a restart; it waits to go on.
    Interrupted,
}
