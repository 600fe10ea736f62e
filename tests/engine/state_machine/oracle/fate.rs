// SPDX-License-Identifier: GPL-3.0-or-later
//! What happened to a mail, as numbers of copies.

use std::collections::{BTreeMap, BTreeSet};

use crate::state_machine::action::At;

/// What happened to a mail. Equal ones are not told apart: they are counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    /// How often it came into a mailbox by itself.
    pub(super) births: usize,
    /// Of these, how many its owner deleted from their sources, and that have not come back.
    pub(super) removed_remotely: usize,
    /// How many copies its owner deleted locally, and that have not come back.
    pub(super) removed_locally: usize,
    /// How many its owner deleted on both sides.
    pub(super) removed: usize,
    /// How many are delivered that runs deleted from a source.
    pub(super) delivered_from: BTreeMap<At, usize>,
    /// How many of those went with a local backup that came back, for good.
    pub(super) lost: usize,
    /// It has another place in its source since it was delivered: it may be delivered there too.
    pub(super) relocations: usize,
    /// How many copies its owner moved locally: an equal one that arrives where one of them is now counts as delivered.
    pub(super) filed: usize,
    /// A run was killed that deleted from sources: whether it did so with this one is not known.
    pub(super) is_deletion_cut_off: bool,
    /// How often its owner moved it away and back since: it looks like an equal one that came after it was deleted.
    pub(super) looks_new: usize,
    /// How many were delivered to a second place.
    pub(super) spare: usize,
    /// Its owner marked it as deleted locally.
    pub(super) marked_locally: bool,
    /// A run saw it in the local mailbox.
    pub(super) seen_locally: bool,
    /// A restored backup took its local folder away and left no other trace: that looks as if its owner had deleted the
    /// folder. It need not come again, but it is not to go from its source either.
    pub(super) vanished: usize,
    /// How many came into the local mailbox by themselves, after a run that is remembered: a mirror takes them away.
    pub(super) younger_than_ledger: usize,
    /// Sources from which a former task pulled when it was here already: a mirror of the next one leaves it alone.
    pub(super) older_than_task: BTreeSet<At>,
    /// Sources of which the UIDs mean nothing any more. Of equal ones no one can tell which were delivered and then
    /// deleted or filed by their owner: as many as are missing stay away.
    pub(super) confused: BTreeSet<At>,
    /// A run was killed that may have sent it: a copy may arrive late, and be removed next to the one that was sent again.
    pub(super) may_arrive_late: bool,
    /// How many copies its owner put into the local mailbox that have the same date of arrival, too: each looks as if it
    /// had arrived late.
    pub(super) looks_late: usize,
    /// What is known of its UIDs was lost since it was born, or a run was killed: what its owner deleted may come again.
    pub(super) may_come_again: bool,
}

/// Takes from a number as much of what is asked for as there is; gives what is still asked for.
pub(super) fn draw(from: &mut usize, asked: usize) -> usize {
    let drawn = asked.min(*from);
    *from -= drawn;
    asked - drawn
}

impl Fate {
    /// The folders where it was, without those of copies that went as if they had arrived late: another one stays there.
    pub(super) fn without_late<'a>(&mut self, was: Vec<&'a str>, is: &[&str]) -> Vec<&'a str> {
        let mut left = was;
        for folder in is {
            let times = |folders: &[&str]| folders.iter().filter(|one| *one == folder).count();
            while self.may_arrive_late && self.looks_late > 0 && times(&left) > times(is) {
                self.looks_late -= 1;
                self.births -= 1;
                draw(&mut self.younger_than_ledger, 1);
                if let Some(at) = left.iter().position(|one| one == folder) {
                    left.remove(at);
                }
            }
        }
        left
    }

    /// How many are delivered from a source that has them no longer.
    pub(super) fn delivered(&self, at: At) -> usize {
        self.delivered_from.get(&at).copied().unwrap_or_default()
    }

    /// How many copies account for what was delivered, where so many are there.
    pub(super) fn accounted(&self, local: usize) -> usize {
        let equal = if self.births > 1 { self.filed } else { 0 };
        local + self.removed_locally + self.lost + equal
    }

    /// How many of a source are not delivered, where it has so many.
    pub(super) fn missing(&self, at: At, remote: usize, local: usize) -> usize {
        (remote + self.delivered(at)).saturating_sub(self.accounted(local))
    }
}
