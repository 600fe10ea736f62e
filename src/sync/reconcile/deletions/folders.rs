// SPDX-License-Identifier: GPL-3.0-or-later
//! Local folders that the remote side does not have, with `delete_local`.

use std::collections::HashSet;

use crate::imap::{Besides, Command, Listed, MailboxStatus, Session};
use crate::sync::account::{Failure, Side};
use crate::sync::exit_code::Exit;
use crate::sync::folder_mapping;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::deletions::SMALL;
use crate::sync::reconcile::error::{FolderError, FolderResult, contain};
use crate::sync::reconcile::listing::{self, Listing};

/// Deletes local folders that are not on the remote side: never the inbox, special-use, excluded, Shared or Public
/// ones, nor one with folders below that stay, nor one whose mail the guard protects.
pub async fn delete(
    shared: &Shared,
    listing: &Listing,
    connections: &mut Connections,
) -> Result<(), Failure> {
    if !shared.job.delete_local {
        return Ok(());
    }
    if listing.remote_empty {
        let reason = "Host1 listed no folder, not even the inbox: nothing was deleted locally";
        let mut reporter = shared.reporter.borrow_mut();
        reporter.problem("", Exit::WithErrors, reason);
        return Ok(());
    }
    let (mut doomed, mut kept) = sort_out(shared, listing)?;
    if doomed.is_empty() {
        return Ok(());
    }
    if listing.replaced {
        for (listed, _) in doomed {
            shared.state.borrow().keep_folder(&listed.mailbox)?;
            let reason = "the local folder was not deleted: the local mailbox was replaced";
            let mut reporter = shared.reporter.borrow_mut();
            reporter.problem(listed.mailbox.name(), Exit::WithErrors, reason);
        }
        return Ok(());
    }
    if !is_unchanged(shared, listing, connections).await? {
        let line = "Host1: its folders changed during the run; no local folder is deleted";
        shared.reporter.borrow_mut().line(line);
        return Ok(());
    }
    // Children before their parents.
    doomed.sort_by(|a, b| b.0.mailbox.cmp(&a.0.mailbox));
    for (listed, status) in doomed {
        let name = listed.mailbox.name();
        let below = listed.separator.map(|separator| format!("{name}{separator}"));
        if below.is_some_and(|prefix| kept.iter().any(|kept| kept.starts_with(&prefix))) {
            kept.insert(name.to_owned());
            continue;
        }
        let outcome = delete_one(shared, listed, status, &mut connections.local).await;
        match contain(shared, name, outcome)? {
            Some(Some(messages)) => {
                let mut reporter = shared.reporter.borrow_mut();
                reporter.line(&format!(
                    "Host2: deleted folder [{name}] with {messages} messages"
                ));
                reporter.report.deleted_local += messages;
            }
            _ => {
                kept.insert(name.to_owned());
            }
        }
    }
    Ok(())
}

type Doomed<'a> = (&'a Listed, MailboxStatus);

/// What may go, and the names of what stays.
fn sort_out<'a>(
    shared: &Shared,
    listing: &'a Listing,
) -> Result<(Vec<Doomed<'a>>, HashSet<String>), Failure> {
    let here = &listing.local;
    let mut kept: HashSet<String> = listing
        .pairs
        .iter()
        .map(|pair| pair.local.name().to_owned())
        .collect();
    kept.extend(listing.local_names.iter().cloned());
    let mut doomed = vec![];
    for (listed, status) in &here.folders {
        let name = listed.mailbox.name();
        let protected = listed.mailbox.is_inbox()
            || listed.has("\\Noselect")
            || folder_mapping::is_special(listed)
            || kept.contains(name)
            || shared.job.selection.leaves_out(here, listed)
            || shared.state.borrow().keeps_folder(&listed.mailbox)?;
        if protected {
            kept.insert(name.to_owned());
        } else {
            doomed.push((listed, status.unwrap_or_default()));
        }
    }
    Ok((doomed, kept))
}

/// Whether the remote side lists the same folders as at the start: an answer that was incomplete deletes nothing.
async fn is_unchanged(
    shared: &Shared,
    listing: &Listing,
    connections: &mut Connections,
) -> Result<bool, Failure> {
    let again = connections::with_reconnect(shared, connections, async |connections| {
        let listed = listing::side(&mut connections.remote, Besides::Nothing).await;
        listed.map_err(|error| FolderError::fetch(Side::Remote, error))
    });
    let (again, _) = again.await?;
    let names = folder_mapping::local_names(&again, &listing.local, &shared.job.selection);
    Ok(names == listing.local_names)
}

/// Deletes one folder; `None` when it stays. What it holds now decides, not what it held when the run began.
async fn delete_one(
    shared: &Shared,
    listed: &Listed,
    before: MailboxStatus,
    local: &mut Session,
) -> FolderResult<Option<u64>> {
    let name = listed.mailbox.name();
    let select = |error| FolderError::select(Side::Local, error);
    let now = local.open(&listed.mailbox, false).await.map_err(select)?;
    let messages = u64::from(now.messages);
    if messages > SMALL {
        let reason = format!("the local folder was not deleted: all of its {messages} messages would go");
        let mut reporter = shared.reporter.borrow_mut();
        reporter.problem(name, Exit::WithErrors, &reason);
        return Ok(None);
    }
    let arrived = before.messages.is_some_and(|count| messages > count)
        || (before.uid_next.is_some() && now.uid_next > before.uid_next);
    if arrived {
        let line = format!("Host2: folder [{name}] is in use; it is not deleted by this run");
        shared.reporter.borrow_mut().line(&line);
        return Ok(None);
    }
    let change = |error| FolderError::change(Side::Local, error);
    if !shared.job.dry {
        // Some servers delete no folder that is open; one that was opened to be read is closed without an EXPUNGE.
        local.run(Command::new("CLOSE"), |_| {}).await.map_err(change)?;
        let delete = Command::new("DELETE").mailbox(&listed.mailbox);
        local.run(delete, |_| {}).await.map_err(change)?;
        let unsubscribe = Command::new("UNSUBSCRIBE").mailbox(&listed.mailbox);
        local.call(unsubscribe, |_| {}).await.map_err(change)?;
    }
    Ok(Some(messages))
}
