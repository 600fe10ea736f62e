// SPDX-License-Identifier: GPL-3.0-or-later
//! INTERNALDATE (`date-time` of RFC 3501) as it was received and as a moment.

use std::fmt;

use jiff::tz::Offset;
use jiff::{Timestamp, civil};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// A date of arrival; the text goes to the other side unchanged, so the time zone survives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalDate {
    text: String,
    unix: i64,
}

impl InternalDate {
    /// Reads `" 7-Feb-1994 21:52:25 -0800"`; `None` when a server sent something else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() {
            return None;
        }
        let mut date = date.split('-');
        let day: i8 = date.next()?.parse().ok()?;
        let name = date.next()?;
        let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(name))?;
        // Of two digits it would be one of the first century, and older than any age.
        let year: i16 = date.next().filter(|year| year.len() == 4)?.parse().ok()?;
        let mut clock = time.split(':').map(|part| part.parse::<i8>().ok());
        // A leap second is a moment that clocks here do not know.
        let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??.min(59));
        let (sign, digits) = match zone.split_at_checked(1)? {
            ("+", digits) => (1, digits),
            ("-", digits) => (-1, digits),
            _ => return None,
        };
        let digits: i32 = Some(digits).filter(|d| d.len() == 4)?.parse().ok()?;
        let offset = Offset::from_seconds(sign * (digits / 100 * 3600 + digits % 100 * 60)).ok()?;
        let moment =
            civil::DateTime::new(year, i8::try_from(month).ok()? + 1, day, hour, minute, second, 0).ok()?;
        // A year of four digits is never too early for a clock; its last hours are too late in 9999, and as young as
        // can be.
        let unix = offset.to_timestamp(moment).unwrap_or(Timestamp::MAX).as_second();
        let text = format!(
            "{day:2}-{}-{year:04} {hour:02}:{minute:02}:{second:02} {zone}",
            MONTHS[month]
        );
        Some(Self { text, unix })
    }

    /// The date of a moment in its time zone.
    pub fn from_zoned(moment: &jiff::Zoned) -> Option<Self> {
        let zone = moment.offset().seconds();
        let (sign, minutes) = (if zone < 0 { '-' } else { '+' }, zone.abs() / 60);
        let month = usize::try_from(moment.month()).ok()?.checked_sub(1)?;
        Self::parse(&format!(
            "{:2}-{}-{:04} {:02}:{:02}:{:02} {sign}{:02}{:02}",
            moment.day(),
            MONTHS.get(month)?,
            moment.year(),
            moment.hour(),
            moment.minute(),
            moment.second(),
            minutes / 60,
            minutes % 60
        ))
    }

    /// Whether it is later than today, wherever on earth that is.
    pub fn is_ahead(&self) -> bool {
        self.unix > Timestamp::now().as_second().saturating_add(DAY)
    }

    /// Seconds since 1970.
    pub fn unix(&self) -> i64 {
        self.unix
    }
}

impl fmt::Display for InternalDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_text_and_knows_the_moment() {
        let date = InternalDate::parse(" 7-Feb-1994 21:52:25 -0800").unwrap();
        assert_eq!(date.to_string(), " 7-Feb-1994 21:52:25 -0800");
        assert_eq!(date.unix(), 760_686_745);
        assert!(!date.is_ahead());
        assert_eq!(InternalDate::parse("07-feb-1994 21:52:25 -0800"), Some(date));
        for bad in [
            "",
            "7-Feb-1994",
            "31-Feb-1994 00:00:00 +0000",
            "1-Foo-2000 00:00:00 +0000",
            "1-Jan-2000 00:00:00 GMT",
            "1-Jan-26 00:00:00 +0000",
        ] {
            assert_eq!(InternalDate::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_too_late_for_a_clock_is_young() {
        let date = InternalDate::parse("31-Dec-9999 23:59:59 -1200").unwrap();
        assert_eq!(date.to_string(), "31-Dec-9999 23:59:59 -1200");
        assert_eq!(date.unix(), Timestamp::MAX.as_second());
        assert!(date.is_ahead());
        let first = InternalDate::parse(" 1-Jan-0000 00:00:00 +1200").unwrap();
        assert!(first.unix() < 0);
    }
}
