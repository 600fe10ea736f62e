// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run may do: every mail that ever existed is on some side unless its owner deleted it there or an option asked
//! for exactly that, and none is there twice beyond what the owner did.
//!
//! It knows what the owner did and looks at the mailboxes before and after each run. What the program says of itself
//! counts only where it says that all is well: then nothing may be left out.
//!
//! [`fate`]: what happened to a mail · [`judgement`]: whether it may be.

mod fate;
mod judgement;

use std::collections::{BTreeMap, BTreeSet};

use fate::{Fate, draw};

use super::action::{At, Options};
use super::mails::{Contents, Found, Mails, Token, folders_of};

/// All mailboxes at one moment.
pub(super) type Snapshot = BTreeMap<At, Contents>;

/// A task that took part in what is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub source: At,
    pub options: Options,
    /// Whether it said that all is well.
    pub well: bool,
    pub killed: bool,
}

#[derive(Default)]
pub(super) struct Oracle {
    fates: Vec<Fate>,
    /// How many of each mail were younger than the ledger when that was backed up.
    backup: Vec<usize>,
    /// Whether a run is remembered.
    remembers: bool,
    /// Sources of which a folder was renamed or deleted: another one of its name is of another generation.
    replaced: BTreeSet<At>,
    /// Sources whose copies are not known by their UIDs any more: what its owner files until they are compared again is
    /// not known to be the same.
    unsettled: BTreeSet<At>,
    /// A clone of the instance is at work next to it: neither knows what its owner did with what the other one brought.
    has_clone: bool,
}

const SOURCES: [At; 2] = [At::Remote, At::Other];

fn count(snapshot: &Snapshot, at: At, token: Token) -> usize {
    folders_of(&snapshot[&at], token).len()
}

/// How often it is unread in the inbox of a source.
fn unread(snapshot: &Snapshot, at: At, token: Token) -> usize {
    let inbox = snapshot[&at].get("INBOX").into_iter().flatten();
    let found = inbox.filter(|found| found.token == token);
    found
        .filter(|found| !found.flags.iter().any(|flag| flag == "\\Seen"))
        .count()
}

/// What is in the first list and not in the second, each as often as it is there.
fn minus<'a>(folders: &[&'a str], others: &[&str]) -> Vec<&'a str> {
    let mut others = others.to_vec();
    let mut left = folders.to_vec();
    left.retain(|folder| match others.iter().position(|other| other == folder) {
        Some(at) => {
            others.swap_remove(at);
            false
        }
        None => true,
    });
    left
}

impl Oracle {
    fn fate(&mut self, token: Token) -> &mut Fate {
        if self.fates.len() <= token {
            self.fates.resize(token + 1, Fate::default());
        }
        &mut self.fates[token]
    }

    /// A mail came into a mailbox.
    pub(super) fn born(&mut self, at: At, token: Token) {
        let remembers = self.remembers;
        let fate = self.fate(token);
        fate.births += 1;
        fate.older_than_task.clear();
        fate.younger_than_ledger += usize::from(at == At::Local && remembers);
    }

    /// The copy that just came into the local mailbox has the same date of arrival as another one.
    pub(super) fn alike(&mut self, token: Token) {
        self.fate(token).looks_late += 1;
    }

    /// The owner deleted a mail.
    pub(super) fn removed(&mut self, at: At, token: Token, now: &Snapshot) {
        let remote: usize = SOURCES.into_iter().map(|at| count(now, at, token)).sum();
        let local = count(now, At::Local, token);
        let fate = self.fate(token);
        let delivered: usize = fate.delivered_from.values().sum();
        match at {
            At::Local if remote + delivered == 0 => fate.removed += 1,
            At::Local => fate.removed_locally += 1,
            _ => {
                fate.removed_remotely += 1;
                // It is one of those that are not here, unless these are others, which runs moved.
                if local == 0 && fate.removed_locally > remote + delivered {
                    draw(&mut fate.removed_locally, 1);
                    fate.removed += 1;
                }
            }
        }
    }

    /// The owner renamed or deleted a folder.
    pub(super) fn replaced(&mut self, at: At) {
        self.replaced.insert(at);
    }

    /// The owner marked a mail as deleted.
    pub(super) fn marked(&mut self, at: At, token: Token) {
        if at == At::Local {
            self.fate(token).marked_locally = true;
        }
    }

    /// The owner moved a mail or renamed its folder.
    pub(super) fn relocated(&mut self, at: At, token: Token) {
        self.fate(token).filed += usize::from(at == At::Local);
        if at != At::Local || !self.unsettled.is_empty() {
            let fate = self.fate(token);
            fate.relocations += 1;
            // Its second copy is not.
            fate.older_than_task.clear();
        }
    }

    /// The owner moved a mail to another folder and back.
    pub(super) fn moved_and_back(&mut self, at: At, token: Token) {
        self.relocated(at, token);
        let fate = self.fate(token);
        fate.looks_new += usize::from(at != At::Local && fate.is_deletion_cut_off);
    }

    /// A backup came back. That a mail is gone by that is not the owner's wish.
    pub(super) fn restored(
        &mut self,
        at: At,
        before: &Contents,
        after: &Contents,
        now: &Snapshot,
        mails: &Mails,
    ) {
        if at == At::Local {
            // A folder that is still there, and pulled, and lost what a run knows of shows that a backup came back.
            let is_pulled = |folder: &String| SOURCES.iter().any(|source| now[source].contains_key(folder));
            let lost = |folder: &String, found: &Vec<Found>| {
                let now = after.get(folder).filter(|_| is_pulled(folder));
                now.is_some_and(|now| {
                    let mut seen = found.iter().filter(|one| self.fates[one.token].seen_locally);
                    seen.any(|one| now.iter().all(|left| left.token != one.token))
                })
            };
            let shows = before.iter().any(|(folder, found)| lost(folder, found));
            for (folder, found) in before {
                for one in found {
                    self.fate(one.token).vanished += usize::from(!after.contains_key(folder) && !shows);
                }
            }
        }
        for token in 0..mails.count() {
            let (former, now) = (folders_of(before, token), folders_of(after, token));
            let back = now.len().saturating_sub(former.len());
            let fate = self.fate(token);
            match at {
                At::Local => {
                    let back = draw(&mut fate.removed_locally, back);
                    draw(&mut fate.removed, back);
                    fate.vanished *= usize::from(now.len() < fate.births);
                    let delivered: usize = fate.delivered_from.values().sum();
                    fate.lost += former.len().saturating_sub(now.len()).min(delivered);
                }
                _ => {
                    let mut again = back - draw(&mut fate.removed_remotely, back);
                    again -= draw(&mut fate.removed, again);
                    fate.removed_locally += again;
                    fate.delivered_from.entry(at).and_modify(|gone| {
                        draw(gone, back);
                    });
                }
            }
            if former != now {
                self.fate(token).older_than_task.clear();
                self.relocated(at, token);
            }
        }
    }

    /// What was delivered is remembered no more.
    pub(super) fn forgotten(&mut self, now: &Snapshot, mails: &Mails) {
        self.remembers = false;
        for token in 0..mails.count() {
            self.fate(token).younger_than_ledger = 0;
        }
        self.unsettle(At::Local, now, mails);
    }

    /// A clone goes on next to the instance.
    pub(super) fn cloned(&mut self) {
        self.has_clone = true;
        self.unsettled.extend(SOURCES);
    }

    /// A backup was made of what is remembered.
    pub(super) fn backed_up(&mut self) {
        self.backup = self.fates.iter().map(|fate| fate.younger_than_ledger).collect();
    }

    /// What is remembered is what the backup holds: what came since is older than that.
    pub(super) fn remembered(&mut self, now: &Snapshot, mails: &Mails) {
        self.forgotten(now, mails);
        for (token, younger) in std::mem::take(&mut self.backup).into_iter().enumerate() {
            self.fate(token).younger_than_ledger = younger;
        }
    }

    /// Another task pulls from the source now: what is here is older than that one.
    pub(super) fn begun_again(&mut self, source: At, now: &Snapshot, mails: &Mails) {
        for token in 0..mails.count() {
            let local = count(now, At::Local, token);
            let fate = self.fate(token);
            // Of equal ones it cannot be told which are older.
            if fate.births == 1 && local > 0 {
                fate.older_than_task.insert(source);
            }
        }
    }

    /// UIDs of a mailbox mean nothing any more. What is here and equal counts for what a source has, whatever it was the
    /// copy of; and what its owner filed elsewhere is not known to be the same.
    pub(super) fn unsettle(&mut self, at: At, now: &Snapshot, mails: &Mails) {
        for token in 0..mails.count() {
            let fate = self.fate(token);
            fate.may_come_again = true;
            match at {
                At::Local => fate.delivered_from.clear(),
                _ => drop(fate.delivered_from.remove(&at)),
            }
            fate.lost = 0;
            fate.confused.insert(at);
        }
        if at != At::Local {
            return;
        }
        self.unsettled.extend(SOURCES);
        for token in 0..mails.count() {
            let local = folders_of(&now[&At::Local], token);
            let remote = SOURCES.into_iter().flat_map(|at| folders_of(&now[&at], token));
            let remote: Vec<&str> = remote.collect();
            if !local.is_empty() {
                self.fate(token).relocations += minus(&remote, &local).len();
            }
        }
    }
}
