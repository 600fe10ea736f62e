// SPDX-License-Identifier: GPL-3.0-or-later
//! Flags of mail that is there already: what changed on the remote side since the last run is applied, what changed
//! locally stays.
//!
//! [`told`]: what the remote side tells of them.

pub mod told;

use std::rc::Rc;

use crate::imap::{Error, Flags, MailboxRequest, UidSet};
use crate::sync::account::Side;
use crate::sync::event::Event;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::connections::{Connections, requests};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::flags::told::RemoteFlags;
use crate::sync::reconcile::folder::open;
use crate::sync::reconcile::folder::{self, FolderSync};

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

/// Applies a folder's remote changes.
pub async fn carry_over(
    shared: &Shared,
    sync: &FolderSync,
    remote: &mut SideSession,
    local: &mut SideSession,
) -> FolderResult<()> {
    let folder = &sync.folder;
    let told = match sync.flags.take().filter(RemoteFlags::is_complete) {
        Some(told) => told,
        None => {
            let Some((mut told, questions)) = RemoteFlags::ask(shared, sync, remote)? else {
                return Ok(());
            };
            let selected = remote
                .open_and_ask(&sync.pair.remote, false, questions, |data| {
                    told.note(shared, &data)
                })
                .await?;
            told.complete(selected);
            told
        }
    };
    let (selected, found, renumbered) = told.outcome()?;
    open::check(Side::Remote, selected, folder)?;
    if renumbered && !shared.job.dry {
        return folder::renumbered(shared, sync, Side::Remote);
    }
    let (changes, remembered) = found.changes();
    if remembered.is_empty() {
        return Ok(());
    }
    let mut count = 0;
    if !changes.is_empty() && !shared.job.dry {
        sync.open(local, true).await?;
    }
    for ((added, removed), uids) in changes {
        count += uids.len();
        if shared.job.dry {
            continue;
        }
        for (sign, flags) in [('+', added), ('-', removed)] {
            if !flags.is_empty() {
                store(shared, sync, local, &uids, sign, &flags).await?;
            }
        }
    }
    shared.state.borrow_mut().set_flags(folder.id, &remembered)?;
    let mut reporter = shared.reporter.borrow_mut();
    reporter.report.flags += count;
    if let Some(folder) = reporter.folder(sync.index) {
        folder.flags += count;
    }
    Ok(())
}

/// Sets flags; those that the server refuses together are tried one by one, and one that it refuses alone is named.
async fn store(
    shared: &Shared,
    sync: &FolderSync,
    local: &mut SideSession,
    uids: &UidSet,
    sign: char,
    flags: &Flags,
) -> FolderResult<()> {
    match local.imap.store(uids, sign, &flags.to_string()).await {
        Err(Error::Command { .. }) => {}
        stored => return local.changed(stored),
    }
    for flag in flags.iter() {
        match local.imap.store(uids, sign, flag).await {
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
    Ok(())
}
