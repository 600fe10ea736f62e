// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail that came to the source while the run was at work: a message that is gone from its folder may have been moved there,
//! and its local copy stays until it has arrived at its new place.

use std::collections::{HashMap, HashSet};

use super::local::Doomed;
use crate::imap::{Error, UidSet};
use crate::sync::job::Shared;
use crate::sync::message_key::MessageKey;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::headers::{self, Detail};
use crate::sync::reconcile::listing::Listing;
use crate::sync::state::LedgerError;

/// The keys of what came since the folders were listed, to folders that are pulled or new.
pub(super) async fn keys(
    shared: &Shared,
    listing: &Listing,
    connections: &mut Connections,
) -> FolderResult<HashSet<MessageKey>> {
    connections::with_reconnect(shared, connections, async |connections| {
        let remote = &mut connections.remote;
        let pulled = listing.pairs.iter();
        let pulled: HashMap<_, _> = pulled.map(|pair| (&pair.remote, pair.source.uid_next)).collect();
        let mut keys = HashSet::new();
        for (listed, status) in remote.list_status().await? {
            let mailbox = listed.mailbox;
            let from = match pulled.get(&mailbox) {
                Some(&from) => from,
                None if listing.remote_names.contains(&mailbox) => None,
                None => Some(1),
            };
            let (Some(from), Some(next)) = (from, status.and_then(|status| status.uid_next)) else {
                continue;
            };
            if next <= from {
                continue;
            }
            match remote.imap.open(&mailbox, false).await {
                Err(Error::Command { .. }) => continue,
                opened => remote.fetched(opened)?,
            };
            let new = headers::read(remote, &UidSet::range(from..=next - 1), Detail::Key).await?;
            keys.extend(new.iter().map(|seen| seen.key));
        }
        Ok(keys)
    })
    .await
}

/// Takes out of what would be deleted in a folder what has one of these keys.
pub(super) fn spare(
    shared: &Shared,
    doomed: &mut Doomed,
    arrived: &HashSet<MessageKey>,
) -> Result<(), LedgerError> {
    let (mut remote, mut local) = (vec![], vec![]);
    {
        let state = shared.state.borrow();
        let id = doomed.sync.folder.id;
        for copy in state.copies(id, &doomed.gone)? {
            if arrived.contains(&copy.key) {
                remote.push(copy.uid);
                local.extend(copy.local_uid);
            }
        }
        let others = state.local_only(id)?.into_iter();
        local.extend(
            others
                .filter(|message| arrived.contains(&message.key))
                .map(|message| message.uid),
        );
    }
    let spared = doomed.local.intersection(&local.into_iter().collect());
    doomed.gone = doomed.gone.minus(&remote.into_iter().collect());
    doomed.local = doomed.local.minus(&spared);
    if !spared.is_empty() {
        let reason = "an equal message came to the remote side while the run was at work";
        let mut reporter = shared.reporter.borrow_mut();
        reporter.withheld(doomed.sync.pair.remote.name(), spared.len(), reason);
    }
    Ok(())
}
