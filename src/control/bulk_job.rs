// SPDX-License-Identifier: GPL-3.0-or-later
//! What one action does to many tasks and takes long: where it stands, and what came of it, is found again by whoever
//! looks later. `imapsync/.jobs/KIND.*` has it; passwords are never in there.

use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::error::{ErrorKey, Refusal, Result};
use crate::files;
use crate::task::Store;

/// Somebody else's glance at the lock takes no longer.
const LOCK_WAIT: Duration = Duration::from_millis(200);
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
    place: Place,
    /// Held, never read.
    _turn: File,
    progress: Mutex<(Record, Instant)>,
}

fn place(store: &Store, kind: Kind) -> Place {
    let stem = match kind {
        Kind::Check => "check",
        Kind::Import => "import",
        Kind::Password => "password",
    };
    Place::new(store, ".jobs", stem.to_owned())
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl BulkJob {
    /// Begins one about so many tasks; what came of the last one is forgotten.
    ///
    /// # Errors
    /// `job_running` while another one of the kind is at work; whatever the file system says.
    pub fn begin(store: &Store, kind: Kind, total: usize) -> Result<Self> {
        let place = place(store, kind);
        let turn = place.open_lock()?;
        match files::lock(&turn, LOCK_WAIT) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(Refusal::new(
                    "(root)",
                    ErrorKey::JobRunning,
                    "the same is being done to other tasks; wait for its end, or stop it",
                )
                .into());
            }
            locked => locked?,
        }
        files::remove(&place.file("stop"))?;
        files::remove(&place.file("result"))?;
        let record = Record {
            started: now(),
            ended: None,
            total,
            done: 0,
            stopped: false,
        };
        place.write(&record)?;
        Ok(Self {
            place,
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
            let _ = self.place.write(record);
        }
    }

    /// Whether somebody asked for its end.
    pub fn is_to_stop(&self) -> bool {
        files::is_plain(&self.place.file("stop"))
    }

    /// Keeps what came of it.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn finish(self, result: &impl Serialize) -> Result<()> {
        self.place.write_as("result", result)?;
        let (record, _) = self.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.place.write(&Record {
            ended: Some(now()),
            stopped: files::is_plain(&self.place.file("stop")),
            ..record
        })
    }
}

/// How far the last job of a kind is; `None` where there was none.
pub fn record(store: &Store, kind: Kind) -> Option<Record> {
    place(store, kind).read()
}

/// What came of the last one; `None` where it did not end.
pub fn result<T: DeserializeOwned>(store: &Store, kind: Kind) -> Option<T> {
    place(store, kind).read_as("result")
}

/// Whether one is at work.
pub fn is_at_work(store: &Store, kind: Kind) -> bool {
    place(store, kind).is_locked()
}

/// Asks the one at work to leave the tasks alone that it has not seen.
///
/// # Errors
/// Whatever the file system says.
pub fn ask_to_stop(store: &Store, kind: Kind) -> Result<()> {
    match is_at_work(store, kind) {
        true => place(store, kind).mark("stop"),
        false => Ok(()),
    }
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
