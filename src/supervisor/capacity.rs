// SPDX-License-Identifier: GPL-3.0-or-later
//! How many runs work at once: what the administrator has set; where nothing is set, as many as keep the processors busy.
//!
//! A run over a slow line waits most of its time, one from the next room never does, and the local mail server is often on
//! the same node. So it is measured: while tasks wait and the processors are idle, one more run is let in every second;
//! while they are busy, one fewer, down to what the node carries in any case.

use std::fs;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::sync::run::queue;

/// How often is measured.
pub const PACE: Duration = Duration::from_secs(1);

/// One more run works when at least so much of the processors' time is idle, in percent.
const ROOM: u64 = 25;
/// One fewer when it is less than this.
const NO_ROOM: u64 = 5;

/// How many runs work at once.
#[derive(Debug)]
pub struct Capacity {
    now: NonZeroUsize,
    least: NonZeroUsize,
    most: NonZeroUsize,
    last: Option<Processors>,
    /// How much of the processors' time was idle between the last two looks, in percent.
    idle: Option<u64>,
}

impl Capacity {
    /// What the settings `MAX_CONCURRENT_SYNCS` and `SYNC_ENGINE` mean. imapsync takes so much memory and processor time
    /// that nothing is gained by more of it.
    pub fn of_instance(at_once: Option<&str>, engine: Option<&str>) -> Self {
        let least = queue::runs_at_once(at_once);
        let is_set = at_once.is_some_and(|text| text.trim().parse() == Ok(least));
        match is_set || engine == Some("imapsync") {
            true => Self::fixed(least),
            false => Self::between(least, queue::most_at_once()),
        }
    }

    /// So many, whatever is measured.
    pub fn fixed(at_once: NonZeroUsize) -> Self {
        Self::between(at_once, at_once)
    }

    /// So many at least, and at most.
    pub fn between(least: NonZeroUsize, most: NonZeroUsize) -> Self {
        Self {
            now: least,
            least,
            most: most.max(least),
            last: None,
            idle: None,
        }
    }

    /// How many runs may work now.
    pub fn now(&self) -> NonZeroUsize {
        self.now
    }

    /// Measures from here on: what was before says nothing about the runs of now.
    pub fn begin(&mut self) {
        self.last = Processors::read();
        self.idle = None;
    }

    /// Whether the processors had time left between the last two looks.
    pub fn has_room(&self) -> bool {
        self.idle.is_some_and(|idle| idle >= ROOM)
    }

    /// Looks what the processors did since the last look. `full` says that all runs that may work do, and others wait.
    pub fn look(&mut self, full: bool) {
        let seen = Processors::read();
        let both = seen.as_ref().zip(self.last.as_ref());
        self.idle = both.and_then(|(seen, last)| seen.idle_since(last));
        if let Some(idle) = self.idle {
            self.adapt(idle, full);
        }
        self.last = seen;
    }

    fn adapt(&mut self, idle: u64, full: bool) {
        if full && idle >= ROOM {
            self.now = self.now.saturating_add(1).min(self.most);
        } else if idle < NO_ROOM {
            let fewer = NonZeroUsize::new(self.now.get() - 1).unwrap_or(NonZeroUsize::MIN);
            self.now = fewer.max(self.least);
        }
    }
}

/// What the processors of the node have done since its start, in clock ticks.
#[derive(Debug, PartialEq, Eq)]
struct Processors {
    idle: u64,
    all: u64,
}

impl Processors {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// The first line is the sum of all processors: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)). Waiting
    /// for the disk is no room: more runs would wait for it too.
    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().next()?.strip_prefix("cpu ")?;
        let times: Vec<u64> = line
            .split_whitespace()
            .take(8)
            .map_while(|time| time.parse().ok())
            .collect();
        Some(Self {
            idle: *times.get(3)?,
            all: times.iter().sum(),
        })
    }

    /// How much of the time between two looks was idle, in percent.
    fn idle_since(&self, earlier: &Self) -> Option<u64> {
        let all = self.all.checked_sub(earlier.all)?;
        (self.idle.saturating_sub(earlier.idle) * 100).checked_div(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(least: usize, most: usize) -> Capacity {
        Capacity::between(
            NonZeroUsize::new(least).unwrap(),
            NonZeroUsize::new(most).unwrap(),
        )
    }

    #[test]
    fn idle_processors_let_more_work_and_busy_ones_fewer() {
        let mut capacity = between(2, 4);
        let mut after = |idle, full| {
            capacity.adapt(idle, full);
            capacity.now().get()
        };
        assert_eq!(
            [after(90, true), after(25, true), after(90, true)],
            [3, 4, 4],
            "up to the most"
        );
        assert_eq!(
            [after(90, false), after(10, true)],
            [4, 4],
            "no one waits, or there is little room"
        );
        assert_eq!(
            [after(4, true), after(0, true), after(0, true)],
            [3, 2, 2],
            "down to the least"
        );
    }

    #[test]
    fn what_is_set_stays() {
        let mut capacity = Capacity::fixed(NonZeroUsize::new(3).unwrap());
        capacity.adapt(100, true);
        capacity.adapt(0, true);
        assert_eq!(capacity.now().get(), 3);
        assert!(
            between(2, 1).now().get() == 2,
            "the most is never less than the least"
        );
    }

    #[test]
    fn the_processors_are_read_as_the_kernel_tells_them() {
        let parse = |text: &str| Processors::parse(text);
        let first = parse("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3 4\n").unwrap();
        assert_eq!(first, Processors { idle: 700, all: 1000 });
        let second = parse("cpu  150 0 150 750 150 0 0 0\n").unwrap();
        assert_eq!(second.idle_since(&first), Some(25));
        assert_eq!(
            (first.idle_since(&second), first.idle_since(&first)),
            (None, None)
        );
        assert!(parse("cpu0 1 2 3 4\n").is_none() && parse("cpu  1 2\n").is_none() && parse("").is_none());
        assert!(Processors::read().is_some());
    }
}
