// SPDX-License-Identifier: GPL-3.0-or-later
//! What the lines of a response announce: literals, and long lists.

use crate::imap::error::{Error, Result};
use crate::imap::limits;
use crate::imap::scan::Raw;

/// Whether a response lists UIDs, and so may be longer than others.
pub(super) fn lists_uids(text: &[u8]) -> bool {
    let lists = |name: &[u8]| {
        text.get(..name.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(name))
    };
    lists(b"* SEARCH") || lists(b"* ESEARCH")
}

/// Holds a literal that is announced against what the response says and what any may say.
pub(super) fn check_literal(raw: &Raw, size: u64, said: Option<u64>, most: u64) -> Result<()> {
    if raw.literals.len() >= limits::LITERALS {
        return Err(Error::Limit(format!(
            "more than {} literals in one response",
            limits::LITERALS
        )));
    }
    if size <= most {
        return Ok(());
    }
    Err(Error::Limit(match said {
        Some(said) => format!("a literal of {size} octets in a message of {said}"),
        None => format!("a literal of {size} octets"),
    }))
}

/// The size in `…{123}` or `…{123+}` at the end of a line.
pub(super) fn literal_mark(line: &[u8]) -> Option<u64> {
    let inner = line.strip_suffix(b"}")?;
    let inner = inner.strip_suffix(b"+").unwrap_or(inner);
    let open = memchr::memrchr(b'{', inner)?;
    let digits = std::str::from_utf8(&inner[open + 1..]).ok()?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}
