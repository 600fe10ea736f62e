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
    let now = unpaired(pairs, local);
    let known = shared.state.borrow().unpaired()?;
    if known.is_empty() && !now.is_empty() {
        // Not only at the end: a first run that is cut off must not lose it.
        shared.state.borrow_mut().set_unpaired(&now)?;
    }
    let mut may_be_older = known
        .iter()
        .any(|(mailbox, folder)| folder.lost_any(now.get(mailbox).copied()));
    let state = shared.state.borrow();
    for pair in pairs {
        let may_hold_mail = pair.destination.is_some_and(|status| status.uid_next != Some(1));
        if may_hold_mail && !may_be_older {
            let known = state.known_folder(&pair.remote)?;
            may_be_older = known.is_none_or(|folder| folder.baseline == 0);
        }
    }
    if may_be_older {
        state.set(Flag::NewMayBeOlder, true)?;
    }
    Ok(())
}

/// Once all folders are on record: what comes from now on is younger than the ledger. A message that was new in one of them
/// up to now may have been in another one before, and counts as older.
pub async fn all_compared(
    shared: &Shared,
    listing: &Listing,
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
    let locals: HashSet<&Mailbox> = listing.pairs.iter().map(|pair| &pair.local).collect();
    let next: Vec<(&Mailbox, u32)> = locals
        .into_iter()
        .filter_map(|local| Some((local, *next.get(local)?)))
        .collect();
    Ok(shared.state.borrow_mut().all_compared(&next)?)
}

/// Notes at the end of a run where else the user has mail.
pub(super) fn accept(shared: &Shared, listing: &Listing) -> Result<(), Failure> {
    let now = unpaired(&listing.pairs, &listing.local);
    if shared.state.borrow().unpaired()? != now {
        shared.state.borrow_mut().set_unpaired(&now)?;
    }
    Ok(())
}

/// Local folders that nothing is pulled to.
fn unpaired(pairs: &[Pair], local: &folder_mapping::Side) -> HashMap<Mailbox, Unpaired> {
    let paired: HashSet<&Mailbox> = pairs.iter().map(|pair| &pair.local).collect();
    let listed = local.folders.iter();
    let others = listed.filter(|(listed, _)| !paired.contains(&listed.mailbox));
    others
        .filter_map(|(listed, status)| Some((listed.mailbox.clone(), Unpaired::of((*status)?)?)))
        .collect()
}
