// SPDX-License-Identifier: GPL-3.0-or-later
//! How many runs may pull from one source at once: what was learnt from the source itself. One that turns runs away gets
//! half as many, one that answers later and later gets fewer; each run that goes well adds one again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// After it has turned runs away, so many of a source work at once at least.
const LEAST: usize = 1;
/// So many are not taken back because answers are late: it is no server for many mailboxes that cannot serve as many.
const LEAST_IF_LATE: usize = 4;
/// A source is late when its answers take twice as long as they did at best, and this in addition: what is less has many
/// reasons.
const NOTABLE: Duration = Duration::from_millis(100);
/// What a source does with fewer runs shows after so long.
const SHOWS: Duration = Duration::from_secs(10);

/// What was learnt of the sources that tasks in the queue pull from.
#[derive(Debug, Default)]
pub struct SourceLimits(HashMap<String, Learnt>);

#[derive(Debug, Default)]
struct Learnt {
    /// How many runs may work at once.
    limit: Option<usize>,
    /// How long its answers took at best.
    best: Option<Duration>,
    /// When its answers were last seen to be late.
    late: Option<Instant>,
    /// When it was last given fewer runs because of that.
    fewer_since: Option<Instant>,
}

impl SourceLimits {
    /// It turned one of so many runs away.
    pub fn turned_away(&mut self, source: &str, running: usize) {
        self.of(source).limit = Some((running / 2).max(LEAST));
    }

    /// A run went well, where `at_once` work at most.
    pub fn went_well(&mut self, source: &str, at_once: usize, now: Instant) {
        if let Some(learnt) = self.0.get_mut(source)
            && learnt.late.is_none_or(|seen| now.duration_since(seen) >= SHOWS)
        {
            learnt.limit = learnt
                .limit
                .map(|limit| limit + 1)
                .filter(|limit| *limit < at_once);
        }
    }

    /// Its answers to the runs at work took so long, as far as these asked anything of late.
    pub fn answered(&mut self, source: &str, running: usize, mut times: Vec<Duration>, now: Instant) {
        times.sort_unstable();
        let Some(&typical) = times.get(times.len() / 2) else {
            return;
        };
        let learnt = self.of(source);
        let best = learnt.best.map_or(typical, |best| best.min(typical));
        learnt.best = Some(best);
        if typical <= best * 2 + NOTABLE {
            learnt.late = None;
            return;
        }
        learnt.late = Some(now);
        let shows = learnt
            .fewer_since
            .is_none_or(|since| now.duration_since(since) >= SHOWS);
        if shows && running > LEAST_IF_LATE {
            let fewer = (running - running.div_ceil(4)).max(LEAST_IF_LATE);
            learnt.limit = Some(learnt.limit.map_or(fewer, |limit| limit.min(fewer)));
            learnt.fewer_since = Some(now);
        }
    }

    /// The sources of which as many runs work as they get.
    pub fn reached(&self, running: impl Fn(&str) -> usize) -> impl Iterator<Item = &str> {
        let limited = self
            .0
            .iter()
            .filter_map(|(source, learnt)| Some((source, learnt.limit?)));
        limited
            .filter(move |(source, limit)| running(source) >= *limit)
            .map(|(source, _)| source.as_str())
    }

    /// No task pulls from it any more.
    pub fn forget(&mut self, source: &str) {
        self.0.remove(source);
    }

    fn of(&mut self, source: &str) -> &mut Learnt {
        self.0.entry(source.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(limits: &SourceLimits) -> usize {
        (0..100)
            .find(|running| limits.reached(|_| *running).next().is_some())
            .unwrap_or(100)
    }

    fn answers(count: usize, millis: u64) -> Vec<Duration> {
        vec![Duration::from_millis(millis); count]
    }

    #[test]
    fn a_source_that_answers_later_and_later_gets_fewer_runs_and_more_when_it_answers_as_before() {
        let mut limits = SourceLimits::default();
        let mut now = Instant::now();
        let mut after = |count, millis| {
            limits.answered("a", count, answers(count, millis), now);
            limits.went_well("a", 20, now);
            now += SHOWS;
            limit(&limits)
        };
        assert_eq!(
            [after(8, 50), after(12, 199), after(12, 200)],
            [100; 3],
            "not late"
        );
        assert_eq!([after(12, 201), after(9, 250), after(6, 300)], [9, 6, 4]);
        assert_eq!([after(4, 900), after(5, 900)], [4, 4], "down to four");
        assert_eq!([after(4, 60), after(5, 60)], [5, 6]);
    }

    #[test]
    fn what_a_change_does_is_waited_for() {
        let mut limits = SourceLimits::default();
        let begun = Instant::now();
        limits.answered("a", 2, answers(2, 10), begun);
        let mut after = |seconds| {
            let now = begun + Duration::from_secs(seconds);
            // Of sixteen, three have asked something of late.
            limits.answered("a", 16, answers(3, 500), now);
            limit(&limits)
        };
        assert_eq!([after(1), after(2), after(10)], [12, 12, 12]);
        limits.turned_away("a", 6);
        assert_eq!(limit(&limits), 3);
        limits.answered("a", 3, vec![], begun);
        limits.went_well("a", 20, begun + Duration::from_secs(19));
        assert_eq!(limit(&limits), 3, "late a moment ago");
        limits.went_well("a", 20, begun + Duration::from_secs(20));
        assert_eq!(limit(&limits), 4);
        limits.forget("a");
        assert_eq!(limit(&limits), 100);
    }

    #[test]
    fn one_that_is_late_makes_no_source_late() {
        let mut limits = SourceLimits::default();
        let now = Instant::now();
        limits.answered("a", 6, answers(6, 20), now);
        let mut times = answers(5, 20);
        times.push(Duration::from_secs(9));
        limits.answered("a", 6, times, now);
        assert_eq!(limit(&limits), 100);
    }
}
