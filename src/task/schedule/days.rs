// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

const DAYS_A_WEEK: u8 = 7;
/// As they are written, from Monday on.
const NAMES: [&str; DAYS_A_WEEK as usize] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// The first of January 1970 was a Thursday.
const WEEKDAY_OF_DAY_0: i64 = 3;

/// Days of the week, of which there is one at least: bit 0 is Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Days(u8);

impl Days {
    pub(super) const ALL: Self = Self((1 << DAYS_A_WEEK) - 1);

    /// Reads names of days between commas: `mon,fri`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bits = text.split(',').try_fold(0, |bits, name| {
            let at = NAMES.iter().position(|known| *known == name)?;
            Some(bits | 1 << at)
        })?;
        Some(Self(bits))
    }

    /// Whether a day that is so many days after the first of January 1970 is one of them.
    pub(super) fn contains(self, day: i64) -> bool {
        let weekday = (day + WEEKDAY_OF_DAY_0).rem_euclid(i64::from(DAYS_A_WEEK));
        self.0 >> weekday & 1 == 1
    }

    /// The days after these.
    pub(super) fn next(self) -> Self {
        let last = self.0 >> (DAYS_A_WEEK - 1);
        Self((self.0 << 1 | last) & Self::ALL.0)
    }

    fn weekdays(self) -> impl Iterator<Item = u8> {
        (0..DAYS_A_WEEK).filter(move |at| self.0 >> at & 1 == 1)
    }

    /// The fifth time field of a crontab line, in which 1 is Monday and 7 is Sunday.
    pub(super) fn cron_field(self) -> String {
        match self {
            Self::ALL => "*".to_owned(),
            some => join(some.weekdays().map(|at| (at + 1).to_string())),
        }
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self
            .weekdays()
            .filter_map(|at| NAMES.get(usize::from(at)))
            .map(|name| (*name).to_owned());
        f.write_str(&join(names))
    }
}

/// A list as in crontab lines.
pub(super) fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}
