// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.report`: what the last complete run did, for programs; the log says it for people.

use serde::{Deserialize, Serialize};

/// What a run did. Times in seconds since 1970, sizes in bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// When the run started.
    pub started: i64,
    /// When it ended.
    pub ended: i64,
    /// What it ended with.
    pub exit_code: i32,
    /// The name that people know the exit code by.
    pub exit_name: String,
    /// The key of the error that ended the run.
    pub error: Option<String>,
    /// Totals over all folders.
    pub messages: Messages,
    /// Bytes copied.
    pub bytes: u64,
    /// Messages whose flags were changed locally.
    pub flags: u64,
    /// Flags and keywords that the local server did not take, those of each message counted.
    pub flags_dropped: u64,
    /// Messages deleted on the local side.
    pub deleted_local: u64,
    /// Messages deleted on the remote side.
    pub deleted_remote: u64,
    /// Folder by folder.
    pub folders: Vec<Folder>,
    /// What was not deleted because nothing proves that it may be.
    pub withheld: Vec<Withheld>,
    /// What went wrong, message by message.
    pub problems: Vec<Problem>,
}

/// Messages of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Messages {
    /// Copied to the local side.
    pub copied: u64,
    /// Already there.
    pub skipped: u64,
    /// Refused or unreadable.
    pub failed: u64,
}

/// What a run did in one folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Folder {
    /// Its name on the remote side, as people read it.
    pub remote: String,
    /// Its name on the local side.
    pub local: String,
    /// Messages copied.
    pub copied: u64,
    /// Messages already there.
    pub skipped: u64,
    /// Messages refused or unreadable.
    pub failed: u64,
    /// Messages whose flags were changed locally.
    pub flags: u64,
    /// Flags and keywords that the local server did not take, those of each message counted.
    pub flags_dropped: u64,
    /// Messages deleted on the local side.
    pub deleted_local: u64,
    /// Messages deleted on the remote side.
    pub deleted_remote: u64,
    /// Bytes copied.
    pub bytes: u64,
    /// Time spent.
    pub seconds: f64,
}

/// Messages that were not deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Withheld {
    /// The folder, by its name on the remote side.
    pub folder: String,
    /// How many messages.
    pub messages: u64,
    /// Why.
    pub reason: String,
    /// Whether the next run deletes them if an administrator confirms that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub confirmable: bool,
}

/// One thing that went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The remote folder concerned.
    pub folder: String,
    /// The message's UID on the remote side.
    pub uid: Option<u32>,
    /// Its Message-Id.
    pub message_id: Option<String>,
    /// The server's words, or ours.
    pub reason: String,
}
