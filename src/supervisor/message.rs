// SPDX-License-Identifier: GPL-3.0-or-later
//! What goes through the socket: one request, a line of JSON; then a line for each thing there is to tell, until the
//! supervisor closes the connection.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::Origin;
use crate::sync::exit_code::Exit;
use crate::sync::run::finish;
use crate::task::TaskName;
use crate::task::report::Report;

/// The settings of the instance that may differ from run to run: where the local mail server is, which engine moves
/// the mail, and whether a trace is written.
pub const SETTINGS: [&str; 4] = ["MAIL_HOST", "MAIL_PORT", "SYNC_ENGINE", DEBUG];

/// Whether a trace is written.
pub const DEBUG: &str = "SYNC_DEBUG";

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum Request {
    /// Runs of these tasks.
    Start {
        /// The tasks.
        tasks: Vec<TaskName>,
        /// Who wants them.
        origin: Origin,
        /// Settings of the instance that are others for these runs.
        settings: BTreeMap<String, String>,
        /// Whether the ends of the runs are to be told.
        follow: bool,
        /// When they may begin, in seconds since 1970; now when it is missing.
        #[serde(default)]
        not_before: Option<i64>,
    },
    /// No runs of these tasks, and none that wait.
    Stop {
        /// The tasks.
        tasks: Vec<TaskName>,
    },
    /// No more runs; those at work go on.
    Pause,
    /// Runs again.
    Resume,
    /// To know whether all is well.
    Health,
}

/// What the supervisor says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Answer {
    /// The task is in the queue, and stays there whatever happens.
    Accepted {
        /// The task.
        task: TaskName,
        /// Whether it waits until the supervisor is told to go on.
        paused: bool,
    },
    /// The task waits or runs already; nothing was changed.
    AlreadyRunning {
        /// The task.
        task: TaskName,
    },
    /// A run has ended, or will not take place.
    Ended {
        /// The task.
        task: TaskName,
        /// How.
        end: RunEnd,
    },
    /// There is no run of the task any more.
    Stopped {
        /// The task.
        task: TaskName,
    },
    /// It is done, or all is well.
    Fine,
    /// It is not done, or not all is well.
    Failed {
        /// Why.
        why: String,
    },
}

/// How a run ended, for those who followed it and for the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// In words.
    pub says: String,
    /// The stream on which those who followed the run read them.
    pub stream: Stream,
    /// The stream on which the journal has them, which takes what comes by the second one for errors; `None` when it
    /// need not hear it.
    pub journal: Option<Stream>,
    /// The exit code.
    pub exit_code: u8,
    /// Whether nothing was done, since somebody else has the task.
    #[serde(default)]
    pub busy: bool,
}

/// A stream of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// The first, for what was asked for.
    Output,
    /// The second.
    Errors,
}

impl RunEnd {
    /// The line that sums up a run.
    pub fn summary(name: &TaskName, exit: Exit, report: &Report) -> Self {
        Self {
            says: finish::summary(name, report),
            stream: Stream::Output,
            journal: Some(match exit {
                Exit::Ok | Exit::Stopped => Stream::Output,
                _ => Stream::Errors,
            }),
            exit_code: exit.code(),
            busy: false,
        }
    }

    /// A run that was stopped before its turn.
    pub fn stopped(name: &TaskName) -> Self {
        let exit = Exit::Stopped;
        let report = Report {
            exit_code: i32::from(exit.code()),
            ..Report::default()
        };
        Self::summary(name, exit, &report)
    }

    /// Nothing was done, and the journal need not hear it: cron would tell it every few minutes.
    pub fn nothing(says: String) -> Self {
        Self {
            says,
            stream: Stream::Output,
            journal: None,
            exit_code: 0,
            busy: false,
        }
    }

    /// There was no run, or it did not end by itself.
    pub fn failure(says: &str, exit: Exit) -> Self {
        Self {
            says: format!("syncctl: {says}"),
            stream: Stream::Errors,
            journal: Some(Stream::Errors),
            exit_code: exit.code(),
            busy: false,
        }
    }

    /// The service ends, the run goes on after its next start.
    pub fn interrupted(name: &TaskName) -> Self {
        Self {
            says: format!(
                "{name}: interrupted, since the service was stopped; it goes on by itself after the next start"
            ),
            stream: Stream::Output,
            journal: Some(Stream::Output),
            exit_code: Exit::Stopped.code(),
            busy: false,
        }
    }
}
