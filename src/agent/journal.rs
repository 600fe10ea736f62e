// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines for people: stderr, with the level in front where a journal reads it (sd-daemon(3)).

use std::fmt;
use std::io::{self, Write};

use crate::text::printable;

/// How much a line matters, as in syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something was not done.
    Error = 3,
    /// Something was done with reservations.
    Warning = 4,
    /// Something worth knowing.
    Notice = 5,
}

/// Says one line. Line breaks become blanks: one message is one record.
pub fn say(level: Level, message: impl fmt::Display) {
    let journal = ["AGENT_COMFD", "JOURNAL_STREAM"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    let _unheard: io::Result<()> =
        io::stderr().write_all(line(level, &message.to_string(), journal).as_bytes());
}

fn line(level: Level, message: &str, journal: bool) -> String {
    let message = message.replace(['\n', '\r'], " ");
    let message = printable(&message);
    match journal {
        true => format!("<{}>{message}\n", level as u8),
        false => format!("{message}\n"),
    }
}

/// [`Level::Error`].
pub fn error(message: impl fmt::Display) {
    say(Level::Error, message);
}

/// [`Level::Warning`].
pub fn warning(message: impl fmt::Display) {
    say(Level::Warning, message);
}

/// [`Level::Notice`].
pub fn notice(message: impl fmt::Display) {
    say(Level::Notice, message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_for_the_journal_only() {
        assert_eq!(line(Level::Error, "a\nb", true), "<3>a b\n");
        assert_eq!(line(Level::Notice, "a", false), "a\n");
    }
}
