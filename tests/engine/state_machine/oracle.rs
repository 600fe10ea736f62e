// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run may do: every mail that ever existed is on some side unless its owner deleted it there or an option asked
//! for exactly that, and none is there twice beyond what the owner did.
//!
//! It knows what the owner did and looks at the mailboxes before and after each run. What the program says of itself
//! counts only where it says that all is well: then nothing may be left out.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;

use super::action::{At, Options, Remote};
use super::mails::{Contents, Found, Mails, Token, folders_of};

/// All mailboxes at one moment.
pub(super) type Snapshot = BTreeMap<At, Contents>;

/// What happened to a mail. Equal ones are not told apart: they are counted.
#[derive(Clone, Debug, Default)]
struct Fate {
    /// How often it came into a mailbox by itself.
    births: usize,
    /// Of these, how many its owner deleted from their sources, and that have not come back.
    removed_remotely: usize,
    /// How many copies its owner deleted locally, and that have not come back.
    removed_locally: usize,
    /// How many its owner deleted on both sides.
    removed: usize,
    /// How many are delivered that runs deleted from a source.
    delivered_from: BTreeMap<At, usize>,
    /// How many of those went with a local backup that came back, for good.
    lost: usize,
    /// It has another place in its source since it was delivered: it may be delivered there too.
    relocations: usize,
    /// How many were delivered to a second place.
    spare: usize,
    /// Its owner marked it as deleted locally.
    marked_locally: bool,
    /// A run saw it in the local mailbox.
    seen_locally: bool,
    /// A restored backup took its local folder away and left no other trace: that looks as if its owner had deleted the
    /// folder. It need not come again, but it is not to go from its source either.
    vanished: usize,
    /// How many came into the local mailbox by themselves, after a run that is remembered: a mirror takes them away.
    younger_than_ledger: usize,
    /// Sources from which a former task pulled when it was here already: a mirror of the next one leaves it alone.
    older_than_task: BTreeSet<At>,
    /// Sources of which the UIDs mean nothing any more. Of equal ones no one can tell which were delivered and then
    /// deleted or filed by their owner: as many as are missing stay away.
    confused: BTreeSet<At>,
    /// What is known of its UIDs was lost since it was born, or a run was killed: what its owner deleted may come again.
    may_come_again: bool,
}

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

/// Takes from a number as much of what is asked for as there is; gives what is still asked for.
fn draw(from: &mut usize, asked: usize) -> usize {
    let drawn = asked.min(*from);
    *from -= drawn;
    asked - drawn
}

impl Fate {
    /// How many are delivered from a source that has them no longer.
    fn delivered(&self, at: At) -> usize {
        self.delivered_from.get(&at).copied().unwrap_or_default()
    }

    /// How many copies account for what was delivered, where so many are there.
    fn accounted(&self, local: usize) -> usize {
        local + self.removed_locally + self.lost
    }

    /// How many of a source are not delivered, where it has so many.
    fn missing(&self, at: At, remote: usize, local: usize) -> usize {
        (remote + self.delivered(at)).saturating_sub(self.accounted(local))
    }
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
                // It is one of those that are not here.
                if local == 0 && draw(&mut fate.removed_locally, 1) == 0 {
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
        if at != At::Local || !self.unsettled.is_empty() {
            let fate = self.fate(token);
            fate.relocations += 1;
            // Its second copy is not.
            fate.older_than_task.clear();
        }
    }

    /// A backup came back. That a mail is gone by that is not the owner's wish.
    pub(super) fn restored(&mut self, at: At, before: &Contents, after: &Contents, mails: &Mails) {
        if at == At::Local {
            // A folder that is still there and lost what a run knows of shows that a backup came back.
            let lost = |folder: &String, found: &Vec<Found>| {
                let now = after.get(folder);
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

    /// Judges what runs did.
    pub(super) fn judge(
        &mut self,
        parts: &[Part],
        before: &Snapshot,
        after: &Snapshot,
        mails: &Mails,
    ) -> anyhow::Result<()> {
        self.remembers = true;
        let compared = parts.iter().filter(|part| part.well && !part.options.inbox);
        let compared: Vec<At> = compared.map(|part| part.source).collect();
        self.judge_mails(parts, before, after, mails)?;
        self.unsettled.retain(|source| !compared.contains(source));
        Ok(())
    }

    fn judge_mails(
        &mut self,
        parts: &[Part],
        before: &Snapshot,
        after: &Snapshot,
        mails: &Mails,
    ) -> anyhow::Result<()> {
        for token in 0..mails.count() {
            let judged = self.judge_mail(parts, before, after, mails, token);
            judged.map_err(|error| {
                let seen = |snapshot: &Snapshot| -> Vec<String> {
                    let all = snapshot
                        .iter()
                        .map(|(at, contents)| format!("{at:?} {:?}", folders_of(contents, token)));
                    all.collect()
                };
                error.context(format!(
                    "mail {token} {:?}\nbefore: {:?}\nafter: {:?}\n{parts:?}",
                    self.fate(token),
                    seen(before),
                    seen(after)
                ))
            })?;
        }
        Ok(())
    }

    fn judge_mail(
        &mut self,
        parts: &[Part],
        before: &Snapshot,
        after: &Snapshot,
        mails: &Mails,
        token: Token,
    ) -> anyhow::Result<()> {
        let local = count(after, At::Local, token);
        for at in SOURCES {
            let was = folders_of(&before[&at], token);
            let is = folders_of(&after[&at], token);
            ensure!(
                minus(&is, &was).is_empty(),
                "it was moved or doubled in its source"
            );
            let gone = minus(&was, &is);
            let asked = |folder: &&str| {
                parts.iter().any(|part| {
                    let old_enough = match part.options.remote {
                        Remote::Keep => false,
                        Remote::Delete => true,
                        Remote::DeleteOlder => mails.get(token).old,
                    };
                    part.source == at && old_enough && (!part.options.inbox || *folder == "INBOX")
                })
            };
            ensure!(
                gone.iter().all(asked),
                "it was deleted from its source, which no option asked for"
            );
            let fate = self.fate(token);
            *fate.delivered_from.entry(at).or_default() += gone.len();
            ensure!(
                gone.is_empty() || fate.delivered(at) <= fate.accounted(local),
                "it is lost: deleted from its source without being delivered"
            );
        }
        self.judge_local(parts, before, after, token)?;
        let replaced = self.replaced.clone();
        let fate = self.fate(token);
        fate.seen_locally |= local > 0;
        if local == 0 {
            fate.older_than_task.clear();
        }
        fate.may_come_again |= parts.iter().any(|part| part.killed);
        let mut places = fate.births + fate.spare;
        if fate.births > 1 {
            // One of the copies may be the second one of what was moved.
            places += fate.relocations;
        }
        fate.removed_locally = fate.removed_locally.min(places.saturating_sub(local));
        if local >= fate.births {
            (fate.vanished, fate.lost) = (0, 0);
        }
        for part in parts.iter().filter(|part| part.well) {
            let remote = count(after, part.source, token);
            let gone = count(before, part.source, token) - remote;
            let pulled = match part.options.inbox {
                true => unread(before, part.source, token).saturating_sub(gone),
                false => remote,
            };
            let missing = fate.missing(part.source, pulled, local);
            let is_confused = replaced.contains(&part.source) || fate.confused.contains(&part.source);
            if is_confused && (fate.births > 1 || fate.removed_locally > 0) {
                fate.vanished = fate.vanished.max(missing);
            }
            ensure!(
                missing <= fate.vanished,
                "it was left out, and the run ended with 0"
            );
            if !part.options.inbox {
                fate.confused.remove(&part.source);
            }
        }
        Ok(())
    }

    fn judge_local(
        &mut self,
        parts: &[Part],
        before: &Snapshot,
        after: &Snapshot,
        token: Token,
    ) -> anyhow::Result<()> {
        let (was, is) = (
            folders_of(&before[&At::Local], token),
            folders_of(&after[&At::Local], token),
        );
        let older = self.fate(token).older_than_task.clone();
        let mirrored = |at: At| {
            let mut parts = parts.iter();
            !older.contains(&at) && parts.any(|part| part.options.delete_local && part.source == at)
        };
        let fate = self.fate(token);
        if is.len() < was.len() {
            // What its source has, wherever it was moved there, has to be here.
            let has_all = parts.iter().all(|part| {
                let at = part.source;
                let former = fate.missing(at, count(before, at, token), was.len());
                fate.missing(at, count(after, at, token), is.len()) <= former
            });
            let asked = draw(&mut fate.spare, was.len() - is.len());
            let asked = draw(&mut fate.removed_remotely, asked);
            let mut unasked = draw(&mut fate.younger_than_ledger, asked);
            if fate.births > 1 && !is.is_empty() {
                // Moved to where an equal one was: that counts as its copy now.
                unasked = draw(&mut fate.relocations, unasked);
            }
            ensure!(
                has_all && unasked == 0 && SOURCES.into_iter().any(mirrored),
                "it is lost: deleted locally, which neither its owner nor an option asked for"
            );
        }
        let folders: BTreeSet<&str> = was.iter().chain(&is).copied().collect();
        for folder in folders {
            let times = |folders: &[&str]| folders.iter().filter(|&&one| one == folder).count();
            let (former, now) = (times(&was), times(&is));
            ensure!(
                now <= former.max(fate.births),
                "it is {now} times in the local {folder}"
            );
            let there = SOURCES
                .into_iter()
                .map(|at| times(&folders_of(&before[&at], token)));
            ensure!(
                now <= former + there.sum::<usize>(),
                "it was delivered to the local {folder}, where its source does not have it"
            );
            ensure!(
                now >= former || SOURCES.into_iter().any(mirrored),
                "it was deleted from the local {folder} without an option"
            );
        }
        let removed = match fate.may_come_again {
            true => 0,
            false => fate.removed_locally + fate.removed,
        };
        let wanted = (fate.births + fate.spare).saturating_sub(removed);
        let surplus = is.len().saturating_sub(was.len().max(wanted));
        ensure!(
            draw(&mut fate.relocations, surplus) == 0,
            "it is doubled: delivered again although it is there"
        );
        fate.spare += surplus;
        if parts.iter().all(|part| part.well) && !fate.marked_locally {
            let marked = |snapshot: &Snapshot, at: At| {
                let mut found = snapshot[&at].values().flatten();
                found.any(|found| found.token == token && found.flags.iter().any(|flag| flag == "\\Deleted"))
            };
            // A mark comes with a new message, and never later.
            let is_new = is.iter().any(|one| !was.contains(one)) || is.len() > was.len();
            let came = is_new && SOURCES.into_iter().any(|at| marked(before, at));
            ensure!(
                came || marked(before, At::Local) || !marked(after, At::Local),
                "it is marked as deleted locally, which its owner did not do"
            );
        }
        Ok(())
    }
}
