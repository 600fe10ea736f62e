// SPDX-License-Identifier: GPL-3.0-or-later
//! Remote folders that their owner renamed. Where the server identifies its mailboxes (RFC 8474), such a folder is
//! still the one whose messages are on record, and its mail stays where it is locally.

use std::collections::HashMap;

use crate::imap::{Mailbox, MailboxId};
use crate::sync::event::Event;
use crate::sync::folder_mapping;
use crate::sync::job::Shared;
use crate::sync::state::{FolderState, LedgerError};

/// Records the new names.
pub(super) fn follow(shared: &Shared, remote: &folder_mapping::Side) -> Result<(), LedgerError> {
    let known = shared.state.borrow().folders()?;
    let renamed = renamed(&known, &by_id(remote));
    if renamed.is_empty() {
        return Ok(());
    }
    let rows: Vec<(i64, Mailbox)> = renamed
        .iter()
        .map(|&(_, folder, now)| (folder.id, now.clone()))
        .collect();
    shared.state.borrow_mut().rename_remote(&rows)?;
    for (from, folder, to) in renamed {
        shared.reporter.borrow_mut().tell(&Event::FolderRenamed {
            from: &from,
            to: &to,
            local: &folder.local,
        });
    }
    Ok(())
}

/// Listed folders by their identities. One that two folders claim says nothing.
fn by_id(remote: &folder_mapping::Side) -> HashMap<MailboxId, &Mailbox> {
    let listed = remote.folders.iter();
    let all: Vec<(MailboxId, &Mailbox)> = listed
        .filter_map(|(listed, status)| Some((status.as_ref()?.id?, &listed.mailbox)))
        .collect();
    let mut times: HashMap<MailboxId, usize> = HashMap::new();
    for (id, _) in &all {
        *times.entry(*id).or_default() += 1;
    }
    all.into_iter()
        .filter(|(id, _)| times.get(id) == Some(&1))
        .collect()
}

/// Folders on record with their former and present names. Where the new name is on record for a folder that has not moved
/// elsewhere, both sides are compared as if nothing were known. The inbox is always itself.
fn renamed<'a>(
    known: &'a [(Mailbox, FolderState)],
    listed: &HashMap<MailboxId, &'a Mailbox>,
) -> Vec<(&'a Mailbox, &'a FolderState, &'a Mailbox)> {
    let mut renamed: Vec<_> = known
        .iter()
        .filter_map(|(name, folder)| {
            let now = *listed.get(&folder.remote_id?)?;
            (now != name && !now.is_inbox() && !name.is_inbox()).then_some((name, folder, now))
        })
        .collect();
    loop {
        let before = renamed.len();
        let leave: Vec<i64> = renamed.iter().map(|(_, folder, _)| folder.id).collect();
        let stays = |name: &Mailbox| {
            let mut known = known.iter();
            known.any(|(other, folder)| other == name && !leave.contains(&folder.id))
        };
        renamed.retain(|&(_, _, now)| !stays(now));
        if renamed.len() == before {
            return renamed;
        }
    }
}
