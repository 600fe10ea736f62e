// SPDX-License-Identifier: GPL-3.0-or-later
//! One account under several names: its server has another host name or an address, or the login is written otherwise. Once
//! the task that pulled from it is deleted, it is known again by its mail, so that what its owner filed elsewhere does not
//! come again. Two accounts of two tasks stay two, however much they look alike: one may lose what the other keeps.

use super::sample::Sample;
use crate::imap::Mailbox;
use crate::sync::event::Event;
use crate::sync::folder_mapping;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::side::Side;
use crate::sync::state::{AccountFact, FolderState, LedgerError};

/// Folders whose youngest messages are looked at.
const FOLDERS: usize = 8;

/// Where nothing is on record of the account of this run: whether it is a former one under another name. The inbox has to be
/// of the recorded generation and to have one of the youngest messages on record, and none may be another one.
pub(super) async fn recognise(
    shared: &Shared,
    listed: &folder_mapping::Side,
    session: &mut SideSession,
) -> FolderResult<()> {
    let former = shared.state.borrow().former_accounts()?;
    for (id, name) in former {
        let folders = shared.state.borrow().folders_of(id)?;
        let is_same = |(mailbox, folder): &&(Mailbox, FolderState)| {
            let now = listed.status(mailbox);
            folder.remote_validity != 0 && now.is_some_and(|now| folder.is_same_remote(now))
        };
        let same: Vec<&(Mailbox, FolderState)> = folders.iter().filter(is_same).take(FOLDERS).collect();
        let Some((inbox, _)) = same.iter().find(|(mailbox, _)| mailbox.is_inbox()) else {
            continue;
        };
        let asked = same.iter().map(|(mailbox, folder)| (mailbox, folder));
        let mut sample = Sample::of(shared, Side::Remote, asked)?;
        sample.ask(session).await?;
        if sample.is_confirmed(inbox) && sample.contradicted(|mailbox| listed.status(mailbox)).is_empty() {
            shared.state.borrow_mut().is_other_name_of(id)?;
            let message = format!("The account is on record as {name}: what is known of its mail holds.");
            shared
                .reporter
                .borrow_mut()
                .tell(&Event::Ledger { message: &message });
            return Ok(());
        }
    }
    Ok(())
}

/// Whether the last complete run reached the account under another name: a server that was made from a copy of the other one
/// has its UIDs, and gives them to other mail since.
pub(super) fn is_reached_otherwise(shared: &Shared) -> Result<bool, LedgerError> {
    let former = shared.state.borrow().account_fact(AccountFact::Reached)?;
    Ok(former.is_some_and(|former| former != name(shared)))
}

/// Remembers the name, at the end of a run.
pub(super) fn remember(shared: &Shared) -> Result<(), LedgerError> {
    let name = name(shared);
    let state = shared.state.borrow();
    match state.account_fact(AccountFact::Reached)? {
        Some(former) if former == name => Ok(()),
        _ => state.set_account_fact(AccountFact::Reached, &name),
    }
}

fn name(shared: &Shared) -> String {
    let remote = &shared.job.remote;
    format!("{} {}", remote.endpoint.host.to_ascii_lowercase(), remote.user)
}
