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
pub(super) struct Outcome {
    /// It brought mail.
    pub brought: bool,
    /// It did all that it was to do.
    pub well: bool,
}

/// What a run is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Mail has arrived.
    News,
    /// The former run failed.
    Retry,
}

/// The distance between the runs of a task that news start.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How many runs one after the other went well and brought nothing.
    in_vain: u32,
    /// How many have failed without bringing anything; one that brought something is the first.
    failed: u32,
    brought: bool,
    ended: Option<Instant>,
}

impl Pace {
    /// A run has ended.
    pub(super) fn ended(&mut self, now: Instant, outcome: Outcome) {
        self.ended = Some(now);
        self.brought = outcome.brought;
        (self.in_vain, self.failed) = match (outcome.brought, outcome.well) {
            (true, true) => (0, 0),
            (true, false) => (0, 1),
            (false, true) => (self.in_vain.saturating_add(1), 0),
            (false, false) => (0, self.failed.saturating_add(1)),
        };
    }

    /// When the next run begins for what came at a moment. Mail that arrives while runs fail, as each does that finds one
    /// folder closed, does not wait for as long as another try does.
    pub(super) fn next(&self, wanted: Wanted, since: Instant) -> Instant {
        let distance = match wanted {
            Wanted::Retry if self.failed > 0 => doubled(FAILED, self.failed).min(MOST_FAILED),
            _ if self.brought => LEAST,
            _ if self.failed > 0 => FAILED,
            _ => doubled(LEAST, self.in_vain).min(MOST_IN_VAIN),
        };
        let soon = since + SETTLE;
        self.ended.map_or(soon, |ended| soon.max(ended + distance))
    }
}

/// A distance after so many runs, each twice as long as the one before.
fn doubled(first: Duration, times: u32) -> Duration {
    first * 2_u32.pow(times.saturating_sub(1).min(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_start_a_run_at_once_and_less_often_the_less_comes_of_it() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.next(Wanted::News, now), now + SETTLE);
        let mut after = |(brought, well)| {
            pace.ended(now, Outcome { brought, well });
            [Wanted::News, Wanted::Retry].map(|wanted| (pace.next(wanted, now) - now).as_secs())
        };
        let (all, none, some, failed) = ((true, true), (false, true), (true, false), (false, false));
        assert_eq!([none, none, none].map(&mut after), [[1, 1], [2, 2], [4, 4]]);
        assert_eq!([none; 5].map(&mut after)[3..], [[60, 60], [60, 60]]);
        assert_eq!([all, all, none].map(&mut after), [[1, 1]; 3]);
        assert_eq!(
            [failed, failed, failed].map(&mut after),
            [[10, 10], [10, 20], [10, 40]]
        );
        assert_eq!([failed; 6].map(&mut after)[5], [10, 900]);
        assert_eq!([some, some, failed].map(&mut after), [[1, 10], [1, 10], [10, 20]]);
        let later = now + Duration::from_secs(3600);
        assert_eq!(
            pace.next(Wanted::Retry, later),
            later + SETTLE,
            "one that was quiet is heard at once"
        );
    }
}
