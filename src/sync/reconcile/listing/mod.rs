// SPDX-License-Identifier: GPL-3.0-or-later
//! What both sides have, at the start of a run.

mod confirm;

use std::collections::HashSet;

use crate::imap::{Besides, Listed, Mailbox, MailboxStatus, Namespace, Session};
use crate::sync::account::{Account, Failure, Side};
use crate::sync::folder_mapping::{self, Pair};
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::state::is_same_generation;

/// Remembered while the local mailbox counts as replaced.
const REPLACED: &str = "mailbox_replaced";

/// Remembered of the local inbox: UIDVALIDITY and the highest UIDNEXT.
const INBOX: &str = "inbox";

/// What both sides have.
pub struct Listing {
    /// The selected folders.
    pub pairs: Vec<Pair>,
    /// Remote folders that are subscribed.
    pub subscribe: HashSet<Mailbox>,
    /// The remote side listed nothing.
    pub remote_empty: bool,
    /// The local side as listed.
    pub local: folder_mapping::Side,
    /// All remote folders as listed.
    pub remote_names: HashSet<Mailbox>,
    /// Local names of all remote folders, left out or not.
    pub local_names: HashSet<String>,
}

/// Lists both sides at once.
pub async fn list(shared: &Shared, connections: &mut Connections) -> Result<Listing, Failure> {
    Ok(
        connections::with_reconnect(shared, connections, async |connections| {
            attempt(shared, connections).await
        })
        .await?,
    )
}

async fn attempt(shared: &Shared, connections: &mut Connections) -> FolderResult<Listing> {
    let (remote, local) = tokio::join!(
        side(&mut connections.remote, Besides::Subscriptions),
        side(&mut connections.local, Besides::Nothing)
    );
    let (remote, subscribe) = remote.map_err(|error| FolderError::fetch(Side::Remote, error))?;
    let (local, _) = local.map_err(|error| FolderError::fetch(Side::Local, error))?;
    let mut pairs = folder_mapping::pair(&remote, &local, &shared.job.selection);
    note_replaced_mailbox(shared, &local)?;
    *shared.local_prefix.borrow_mut() = local.prefix();
    confirm::confirm(shared, &mut pairs, connections).await?;
    {
        let mut reporter = shared.reporter.borrow_mut();
        reporter.line(&format!("Host1: found {} folders.", remote.folders.len()));
        reporter.line(&format!("Host2: found {} folders.", local.folders.len()));
    }
    let local_names = folder_mapping::local_names(&remote, &local, &shared.job.selection);
    Ok(Listing {
        pairs,
        local_names,
        remote_names: remote
            .folders
            .iter()
            .map(|(listed, _)| listed.mailbox.clone())
            .collect(),
        subscribe: subscribe.into_iter().collect(),
        remote_empty: remote.folders.is_empty(),
        local,
    })
}

/// Lists one side.
pub async fn side(
    session: &mut Session,
    besides: Besides,
) -> crate::imap::Result<(folder_mapping::Side, Vec<Mailbox>)> {
    let overview = session.overview(besides).await?;
    let namespace = overview
        .namespace
        .or_else(|| guess_namespace(&overview.mailboxes));
    let side = folder_mapping::Side {
        namespace,
        folders: overview.mailboxes,
    };
    Ok((side, overview.subscribed))
}

/// Where the server does not tell (RFC 2342 is an extension): the prefix that all folders but the inbox have.
fn guess_namespace(folders: &[(Listed, Option<MailboxStatus>)]) -> Option<Namespace> {
    let separator = folders.iter().find_map(|(listed, _)| listed.separator)?;
    let prefix = format!("INBOX{separator}");
    let mut others = folders
        .iter()
        .map(|(listed, _)| listed)
        .filter(|listed| !listed.mailbox.is_inbox())
        .peekable();
    others.peek()?;
    let below = |listed: &Listed| {
        let head = listed.mailbox.wire().get(..prefix.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    others.all(below).then(|| Namespace {
        prefix: prefix.into_bytes(),
        separator: Some(separator),
    })
}

/// Logs in and lists, for a look at one side alone.
pub async fn log_in_and_list(
    account: &Account,
    besides: Besides,
) -> Result<(folder_mapping::Side, Session), Failure> {
    let work = async {
        let mut session = account.login().await?;
        let (side, _) = side(&mut session, besides).await?;
        Ok((side, session))
    };
    work.await
        .map_err(|error| Failure::from_imap(account.side, &error))
}

/// An inbox of another generation may mean that the whole local mailbox is another one: then folders that are missing were
/// not removed by its owner. It is looked at whatever the task pulls, and counts until a run has come to its end.
fn note_replaced_mailbox(shared: &Shared, local: &folder_mapping::Side) -> Result<(), Failure> {
    let state = shared.state.borrow();
    let inbox = local
        .folders
        .iter()
        .find(|(listed, _)| listed.mailbox.is_inbox())
        .and_then(|(_, status)| *status)
        .filter(MailboxStatus::is_valid);
    let Some(inbox) = inbox else { return Ok(()) };
    let (validity, next) = (inbox.uid_validity.unwrap_or(0), inbox.uid_next.unwrap_or(0));
    let known = state.mailbox_meta(INBOX)?.and_then(|known| {
        let (validity, next) = known.split_once(' ')?;
        Some((validity.parse().ok()?, next.parse().ok()?))
    });
    if known.is_some_and(|(validity, next)| !is_same_generation(validity, next, inbox)) {
        let line = "Host2: the inbox was replaced or restored; folders that are missing are copied again";
        shared.reporter.borrow_mut().line(line);
        state.set_meta(REPLACED, "1")?;
    }
    state.set_mailbox_meta(INBOX, &format!("{validity} {next}"))?;
    shared
        .mailbox_replaced
        .set(state.meta(REPLACED)?.as_deref() == Some("1"));
    Ok(())
}

/// Records that a run came to its end after the local mailbox was replaced.
pub fn accept_replaced_mailbox(shared: &Shared, listing: &Listing) -> Result<(), Failure> {
    if shared.mailbox_replaced.get() && !listing.remote_empty {
        shared.state.borrow().set_meta(REPLACED, "0")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(names: &[&str]) -> Option<String> {
        let listed = |name: &&str| Listed {
            mailbox: Mailbox::from_name(name),
            attributes: vec![],
            separator: Some('.'),
        };
        let folders: Vec<_> = names.iter().map(|name| (listed(name), None)).collect();
        let found = guess_namespace(&folders)?;
        Some(String::from_utf8_lossy(&found.prefix).into_owned())
    }

    #[test]
    fn a_prefix_is_one_only_when_all_folders_have_it() {
        assert_eq!(
            guess(&["INBOX", "INBOX.Sent", "inbox.Work"]),
            Some("INBOX.".to_owned())
        );
        assert_eq!(guess(&["INBOX", "INBOX.Sent", "Work"]), None);
        assert_eq!(guess(&["INBOX"]), None);
        assert_eq!(guess(&["INBOX", "IN"]), None);
    }
}
