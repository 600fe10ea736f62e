// SPDX-License-Identifier: GPL-3.0-or-later
//! A secret whose rest is in the line before, or would be in the next.

use std::ops::Range;

use super::forms::Form;
use super::overlap::Overlap;
use super::places::hide_places;
use super::{Secret, TELLING};

impl Secret {
    /// Hides a form's beginning where the text was cut off, and a form's end where a text or a word begins with it: the
    /// rest is in the line before.
    pub(super) fn hide_parts(&self, text: &str) -> Option<String> {
        let said = text.to_ascii_lowercase().into_bytes();
        let mut places = self.ends(text, &said);
        places.extend(self.cut_off(text, &said).map(|at| at..text.len()));
        hide_places(text, places)
    }

    /// Where a form begins that goes on behind the text's end; `said` is the text in lower case.
    fn cut_off(&self, text: &str, said: &[u8]) -> Option<usize> {
        let starts = |form: &Form| {
            let overlap = Overlap::of(&form.forth, said.len());
            let tail = &said[said.len() - overlap.part.len()..];
            let longest = tail.iter().fold(0, |length, &octet| overlap.next(length, octet));
            overlap
                .lengths(longest)
                .map(|length| said.len() - length)
                .find(|&at| text.is_char_boundary(at))
        };
        self.forms.iter().filter_map(starts).min()
    }

    /// Where a text or a word begins with the end of a form; `said` is the text in lower case.
    fn ends(&self, text: &str, said: &[u8]) -> Vec<Range<usize>> {
        let mut places = vec![];
        for form in &self.forms {
            let overlap = Overlap::of(&form.back, said.len());
            let mut longest = 0;
            for (at, &octet) in said.iter().enumerate().rev() {
                longest = overlap.next(longest, octet);
                if longest >= TELLING && begins_word(text, at) {
                    let mut ends = overlap.lengths(longest).map(|length| at..at + length);
                    places.extend(ends.find(|end| is_telling(text, end, form.back.len())));
                }
            }
        }
        places
    }
}

/// Whether a word, or the text, begins at a place.
fn begins_word(text: &str, at: usize) -> bool {
    let before = text.get(..at);
    before.is_some_and(|before| !before.ends_with(char::is_alphanumeric))
}

/// Whether the end of a form that is `whole` octets long is there by more than chance. Passwords end in words and in
/// years, which are in many texts and names of folders: of these, it takes half of the form.
fn is_telling(text: &str, end: &Range<usize>, whole: usize) -> bool {
    let (Some(part), Some(after)) = (text.get(end.clone()), text.get(end.end..)) else {
        return false;
    };
    let is_all = end.start == 0 && after.is_empty();
    let is_number = part.chars().all(|c| c.is_ascii_digit());
    let is_word = part.chars().all(char::is_alphabetic) && !is_all;
    let is_long = 2 * part.len() >= whole;
    let is_apart = end.start == 0 || !after.starts_with(char::is_alphanumeric);
    is_apart && (is_long || !is_number && !is_word)
}
