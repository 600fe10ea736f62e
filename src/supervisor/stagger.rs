// SPDX-License-Identifier: GPL-3.0-or-later
//! Cron starts all schedules of one interval in the same minute, since the lines of its files are as others know them: here
//! they are told to begin one after the other.

/// Between two of them, in seconds: fifteen a minute.
const GAP: i64 = 4;
/// Who comes after so many seconds without another one is the first again.
const QUIET: i64 = 30;

/// Starts that come together.
#[derive(Debug, Default)]
pub struct Stagger {
    last: Option<i64>,
    before: i64,
}

impl Stagger {
    /// When a start may begin that comes now and may wait for so many seconds; `None` for now. The first of those that
    /// come together does not wait.
    pub fn next(&mut self, now: i64, spread: i64) -> Option<i64> {
        // The clock may have been set back.
        if self.last.is_none_or(|last| (now - last).abs() >= QUIET) {
            self.before = 0;
        }
        self.last = Some(now);
        let delay = self.before * GAP % spread.max(1);
        self.before += 1;
        (delay > 0).then_some(now + delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_one_minute_begin_one_after_the_other_in_the_time_they_have() {
        let mut stagger = Stagger::default();
        let delays = |stagger: &mut Stagger, now, spread, count: i64| -> Vec<i64> {
            let each = (0..count).map(|_| stagger.next(now, spread).map_or(0, |moment| moment - now));
            each.collect()
        };
        assert_eq!(delays(&mut stagger, 0, 900, 4), [0, 4, 8, 12]);
        // One that comes alone does not wait, nor one that may not.
        assert_eq!(delays(&mut stagger, 60, 900, 1), [0]);
        assert_eq!(delays(&mut stagger, 61, 0, 2), [0, 0]);
        let many = delays(&mut stagger, 300, 900, 188);
        let in_a_minute = |minute| many.iter().filter(|delay| **delay / 60 == minute).count();
        assert!((0..12).all(|minute| in_a_minute(minute) == 15), "{many:?}");
        assert!(
            delays(&mut stagger, 600, 60, 188)
                .into_iter()
                .all(|delay| delay < 60)
        );
    }
}
