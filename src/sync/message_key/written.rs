// SPDX-License-Identifier: GPL-3.0-or-later
//! When a message was written, as its header tells: RFC 5322 first, then what programs wrote instead of it. A
//! message without a readable date would count as one of today.

use std::borrow::Cow;

use jiff::civil;
use jiff::tz::{Offset, TimeZone};

use crate::imap::InternalDate;

/// Octets of a field that are looked at, and words of it: no date is longer.
const LONGEST: usize = 512;
const MOST_WORDS: usize = 16;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Zones by name, in hours: those of RFC 5322, 4.3, and those of Europe, which programs wrote all the same.
const ZONES: [(&str, i32); 17] = [
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("BST", 1),
    ("WEST", 1),
    ("CET", 1),
    ("MET", 1),
    ("CEST", 2),
    ("MEST", 2),
    ("EET", 2),
    ("EEST", 3),
    ("MSK", 3),
];

/// The moment that a field's value tells, if any.
pub(super) fn moment(value: &[u8]) -> Option<InternalDate> {
    let value = value.trim_ascii_start();
    let text = without_comments(value.get(..LONGEST).unwrap_or(value));
    strict(&text).or_else(|| lenient(&text))
}

/// The moment that a Received field ends with (RFC 5322, 3.6.7).
pub(super) fn moment_received(value: &[u8]) -> Option<InternalDate> {
    let at = memchr::memrchr(b';', value)?;
    moment(value.get(at + 1..)?)
}

/// The text without its comments, each of which parts words.
fn without_comments(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut out = String::with_capacity(text.len());
    let (mut depth, mut is_escaped) = (0_usize, false);
    for c in text.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if depth > 0 => is_escaped = true,
            '(' => {
                depth += 1;
                out.push(' ');
            }
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn strict(text: &str) -> Option<InternalDate> {
    let moment = jiff::fmt::rfc2822::DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_zoned(text)
        .ok()?;
    InternalDate::from_zoned(&moment)
}

/// Reads a date word by word, in whatever order they come. What contradicts itself is none.
fn lenient(text: &str) -> Option<InternalDate> {
    let mut parts = Parts::default();
    for word in words(text).take(MOST_WORDS) {
        parts.take(&word)?;
    }
    parts.moment()
}

/// The words of a date; the `T` of ISO 8601 and commas part them as blanks do.
fn words(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.split_whitespace()
        .flat_map(|word| match word.split_once(['T', 't']) {
            Some((date, clock)) if date.starts_with(is_digit) && clock.starts_with(is_digit) => [date, clock],
            _ => [word, ""],
        })
        .flat_map(|word| {
            // The comma of a clock is that of a fraction of its seconds.
            let is_clock = word.contains(':');
            word.split(move |c: char| c == ',' && !is_clock)
        })
        .filter_map(|word| {
            let word = word.trim_matches(['"', ',', '.']);
            let word = match word.contains(',') {
                true => Cow::Owned(word.replace(',', ".")),
                false => Cow::Borrowed(word),
            };
            (!word.is_empty()).then_some(word)
        })
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// What the words of a date told so far.
#[derive(Default)]
struct Parts {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    clock: Option<(i8, i8, i8)>,
    /// Half of the day that an hour of twelve belongs to.
    afternoon: Option<bool>,
    /// Seconds east of Greenwich, by number.
    offset: Option<i32>,
    /// The same by name, which counts for less.
    named: Option<i32>,
}

impl Parts {
    /// Takes in a word; `None` when it is no part of a date, or one that was there already.
    fn take(&mut self, word: &str) -> Option<()> {
        if word.starts_with(['+', '-']) {
            self.zone(word)
        } else if !word.starts_with(is_digit) {
            self.name(word)
        } else if word.contains(':') {
            self.clock(word)
        } else if word.contains(['-', '/']) {
            self.date(word)
        } else if word.contains('.') {
            self.dotted(word)
        } else {
            self.number(word)
        }
    }

    fn name(&mut self, word: &str) -> Option<()> {
        if let Some(month) = month(word) {
            return put(&mut self.month, month);
        }
        if place(&WEEKDAYS, word).is_some() {
            return Some(());
        }
        match word.to_ascii_uppercase().as_str() {
            "AM" => put(&mut self.afternoon, false),
            "PM" => put(&mut self.afternoon, true),
            _ => self.zone(word),
        }
    }

    /// `10:00`, `10:00:00`, `10:00:00.123`, each with a zone behind it or without.
    fn clock(&mut self, word: &str) -> Option<()> {
        let end = word.find(|c: char| !is_digit(c) && c != ':' && c != '.');
        let (clock, zone) = word.split_at_checked(end.unwrap_or(word.len()))?;
        let clock = clock.split_once('.').map_or(clock, |(whole, _)| whole);
        let mut numbers = clock.split(':').map(|number| number.parse::<i8>().ok());
        let (hour, minute) = (numbers.next()??, numbers.next()??);
        let second = numbers.next().unwrap_or(Some(0))?;
        if numbers.next().is_some() {
            return None;
        }
        // A leap second is a moment that clocks here do not know.
        put(&mut self.clock, (hour, minute, second.min(59)))?;
        match zone {
            "" => Some(()),
            _ => self.name(zone),
        }
    }

    /// `2020-03-02`, `02-Mar-2020`. Day and month are told apart by a year before them, or by a month with a name.
    fn date(&mut self, word: &str) -> Option<()> {
        let mut numbers = word.split(['-', '/']);
        let (first, middle, last) = (numbers.next()?, numbers.next()?, numbers.next()?);
        if numbers.next().is_some() {
            return None;
        }
        let (written_year, written_day) = match first.len() {
            4 => (first, last),
            _ => (last, first),
        };
        let month = match month(middle) {
            None if first.len() == 4 => middle.parse().ok()?,
            named => named?,
        };
        put(&mut self.year, year(written_year)?)?;
        put(&mut self.month, month)?;
        put(&mut self.day, written_day.parse().ok()?)
    }

    /// `2.3.2020`, or a clock as `10.00.00`.
    fn dotted(&mut self, word: &str) -> Option<()> {
        let mut numbers = word.split('.');
        let (first, middle, last) = (numbers.next()?, numbers.next()?, numbers.next()?);
        if numbers.next().is_some() {
            return None;
        }
        if last.len() < 4 {
            return self.clock(&word.replace('.', ":"));
        }
        put(&mut self.year, year(last)?)?;
        put(&mut self.month, middle.parse().ok()?)?;
        put(&mut self.day, first.parse().ok()?)
    }

    /// A day of the month, or a year.
    fn number(&mut self, word: &str) -> Option<()> {
        if word.len() <= 2 && self.day.is_none() {
            put(&mut self.day, word.parse().ok()?)
        } else {
            put(&mut self.year, year(word)?)
        }
    }

    /// A zone comes after the clock. An unknown one counts as that of Greenwich (RFC 5322, 4.3).
    fn zone(&mut self, word: &str) -> Option<()> {
        self.clock?;
        if let Some(offset) = word.find(['+', '-']).and_then(|at| offset(word.get(at..)?)) {
            self.offset.get_or_insert(offset);
            return Some(());
        }
        let zone = ZONES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        self.named
            .get_or_insert(zone.map_or(0, |(_, hours)| hours * 3600));
        Some(())
    }

    fn moment(self) -> Option<InternalDate> {
        let (hour, minute, second) = self.clock.unwrap_or_default();
        let hour = match self.afternoon {
            Some(is_afternoon) if (1..=12).contains(&hour) => hour % 12 + if is_afternoon { 12 } else { 0 },
            _ => hour,
        };
        let moment =
            civil::DateTime::new(self.year?, self.month?, self.day?, hour, minute, second, 0).ok()?;
        let offset = Offset::from_seconds(self.offset.or(self.named).unwrap_or(0)).ok()?;
        InternalDate::from_zoned(&moment.to_zoned(TimeZone::fixed(offset)).ok()?)
    }
}

/// Fills what is not known yet.
fn put<T>(place: &mut Option<T>, value: T) -> Option<()> {
    match place {
        Some(_) => None,
        None => {
            *place = Some(value);
            Some(())
        }
    }
}

/// The place of a name among names, in full or cut to three letters at least.
fn place(names: &[&str], word: &str) -> Option<usize> {
    let word = word.trim_end_matches('.').to_ascii_lowercase();
    let is_meant = |name: &&str| word.len() >= 3 && name.starts_with(&word);
    names.iter().position(is_meant)
}

fn month(word: &str) -> Option<i8> {
    i8::try_from(place(&MONTHS, word)? + 1).ok()
}

/// A year; one of two or three digits as RFC 5322, 4.3 reads it.
fn year(word: &str) -> Option<i16> {
    let number: i16 = Some(word)
        .filter(|word| word.chars().all(is_digit))?
        .parse()
        .ok()?;
    match word.len() {
        2 if number < 50 => Some(number + 2000),
        2 | 3 => Some(number + 1900),
        4 => Some(number),
        _ => None,
    }
}

/// Seconds of `+0100`, `+01:00`, `+01` or `+1`.
fn offset(word: &str) -> Option<i32> {
    let (sign, rest) = match word.split_at_checked(1)? {
        ("-", rest) => (-1, rest),
        (_, rest) => (1, rest),
    };
    let digits: String = rest.chars().filter(|&c| c != ':').collect();
    let number: i32 = Some(&digits)
        .filter(|digits| digits.chars().all(is_digit))?
        .parse()
        .ok()?;
    let (hours, minutes) = match digits.len() {
        1 | 2 => (number, 0),
        3 | 4 => (number / 100, number % 100),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<String> {
        moment(text.as_bytes()).map(|date| date.to_string())
    }

    #[test]
    fn reads_what_programs_write() {
        for (text, date) in [
            ("Mon, 2 Mar 2020 10:00:00 +0100", " 2-Mar-2020 10:00:00 +0100"),
            (
                "Mon, 2 Mar 2020 10:00:00 +0100 (CET)",
                " 2-Mar-2020 10:00:00 +0100",
            ),
            (
                "(a (b \\) c) d) 2 Mar 2020 10:00 GMT (x",
                " 2-Mar-2020 10:00:00 +0000",
            ),
            ("Mon, 2 Mar 2020 10:00:00", " 2-Mar-2020 10:00:00 +0000"),
            ("02-Mar-2020 10:00:00 GMT", " 2-Mar-2020 10:00:00 +0000"),
            (
                "Monday, 2 March 2020 10:00:00 GMT+0100",
                " 2-Mar-2020 10:00:00 +0100",
            ),
            ("Mon, 2 Mar 2020 10:00:00 +00:00", " 2-Mar-2020 10:00:00 +0000"),
            ("Mon Mar  2 10:00:00 2020", " 2-Mar-2020 10:00:00 +0000"),
            ("Mon Mar  2 10:00:00 CET 2020", " 2-Mar-2020 10:00:00 +0100"),
            ("March 2, 2020 10:00:00 PM", " 2-Mar-2020 22:00:00 +0000"),
            ("2 Mar 2020 12:05AM", " 2-Mar-2020 00:05:00 +0000"),
            ("2 Mar 2020 13:05 PM +0100", " 2-Mar-2020 13:05:00 +0100"),
            ("2020-03-02T10:00:00Z", " 2-Mar-2020 10:00:00 +0000"),
            ("2020-03-02T10:00:00.123-05:30", " 2-Mar-2020 10:00:00 -0530"),
            ("2020-03-02 10:00:00,5 +01", " 2-Mar-2020 10:00:00 +0100"),
            ("Mon, 2 Mar 2020 10:00:00.250 +0100", " 2-Mar-2020 10:00:00 +0100"),
            ("Monday, 02-Mar-20 10:00:00 GMT", " 2-Mar-2020 10:00:00 +0000"),
            ("2 Mar 49 10:00:00 UNKNOWN", " 2-Mar-2049 10:00:00 +0000"),
            ("2 Mar 50 10:00:00 +9999", " 2-Mar-1950 10:00:00 +0000"),
            ("Tue, 31 Dec 1999 23:59:60 GMT", "31-Dec-1999 23:59:59 +0000"),
            ("Mon, 2 Mar 2020 10.00.00 +0100", " 2-Mar-2020 10:00:00 +0100"),
            ("2.3.2020 10:00:00", " 2-Mar-2020 10:00:00 +0000"),
            ("2 Mar 2020", " 2-Mar-2020 00:00:00 +0000"),
        ] {
            assert_eq!(read(text).as_deref(), Some(date), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_stays_none() {
        for text in [
            "",
            "yesterday",
            "10:00:00",
            "Mar 2020",
            "31 Feb 2020 10:00:00 +0000",
            "02/03/2020 10:00:00",
            "2 Mar Apr 2020 10:00:00",
            "2 Mar 2020 25:00:00 lost",
            "2 Mar 20200 10:00:00",
            "2.3.2020.1 10:00:00",
            "30.2.2020",
            "(",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&"(".repeat(1_000_000)), None);
    }

    #[test]
    fn a_received_field_ends_with_its_date() {
        let value = b" from a (b; c)\r\n\tby d with SMTP id 7; Mon,\r\n 2 Mar 2020 10:00:00 +0100 (CET)\r\n";
        let date = moment_received(value).map(|date| date.to_string());
        assert_eq!(date.as_deref(), Some(" 2-Mar-2020 10:00:00 +0100"));
        assert_eq!(moment_received(b"from a by b"), None);
        assert_eq!(moment_received(b";"), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-0-9a-zA-Z :.,/+()\\\\;\"ü]{0,60}") {
            moment(text.as_bytes());
            moment_received(text.as_bytes());
        }
    }
}
