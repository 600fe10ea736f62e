// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that another program brought while this run brought them: a clone of this instance, or any other one that
//! cannot see this ledger. Of two copies the one that came first stays; the other is removed by the run that brought
//! it. As UIDs are given in order, the run with the second copy always finds the first one, and no two runs remove
//! both. Where the server does not tell which copy is whose, the one that came first counts as our own.

use std::collections::{HashMap, HashSet};

use crate::imap::{Capability, Error, Mailbox, UidSet};
use crate::sync::event::Event;
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::compare;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::deletions::gate::{self, Deletable as _, SecondCopies};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::{FolderSync, open};
use crate::sync::reconcile::headers::{self, Detail, Seen};
use crate::sync::state::{FolderState, SecondCopy};

/// Removes what this run, or one before that was cut off, brought after another program had brought the same.
pub async fn remove(shared: &Shared, sync: &FolderSync, local: &mut SideSession) -> FolderResult<()> {
    // After a connection was lost.
    resume(shared, &sync.pair, &sync.folder, local).await?;
    if shared.job.dry {
        return Ok(());
    }
    compare::locate(shared, sync, local).await?;
    let id = sync.folder.id;
    // What is older was compared before anything was brought.
    let from = sync.folder.local_next.max(sync.folder.baseline);
    let (own, claimed, repeated) = {
        let state = shared.state.borrow();
        (
            state.brought_from(id, from)?,
            state.claimed_from(id, from)?,
            state.repeated(id)?,
        )
    };
    let Some(&last) = own.keys().max() else {
        return Ok(());
    };
    let guessed: UidSet = match local.capabilities().has(Capability::UidPlus) {
        true => repeated.into_iter().map(|sent| sent.uid).collect(),
        false => own.keys().copied().collect(),
    };
    let others = match guessed.is_empty() {
        // Only what came before a message of ours concerns this run.
        true => UidSet::range(from..=last),
        false => {
            sync.open(local, true).await?;
            local.search(&format!("UID {from}:*")).await?.from(from)
        }
    };
    let others = others.minus(&claimed);
    if others.is_empty() {
        return Ok(());
    }
    sync.open(local, true).await?;
    let mut others = headers::read(local, &others, Detail::Record).await?;
    others.retain(|other| own.values().any(|key| *key == other.key));
    let suspects = own
        .iter()
        .filter(|(_, key)| others.iter().any(|other| other.key == **key));
    let suspects: UidSet = suspects.map(|(&uid, _)| uid).collect();
    if suspects.is_empty() {
        return Ok(());
    }
    let own = headers::read(local, &suspects, Detail::Record).await?;
    let both = own.iter().chain(&others).map(|seen| seen.uid).collect();
    let digests = headers::digests(local, &both).await?;
    let second = SecondCopies::among(&own, &others, &guessed, &digests);
    carry_out(shared, sync, &second, local).await
}

/// The same for what waits for the user's filters, by local UIDs: another program's run may have had its copies filed
/// meanwhile. `now` is the next UID of every folder.
pub async fn remove_filed(
    shared: &Shared,
    sync: &FolderSync,
    waiting: &UidSet,
    now: &HashMap<Mailbox, u32>,
    local: &mut SideSession,
) -> FolderResult<()> {
    let at_start: HashMap<Mailbox, u32> = {
        let folders = shared.local_folders.borrow();
        let known = folders
            .iter()
            .filter_map(|(mailbox, status)| Some((mailbox.clone(), status.uid_next?)));
        known.collect()
    };
    let keys = shared
        .state
        .borrow()
        .brought_from(sync.folder.id, waiting.first().unwrap_or(1))?;
    let keys: HashSet<_> = keys.values().copied().collect();
    let mut filed = vec![];
    for (mailbox, next) in now {
        let from = at_start.get(mailbox).copied().unwrap_or(1);
        if *next <= from || *mailbox == sync.pair.local {
            continue;
        }
        match local.imap.open(mailbox, false).await {
            Err(Error::Command { .. }) => continue,
            opened => local.opened(opened)?,
        };
        let new = headers::read(local, &UidSet::range(from..=next - 1), Detail::Record).await?;
        let alike = new
            .iter()
            .filter(|seen| is_alive(seen) && keys.contains(&seen.key));
        let digests = headers::digests(local, &alike.map(|seen| seen.uid).collect()).await?;
        filed.extend(digests.into_values());
    }
    if filed.is_empty() {
        return Ok(());
    }
    sync.open(local, true).await?;
    let own = headers::digests(local, waiting).await?;
    carry_out(shared, sync, &SecondCopies::filed(&own, filed), local).await
}

fn is_alive(seen: &Seen) -> bool {
    !seen.flags.contains("\\Deleted")
}

async fn carry_out(
    shared: &Shared,
    sync: &FolderSync,
    second: &SecondCopies,
    local: &mut SideSession,
) -> FolderResult<()> {
    if second.uids().is_empty() {
        return Ok(());
    }
    {
        let mut state = shared.state.borrow_mut();
        state.intend_to_remove(sync.folder.id, second.copies())?;
        state.sync()?;
    }
    let opened = sync.open(local, true).await?;
    let kept = gate::delete(shared, &sync.pair.local, opened, local, second).await?;
    settled(shared, &sync.folder, second.copies(), &kept)?;
    let messages = second.uids().minus(&kept).len();
    if messages > 0 {
        shared.reporter.borrow_mut().tell(&Event::SecondCopiesRemoved {
            folder: &sync.pair.local,
            messages,
        });
    }
    Ok(())
}

/// What a run was about to remove when it was cut off: what is there loses our mark, and is looked at again.
pub async fn resume(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    local: &mut SideSession,
) -> FolderResult<()> {
    let copies = shared.state.borrow().second_copies(folder.id)?;
    if copies.is_empty() || shared.job.dry {
        return Ok(());
    }
    open::open(local, &pair.local, folder, true).await?;
    let own = copies.iter().map(|copy| copy.goes).collect();
    let there = local.search_among(&own).await?;
    gate::take_back_marks(local, &there).await?;
    settled(shared, folder, &copies, &there)
}

/// Records what went; what did not is looked at again.
pub fn settled(
    shared: &Shared,
    folder: &FolderState,
    copies: &[SecondCopy],
    kept: &UidSet,
) -> FolderResult<()> {
    let gone = copies.iter().filter(|copy| !kept.contains(copy.goes));
    let gone: Vec<SecondCopy> = gone.copied().collect();
    let mut state = shared.state.borrow_mut();
    state.second_copies_removed(folder.id, &gone)?;
    Ok(state.second_copies_stay(folder.id)?)
}
