// SPDX-License-Identifier: GPL-3.0-or-later
//! Flags of mail that is there already: what changed on the remote side since the last run is applied, what changed
//! locally stays.
//!
//! [`told`]: what the remote side tells of them.

pub mod told;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::imap::flags::Dropped;
use crate::imap::{Error, Flags, MailboxRequest, StatusLine, UidSet};
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::connections::{Connections, requests};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::flags::told::{Alike, RemoteFlags};
use crate::sync::reconcile::folder::open;
use crate::sync::reconcile::folder::{self, FolderSync};
use crate::sync::side::Side;
use crate::sync::state::MissingKeywords;

/// Asks for the flags of all folders in which some may have changed, in a few round trips for all of them together. What
/// does not come, or is refused, is asked for with its folder.
pub async fn ask_ahead(
    shared: &Shared,
    folders: &[Rc<FolderSync>],
    connections: &mut Connections,
) -> FolderResult<()> {
    let remote = &connections.remote;
    let (mut asked, mut asking) = (vec![], vec![]);
    for sync in folders {
        let is_told = sync.flags.borrow().as_ref().is_some_and(RemoteFlags::is_complete);
        if sync.broken.get() || shared.job.inbox_only() || is_told {
            continue;
        }
        if let Some((told, questions)) = RemoteFlags::ask(shared, sync, remote)? {
            asked.push((sync, told));
            asking.push(MailboxRequest::to_read(&sync.pair.remote, questions));
        }
    }
    let answered = requests::send_all(shared, connections, Side::Remote, asking, |at, data| {
        if let Some((_, told)) = asked.get_mut(at) {
            told.note_ahead(shared, &data);
        }
    })
    .await?;
    for ((sync, mut told), selected) in asked.into_iter().zip(answered) {
        if let Some(selected) = selected {
            told.complete(selected);
            sync.flags.replace(Some(told));
        }
    }
    Ok(())
}

/// Asks what there is to be asked of a folder.
async fn ask(
    shared: &Shared,
    sync: &FolderSync,
    remote: &mut SideSession,
) -> FolderResult<Option<RemoteFlags>> {
    loop {
        let Some((mut told, questions)) = RemoteFlags::ask(shared, sync, remote)? else {
            return Ok(None);
        };
        let opened = remote
            .open_and_ask(&sync.pair.remote, false, questions, |data| {
                told.note(shared, &data)
            })
            .await;
        match opened {
            Err(error)
                if told.is_about_changes(&error) && remote.imap.workarounds().set_refuses_changes() => {}
            opened => {
                told.complete(opened?);
                return Ok(Some(told));
            }
        }
    }
}

/// Applies a folder's remote changes.
pub async fn apply_remote(
    shared: &Shared,
    sync: &FolderSync,
    remote: &mut SideSession,
    local: &mut SideSession,
) -> FolderResult<()> {
    let folder = &sync.folder;
    let told = match sync.flags.take().filter(RemoteFlags::is_complete) {
        Some(told) => told,
        None => match ask(shared, sync, remote).await? {
            Some(told) => told,
            None => return Ok(()),
        },
    };
    let (selected, mut found, renumbered) = told.outcome()?;
    open::check(Side::Remote, selected, folder)?;
    sync.note_opened(selected);
    if renumbered && !shared.job.dry {
        return folder::renumbered(shared, sync, Side::Remote);
    }
    let dropped = found.take_dropped();
    let (changes, mut remembered) = found.changes();
    let mut count = 0;
    let mut pending = Pending::default();
    if !changes.is_empty() && !shared.job.dry {
        sync.open(local, true).await?;
    }
    for ((added, removed), uids) in changes {
        if !shared.job.dry
            && let Some(answer) = change(shared, sync, local, &uids.local, &added, &removed).await?
        {
            pending.add(&uids.remote, answer);
            continue;
        }
        count += uids.local.len();
    }
    // What is not remembered is found changed again.
    remembered.retain(|(uid, _)| !pending.uids.contains(*uid));
    if !remembered.is_empty() {
        shared.state.borrow_mut().set_flags(folder.id, &remembered)?;
    }
    if !pending.uids.is_empty() {
        sync.flags_pending.set(true);
    }
    pending.report(shared, sync);
    if !shared.job.dry {
        report_dropped(shared, sync, &dropped);
    }
    let mut reporter = shared.reporter.borrow_mut();
    reporter.report.flags += count;
    if let Some(folder) = reporter.folder(sync.index) {
        folder.flags += count;
    }
    Ok(())
}

/// Sets the keywords of messages that this run, or one that was cut off, copied without them, each by itself; those that are
/// refused are named.
pub async fn set_missing_keywords(
    shared: &Shared,
    sync: &FolderSync,
    local: &mut SideSession,
) -> FolderResult<()> {
    let id = sync.folder.id;
    let missing = shared.state.borrow().missing_keywords(id)?;
    if missing.is_empty() || shared.job.dry {
        return Ok(());
    }
    let mut alike: HashMap<String, (Flags, Alike)> = HashMap::new();
    let mut settled = UidSet::default();
    let mut unlocated = vec![];
    for MissingKeywords {
        uid,
        local_uid,
        keywords,
    } in missing
    {
        if keywords.is_empty() {
            // They were taken away on the remote side meanwhile.
            settled.insert(uid);
            continue;
        }
        let Some(copy) = local_uid else {
            unlocated.push((uid, keywords));
            continue;
        };
        let (_, uids) = alike
            .entry(keywords.to_string())
            .or_insert_with(|| (keywords, Alike::default()));
        uids.remote.insert(uid);
        uids.local.insert(copy);
    }
    if !alike.is_empty() {
        sync.open(local, true).await?;
    }
    let mut pending = Pending::default();
    for (keywords, uids) in alike.into_values() {
        match store(shared, sync, local, &uids.local, '+', &keywords).await? {
            Some(answer) => pending.add(&uids.remote, answer),
            None => settled = settled.union(&uids.remote),
        }
    }
    for (uid, keywords) in unlocated {
        settled.insert(uid);
        let mut reporter = shared.reporter.borrow_mut();
        reporter.tell(&Event::KeywordsDropped {
            folder: &sync.pair.local,
            uid,
            keywords: &keywords,
        });
        reporter.flags_dropped(sync.index, keywords.len() as u64);
    }
    // Not before: after a lost connection they are set again.
    shared.state.borrow_mut().keywords_settled(id, &settled)?;
    pending.report(shared, sync);
    Ok(())
}

/// Messages of which the local server refused flags for the moment.
#[derive(Default)]
struct Pending {
    /// On the remote side.
    uids: UidSet,
    /// What it said first.
    answer: Option<StatusLine>,
}

impl Pending {
    fn add(&mut self, uids: &UidSet, answer: StatusLine) {
        self.uids = self.uids.union(uids);
        self.answer.get_or_insert(answer);
    }

    fn report(&self, shared: &Shared, sync: &FolderSync) {
        let Some(answer) = &self.answer else { return };
        let reason = format!(
            "{}: flags of {} messages were refused for the moment, the next run tries again: {answer}",
            Side::Local.in_words(),
            self.uids.len()
        );
        let mut reporter = shared.reporter.borrow_mut();
        reporter.problem(sync.pair.remote.name(), Exit::WithErrors, &reason);
    }
}

/// Names the keywords that were set on the remote side and cannot be handed on.
fn report_dropped(shared: &Shared, sync: &FolderSync, dropped: &BTreeMap<u32, Dropped>) {
    let mut reporter = shared.reporter.borrow_mut();
    for (&uid, keywords) in dropped {
        reporter.tell(&Event::KeywordsDropped {
            folder: &sync.pair.local,
            uid,
            keywords,
        });
        reporter.flags_dropped(sync.index, keywords.count());
    }
}

/// Whether it may be set later. A keyword too many is one tomorrow, too.
fn is_put_off(answer: &StatusLine) -> bool {
    answer.is_temporary() && !answer.has_code("LIMIT")
}

/// Adds and removes flags; gives the answer that refuses some of them for the moment.
async fn change(
    shared: &Shared,
    sync: &FolderSync,
    local: &mut SideSession,
    uids: &UidSet,
    added: &Flags,
    removed: &Flags,
) -> FolderResult<Option<StatusLine>> {
    let mut put_off = None;
    for (sign, flags) in [('+', added), ('-', removed)] {
        if !flags.is_empty() {
            let refusal = store(shared, sync, local, uids, sign, flags).await?;
            put_off = put_off.or(refusal);
        }
    }
    Ok(put_off)
}

/// Sets flags; those that the server refuses together are tried one by one, and one that it refuses alone is named. The
/// answer that refuses one for the moment is given back: it is tried again.
async fn store(
    shared: &Shared,
    sync: &FolderSync,
    local: &mut SideSession,
    uids: &UidSet,
    sign: char,
    flags: &Flags,
) -> FolderResult<Option<StatusLine>> {
    match local.imap.store(uids, sign, &flags.to_string()).await {
        Err(Error::Command { answer, .. }) if flags.len() == 1 && is_put_off(&answer) => {
            return Ok(Some(answer));
        }
        Err(Error::Command { .. }) => {}
        stored => return local.changed(stored).map(|()| None),
    }
    let mut put_off = None;
    for flag in flags.iter() {
        match local.imap.store(uids, sign, flag).await {
            Err(Error::Command { answer, .. }) if is_put_off(&answer) => {
                put_off.get_or_insert(answer);
            }
            Err(Error::Command { answer, .. }) => {
                let mut reporter = shared.reporter.borrow_mut();
                reporter.tell(&Event::FlagRefused {
                    folder: &sync.pair.local,
                    flag: &flag,
                    messages: uids.len(),
                    answer: &answer,
                });
                reporter.flags_dropped(sync.index, uids.len());
            }
            stored => local.changed(stored)?,
        }
    }
    Ok(put_off)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Kind;

    #[test]
    fn what_is_refused_for_the_moment_is_gathered() {
        let answer = |text: &str| StatusLine {
            kind: Kind::No,
            code: None,
            text: text.to_owned(),
        };
        let mut pending = Pending::default();
        assert!(pending.uids.is_empty());
        pending.add(&UidSet::range(1..=2), answer("first"));
        pending.add(&UidSet::range(2..=4), answer("second"));
        assert_eq!(pending.uids, UidSet::range(1..=4));
        assert_eq!(pending.answer.map(|answer| answer.text).as_deref(), Some("first"));
    }
}
