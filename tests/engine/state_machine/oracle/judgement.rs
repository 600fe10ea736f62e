// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether what runs did may be.

use std::collections::BTreeSet;

use anyhow::ensure;

use super::fate::draw;
use super::{Oracle, Part, SOURCES, Snapshot, count, minus, unread};
use crate::state_machine::action::{At, Remote};
use crate::state_machine::mails::{Mails, Token, folders_of};

impl Oracle {
    /// Judges what runs did.
    pub(in crate::state_machine) fn judge(
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
        let settles = !self.has_clone;
        self.unsettled
            .retain(|source| !(settles && compared.contains(source)));
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
            // In a folder that is another one under a former name it is not told from one that was delivered from there.
            let is_another_folder = self.replaced.contains(&at);
            let fate = self.fate(token);
            *fate.delivered_from.entry(at).or_default() += gone.len();
            let is_like_another = is_another_folder && fate.births > 1 && local > 0;
            ensure!(
                gone.is_empty() || is_like_another || fate.delivered(at) <= fate.accounted(local),
                "it is lost: deleted from its source without being delivered"
            );
        }
        self.judge_local(parts, before, after, token)?;
        let (replaced, has_clone) = (self.replaced.clone(), self.has_clone);
        let fate = self.fate(token);
        fate.seen_locally |= local > 0;
        if local == 0 {
            fate.older_than_task.clear();
        }
        fate.may_come_again |= has_clone || parts.iter().any(|part| part.killed);
        let mut killed = parts.iter().filter(|part| part.killed);
        fate.may_arrive_late |= killed.any(|part| count(before, part.source, token) > 0);
        fate.is_deletion_cut_off = parts
            .iter()
            .any(|part| part.killed && (part.options.remote != Remote::Keep || fate.is_deletion_cut_off));
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
            let is_confused =
                has_clone || replaced.contains(&part.source) || fate.confused.contains(&part.source);
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
        let has_clone = self.has_clone;
        let mirrored = |at: At| {
            let mut parts = parts.iter();
            !older.contains(&at) && parts.any(|part| part.options.delete_local && part.source == at)
        };
        let fate = self.fate(token);
        let was = fate.without_late(was, &is);
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
            // What a clone brought from a source that still has it comes again, by a task of the original.
            let sources: usize = SOURCES.into_iter().map(|at| count(after, at, token)).sum();
            if has_clone {
                draw(&mut unasked, sources.saturating_sub(is.len()));
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
                now <= former.max(fate.births + fate.looks_new),
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
