// SPDX-License-Identifier: GPL-3.0-or-later
//! What one action does to many tasks and takes long: where it stands, and what came of it, is found again by those who
//! look later. `imapsync/.jobs/KIND.*` has it; passwords are never in there.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::state_files::{StateFiles, Turn};
use crate::clock::now;
use crate::error::{ErrorKey, Refusal, Result};
use crate::files;
use crate::task::Store;

/// How often is written how far it is.
const PACE: Duration = Duration::from_secs(1);

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The logins of rows are tested.
    Check,
    /// Rows become tasks.
    Import,
    /// Tasks get another password.
    Password,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When it began, in seconds since 1970.
    pub started: i64,
    /// When it ended; `None` while it is at work, or was cut off.
    pub ended: Option<i64>,
    /// How many tasks it is about.
    pub total: usize,
    /// How many it has seen.
    pub done: usize,
    /// Whether somebody wanted its end.
    pub stopped: bool,
}

/// A job at work.
#[derive(Debug)]
pub struct BulkJob {
    stored: StateFiles,
    /// Held, never read.
    _turn: Turn,
    progress: Mutex<(Record, Instant)>,
}

fn stored(store: &Store, kind: Kind) -> StateFiles {
    let stem = match kind {
        Kind::Check => "check",
        Kind::Import => "import",
        Kind::Password => "password",
    };
    StateFiles::new(store, ".jobs", stem.to_owned())
}

impl BulkJob {
    /// Begins one about so many tasks; what came of the last one is forgotten.
    ///
    /// # Errors
    /// `job_running` while another one of the kind is at work; whatever the file system says.
    pub fn begin(store: &Store, kind: Kind, total: usize) -> Result<Self> {
        let stored = stored(store, kind);
        let turn = stored.take_turn()?.ok_or_else(|| {
            Refusal::new(
                "(root)",
                ErrorKey::JobRunning,
                "the same is being done to other tasks; wait for its end, or stop it",
            )
        })?;
        files::remove(&stored.file("result"))?;
        let record = Record {
            started: now(),
            ended: None,
            total,
            done: 0,
            stopped: false,
        };
        stored.write(&record)?;
        Ok(Self {
            stored,
            _turn: turn,
            progress: Mutex::new((record, Instant::now())),
        })
    }

    /// Another task was seen.
    pub fn step(&self) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let (record, written) = &mut *progress;
        record.done += 1;
        if written.elapsed() >= PACE {
            *written = Instant::now();
            // It is only to look at; the end is written in any case.
            let _ = self.stored.write(record);
        }
    }

    /// Whether somebody asked for its end.
    pub fn is_to_stop(&self) -> bool {
        self.stored.is_to_stop()
    }

    /// Keeps what came of it.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn finish(self, result: &impl Serialize) -> Result<()> {
        self.stored.write_as("result", result)?;
        let (record, _) = self.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.stored.write(&Record {
            ended: Some(now()),
            stopped: self.stored.is_to_stop(),
            ..record
        })
    }
}

/// How far the last job of a kind is; `None` where there was none.
pub fn record(store: &Store, kind: Kind) -> Option<Record> {
    stored(store, kind).show()
}

/// What came of the last one; `None` where it did not end.
pub fn result<T: DeserializeOwned>(store: &Store, kind: Kind) -> Option<T> {
    stored(store, kind).show_as("result")
}

/// Whether one is at work.
pub fn is_at_work(store: &Store, kind: Kind) -> bool {
    stored(store, kind).is_at_work()
}

/// Asks the one at work to leave the tasks alone that it has not seen.
///
/// # Errors
/// Whatever the file system says.
pub fn ask_to_stop(store: &Store, kind: Kind) -> Result<()> {
    stored(store, kind).ask_to_stop()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::task::Layout;

    #[test]
    fn a_job_is_found_again_with_what_came_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Layout::in_container(folder.path()));
        assert!(record(&store, Kind::Import).is_none() && !is_at_work(&store, Kind::Import));
        ask_to_stop(&store, Kind::Import).unwrap();
        let job = BulkJob::begin(&store, Kind::Import, 2).unwrap();
        assert!(is_at_work(&store, Kind::Import) && !is_at_work(&store, Kind::Check));
        let again = BulkJob::begin(&store, Kind::Import, 2);
        assert!(matches!(again, Err(Error::Refused(why)) if why[0].key == ErrorKey::JobRunning));
        job.step();
        assert!(!job.is_to_stop());
        ask_to_stop(&store, Kind::Import).unwrap();
        assert!(job.is_to_stop());
        job.step();
        job.finish(&vec!["u1"]).unwrap();
        let found = record(&store, Kind::Import).unwrap();
        assert_eq!((found.total, found.done, found.stopped), (2, 2, true));
        assert!(found.ended.is_some() && !is_at_work(&store, Kind::Import));
        let result = || result::<Vec<String>>(&store, Kind::Import);
        assert_eq!(result(), Some(vec!["u1".to_owned()]));

        // One that is cut off has come to no result.
        drop(BulkJob::begin(&store, Kind::Import, 1).unwrap());
        assert!(result().is_none() && record(&store, Kind::Import).unwrap().ended.is_none());
    }
}
