// SPDX-License-Identifier: GPL-3.0-or-later
//! How far a message has come, as a value and as the number that the ledger stores.

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// About to be appended; the outcome is unknown until it is recorded.
    Planned = 0,
    /// The local server confirmed it.
    Delivered = 1,
    /// It was there already, found by its key.
    Present = 2,
    /// Refused or unreadable; tried again by the next run.
    Failed = 3,
    /// The local server took it and did not say where; it counts as delivered once it is found there.
    Accepted = 4,
    /// Deleted on the remote side after its delivery. Its local copy is not to be taken for another message's.
    Gone = 5,
    /// Not copied from this folder: out of the task's period, or left to another folder that shows it too.
    LeftOut = 6,
    /// Not copied from this folder, as it was delivered from another one.
    Elsewhere = 7,
}

// For use in SQL: `format!("… WHERE step = {DELIVERED}")`.
pub(super) const PLANNED: u8 = Step::Planned as u8;
pub(super) const DELIVERED: u8 = Step::Delivered as u8;
pub(super) const PRESENT: u8 = Step::Present as u8;
pub(super) const FAILED: u8 = Step::Failed as u8;
pub(super) const ACCEPTED: u8 = Step::Accepted as u8;
pub(super) const GONE: u8 = Step::Gone as u8;
pub(super) const LEFT_OUT: u8 = Step::LeftOut as u8;
pub(super) const ELSEWHERE: u8 = Step::Elsewhere as u8;
