// SPDX-License-Identifier: GPL-3.0-or-later
//! The period of mail that a task copies, as search criteria.

use std::num::NonZeroU32;

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

use crate::task::Period;

/// Days beyond which there is no mail, and soon no calendar.
const LONGEST: u32 = 500_000;

/// What to search for, behind other criteria; empty without a limit. Servers compare days of arrival (RFC 3501, 6.4.4).
pub fn criteria(period: Period) -> String {
    at(period, Timestamp::now())
}

fn at(period: Period, now: Timestamp) -> String {
    let today = now.to_zoned(TimeZone::UTC).date();
    let before = |days: NonZeroU32| {
        let date = today.saturating_sub(i64::from(days.get().min(LONGEST)).days());
        date.strftime("%-d-%b-%Y").to_string()
    };
    let since = period
        .newer_than_days
        .map(|days| format!("SINCE {}", before(days)));
    let until = period
        .older_than_days
        .map(|days| format!("BEFORE {}", before(days)));
    let words: Vec<String> = since.into_iter().chain(until).collect();
    words.join(" ")
}

/// What changes with the period, and with the day where mail comes into the period by growing old.
pub fn fingerprint(period: Period) -> String {
    if period.older_than_days.is_some() {
        criteria(period)
    } else {
        period
            .newer_than_days
            .map(|days| days.to_string())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        for (newer, older, words) in [
            (0, 0, ""),
            (1, 0, "SINCE 28-Feb-2026"),
            (0, 24, "BEFORE 5-Feb-2026"),
            (365, 30, "SINCE 1-Mar-2025 BEFORE 30-Jan-2026"),
        ] {
            assert_eq!(at(Period::from_days(newer, older).unwrap(), now), words);
        }
        let ages = Period::from_days(u32::MAX, 0).unwrap();
        assert!(at(ages, now).starts_with("SINCE "));
    }
}
