// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

use super::text::{Invalid, invalid};

/// How often cron starts a task: every 1 to 59 minutes, or every 1 to 24 hours. `60m` is `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Schedule {
    amount: u8,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    Minutes,
    Hours,
}

impl Schedule {
    /// Reads the field `cron`: `^[1-9][0-9]*[mh]$`, up to 60 minutes or 24 hours; `""` is no schedule.
    ///
    /// # Errors
    /// For any other text.
    pub fn parse(text: &str) -> Result<Option<Self>, Invalid> {
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = || Invalid("it is empty, or 1m to 60m, or 1h to 24h".into());
        let (digits, unit) = match text.strip_suffix('m') {
            Some(digits) => (digits, Unit::Minutes),
            None => (text.strip_suffix('h').ok_or_else(wrong)?, Unit::Hours),
        };
        if digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return invalid(wrong().0);
        }
        match (digits.parse::<u8>().map_err(|_| wrong())?, unit) {
            (60, Unit::Minutes) => Ok(Some(Self {
                amount: 1,
                unit: Unit::Hours,
            })),
            (amount @ 1..=59, Unit::Minutes) | (amount @ 1..=24, Unit::Hours) => {
                Ok(Some(Self { amount, unit }))
            }
            _ => Err(wrong()),
        }
    }

    /// The five time fields of a crontab line, spaced as existing installations have them.
    pub fn cron_fields(self) -> String {
        match self.unit {
            Unit::Minutes => format!("*/{} * * * *", self.amount),
            Unit::Hours => format!("1 */{} * * * ", self.amount),
        }
    }

    /// When cron starts next: the first minute after `now` that the fields match, both in seconds since
    /// 1970 in the time zone cron runs in (UTC in the container).
    ///
    /// Cron's `*/n` counts from the start of the hour or day, so the last gap of each is shorter.
    pub fn next_start(self, now: i64) -> i64 {
        let step = i64::from(self.amount);
        let minute = now.div_euclid(60) + 1;
        match self.unit {
            Unit::Minutes => {
                let (hour, within) = (minute.div_euclid(60), minute.rem_euclid(60));
                let next = round_up(within, step);
                (if next < 60 {
                    hour * 60 + next
                } else {
                    (hour + 1) * 60
                }) * 60
            }
            Unit::Hours => {
                // The first full hour whose minute 1 is not before `minute`.
                let hour = round_up(minute - 1, 60) / 60;
                let (day, within) = (hour.div_euclid(24), hour.rem_euclid(24));
                let next = round_up(within, step);
                ((if next < 24 {
                    day * 24 + next
                } else {
                    (day + 1) * 24
                }) * 60
                    + 1)
                    * 60
            }
        }
    }
}

/// The smallest multiple of `step` that is not below `value`.
fn round_up(value: i64, step: i64) -> i64 {
    -(-value).div_euclid(step) * step
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Minutes => write!(f, "{}m", self.amount),
            Unit::Hours => write!(f, "{}h", self.amount),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_minutes_to_an_hour_and_hours_to_a_day() {
        for (text, stored, fields) in [
            ("5m", "5m", "*/5 * * * *"),
            ("59m", "59m", "*/59 * * * *"),
            ("60m", "1h", "1 */1 * * * "),
            ("2h", "2h", "1 */2 * * * "),
            ("24h", "24h", "1 */24 * * * "),
        ] {
            let schedule = Schedule::parse(text).unwrap().unwrap();
            assert_eq!(
                (schedule.to_string().as_str(), schedule.cron_fields().as_str()),
                (stored, fields)
            );
        }
        assert_eq!(Schedule::parse(""), Ok(None));
        for text in [
            "0m", "05m", "61m", "25h", "5", "m", "5d", "-5m", "5 m", "5m\n", "+5m", "300m", "٥m",
        ] {
            assert!(Schedule::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn the_next_start_is_the_first_matching_minute() {
        let next = |text: &str, now| Schedule::parse(text).unwrap().unwrap().next_start(now);
        let (minute, hour, day) = (60, 3600, 86400);
        assert_eq!(next("5m", 0), 5 * minute);
        assert_eq!(next("5m", 5 * minute), 10 * minute);
        assert_eq!(next("7m", 57 * minute), hour);
        assert_eq!(next("1h", 0), minute);
        assert_eq!(next("1h", minute), hour + minute);
        assert_eq!(next("2h", 90 * minute), 2 * hour + minute);
        assert_eq!(next("5h", 21 * hour), day + minute);
        assert_eq!(next("24h", 2 * minute), day + minute);
    }
}
