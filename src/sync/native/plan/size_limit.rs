// SPDX-License-Identifier: GPL-3.0-or-later
//! How much the local mailbox still takes, as its refusals tell.

use std::cell::Cell;

/// So many messages may be refused before the sizes of the others are looked at.
const TRIED: u32 = 50;

/// A mailbox that refuses less than this is full.
const LEAST: u64 = 256;

/// The room in the local mailbox. Where a large message does not fit, many a small one does: after some refusals only what
/// is smaller than all that was refused is tried, and after each further refusal only what is half of that.
#[derive(Debug, Default)]
pub struct SizeLimit {
    refused: Cell<u32>,
    /// The smallest message that was refused, in octets.
    smallest: Cell<Option<u64>>,
    limit: Cell<Option<u64>>,
}

impl SizeLimit {
    /// A message of this many octets did not fit.
    pub fn refuse(&self, octets: u64) {
        if self.limit.get().is_some_and(|limit| octets >= limit) {
            // It was on its way before that was known.
            return;
        }
        let smallest = self.smallest.get().map_or(octets, |least| least.min(octets));
        self.smallest.set(Some(smallest));
        self.refused.set(self.refused.get() + 1);
        if self.refused.get() < TRIED {
            return;
        }
        let limit = self.limit.get().map_or(smallest, |limit| smallest.min(limit / 2));
        self.limit.set(Some(if limit < LEAST { 0 } else { limit }));
    }

    /// Whether a message did not fit.
    pub fn has_refused(&self) -> bool {
        self.refused.get() > 0
    }

    /// Messages of this many octets and more are not tried any more; 0 when nothing is.
    pub fn limit(&self) -> Option<u64> {
        self.limit.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_messages_do_not_keep_out_small_ones() {
        let size_limit = SizeLimit::default();
        for octets in (0..TRIED).map(|n| 50_000 + u64::from(n)) {
            assert_eq!(size_limit.limit(), None);
            size_limit.refuse(octets);
        }
        assert_eq!(size_limit.limit(), Some(50_000));
        size_limit.refuse(9_000);
        assert_eq!(size_limit.limit(), Some(9_000));
        size_limit.refuse(8_999);
        assert_eq!(size_limit.limit(), Some(4_500));
    }

    #[test]
    fn what_was_on_its_way_tells_nothing_new() {
        let size_limit = SizeLimit::default();
        for _ in 0..2 * TRIED {
            size_limit.refuse(50_000);
        }
        assert_eq!(size_limit.limit(), Some(50_000));
    }

    #[test]
    fn a_mailbox_that_takes_nothing_is_soon_left_alone() {
        let size_limit = SizeLimit::default();
        for _ in 0..TRIED {
            size_limit.refuse(1 << 30);
        }
        let mut refusals = 0;
        while let Some(limit) = size_limit.limit().filter(|&limit| limit > 0) {
            size_limit.refuse(limit - 1);
            refusals += 1;
        }
        assert!(refusals < 30, "{refusals}");
    }
}
