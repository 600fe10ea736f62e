// SPDX-License-Identifier: GPL-3.0-or-later
//! How long a server takes to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The shortest time that a server needed for an answer since this was last taken, over all connections that share it. One
/// answer may be late for many reasons; a server that has too much to do is late with all of them.
#[derive(Clone, Debug)]
pub struct AnswerTime(Arc<AtomicU64>);

/// Nothing was answered.
const NONE: u64 = u64::MAX;

impl Default for AnswerTime {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(NONE)))
    }
}

impl AnswerTime {
    /// An answer took so long.
    pub(super) fn note(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(NONE);
        self.0.fetch_min(micros, Ordering::Relaxed);
    }

    /// The shortest time since the last call.
    pub fn take(&self) -> Option<Duration> {
        let micros = self.0.swap(NONE, Ordering::Relaxed);
        (micros != NONE).then(|| Duration::from_micros(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_counts_until_it_is_taken() {
        let (time, copy) = (AnswerTime::default(), AnswerTime::default());
        let shared = time.clone();
        for millis in [30, 20, 40] {
            shared.note(Duration::from_millis(millis));
        }
        assert_eq!(
            [time.take(), time.take(), copy.take()],
            [Some(Duration::from_millis(20)), None, None]
        );
    }
}
