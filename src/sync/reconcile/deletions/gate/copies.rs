// SPDX-License-Identifier: GPL-3.0-or-later
//! Proofs about local copies that are one too many: what was sent twice, and what another program brought as well.

use std::collections::HashMap;

use super::{Deletable, sealed};
use crate::imap::UidSet;
use crate::sync::message_key::{Digest, MessageKey};
use crate::sync::reconcile::headers::Seen;
use crate::sync::side::Side;
use crate::sync::state::{LocalOnly, Repeated, SecondCopy};

/// Local messages that are octet for octet what was sent twice: of a pair the one that came first stays, so that no two
/// programs remove both.
#[derive(Default)]
pub struct LateCopies {
    uids: UidSet,
    copies: Vec<SecondCopy>,
    turned: UidSet,
}

impl LateCopies {
    /// Pairs each message that was sent again, by the local UID on record, with one of the messages that no one claims
    /// and that is the same, its date of arrival included: an APPEND that is sent again gives the same one, and what its
    /// owner puts there usually has one of its own. `filed`: those on record that the filters took elsewhere. `dates`: of
    /// those on record at which the server has kept the date that it was given, in seconds since 1970. Next to one that is
    /// `marked` as deleted, none goes that is not.
    pub fn among(
        unclaimed: &[LocalOnly],
        repeated: &[Repeated],
        filed: &UidSet,
        digests: &HashMap<u32, Digest>,
        dates: &HashMap<u32, i64>,
        marked: &UidSet,
    ) -> Self {
        let mut found = Self::default();
        let mut taken = UidSet::default();
        for &Repeated {
            uid: original, key, ..
        } in repeated
        {
            let Some(digest) = digests.get(&original) else {
                continue;
            };
            let late = unclaimed.iter().find(|message| {
                message.key == key
                    && dates.get(&original).is_none_or(|date| *date == message.date)
                    && digests.get(&message.uid) == Some(digest)
                    && !taken.contains(message.uid)
            });
            let Some(&LocalOnly { uid: late, .. }) = late else {
                continue;
            };
            let (goes, stays) = match late < original && !filed.contains(original) {
                true => (original, late),
                false => (late, original),
            };
            if marked.contains(stays) && !marked.contains(goes) {
                continue;
            }
            taken.insert(late);
            if stays == late {
                found.turned.insert(late);
            }
            found.uids.insert(goes);
            found.copies.push(SecondCopy { goes, stays });
        }
        found
    }

    /// Each of them with the copy that stays.
    pub fn copies(&self) -> &[SecondCopy] {
        &self.copies
    }

    /// Copies that stay and were on no record, as the one on record came after them.
    pub fn turned(&self) -> &UidSet {
        &self.turned
    }
}

impl sealed::Sealed for LateCopies {}

impl Deletable for LateCopies {
    const SIDE: Side = Side::Local;

    fn uids(&self) -> &UidSet {
        &self.uids
    }
}

/// One of several local messages that are octet for octet the same.
struct EqualCopy {
    uid: u32,
    /// Whether this program brought it.
    is_own: bool,
    /// Whether it is marked `\Deleted`.
    is_marked: bool,
}

/// Local messages that are octet for octet what was there before them, and of which this program brought one.
#[derive(Default)]
pub struct SecondCopies {
    uids: UidSet,
    copies: Vec<SecondCopy>,
}

impl SecondCopies {
    /// Those of the copies that are too many: of equal messages as many stay as this program brought, those that came
    /// first. One that is marked `\Deleted` is no reason for another one to go that is not. `guessed`: own copies whose
    /// UID the server did not tell. Another one of theirs may be the own one, so that it goes, too; but no more go than
    /// this program brought.
    pub(in crate::sync::reconcile::deletions) fn among(
        own: &[Seen],
        others: &[Seen],
        guessed: &UidSet,
        digests: &HashMap<u32, Digest>,
    ) -> Self {
        let mut equal: HashMap<(MessageKey, Digest), Vec<EqualCopy>> = HashMap::new();
        for (seen, is_own) in own
            .iter()
            .map(|seen| (seen, true))
            .chain(others.iter().map(|seen| (seen, false)))
        {
            if let Some(digest) = digests.get(&seen.uid) {
                equal.entry((seen.key, *digest)).or_default().push(EqualCopy {
                    uid: seen.uid,
                    is_own,
                    is_marked: seen.flags.contains("\\Deleted"),
                });
            }
        }
        let mut found = Self::default();
        for mut copies in equal.into_values() {
            copies.sort_unstable_by_key(|copy| copy.uid);
            let (marked, unmarked): (Vec<_>, Vec<_>) = copies.into_iter().partition(|copy| copy.is_marked);
            let before = found.copies.len();
            if unmarked.is_empty() {
                found.among_alike(&marked, guessed);
                continue;
            }
            found.among_alike(&unmarked, guessed);
            if found.copies.len() == before {
                found.marked_by_another(&unmarked, &marked, guessed);
            }
        }
        found
    }

    /// The same among equal copies that are all marked, or all not.
    fn among_alike(&mut self, copies: &[EqualCopy], guessed: &UidSet) {
        let wanted = copies.iter().filter(|copy| copy.is_own).count();
        let (stay, rest) = copies.split_at(wanted);
        let second = rest.iter().filter(|copy| copy.is_own);
        let first = stay.iter().filter(|copy| !copy.is_own);
        for (goes, stays) in second.zip(first) {
            self.pair(goes.uid, stays.uid);
        }
        for stays in stay
            .iter()
            .filter(|copy| copy.is_own && guessed.contains(copy.uid))
        {
            let mut others = rest.iter().filter(|copy| !copy.is_own);
            if let Some(goes) = others.find(|copy| !self.uids.contains(copy.uid)) {
                self.pair(goes.uid, stays.uid);
            }
        }
    }

    /// A message that another program had brought and marked at the source when this one fetched it came with that mark. It
    /// goes next to the first one without, which no program removes: marked ones may be about to go. Only where one was
    /// brought, as it is not known how many of the others stay.
    fn marked_by_another(&mut self, unmarked: &[EqualCopy], marked: &[EqualCopy], guessed: &UidSet) {
        let own = unmarked.iter().chain(marked).filter(|copy| copy.is_own);
        let (1, Some(first)) = (own.count(), unmarked.first()) else {
            return;
        };
        let is_guessed = first.is_own && guessed.contains(first.uid);
        let mut later = marked.iter().filter(|copy| copy.uid > first.uid);
        if let Some(second) = later.find(|copy| copy.is_own || is_guessed) {
            self.pair(second.uid, first.uid);
        }
    }

    /// Those of the own copies that another program's filters have filed in other folders.
    pub(in crate::sync::reconcile::deletions) fn filed(
        own: &HashMap<u32, Digest>,
        mut filed: Vec<Digest>,
    ) -> Self {
        let mut found = Self::default();
        for (&uid, digest) in own {
            if let Some(at) = filed.iter().position(|one| one == digest) {
                filed.swap_remove(at);
                found.pair(uid, 0);
            }
        }
        found
    }

    fn pair(&mut self, goes: u32, stays: u32) {
        self.uids.insert(goes);
        self.copies.push(SecondCopy { goes, stays });
    }

    /// Each of them with the copy that stays.
    pub fn copies(&self) -> &[SecondCopy] {
        &self.copies
    }
}

impl sealed::Sealed for SecondCopies {}

impl Deletable for SecondCopies {
    const SIDE: Side = Side::Local;

    fn uids(&self) -> &UidSet {
        &self.uids
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::imap::Flags;
    use crate::sync::state::Completeness;

    /// Copies of one message: UIDs, and whether each is marked.
    type Copies<'a> = &'a [(u32, bool)];

    fn seen(copies: Copies<'_>) -> Vec<Seen> {
        let one = |&(uid, is_marked): &(u32, bool)| Seen {
            uid,
            key: MessageKey::of_message(b"Message-Id: <a@x>\r\n\r\n", 9),
            flags: Rc::new(Flags::parse(if is_marked { "\\Deleted" } else { "" })),
            date: 0,
            size: 9,
            has_trace: true,
            digest: None,
            completeness: Completeness::Whole,
        };
        copies.iter().map(one).collect()
    }

    /// What goes, and what stays instead.
    fn found(own: Copies<'_>, others: Copies<'_>, guessed: &[u32]) -> Vec<(u32, u32)> {
        let digests = own
            .iter()
            .chain(others)
            .map(|&(uid, _)| (uid, Digest::from_bytes(&[0; 16]).unwrap()));
        let guessed = guessed.iter().copied().collect();
        let second = SecondCopies::among(&seen(own), &seen(others), &guessed, &digests.collect());
        let mut found: Vec<_> = second
            .copies()
            .iter()
            .map(|copy| (copy.goes, copy.stays))
            .collect();
        found.sort_unstable();
        found
    }

    const UNMARKED: bool = false;
    const MARKED: bool = true;

    #[test]
    fn the_first_of_two_stays() {
        assert_eq!(found(&[(2, UNMARKED)], &[(1, UNMARKED)], &[]), [(2, 1)]);
        assert_eq!(found(&[(1, UNMARKED)], &[(2, UNMARKED)], &[]), []);
        assert_eq!(
            found(&[(1, UNMARKED)], &[(2, UNMARKED)], &[1]),
            [(2, 1)],
            "it may be the own one"
        );
        assert_eq!(found(&[(2, MARKED)], &[(1, MARKED)], &[]), [(2, 1)]);
    }

    #[test]
    fn a_marked_one_goes_next_to_one_without_a_mark_and_never_the_other_way_round() {
        assert_eq!(found(&[(2, MARKED)], &[(1, UNMARKED)], &[]), [(2, 1)]);
        assert_eq!(found(&[(2, UNMARKED)], &[(1, MARKED)], &[]), []);
        assert_eq!(found(&[(1, MARKED)], &[(2, UNMARKED)], &[]), []);
        assert_eq!(
            found(&[(1, UNMARKED)], &[(2, MARKED)], &[1]),
            [(2, 1)],
            "it may be the own one"
        );
        // Of three programs the second one is about to remove its copy.
        assert_eq!(
            found(&[(3, MARKED)], &[(1, UNMARKED), (2, MARKED)], &[]),
            [(3, 1)]
        );
    }

    #[test]
    fn no_more_go_than_were_brought() {
        let others = [(2, UNMARKED), (3, MARKED)];
        assert_eq!(found(&[(1, UNMARKED)], &others, &[1]), [(2, 1)]);
    }

    #[test]
    fn of_equal_messages_as_many_stay_as_there_are() {
        let (first, second) = ([(1, UNMARKED), (3, UNMARKED)], [(2, UNMARKED), (4, UNMARKED)]);
        assert_eq!(found(&first, &second[..1], &[]), [(3, 2)]);
        assert_eq!(found(&second, &first, &[]), [(4, 1)]);
        // One of them is marked at the source, and only the other program brought both.
        assert_eq!(found(&[(2, MARKED)], &[(1, UNMARKED)], &[]), [(2, 1)]);
        assert_eq!(found(&[(1, UNMARKED), (3, MARKED)], &[(2, MARKED)], &[]), []);
        // A mark may be that of a copy that is about to go.
        assert_eq!(
            found(&[(2, UNMARKED), (4, MARKED)], &[(1, UNMARKED), (3, MARKED)], &[]),
            [(2, 1)]
        );
    }
}
