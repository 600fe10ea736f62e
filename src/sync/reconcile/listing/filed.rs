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
use crate::sync::state::{Flag, FolderState, LedgerError, Unpaired};

/// Notes at the start of a run what is known of that.
pub(super) fn note(shared: &Shared, pairs: &[Pair], local: &folder_mapping::Side) -> Result<(), LedgerError> {
    let mut state = shared.state.borrow_mut();
    // A record of another local folder, or one that is to be made anew, says nothing of the mail in this one.
    let is_of = |folder: &FolderState, pair: &Pair| {
        folder.baseline != 0 && [&pair.local, &pair.fallback].contains(&&folder.local)
    };
    let mut on_record = HashSet::new();
    for pair in pairs {
        if state
            .known_folder(&pair.remote)?
            .is_some_and(|folder| is_of(&folder, pair))
        {
            on_record.insert(&pair.local);
        }
    }
    let now = besides(&on_record, local);
    let known = state.unpaired()?;
    if known.is_empty() && !now.is_empty() {
        // Not only at the end: a first run that is cut off must not lose it.
        state.set_unpaired(&now)?;
    }
    let mut known = known.iter().filter(|(mailbox, _)| !on_record.contains(mailbox));
    let has_lost = known.any(|(mailbox, folder)| folder.lost_any(now.get(mailbox).copied()));
    let mut pairs = pairs.iter().filter(|pair| !on_record.contains(&pair.local));
    let is_unknown = pairs.any(|pair| pair.destination.is_some_and(|status| status.uid_next != Some(1)));
    if has_lost || is_unknown {
        state.set(Flag::NewMayBeOlder, true)?;
    }
    Ok(())
}

/// Once all folders are on record: what comes from now on is younger than the ledger. A message that was new in one of them
/// up to now may have been in another one before, and counts as older.
pub async fn all_compared(shared: &Shared, connections: &mut Connections) -> FolderResult<()> {
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
    Ok(shared.state.borrow_mut().all_compared(&next)?)
}

/// Notes at the end of a run where else the user has mail.
pub(super) fn accept(shared: &Shared, listing: &Listing) -> Result<(), Failure> {
    let paired = listing.pairs.iter().map(|pair| &pair.local).collect();
    let now = besides(&paired, &listing.local);
    if shared.state.borrow().unpaired()? != now {
        shared.state.borrow_mut().set_unpaired(&now)?;
    }
    Ok(())
}

/// The other local folders.
fn besides(folders: &HashSet<&Mailbox>, local: &folder_mapping::Side) -> HashMap<Mailbox, Unpaired> {
    let listed = local.folders.iter();
    let others = listed.filter(|(listed, _)| !folders.contains(&listed.mailbox));
    others
        .filter_map(|(listed, status)| Some((listed.mailbox.clone(), Unpaired::of((*status)?)?)))
        .collect()
}
