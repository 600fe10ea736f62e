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

/// What happened to a mail besides runs.
#[derive(Clone, Debug, Default)]
struct Fate {
    /// Its owner deleted it from its source and it has not come back.
    removed_remotely: bool,
    /// Its owner deleted it locally and it has not come back.
    removed_locally: bool,
    /// It has another place in its source since it was delivered: it may be delivered there too.
    relocations: usize,
    /// Its owner marked it as deleted locally.
    marked_locally: bool,
    /// A run saw it in the local mailbox.
    seen_locally: bool,
    /// A restored backup took its local folder away and left no other trace: that looks as if its owner had deleted the
    /// folder. It need not come again, but it is not to go from its source either.
    vanished: bool,
    /// It came into the local mailbox by itself, after a run that is remembered: a mirror takes it away.
    younger_than_ledger: bool,
}

/// A task that took part in what is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub source: At,
    pub options: Options,
    /// Whether it said that all is well.
    pub well: bool,
}

#[derive(Default)]
pub(super) struct Oracle {
    fates: Vec<Fate>,
    /// Whether a run is remembered.
    remembers: bool,
    /// Sources whose copies are not known by their UIDs any more: what its owner files until they are compared again is
    /// not known to be the same.
    unsettled: BTreeSet<At>,
}

const SOURCES: [At; 2] = [At::Remote, At::Other];

fn count(snapshot: &Snapshot, at: At, token: Token) -> usize {
    folders_of(&snapshot[&at], token).len()
}

/// The source that has it.
fn source_of(snapshot: &Snapshot, token: Token) -> Option<At> {
    SOURCES.into_iter().find(|&at| count(snapshot, at, token) > 0)
}

/// Whether it is in the inbox of a source, and unread.
fn is_unread(snapshot: &Snapshot, at: At, token: Token) -> bool {
    let inbox = snapshot[&at].get("INBOX").into_iter().flatten();
    let mut found = inbox.filter(|found| found.token == token);
    found.any(|found| !found.flags.iter().any(|flag| flag == "\\Seen"))
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
        self.fate(token).younger_than_ledger = at == At::Local && self.remembers;
    }

    /// The owner deleted a mail.
    pub(super) fn removed(&mut self, at: At, token: Token) {
        match at {
            At::Local => self.fate(token).removed_locally = true,
            _ => self.fate(token).removed_remotely = true,
        }
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
            self.fate(token).relocations += 1;
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
                    self.fate(one.token).vanished |= !after.contains_key(folder) && !shows;
                }
            }
        }
        for token in 0..mails.count() {
            let (former, now) = (folders_of(before, token), folders_of(after, token));
            if !now.is_empty() {
                let fate = self.fate(token);
                match at {
                    At::Local => (fate.removed_locally, fate.vanished) = (false, false),
                    _ => fate.removed_remotely = false,
                }
            }
            if former != now {
                self.relocated(at, token);
            }
        }
    }

    /// What was delivered is remembered no more.
    pub(super) fn forgotten(&mut self, now: &Snapshot, mails: &Mails) {
        self.remembers = false;
        for token in 0..mails.count() {
            self.fate(token).younger_than_ledger = false;
        }
        self.unsettle(now, mails);
    }

    /// Local UIDs mean nothing any more. What its owner filed elsewhere is then not known to be the same.
    pub(super) fn unsettle(&mut self, now: &Snapshot, mails: &Mails) {
        self.unsettled.extend(SOURCES);
        for token in 0..mails.count() {
            let local = folders_of(&now[&At::Local], token);
            let mut remote = SOURCES.into_iter().flat_map(|at| folders_of(&now[&at], token));
            if !local.is_empty() && remote.any(|folder| !local.contains(&folder)) {
                self.fate(token).relocations += 1;
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
        let fate = self.fate(token).clone();
        let local = (
            folders_of(&before[&At::Local], token),
            folders_of(&after[&At::Local], token),
        );
        for at in SOURCES {
            let was = folders_of(&before[&at], token);
            let is = folders_of(&after[&at], token);
            if was == is {
                continue;
            }
            ensure!(is.is_empty(), "it was moved or doubled in its source");
            let asked = parts.iter().any(|part| {
                let old_enough = match part.options.remote {
                    Remote::Keep => false,
                    Remote::Delete => true,
                    Remote::DeleteOlder => mails.get(token).old,
                };
                let in_scope = !part.options.inbox || was == ["INBOX"];
                part.source == at && old_enough && in_scope
            });
            ensure!(asked, "it was deleted from its source, which no option asked for");
            ensure!(
                !local.1.is_empty() || fate.removed_locally,
                "it is lost: deleted from its source without being delivered"
            );
        }
        self.judge_local(parts, before, after, token, &fate)?;
        if !local.1.is_empty() {
            let fate = self.fate(token);
            (fate.seen_locally, fate.vanished) = (true, false);
            fate.removed_locally &= !local.0.is_empty();
        }
        for part in parts.iter().filter(|part| part.well) {
            let remote = folders_of(&after[&part.source], token);
            let pulled = !part.options.inbox || is_unread(before, part.source, token);
            let missed = !remote.is_empty() && pulled && !fate.removed_locally && !fate.vanished;
            ensure!(
                !missed || !local.1.is_empty(),
                "it was left out, and the run ended with 0"
            );
        }
        Ok(())
    }

    fn judge_local(
        &mut self,
        parts: &[Part],
        before: &Snapshot,
        after: &Snapshot,
        token: Token,
        fate: &Fate,
    ) -> anyhow::Result<()> {
        let (was, is) = (
            folders_of(&before[&At::Local], token),
            folders_of(&after[&At::Local], token),
        );
        let mirrored = |at: At| {
            let mut parts = parts.iter();
            parts.any(|part| part.options.delete_local && part.source == at)
        };
        if is.is_empty() && !was.is_empty() {
            // What its source has, wherever it was moved there, has to be here.
            let asked = source_of(after, token).is_none()
                && SOURCES.into_iter().any(mirrored)
                && (fate.removed_remotely || fate.younger_than_ledger);
            ensure!(
                asked,
                "it is lost: deleted locally, which neither its owner nor an option asked for"
            );
        }
        let folders: BTreeSet<&str> = was.iter().chain(&is).copied().collect();
        for folder in folders {
            let times = |folders: &[&str]| folders.iter().filter(|&&one| one == folder).count();
            let (former, now) = (times(&was), times(&is));
            ensure!(now <= former.max(1), "it is {now} times in the local {folder}");
            if now > former {
                let delivered = SOURCES
                    .into_iter()
                    .any(|at| folders_of(&before[&at], token).contains(&folder));
                ensure!(
                    delivered,
                    "it was delivered to the local {folder}, where its source does not have it"
                );
            }
            ensure!(
                now >= former || SOURCES.into_iter().any(mirrored),
                "it was deleted from the local {folder} without an option"
            );
        }
        let surplus = is.len().saturating_sub(was.len().max(1));
        if surplus > 0 {
            ensure!(
                fate.relocations >= surplus,
                "it is doubled: delivered again although it is there"
            );
            self.fate(token).relocations -= surplus;
        }
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
