// SPDX-License-Identifier: GPL-3.0-or-later
//! What every text has to be before it may reach a file.

use std::fmt;

/// Why a text is not a value of the type; a sentence for the person who gave it, without the text itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub(crate) String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

pub(crate) fn invalid<T>(advice: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid(advice.into()))
}

/// Line breaks, NUL and other control characters can never reach a file (contract section 4). The two
/// Unicode separators count as well: other readers of these files split lines at them.
pub(crate) fn free_of_control_characters(text: &str) -> Result<(), Invalid> {
    match text
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
    {
        true => invalid("it has a line break or another control character in it; remove it"),
        false => Ok(()),
    }
}

/// Texts that become part of a file name and of a cron line: neither a path, nor a pattern, nor a word of
/// a shell may come out of them.
pub(crate) fn fit_for_a_file_name(text: &str, longest: usize) -> Result<(), Invalid> {
    free_of_control_characters(text)?;
    if text.is_empty() {
        return invalid("it is empty");
    }
    if text.len() > longest {
        return invalid(format!("it is longer than {longest} bytes"));
    }
    if text.starts_with(['.', '-']) {
        return invalid("it may not start with a dot or a dash");
    }
    match text
        .chars()
        .find(|c| !c.is_alphanumeric() && !"._-@+=".contains(*c))
    {
        Some(_) => invalid("only letters, digits and the characters . _ - @ + = are possible"),
        None => Ok(()),
    }
}

/// The SHA-256 fingerprint of a certificate: hex, with or without colons; lower-case without any in the end.
///
/// # Errors
/// For any other text.
pub fn parse_fingerprint(text: &str) -> Result<String, Invalid> {
    let plain: String = text.chars().filter(|c| *c != ':').collect();
    match plain.len() == 64 && plain.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => Ok(plain.to_ascii_lowercase()),
        false => invalid("expected a SHA-256 fingerprint in hex"),
    }
}
