// SPDX-License-Identifier: GPL-3.0-or-later
//! Sets of UIDs, kept and written as ranges.

use std::fmt;
use std::ops::RangeInclusive;

/// A sorted set of UIDs, kept and written as the ranges of RFC 9051, section 9 (`sequence-set`).
///
/// ```
/// use ns8_imapsync::imap::UidSet;
///
/// let mut uids = UidSet::parse(b"1:3,7").expect("a set");
/// uids.insert(4);
/// assert_eq!(uids.to_string(), "1:4,7");
/// assert_eq!(uids.len(), 5);
/// assert_eq!(uids.minus(&UidSet::range(2..=3)).to_string(), "1,4,7");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet(Vec<(u32, u32)>);

impl UidSet {
    /// Every UID of a closed range.
    pub fn range(range: RangeInclusive<u32>) -> Self {
        if range.is_empty() {
            Self::default()
        } else {
            Self(vec![(*range.start(), *range.end())])
        }
    }

    /// Adds one UID; cheap when UIDs come in ascending order.
    pub fn insert(&mut self, uid: u32) {
        self.insert_range(uid, uid);
    }

    fn insert_range(&mut self, low: u32, high: u32) {
        match self.0.last_mut() {
            None => self.0.push((low, high)),
            Some((_, last)) if low > *last => {
                if low == last.saturating_add(1) {
                    *last = high;
                } else {
                    self.0.push((low, high));
                }
            }
            Some(_) => {
                let from = self.0.partition_point(|&(_, end)| end.saturating_add(1) < low);
                let to = self
                    .0
                    .partition_point(|&(start, _)| start <= high.saturating_add(1));
                let mut merged = (low, high);
                if let (Some(first), Some(last)) =
                    (self.0.get(from), to.checked_sub(1).and_then(|i| self.0.get(i)))
                    && from < to
                {
                    merged = (low.min(first.0), high.max(last.1));
                }
                self.0.splice(from..to.max(from), [merged]);
            }
        }
    }

    /// Reads what a server wrote (`1,3:5`); `*` and zero are not UIDs.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut set = Self::default();
        for part in text.split(|&b| b == b',') {
            let part = std::str::from_utf8(part).ok()?;
            let (low, high) = match part.split_once(':') {
                Some((a, b)) => (number(a)?, number(b)?),
                None => (number(part)?, number(part)?),
            };
            set.insert_range(low.min(high), low.max(high));
        }
        Some(set)
    }

    /// Whether a UID is in the set.
    pub fn contains(&self, uid: u32) -> bool {
        let at = self.0.partition_point(|&(_, end)| end < uid);
        self.0.get(at).is_some_and(|&(start, _)| start <= uid)
    }

    /// How many UIDs the set holds.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|&(a, b)| u64::from(b - a) + 1).sum()
    }

    /// Whether the set holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The UIDs in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|&(a, b)| a..=b)
    }

    /// The UIDs of both sets together.
    pub fn union(&self, other: &Self) -> Self {
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut out = Self::default();
        loop {
            let next = match (ours.peek(), theirs.peek()) {
                (Some(our), Some(their)) if our <= their => ours.next(),
                (Some(_), None) => ours.next(),
                _ => theirs.next(),
            };
            let Some(&(low, high)) = next else { return out };
            match out.0.last_mut() {
                Some((_, end)) if low <= end.saturating_add(1) => *end = high.max(*end),
                _ => out.0.push((low, high)),
            }
        }
    }

    /// The UIDs of all these sets together.
    pub fn union_of<'a>(sets: impl IntoIterator<Item = &'a Self>) -> Self {
        let sets = sets.into_iter();
        sets.fold(Self::default(), |all, set| all.union(set))
    }

    /// The UIDs that are in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        self.minus(&self.minus(other))
    }

    /// The smallest UID.
    pub fn first(&self) -> Option<u32> {
        self.0.first().map(|&(low, _)| low)
    }

    /// The largest UID.
    pub fn last(&self) -> Option<u32> {
        self.0.last().map(|&(_, high)| high)
    }

    /// The UIDs from `uid` on.
    pub fn from(&self, uid: u32) -> Self {
        let at = self.0.partition_point(|&(_, end)| end < uid);
        let mut out = Self(self.0.get(at..).unwrap_or_default().to_vec());
        if let Some((low, _)) = out.0.first_mut() {
            *low = uid.max(*low);
        }
        out
    }

    /// The UIDs below `uid`.
    pub fn below(&self, uid: u32) -> Self {
        self.minus(&self.from(uid))
    }

    /// The UIDs that are not in `other`; ranges stay ranges, however long.
    pub fn minus(&self, other: &Self) -> Self {
        let mut out = Self::default();
        let mut others = other.0.iter().peekable();
        for &(low, high) in &self.0 {
            let mut from = low;
            let mut left = true;
            while let Some(&&(start, end)) = others.peek() {
                if start > high {
                    break;
                }
                if end >= from {
                    if start > from {
                        out.0.push((from, start - 1));
                    }
                    if end >= high {
                        // It may cover the beginning of the next range too.
                        left = false;
                        break;
                    }
                    from = end + 1;
                }
                others.next();
            }
            if left {
                out.0.push((from, high));
            }
        }
        out
    }

    /// The set in pieces of at most `size` UIDs, each short enough for one command line. A server may claim all the UIDs
    /// there can be: each piece is made when it is asked for.
    pub fn chunks(&self, size: usize) -> impl Iterator<Item = Self> + '_ {
        // Servers limit command lines (RFC 7162 section 4: 8192 octets); a range takes up to 22.
        const RANGES: usize = 300;
        let size = size.max(1) as u64;
        let mut left = self.0.iter().copied();
        let mut rest: Option<(u32, u32)> = None;
        std::iter::from_fn(move || {
            let mut piece = Self::default();
            let mut room = size;
            while room > 0 && piece.0.len() < RANGES {
                let Some((low, high)) = rest.take().or_else(|| left.next()) else {
                    break;
                };
                let take = room.min(u64::from(high - low) + 1);
                let end = low + u32::try_from(take - 1).unwrap_or(0);
                piece.0.push((low, end));
                room -= take;
                if end < high {
                    rest = Some((end + 1, high));
                }
            }
            Some(piece).filter(|piece| !piece.is_empty())
        })
    }
}

fn number(text: &str) -> Option<u32> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|&n| n > 0)
}

impl FromIterator<u32> for UidSet {
    fn from_iter<I: IntoIterator<Item = u32>>(iter: I) -> Self {
        let mut uids: Vec<u32> = iter.into_iter().collect();
        uids.sort_unstable();
        uids.dedup();
        let mut set = Self::default();
        for uid in uids {
            set.insert(uid);
        }
        set
    }
}

impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, &(low, high)) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            if low == high {
                write!(f, "{low}")?;
            } else {
                write!(f, "{low}:{high}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn reads_and_writes_ranges() {
        let set = UidSet::parse(b"5:3,9,10,12").unwrap();
        assert_eq!(set.to_string(), "3:5,9:10,12");
        assert_eq!(set.len(), 6);
        for bad in ["", "1:*", "0", "1,,2", "a", "4294967296"] {
            assert_eq!(UidSet::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn all_uids_there_can_be_are_one_range() {
        let all = UidSet::parse(b"1:4294967295").unwrap();
        let some = UidSet::parse(b"1:7,9").unwrap();
        assert_eq!(all.union(&some), all);
        assert_eq!(all.minus(&some).to_string(), "8,10:4294967295");
        assert_eq!(all.below(10).to_string(), "1:9");
        assert_eq!(all.from(u32::MAX).to_string(), "4294967295");
        assert_eq!(all.len(), u64::from(u32::MAX));
        let first: Vec<String> = all.chunks(500).take(2).map(|chunk| chunk.to_string()).collect();
        assert_eq!(first, ["1:500", "501:1000"]);
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(uids in proptest::collection::vec(1u32..200, 0..80)) {
            let model: BTreeSet<u32> = uids.iter().copied().collect();
            let mut set = UidSet::default();
            for &uid in &uids {
                set.insert(uid);
            }
            prop_assert_eq!(&set, &uids.iter().copied().collect::<UidSet>());
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.len(), model.len() as u64);
            for uid in 0..202 {
                prop_assert_eq!(set.contains(uid), model.contains(&uid));
            }
            if !set.is_empty() {
                prop_assert_eq!(UidSet::parse(set.to_string().as_bytes()), Some(set.clone()));
            }
            prop_assert_eq!(set.from(77).iter().collect::<Vec<_>>(), model.range(77..).copied().collect::<Vec<_>>());
            prop_assert_eq!(set.below(77).iter().collect::<Vec<_>>(), model.range(..77).copied().collect::<Vec<_>>());
            prop_assert_eq!((set.first(), set.last()), (model.first().copied(), model.last().copied()));
            let odd: UidSet = uids.iter().copied().filter(|uid| uid % 3 == 1).collect();
            let even: Vec<u32> = model.iter().copied().filter(|uid| uid % 3 != 1).collect();
            prop_assert_eq!(set.intersection(&odd), odd.clone());
            prop_assert_eq!(set.minus(&odd).iter().collect::<Vec<_>>(), even);
            let thirds: UidSet = (1..200).step_by(3).collect();
            let all: BTreeSet<u32> = model.iter().copied().chain(thirds.iter()).collect();
            prop_assert_eq!(set.union(&thirds), all.into_iter().collect::<UidSet>());
            let chunks: Vec<UidSet> = set.chunks(7).collect();
            prop_assert!(chunks.iter().all(|c| c.len() <= 7 && !c.is_empty()));
            prop_assert_eq!(chunks.iter().flat_map(UidSet::iter).collect::<Vec<_>>(), set.iter().collect::<Vec<_>>());
        }
    }
}
