// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.progress`: where a run stands; there only while a run is queued or running.

use serde::{Deserialize, Serialize};

/// Where a run stands. Times in seconds since 1970, sizes in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Waiting, moving mail, or ending on request.
    pub state: State,
    /// When the run started.
    pub started: i64,
    /// When this was written.
    pub updated: i64,
    /// The remote folder at work.
    pub folder: String,
    /// Its number, from 1.
    pub folder_index: u64,
    /// How many folders there are.
    pub folders: u64,
    /// Messages dealt with.
    pub messages_done: u64,
    /// Messages to deal with, as far as known.
    pub messages_total: u64,
    /// Bytes copied.
    pub bytes_done: u64,
    /// Bytes to copy, as far as known.
    pub bytes_total: u64,
    /// How often the source has turned the run away for a while: too many connections, or throttled.
    pub turned_away: u64,
    /// How long the source took to answer in the last seconds, in milliseconds; 0 where it was asked nothing that shows it.
    pub answer_ms: u64,
}

impl Progress {
    /// How long it has run, in seconds, and never nothing.
    pub fn elapsed(&self) -> u64 {
        u64::try_from(self.updated - self.started)
            .unwrap_or_default()
            .max(1)
    }

    /// Bytes a second, over the whole run.
    pub fn rate(&self) -> u64 {
        self.bytes_done / self.elapsed()
    }
}

/// The state of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Waiting for its turn.
    Queued,
    /// Moving mail.
    #[default]
    Running,
    /// Asked to end, not there yet.
    Stopping,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_over_the_whole_run() {
        let mut progress = Progress {
            started: 100,
            updated: 110,
            bytes_done: 5000,
            ..Progress::default()
        };
        assert_eq!(progress.rate(), 500);
        progress.updated = 90;
        assert_eq!(progress.rate(), 5000);
    }
}
