// SPDX-License-Identifier: GPL-3.0-or-later
//! Places in a text, and the text without them.

use std::ops::Range;

use super::HIDDEN;
use crate::imap::escapes::Unescaped;

/// Where a text says this.
pub(super) fn places_of(said: &Unescaped, secret: &[u8]) -> Vec<Range<usize>> {
    memchr::memmem::find_iter(&said.octets, secret)
        .map(|at| said.places[at].start..said.places[at + secret.len() - 1].end)
        .collect()
}

/// The text with these places hidden, as far as whole characters go; `None` where there are none.
pub(super) fn hide_places(text: &str, mut places: Vec<Range<usize>>) -> Option<String> {
    if places.is_empty() {
        return None;
    }
    places.sort_by_key(|place| place.start);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for place in places {
        let starts = (0..=place.start).rev().find(|&at| text.is_char_boundary(at));
        let ends = (place.end..=text.len()).find(|&at| text.is_char_boundary(at));
        let (start, end) = (starts.unwrap_or(0), ends.unwrap_or(text.len()));
        if start >= from {
            out.push_str(&text[from..start]);
            out.push_str(HIDDEN);
        }
        from = from.max(end);
    }
    out.push_str(&text[from..]);
    Some(out)
}

/// Replaces a form, which is in lower case, in a text of whatever case; `None` where it is not.
pub(super) fn hide(text: &str, form: &[u8]) -> Option<String> {
    if form.len() > text.len() {
        return None;
    }
    let said = text.to_ascii_lowercase();
    let places = memchr::memmem::find_iter(said.as_bytes(), form).map(|at| at..at + form.len());
    hide_places(text, places.collect())
}
