// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.history`: what the last runs of a task did, in short. A stopped run is among them, too.

use serde::{Deserialize, Serialize};

use super::report::Report;

/// So many runs are kept: a year of daily ones would not help more, and the file stays small.
const KEPT: usize = 100;

/// One run. Times in seconds since 1970, sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PastRun {
    /// When it started.
    pub started: i64,
    /// When it ended.
    pub ended: i64,
    /// What it ended with.
    pub exit_code: i32,
    /// The key of the error that ended it.
    pub error: Option<String>,
    /// Messages copied.
    pub copied: u64,
    /// Messages refused or unreadable.
    pub failed: u64,
    /// Messages deleted, on both sides.
    pub deleted: u64,
    /// Bytes copied.
    pub bytes: u64,
}

impl From<&Report> for PastRun {
    fn from(report: &Report) -> Self {
        Self {
            started: report.started,
            ended: report.ended,
            exit_code: report.exit_code,
            error: report.error.clone(),
            copied: report.messages.copied,
            failed: report.messages.failed,
            deleted: report.deleted_local.saturating_add(report.deleted_remote),
            bytes: report.bytes,
        }
    }
}

/// With one run more at the end, and without the oldest ones beyond those that are kept.
pub fn with(mut history: Vec<PastRun>, run: PastRun) -> Vec<PastRun> {
    history.push(run);
    let surplus = history.len().saturating_sub(KEPT);
    history.drain(..surplus);
    history
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::report::Messages;

    #[test]
    fn the_last_hundred_runs_are_kept_in_their_order() {
        let run = |started: i64| {
            PastRun::from(&Report {
                started,
                messages: Messages {
                    copied: 1,
                    ..Messages::default()
                },
                deleted_local: 2,
                deleted_remote: 3,
                ..Report::default()
            })
        };
        let history = (0..250).fold(vec![], |history, started| with(history, run(started)));
        let kept: Vec<i64> = history.iter().map(|run| run.started).collect();
        assert_eq!(kept, (150..250).collect::<Vec<_>>());
        assert_eq!((history[0].copied, history[0].deleted), (1, 5));
        assert!(serde_json::to_vec(&history).unwrap().len() < 20_000);
    }
}
