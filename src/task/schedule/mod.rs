// SPDX-License-Identifier: GPL-3.0-or-later
//! When cron starts a task.

mod days;
mod window;

use std::fmt;

use self::days::{Days, join};
use self::window::{Window, hour, number};
use super::text::{Invalid, invalid};

const HOURS_A_DAY: u8 = 24;
const MINUTES_AN_HOUR: u8 = 60;
/// The minute at which schedules of hours start.
const MINUTE_OF_HOURS: u8 = 1;
/// A schedule starts something in every week; a night may have begun on the day before.
const HOURS_TO_LOOK_AT: i64 = 8 * 24;
/// Starts that cron wants in the same minute wait no longer for each other, in minutes.
const LONGEST_SPREAD: u8 = 15;

/// When cron starts a task: every 1 to 59 minutes, every 1 to 24 hours, or at a time of day; if wanted only in some
/// hours of the day, and on some days of the week. `60m` is `1h`. All times are of the clock that cron goes by, which is
/// UTC in the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Schedule {
    rhythm: Rhythm,
    window: Option<Window>,
    /// Those on which the window begins, or else those of the start.
    days: Days,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Rhythm {
    Minutes(u8),
    Hours(u8),
    Daily { hour: u8, minute: u8 },
}

impl Schedule {
    /// Reads the field `cron`: `5m`, `2h` or `22:30`; the first two may have hours, as `5m@22-6`, and all may have days,
    /// as `22:30@mon,fri`. `""` is no schedule.
    ///
    /// # Errors
    /// For any other text.
    pub fn parse(text: &str) -> Result<Option<Self>, Invalid> {
        if text.is_empty() {
            return Ok(None);
        }
        match Self::read(text) {
            Some(schedule) => Ok(Some(schedule)),
            None => invalid(
                "it is empty, 1m to 60m, 1h to 24h or a time such as 22:30; with hours such as 5m@22-6 or days such as \
                 22:30@mon,fri if wanted",
            ),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('@');
        let rhythm = Rhythm::parse(parts.next()?)?;
        let mut next = parts.next();
        let window = next.and_then(Window::parse);
        if window.is_some() {
            next = parts.next();
        }
        let days = next.map_or(Some(Days::ALL), Days::parse)?;
        let fits = window.is_none() || !matches!(rhythm, Rhythm::Daily { .. });
        (fits && parts.next().is_none()).then_some(Self { rhythm, window, days })
    }

    /// The five time fields of each crontab line, spaced as existing installations have them. A night that begins on
    /// some days only takes two lines, one for each side of midnight.
    pub fn cron_fields(self) -> Vec<String> {
        let is_next_day = |hour: &u8| self.window.is_some_and(|window| window.is_next_day(*hour));
        let hours = || (0..HOURS_A_DAY).filter(|hour| self.starts_in(*hour));
        if self.window.is_none() || self.days == Days::ALL {
            return vec![self.line(self.hours_field(hours()), self.days)];
        }
        let evening: Vec<u8> = hours().filter(|hour| !is_next_day(hour)).collect();
        let morning: Vec<u8> = hours().filter(is_next_day).collect();
        [(evening, self.days), (morning, self.days.next())]
            .into_iter()
            .filter(|(hours, _)| !hours.is_empty())
            .map(|(hours, days)| self.line(self.hours_field(hours.into_iter()), days))
            .collect()
    }

    fn hours_field(self, hours: impl Iterator<Item = u8>) -> String {
        match (self.rhythm, self.window) {
            (Rhythm::Minutes(_), None) => "*".to_owned(),
            (Rhythm::Hours(amount), None) => format!("*/{amount}"),
            _ => join(hours.map(|hour| hour.to_string())),
        }
    }

    fn line(self, hours: String, days: Days) -> String {
        let days = days.cron_field();
        match self.rhythm {
            Rhythm::Minutes(amount) => format!("*/{amount} {hours} * * {days}"),
            Rhythm::Hours(_) => format!("{MINUTE_OF_HOURS} {hours} * * {days} "),
            Rhythm::Daily { minute, .. } => format!("{minute} {hours} * * {days}"),
        }
    }

    /// For how many seconds a start may wait for others: neither until the next one, nor beyond the hours.
    pub fn spread(self) -> i64 {
        let minutes = match self.rhythm {
            Rhythm::Minutes(amount) => {
                let last = (MINUTES_AN_HOUR - 1) / amount * amount;
                (MINUTES_AN_HOUR - last).min(amount)
            }
            Rhythm::Hours(_) | Rhythm::Daily { .. } => LONGEST_SPREAD,
        };
        i64::from(minutes.min(LONGEST_SPREAD)) * 60
    }

    /// Whether something starts in that hour of a day, if it is one of the days.
    fn starts_in(self, hour: u8) -> bool {
        let position = match self.window {
            Some(window) => window.position(hour),
            None => Some(hour),
        };
        position.is_some_and(|position| match self.rhythm {
            Rhythm::Minutes(_) => true,
            // A window has a start at its begin, whatever the hour is.
            Rhythm::Hours(amount) => position % amount == 0,
            Rhythm::Daily { hour: wanted, .. } => hour == wanted,
        })
    }

    /// When cron starts next: the first minute after `now` that a line matches, both in seconds since 1970 in the time
    /// zone cron runs in. `None` for no schedule that there is.
    ///
    /// Cron's `*/n` counts from the start of the hour or day, so the last gap of each is shorter.
    pub fn next_start(self, now: i64) -> Option<i64> {
        let minute = now.div_euclid(60) + 1;
        let an_hour = i64::from(MINUTES_AN_HOUR);
        let first = minute.div_euclid(an_hour);
        (first..=first + HOURS_TO_LOOK_AT)
            .filter(|hour| self.has_hour(*hour))
            .find_map(|hour| {
                let least = (minute - hour * an_hour).max(0);
                let within = self.rhythm.minute_from(least)?;
                Some((hour * an_hour + within) * 60)
            })
    }

    /// Whether something starts in the hour that is so many hours after the beginning of 1970.
    fn has_hour(self, since_1970: i64) -> bool {
        let a_day = i64::from(HOURS_A_DAY);
        let day = since_1970.div_euclid(a_day);
        u8::try_from(since_1970.rem_euclid(a_day)).is_ok_and(|hour| {
            let began_before = self.window.is_some_and(|window| window.is_next_day(hour));
            self.starts_in(hour) && self.days.contains(day - i64::from(began_before))
        })
    }
}

impl Rhythm {
    fn parse(text: &str) -> Option<Self> {
        if let Some((hours, minutes)) = text.split_once(':') {
            let minute = number(minutes).filter(|minute| minutes.len() == 2 && *minute < MINUTES_AN_HOUR)?;
            return Some(Self::Daily {
                hour: hour(hours)?,
                minute,
            });
        }
        let digits = text.strip_suffix(['m', 'h'])?;
        let amount = number(digits).filter(|_| !digits.starts_with('0'))?;
        match (amount, text.ends_with('m')) {
            (MINUTES_AN_HOUR, true) => Some(Self::Hours(1)),
            (1..=59, true) => Some(Self::Minutes(amount)),
            (1..=HOURS_A_DAY, false) => Some(Self::Hours(amount)),
            _ => None,
        }
    }

    /// The first minute of an hour, from a minute on, at which something starts.
    fn minute_from(self, least: i64) -> Option<i64> {
        let minute = match self {
            Self::Minutes(amount) => {
                let amount = i64::from(amount);
                let minute = -(-least).div_euclid(amount) * amount;
                return (minute < i64::from(MINUTES_AN_HOUR)).then_some(minute);
            }
            Self::Hours(_) => MINUTE_OF_HOURS,
            Self::Daily { minute, .. } => minute,
        };
        Some(i64::from(minute)).filter(|minute| *minute >= least)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rhythm {
            Rhythm::Minutes(amount) => write!(f, "{amount}m")?,
            Rhythm::Hours(amount) => write!(f, "{amount}h")?,
            Rhythm::Daily { hour, minute } => write!(f, "{hour:02}:{minute:02}")?,
        }
        if let Some(window) = self.window {
            write!(f, "@{window}")?;
        }
        match self.days {
            Days::ALL => Ok(()),
            days => write!(f, "@{days}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(text: &str) -> Schedule {
        Schedule::parse(text).unwrap().unwrap()
    }

    #[test]
    fn the_grammar_is_minutes_to_an_hour_and_hours_to_a_day() {
        for (text, stored, fields) in [
            ("5m", "5m", "*/5 * * * *"),
            ("59m", "59m", "*/59 * * * *"),
            ("60m", "1h", "1 */1 * * * "),
            ("2h", "2h", "1 */2 * * * "),
            ("24h", "24h", "1 */24 * * * "),
        ] {
            let schedule = schedule(text);
            assert_eq!(
                (schedule.to_string().as_str(), schedule.cron_fields()),
                (stored, vec![fields.to_owned()])
            );
        }
        assert_eq!(Schedule::parse(""), Ok(None));
        for text in [
            "0m",
            "05m",
            "61m",
            "25h",
            "5",
            "m",
            "5d",
            "-5m",
            "5 m",
            "5m\n",
            "+5m",
            "300m",
            "٥m",
            "24:00",
            "7:5",
            "07:60",
            "22:30m",
            "22:30@22-6",
            "5m@",
            "5m@22",
            "5m@22-22",
            "5m@24-6",
            "5m@mon@22-6",
            "5m@monday",
            "5m@mon,",
            "5m@MON",
            "5m@22-6@",
            "5m@22-6@mon@tue",
            "@mon",
            "5m@+2-6",
            ":30",
            "22:",
        ] {
            assert!(Schedule::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn a_time_hours_and_days_are_what_cron_can_say() {
        for (text, stored, fields) in [
            ("22:30", "22:30", &["30 22 * * *"][..]),
            ("7:05@fri,mon", "07:05@mon,fri", &["5 7 * * 1,5"]),
            ("5m@sun", "5m@sun", &["*/5 * * * 7"]),
            ("2h@mon", "2h@mon", &["1 */2 * * 1 "]),
            ("15m@22-2", "15m@22-2", &["*/15 0,1,22,23 * * *"]),
            ("5h@22-06", "5h@22-6", &["1 3,22 * * * "]),
            ("24h@3-4", "24h@3-4", &["1 3 * * * "]),
            ("5m@9-11@sat", "5m@9-11@sat", &["*/5 9,10 * * 6"]),
            (
                "15m@23-1@fri,sun",
                "15m@23-1@fri,sun",
                &["*/15 23 * * 5,7", "*/15 0 * * 1,6"],
            ),
            ("1h@22-0@mon", "1h@22-0@mon", &["1 22,23 * * 1 "]),
            ("5m@mon,tue,wed,thu,fri,sat,sun", "5m", &["*/5 * * * *"]),
        ] {
            let schedule = schedule(text);
            assert_eq!(
                (schedule.to_string().as_str(), schedule.cron_fields()),
                (stored, fields.iter().map(|line| (*line).to_owned()).collect()),
                "{text}"
            );
        }
    }

    #[test]
    fn the_next_start_is_the_first_matching_minute() {
        let next = |text: &str, now| schedule(text).next_start(now).unwrap();
        let (minute, hour, day) = (60, 3600, 86400);
        assert_eq!(next("5m", 0), 5 * minute);
        assert_eq!(next("5m", 5 * minute), 10 * minute);
        assert_eq!(next("7m", 57 * minute), hour);
        assert_eq!(next("1h", 0), minute);
        assert_eq!(next("1h", minute), hour + minute);
        assert_eq!(next("2h", 90 * minute), 2 * hour + minute);
        assert_eq!(next("5h", 21 * hour), day + minute);
        assert_eq!(next("24h", 2 * minute), day + minute);
        assert_eq!(next("22:30", 0), 22 * hour + 30 * minute);
        assert_eq!(
            next("22:30", 22 * hour + 30 * minute),
            day + 22 * hour + 30 * minute
        );
        // The first day was a Thursday.
        assert_eq!(next("00:00@wed", 0), 6 * day);
        assert_eq!(next("00:00@thu", 0), 7 * day);
        assert_eq!(next("30m@22-2@thu", 0), 22 * hour);
        assert_eq!(next("30m@22-2@thu", day + hour), day + hour + 30 * minute);
        assert_eq!(next("30m@22-2@thu", day + 2 * hour), 7 * day + 22 * hour);
    }

    #[test]
    fn a_start_waits_for_others_neither_until_the_next_nor_into_the_next_hour() {
        let minutes = |text: &str| schedule(text).spread() / 60;
        assert_eq!(["1m", "5m", "59m", "7m", "45m"].map(minutes), [1, 5, 1, 4, 15]);
        assert_eq!(["1h", "24h", "22:30"].map(minutes), [15; 3]);
    }
}
