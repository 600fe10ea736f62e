// SPDX-License-Identifier: GPL-3.0-or-later
//! One limit: the file that sets it, which is looked at again and again, and the bucket that enforces it.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use super::shared::Place;
use crate::task::Bandwidth;

/// Before a bucket is asked for again that another run has.
const BUSY: Duration = Duration::from_millis(2);

/// Read at once at most, and at least.
const MOST_AT_ONCE: u64 = 32 * 1024;
const LEAST_AT_ONCE: u64 = 1024;
/// What is read at once comes in so many parts of a second.
const PARTS: u64 = 8;

/// Reads a limit from where it is kept.
pub(super) type Source = Box<dyn Fn() -> Option<Bandwidth> + Send>;

/// A limit, and what this run has read of it.
pub(super) struct Limit {
    /// The file that says it.
    path: PathBuf,
    read: Source,
    seen: Option<Version>,
    rate: Option<u64>,
    place: Place,
    /// What is paid for when this run may read on.
    position: u64,
    /// What was read and is not in the bucket yet.
    owed: u64,
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit")
            .field("path", &self.path)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

/// Tells one state of a file from another: files are replaced as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    file: u64,
    changed: (i64, i64),
}

impl Limit {
    /// What a file says, kept by a bucket.
    pub(super) fn new(path: PathBuf, read: Source, place: Place) -> Self {
        Self {
            path,
            read,
            seen: None,
            rate: None,
            place,
            position: 0,
            owed: 0,
        }
    }

    /// Reads the file if it is another one than before.
    pub(super) fn look(&mut self) {
        let file = std::fs::metadata(&self.path).ok();
        let version = file.map(|file| Version {
            file: file.ino(),
            changed: (file.ctime(), file.ctime_nsec()),
        });
        if version != self.seen {
            self.seen = version;
            self.rate = (self.read)().map(Bandwidth::bytes);
            if self.rate.is_none() {
                // What was owed goes with the limit.
                (self.owed, self.position) = (0, 0);
            }
        }
    }

    /// Whether there is one.
    pub(super) fn is_set(&self) -> bool {
        self.rate.is_some()
    }

    /// So many octets were read.
    pub(super) fn spend(&mut self, octets: u64) {
        if self.is_set() {
            self.owed += octets;
        }
    }

    /// How long reading waits for this limit, and how much may be read then.
    pub(super) fn turn(&mut self, now: u64) -> (Duration, u64) {
        let Some(rate) = self.rate else {
            return (Duration::ZERO, u64::MAX);
        };
        let (former, owed) = (self.position, self.owed);
        let settled = self.place.with(now, |bucket| {
            bucket.reckon(now, rate);
            let position = match owed {
                0 => former,
                owed => bucket.take(owed),
            };
            (position, bucket.wait(position, rate))
        });
        let Some((position, wait)) = settled else {
            return (BUSY, 0);
        };
        self.position = position;
        self.owed = 0;
        let at_once = (rate / PARTS).clamp(LEAST_AT_ONCE, MOST_AT_ONCE);
        (Duration::from_nanos(wait), at_once)
    }
}
