// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

use super::HOURS_A_DAY;

/// Hours of the day in which a schedule starts something: `22-6` are the eight from 22:00 to 05:59.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Window {
    from: u8,
    /// The first hour after it.
    to: u8,
}

impl Window {
    /// Reads `from-to`, both from 0 to 23 and different.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let window = Self {
            from: hour(from)?,
            to: hour(to)?,
        };
        (window.from != window.to).then_some(window)
    }

    /// How many hours after its begin an hour of the day is; `None` for one that is not in it.
    pub(super) fn position(self, hour: u8) -> Option<u8> {
        let after = |hour: u8| (hour + HOURS_A_DAY - self.from) % HOURS_A_DAY;
        Some(after(hour)).filter(|position| *position < after(self.to))
    }

    /// Whether an hour of it belongs to the day after the one on which the window began.
    pub(super) fn is_next_day(self, hour: u8) -> bool {
        hour < self.from
    }
}

/// An hour of the day, of one or two digits.
pub(super) fn hour(text: &str) -> Option<u8> {
    let hour = number(text)?;
    (hour < HOURS_A_DAY).then_some(hour)
}

/// A number of one or two digits.
pub(super) fn number(text: &str) -> Option<u8> {
    let plain = matches!(text.len(), 1..=2) && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from, self.to)
    }
}
