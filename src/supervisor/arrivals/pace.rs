// SPDX-License-Identifier: GPL-3.0-or-later
//! When news start a run: soon, but not again and again where nothing comes of it.

use std::time::{Duration, Instant};

/// Mail that comes together is pulled together.
const SETTLE: Duration = Duration::from_millis(300);

/// Between the end of a run and the next one, where the former one brought mail.
const LEAST: Duration = Duration::from_secs(1);
/// Where runs bring nothing, whatever the server tells.
const MOST_IN_VAIN: Duration = Duration::from_secs(60);
/// Where a run failed, and then another one.
const FAILED: Duration = Duration::from_secs(10);
const MOST_FAILED: Duration = Duration::from_secs(15 * 60);

/// How a run ended, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It brought mail.
    Brought,
    /// There was none.
    Nothing,
    /// It came to no good end.
    Failed,
}

/// The distance between the runs of a task that news start.
#[derive(Debug, Default)]
pub(super) struct Pace {
    distance: Duration,
    ended: Option<Instant>,
}

impl Pace {
    /// A run has ended.
    pub(super) fn ended(&mut self, now: Instant, outcome: Outcome) {
        self.ended = Some(now);
        let twice = self.distance * 2;
        self.distance = match outcome {
            Outcome::Brought => LEAST,
            Outcome::Nothing => twice.clamp(LEAST, MOST_IN_VAIN),
            Outcome::Failed => twice.clamp(FAILED, MOST_FAILED),
        };
    }

    /// When the next run begins for news that came at a moment.
    pub(super) fn next(&self, news: Instant) -> Instant {
        let soon = news + SETTLE;
        self.ended.map_or(soon, |ended| soon.max(ended + self.distance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_start_a_run_at_once_and_less_often_the_less_comes_of_it() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.next(now), now + SETTLE);
        let mut after = |outcome| {
            pace.ended(now, outcome);
            (pace.next(now) - now).as_secs()
        };
        use Outcome::{Brought, Failed, Nothing};
        assert_eq!([Nothing, Nothing, Nothing].map(&mut after), [1, 2, 4]);
        assert_eq!([Nothing; 5].map(&mut after), [8, 16, 32, 60, 60]);
        assert_eq!([Brought, Brought, Nothing].map(&mut after), [1, 1, 2]);
        assert_eq!([Failed, Failed, Failed].map(&mut after), [10, 20, 40]);
        assert_eq!([Failed; 6].map(&mut after)[5], 900);
        let later = now + Duration::from_secs(3600);
        assert_eq!(
            pace.next(later),
            later + SETTLE,
            "one that was quiet is heard at once"
        );
    }
}
