// SPDX-License-Identifier: GPL-3.0-or-later
//! Why connections end, for the journal: each reason is told when it is new, and not again before an hour is over, however
//! many tasks it concerns and however often.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Between two tellings of a reason.
const QUIET: Duration = Duration::from_secs(60 * 60);
/// So many reasons in that time: a server may word each end otherwise.
const MOST: usize = 20;

/// What was told lately.
#[derive(Debug, Default)]
pub(super) struct Reasons(HashMap<String, Told>);

#[derive(Debug)]
struct Told {
    at: Instant,
    /// How often it was not told since.
    hushed: u64,
}

impl Reasons {
    /// Whether a reason is to be told now; then how often it was not since it was told last.
    pub(super) fn is_due(&mut self, reason: &str, now: Instant) -> Option<u64> {
        let is_recent = |told: &Told| now.duration_since(told.at) < QUIET;
        if let Some(told) = self.0.get_mut(reason).filter(|told| is_recent(told)) {
            told.hushed += 1;
            return None;
        }
        let hushed = self.0.remove(reason).map_or(0, |told| told.hushed);
        // What has not come again is forgotten.
        self.0.retain(|_, told| is_recent(told));
        if self.0.len() >= MOST {
            return None;
        }
        self.0.insert(reason.to_owned(), Told { at: now, hushed: 0 });
        Some(hushed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_when_it_is_new_and_then_once_an_hour() {
        let (begun, mut reasons) = (Instant::now(), Reasons::default());
        let after = |minutes: u64| begun + Duration::from_secs(60 * minutes);
        assert_eq!(reasons.is_due("down", begun), Some(0));
        for minute in 1..60 {
            assert_eq!(reasons.is_due("down", after(minute)), None);
        }
        assert_eq!(reasons.is_due("away", after(1)), Some(0), "another one is news");
        assert_eq!(reasons.is_due("down", after(60)), Some(59));
        assert_eq!(reasons.is_due("down", after(119)), None);
        assert_eq!(reasons.is_due("away", after(119)), Some(0));
    }

    #[test]
    fn ends_that_are_all_worded_otherwise_fill_no_journal() {
        let (now, mut reasons) = (Instant::now(), Reasons::default());
        let told = (0..1000).filter(|n| reasons.is_due(&format!("session {n} ended"), now).is_some());
        assert_eq!(told.count(), MOST);
        assert_eq!(reasons.is_due("another", now + QUIET), Some(0));
    }
}
