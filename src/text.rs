// SPDX-License-Identifier: GPL-3.0-or-later
//! Foreign words in lines for people: whatever a name or a server's answer holds, a line stays one line that says what
//! it seems to say.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

/// The text with everything spelled out that ends a line, moves the cursor, turns the direction of writing or cannot be
/// seen: `\u{202e}` for the character U+202E.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(misleads) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if misleads(c) {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Why something failed, without the number that the system gives the reason.
pub fn io_reason(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(number) = error.raw_os_error() {
        let words = text.strip_suffix(&format!(" (os error {number})")).map(str::len);
        text.truncate(words.unwrap_or(text.len()));
    }
    text
}

/// Joiners (U+200C, U+200D) are left: whole scripts need them.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_no_number() {
        let reason = io_reason(&io::Error::from_raw_os_error(111));
        assert_eq!(reason, "Connection refused");
        assert_eq!(
            io_reason(&io::Error::other("full (os error 1)")),
            "full (os error 1)"
        );
    }

    #[test]
    fn what_forges_or_hides_is_spelled_out() {
        for (text, shown) in [
            ("Grüße, 日本語 👩‍👧", "Grüße, 日本語 👩‍👧"),
            (
                "a\r\nExiting with return value 0",
                "a\\u{d}\\u{a}Exiting with return value 0",
            ),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\u{2028}b\u{85}c", "a\\u{2028}b\\u{85}c"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
