// SPDX-License-Identifier: GPL-3.0-or-later
//! How much of a secret's beginning or end is at a place of a text.

use super::TELLING;

/// How much of a pattern's beginning ends at a place of a text, found in one pass however long both are (Knuth, Morris
/// and Pratt). The whole pattern is left out.
pub(super) struct Overlap<'a> {
    /// What of the pattern can be there.
    pub(super) part: &'a [u8],
    /// For each length, the longest shorter one that it ends in.
    shorter: Vec<usize>,
}

impl<'a> Overlap<'a> {
    /// For a text of `room` octets.
    pub(super) fn of(pattern: &'a [u8], room: usize) -> Self {
        let part = &pattern[..pattern.len().saturating_sub(1).min(room)];
        let mut overlap = Self {
            part,
            shorter: Vec::with_capacity(part.len()),
        };
        for (at, &octet) in part.iter().enumerate() {
            let shorter = match at.checked_sub(1) {
                Some(before) => overlap.next(overlap.shorter[before], octet),
                None => 0,
            };
            overlap.shorter.push(shorter);
        }
        overlap
    }

    /// How much there is with one octet more.
    pub(super) fn next(&self, mut length: usize, octet: u8) -> usize {
        while self.part.get(length) != Some(&octet) {
            match length.checked_sub(1) {
                Some(before) => length = self.shorter[before],
                None => return 0,
            }
        }
        length + 1
    }

    /// All that may be there where so much is there, the longest first; no less than what tells something.
    pub(super) fn lengths(&self, longest: usize) -> impl Iterator<Item = usize> {
        let shorter = move |&length: &usize| Some(self.shorter[length.checked_sub(1)?]);
        std::iter::successors(Some(longest), shorter).take_while(|&length| length >= TELLING)
    }
}
