// SPDX-License-Identifier: GPL-3.0-or-later
//! How fast mail moved, over time: from what is kept of runs, so that it is there whenever somebody looks.

use crate::task::history::PastRun;
use crate::task::progress::Progress;

/// So many intervals are told; a graph has no room for more.
const INTERVALS: usize = 48;
/// The shortest interval, in seconds.
const SHORTEST: i64 = 10;
/// What is older is not looked at, in seconds.
const LOOK_BACK: i64 = 7 * 24 * 3600;

/// Bytes that were moved in equal intervals.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Throughput {
    /// When the first interval begins, in seconds since 1970.
    pub from: i64,
    /// How long each is, in seconds.
    pub step: i64,
    /// Bytes moved in each, the earliest first; empty while nothing was moved.
    pub bytes: Vec<u64>,
}

/// Some bytes that were moved between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    started: i64,
    ended: i64,
    bytes: u64,
}

impl From<&PastRun> for Stretch {
    fn from(run: &PastRun) -> Self {
        Self {
            started: run.started,
            ended: run.ended,
            bytes: run.bytes,
        }
    }
}

impl From<&Progress> for Stretch {
    fn from(run: &Progress) -> Self {
        Self {
            started: run.started,
            ended: run.updated,
            bytes: run.bytes_done,
        }
    }
}

/// The throughput of many runs up to `now`; each run's bytes are taken as moved evenly.
pub fn of(stretches: &[Stretch], now: i64) -> Throughput {
    let recent = |one: &&Stretch| one.bytes > 0 && one.started > now - LOOK_BACK && one.started <= now;
    let Some(from) = stretches.iter().filter(recent).map(|one| one.started).min() else {
        return Throughput::default();
    };
    let count = i64::try_from(INTERVALS).unwrap_or(1);
    // The moment `now` is in the last interval.
    let step = ((now - from) / count + 1).max(SHORTEST);
    let filled = usize::try_from((now - from) / step).unwrap_or(0) + 1;
    let mut bytes = vec![0u64; filled.min(INTERVALS)];
    for one in stretches.iter().filter(recent) {
        spread(one, from, step, &mut bytes);
    }
    Throughput { from, step, bytes }
}

fn spread(one: &Stretch, from: i64, step: i64, intervals: &mut [u64]) {
    let begin = one.started - from;
    let end = (one.ended - from).max(begin + 1);
    let length = u64::try_from(end - begin).unwrap_or(1);
    let share = |seconds: i64| {
        let exact = u128::from(one.bytes) * u128::try_from(seconds).unwrap_or(0) / u128::from(length);
        u64::try_from(exact).unwrap_or(u64::MAX)
    };
    let mut told = 0;
    let mut start = 0;
    let last = intervals.len().saturating_sub(1);
    for (at, interval) in intervals.iter_mut().enumerate() {
        let stop = start + step;
        // What is left over by rounding, or is after the last interval by a clock that was set, belongs to the last.
        let upto = match at == last || stop >= end {
            true => one.bytes,
            false => share((stop - begin).max(0)),
        };
        if stop > begin {
            *interval += upto.saturating_sub(told);
            told = told.max(upto);
        }
        start = stop;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(started: i64, ended: i64, bytes: u64) -> Stretch {
        Stretch {
            started,
            ended,
            bytes,
        }
    }

    #[test]
    fn bytes_are_in_the_intervals_in_which_they_moved() {
        let told = of(&[run(1000, 1020, 200), run(1010, 1011, 7)], 1035);
        assert_eq!((told.from, told.step), (1000, SHORTEST));
        assert_eq!(told.bytes, [100, 107, 0, 0]);
    }

    #[test]
    fn nothing_is_told_of_nothing_nor_of_what_is_long_ago() {
        assert_eq!(of(&[], 5000), Throughput::default());
        let old = run(0, 100, 5);
        assert_eq!(of(&[old, run(10, 20, 0)], LOOK_BACK + 50), Throughput::default());
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_counted_twice(
            runs in proptest::collection::vec((0i64..400_000, -5i64..90_000, 0u64..1 << 40), 0..20),
        ) {
            let now = 400_000;
            let runs: Vec<Stretch> =
                runs.into_iter().map(|(start, length, bytes)| run(start, start + length, bytes)).collect();
            let told = of(&runs, now);
            prop_assert!(told.bytes.len() <= INTERVALS);
            prop_assert_eq!(told.bytes.iter().sum::<u64>(), runs.iter().map(|one| one.bytes).sum::<u64>());
        }
    }
}
