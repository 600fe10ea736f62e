// SPDX-License-Identifier: GPL-3.0-or-later
//! The proof that both sides are two different mailboxes, without which nothing is deleted remotely: after the name of
//! the remote server was pointed to the local one, each message would be its own copy.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use super::gate;
use crate::imap::{Command, Mailbox, Untagged};
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::state::MailboxFact;

const PREFIX: &str = "ns8-imapsync-";

/// Both sides were seen to be two different mailboxes in this run.
#[derive(Clone, Copy, Debug)]
pub struct DifferentMailboxes(());

/// What came out of comparing the two sides, once in a run.
#[derive(Clone, Copy, Debug)]
pub enum Comparison {
    /// They are different.
    Different(DifferentMailboxes),
    /// They are the same, or it could not be told.
    Unproven,
}

/// A folder that exists for a moment in the local mailbox.
pub(super) struct Marker(Mailbox);

impl Marker {
    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.0
    }
}

/// Makes a folder of a name that no one knows in the local mailbox and looks whether the remote side shows it. It is done
/// once in a run, when there is something to delete.
pub async fn prove(
    shared: &Shared,
    connections: &mut Connections,
) -> FolderResult<Option<DifferentMailboxes>> {
    let known = shared.different_mailboxes.get();
    let comparison = match known {
        Some(comparison) => comparison,
        None => {
            let comparison = compare(shared, connections).await?;
            shared.different_mailboxes.set(Some(comparison));
            comparison
        }
    };
    match comparison {
        Comparison::Different(proof) => Ok(Some(proof)),
        Comparison::Unproven => Ok(None),
    }
}

async fn compare(shared: &Shared, connections: &mut Connections) -> FolderResult<Comparison> {
    remove_leftover(shared, connections).await?;
    let token = RandomState::new().build_hasher().finish();
    let marker = Marker(Mailbox::from_name(&format!(
        "{}{PREFIX}{token:016x}",
        shared.local_prefix.borrow()
    )));
    shared
        .state
        .borrow()
        .set_mailbox_fact(MailboxFact::Marker, marker.0.name())?;
    let create = Command::new("CREATE").mailbox(&marker.0);
    let created = connections.local.call(create, |_| {}).await?;
    if !created.is_ok() {
        report(
            shared,
            &format!(
                "nothing is deleted remotely, as host1 and host2 may be the same mailbox: host2 refused to create the folder for the test: {created}"
            ),
        );
        return Ok(Comparison::Unproven);
    }
    let mut is_shown = false;
    // The wildcard stands for whatever prefix the other side gives to its folders.
    let list = Command::new("LIST").text(&format!("\"\" \"*{PREFIX}{token:016x}\""));
    let listed = connections
        .remote
        .call(list, |data| {
            if let Untagged::List(listed) = data {
                is_shown |= listed.mailbox.name().ends_with(&format!("{PREFIX}{token:016x}"));
            }
        })
        .await;
    gate::delete_marker(&mut connections.local, &marker).await?;
    shared.state.borrow().set_mailbox_fact(MailboxFact::Marker, "")?;
    let listed = listed?;
    if is_shown {
        report(
            shared,
            "host1 and host2 are the same mailbox: nothing is deleted; correct the source of the task",
        );
        return Ok(Comparison::Unproven);
    }
    if !listed.is_ok() {
        report(
            shared,
            &format!(
                "nothing is deleted remotely, as host1 and host2 may be the same mailbox: host1 refused to list its folders: {listed}"
            ),
        );
        return Ok(Comparison::Unproven);
    }
    Ok(Comparison::Different(DifferentMailboxes(())))
}

/// A run that was cut off may have left its marker.
async fn remove_leftover(shared: &Shared, connections: &mut Connections) -> FolderResult<()> {
    let left = shared.state.borrow().mailbox_fact(MailboxFact::Marker)?;
    if let Some(name) = left.filter(|name| name.contains(PREFIX)) {
        let marker = Marker(Mailbox::from_name(&name));
        gate::delete_marker(&mut connections.local, &marker).await?;
        shared.state.borrow().set_mailbox_fact(MailboxFact::Marker, "")?;
    }
    Ok(())
}

fn report(shared: &Shared, reason: &str) {
    let mut reporter = shared.reporter.borrow_mut();
    reporter.problem("", Exit::WithErrors, reason);
    let key = crate::error::ErrorKey::MailboxesNotDistinct.to_string();
    reporter.report.error.get_or_insert(key);
}
