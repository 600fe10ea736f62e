// SPDX-License-Identifier: GPL-3.0-or-later
//! Local folders that the remote side does not have any more, with `delete_local`.

use std::collections::HashSet;

use super::gate::{self, EmptyFolder, LocalDeletable};
use super::recorded::are_recorded;
use super::report_kept_in;
use crate::imap::{Error, Listed, Mailbox, MailboxStatus, UidSet};
use crate::sync::account::Failure;
use crate::sync::event::Event;
use crate::sync::folder_mapping;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::error::{FolderError, FolderResult, contain};
use crate::sync::reconcile::folder::open;
use crate::sync::reconcile::listing::Listing;
use crate::sync::side::Side;
use crate::sync::state::{Flag, FolderState, Ledger, LedgerError};

/// A folder is deleted when the remote side did not list it in so many runs on end.
const RUNS: u32 = 2;

/// A local folder that may go.
pub(super) struct DoomedFolder {
    /// Its record.
    pub state: FolderState,
    /// All messages in it.
    pub uids: UidSet,
}

/// What became of a folder that was to go.
pub(super) struct Removed {
    /// How many of its messages went.
    pub messages: u64,
    /// Whether it went itself.
    pub folder: bool,
}

/// What the remote side lists no longer.
pub(super) struct Missing {
    /// Folders that may go, children before their parents.
    pub folders: Vec<DoomedFolder>,
    /// More than half of what the remote side had is missing: then its list is not to be believed.
    pub most_are_missing: bool,
}

/// Looks which folders that this account filled are missing on the remote side. The local ones may go if they hold
/// nothing but what it brought: never the inbox, special-use folders, those that the task leaves out, other people's, nor
/// one with folders below that stay.
pub(super) async fn missing(
    shared: &Shared,
    listing: &Listing,
    connections: &mut Connections,
) -> Result<Missing, Failure> {
    let here: HashSet<&Mailbox> = listing
        .local
        .folders
        .iter()
        .map(|(listed, _)| &listed.mailbox)
        .collect();
    let known: Vec<(Mailbox, FolderState)> = shared
        .state
        .borrow()
        .folders()?
        .into_iter()
        .filter(|(_, folder)| folder.remote_validity != 0 && !folder.is_former)
        // One that is gone on both sides leaves nothing to delete, and is no sign of a list that lacks folders.
        .filter(|(remote, folder)| listing.remote_names.contains(remote) || here.contains(&folder.local))
        .collect();
    let mut gone = vec![];
    for (remote, folder) in &known {
        let is_missing = !listing.remote_names.contains(remote);
        let runs = if shared.job.dry {
            RUNS
        } else {
            shared.state.borrow().count_missing(folder.id, is_missing)?
        };
        if is_missing && shared.source_replaced.get() && !shared.job.dry {
            // Not deleted there: another mailbox never had it.
            shared.state.borrow().disown(folder.id)?;
        } else if is_missing {
            gone.push((runs, folder));
        }
    }
    let most_are_missing = gone.len() * 2 > known.len();
    let staying = staying(shared, listing, &gone)?;
    let mut folders = vec![];
    // Children before their parents.
    gone.sort_by(|a, b| b.1.local.cmp(&a.1.local));
    let mut kept = staying.names;
    for (runs, folder) in gone {
        let name = folder.local.name();
        let Some((listed, status)) = staying
            .candidates
            .iter()
            .find(|(listed, _)| listed.mailbox == folder.local)
        else {
            continue;
        };
        let is_another = |status: &MailboxStatus| status.is_valid() && !folder.is_same_local(*status);
        if status.is_some_and(|status| is_another(&status)) {
            // What was filled is no more: this one is not ours. What was in it may be elsewhere.
            let mut state = shared.state.borrow_mut();
            state.set(Flag::NewMayBeOlder, true)?;
            state.forget_folder(folder.id)?;
            kept.insert(name.to_owned());
            continue;
        }
        let below = listed.separator.map(|separator| format!("{name}{separator}"));
        let has_children = below.is_some_and(|prefix| kept.iter().any(|kept| kept.starts_with(&prefix)));
        if runs < RUNS || has_children || shared.state.borrow().is_filled_by_others(folder)? {
            kept.insert(name.to_owned());
            continue;
        }
        let outcome = connections::with_reconnect(shared, connections, async |connections| {
            look(shared, folder, &mut connections.local).await
        })
        .await;
        match contain(shared, name, outcome)?.flatten() {
            Some(uids) => folders.push(DoomedFolder {
                state: folder.clone(),
                uids,
            }),
            None => {
                kept.insert(name.to_owned());
            }
        }
    }
    Ok(Missing {
        folders,
        most_are_missing,
    })
}

struct Staying<'a> {
    names: HashSet<String>,
    candidates: Vec<(&'a Listed, Option<MailboxStatus>)>,
}

fn staying<'a>(
    shared: &Shared,
    listing: &'a Listing,
    gone: &[(u32, &FolderState)],
) -> Result<Staying<'a>, Failure> {
    let local = &listing.local;
    let mut names = listing.local_names.clone();
    names.extend(listing.pairs.iter().map(|pair| pair.local.name().to_owned()));
    let chooser = shared.job.selection.on(local);
    let mut candidates = vec![];
    for (listed, status) in &local.folders {
        let name = listed.mailbox.name();
        let is_gone = gone.iter().any(|(_, folder)| folder.local == listed.mailbox);
        let protected = listed.mailbox.is_inbox()
            || listed.has("\\Noselect")
            || folder_mapping::is_special(listed)
            || names.contains(name)
            || chooser.protects(listed)
            || shared.state.borrow().keeps_folder(&listed.mailbox)?;
        if is_gone && !protected {
            candidates.push((listed, *status));
        } else {
            names.insert(name.to_owned());
        }
    }
    Ok(Staying { names, candidates })
}

/// The messages of a folder that may go with it; `None` when there is one that stays.
async fn look(
    shared: &Shared,
    folder: &FolderState,
    local: &mut SideSession,
) -> FolderResult<Option<UidSet>> {
    open::open(local, &folder.local, folder, false).await?;
    let all = local.search("ALL").await?;
    let (copies, confirmed) = {
        let state = shared.state.borrow();
        let done = state.done_uids(folder.id)?;
        (state.copies(folder.id, &done)?, state.confirmed(folder.id)?)
    };
    let former = shared.state.borrow().brought_before(folder.id)?;
    let mut own = confirmed;
    for copy in copies {
        let state = shared.state.borrow();
        if let Some(uid) = copy.local_uid
            && copy.is_delivered
            && uid >= former
            && !state.belongs_to_others(folder.id, uid)?
            && !state.is_claimed_by_others(folder.id, &copy.key)?
            && !state.is_waiting(&copy.key)?
        {
            own.insert(uid);
        }
    }
    let foreign = all.minus(&own);
    if foreign.is_empty() {
        let are_recorded = are_recorded(shared, folder.id, folder.local.name(), &all, local).await?;
        return Ok(are_recorded.then_some(all));
    }
    shared.reporter.borrow_mut().tell(&Event::FolderStays {
        folder: &folder.local,
        messages: foreign.len(),
    });
    Ok(None)
}

/// Deletes a folder with its messages. It stays when something came into it meanwhile, or the server keeps anything.
pub(super) async fn remove(
    shared: &Shared,
    folder: &DoomedFolder,
    local: &mut SideSession,
) -> FolderResult<Removed> {
    let (id, mailbox) = (folder.state.id, &folder.state.local);
    {
        let state = shared.state.borrow();
        state.set_deleting(id, true)?;
        state.sync()?;
    }
    let mut kept = UidSet::default();
    if !folder.uids.is_empty() {
        let opened = open::open(local, mailbox, &folder.state, true).await?;
        super::intended::intend(shared, id, &folder.uids)?;
        let proof = LocalDeletable::new(folder.uids.clone());
        kept = gate::delete(shared, mailbox, opened, local, &proof).await?;
    }
    let stays = Removed {
        messages: folder.uids.minus(&kept).len(),
        folder: false,
    };
    let opened = open::open(local, mailbox, &folder.state, false).await?;
    let Some(proof) = EmptyFolder::new(mailbox, opened) else {
        report_kept_in(shared, mailbox.name(), Side::Local, &kept);
        if u64::from(opened.messages) > kept.len() {
            let event = Event::FolderInUse { folder: mailbox };
            shared.reporter.borrow_mut().tell(&event);
        }
        shared.state.borrow().set_deleting(id, false)?;
        return Ok(stays);
    };
    match gate::delete_folder(local, proof).await {
        // Its messages are gone all the same.
        refused @ Err(FolderError::Imap {
            error: Error::Command { .. },
            ..
        }) => {
            contain(shared, mailbox.name(), refused)?;
            return Ok(stays);
        }
        deleted => deleted?,
    }
    let mut state = shared.state.borrow_mut();
    if has_lost_any(&state, folder)? {
        // By its owner, who may have filed it elsewhere.
        state.set(Flag::NewMayBeOlder, true)?;
    }
    state.forget_folder(id)?;
    Ok(Removed {
        messages: folder.uids.len(),
        folder: true,
    })
}

/// Whether anything that was delivered to the folder had left it before it was deleted.
fn has_lost_any(state: &Ledger, folder: &DoomedFolder) -> Result<bool, LedgerError> {
    let id = folder.state.id;
    let copies = state.copies(id, &state.done_uids(id)?)?;
    let has_left = |local: Option<u32>| local.is_none_or(|uid| !folder.uids.contains(uid));
    Ok(state.has_history(id)? || copies.iter().any(|copy| has_left(copy.local_uid)))
}
