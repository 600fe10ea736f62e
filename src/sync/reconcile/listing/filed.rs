// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether what is new in a local folder may be what its owner had before, and moved there: from a folder that nothing is
//! pulled to, or from one that was not on record yet.

use std::collections::{HashMap, HashSet};

use crate::imap::Mailbox;
use crate::sync::account::Failure;
use crate::sync::folder_mapping::{self, Pair};
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::listing::Listing;
use crate::sync::state::{Flag, LedgerError, Unpaired};

/// Notes at the start of a run what is known of that.
pub(super) fn note(shared: &Shared, pairs: &[Pair], local: &folder_mapping::Side) -> Result<(), LedgerError> {
    let mut state = shared.state.borrow_mut();
    // Whichever task of the account pulls them.
    let folders = state.folders()?.into_iter();
    let folders = folders.filter(|(_, folder)| folder.baseline != 0);
    let on_record: HashMap<Mailbox, Mailbox> =
        folders.map(|(remote, folder)| (remote, folder.local)).collect();
    let now = other_folders(&on_record.values().collect(), local);
    let mut known = state.unpaired()?;
    if known.is_empty() && !now.is_empty() {
        // Not only at the end: a first run that is cut off must not lose it.
        state.set_unpaired(&now)?;
    }
    known.retain(|mailbox, _| !on_record.values().any(|local| local == mailbox));
    let has_lost = known
        .iter()
        .any(|(mailbox, folder)| folder.lost_any(now.get(mailbox).copied()));
    let is_unknown = |pair: &Pair| {
        let record = on_record.get(&pair.remote);
        let is_on_record = record.is_some_and(|local| [&pair.local, &pair.fallback].contains(&local));
        !is_on_record && pair.destination.is_some_and(|status| status.uid_next != Some(1))
    };
    let is_unknown = pairs.iter().any(is_unknown);
    if has_lost || is_unknown {
        state.set(Flag::NewMayBeOlder, true)?;
    }
    Ok(())
}

/// Once all folders are on record: what comes from now on is younger than the ledger. A message that was new in one of them
/// up to now may have been in another one before, and counts as older. Where one came while they were compared it is not on
/// record yet, and the next run does this again.
pub async fn all_compared(
    shared: &Shared,
    pairs: &[Pair],
    connections: &mut Connections,
) -> FolderResult<()> {
    if !shared.state.borrow().is_set(Flag::NewMayBeOlder)? {
        return Ok(());
    }
    let listed = connections::with_reconnect(shared, connections, async |connections| {
        connections.local.list_status().await
    });
    let listed = listed.await?.into_iter();
    let next: HashMap<Mailbox, u32> = listed
        .filter_map(|(listed, status)| Some((listed.mailbox, status?.uid_next?)))
        .collect();
    let all_are_on_record = pairs.iter().all(|pair| {
        let compared_below = pair.destination.map_or(Some(1), |status| status.uid_next);
        let now = next.get(&pair.local).copied();
        now.is_none() || now == compared_below
    });
    let mut state = shared.state.borrow_mut();
    state.all_compared(&next)?;
    if all_are_on_record {
        // Last: cut off in between, it is done once more.
        state.set(Flag::NewMayBeOlder, false)?;
    }
    Ok(())
}

/// Notes at the end of a run where else the user has mail.
pub(super) fn accept(shared: &Shared, listing: &Listing) -> Result<(), Failure> {
    let paired = listing.pairs.iter().map(|pair| &pair.local).collect();
    let now = other_folders(&paired, &listing.local);
    if shared.state.borrow().unpaired()? != now {
        shared.state.borrow_mut().set_unpaired(&now)?;
    }
    Ok(())
}

/// The other local folders.
fn other_folders(folders: &HashSet<&Mailbox>, local: &folder_mapping::Side) -> HashMap<Mailbox, Unpaired> {
    let listed = local.folders.iter();
    let others = listed.filter(|(listed, _)| !folders.contains(&listed.mailbox));
    others
        .filter_map(|(listed, status)| Some((listed.mailbox.clone(), Unpaired::of((*status)?)?)))
        .collect()
}
