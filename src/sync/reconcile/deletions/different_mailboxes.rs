// SPDX-License-Identifier: GPL-3.0-or-later
//! The proof that both sides are two different mailboxes, without which nothing is deleted remotely: after the name of
//! the remote server was pointed to the local one, each message would be its own copy.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use super::gate;
use crate::imap::{Command, Mailbox, Untagged};
use crate::sync::account::Failure;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::listing::Listing;

const PREFIX: &str = "ns8-imapsync-";

/// Both sides were seen to be two different mailboxes, over the connections of that moment.
#[derive(Clone, Copy, Debug)]
pub struct DifferentMailboxes(());

/// What came out of comparing the two sides, once in a run.
#[derive(Clone, Copy, Debug)]
pub enum Comparison {
    /// They are different.
    Different(DifferentMailboxes),
    /// They are the same.
    Same,
    /// It could not be told.
    Unproven,
}

/// A folder that exists for a moment in the local mailbox.
pub(super) struct Marker(Mailbox);

impl Marker {
    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.0
    }
}

/// Has the proof made again: other connections take the place of those over which it was made, and the name of the source
/// may lead elsewhere by now.
pub fn forget(shared: &Shared) {
    shared.different_mailboxes.set(None);
}

/// Whether the proof was made over the connections there are.
pub(super) fn holds(shared: &Shared) -> bool {
    matches!(shared.different_mailboxes.get(), Some(Comparison::Different(_)))
}

/// Makes a folder of a name that no one knows in the local mailbox and looks whether the remote side shows it. It is done
/// once for the connections of a run, when there is something to delete.
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
        Comparison::Same | Comparison::Unproven => Ok(None),
    }
}

/// Ends a run that would copy a mailbox into folders of itself, at every run deeper: one whose folders go to other names, after
/// the source's name was pointed to the destination. Where the inboxes differ the two are not the same.
pub async fn refuse_itself(
    shared: &Shared,
    listing: &Listing,
    connections: &mut Connections,
) -> Result<(), Failure> {
    let mut pairs = listing.pairs.iter();
    if shared.job.dry || !pairs.any(|pair| pair.renamed) || !listing.has_same_inbox {
        return Ok(());
    }
    connections::with_reconnect(shared, connections, async |connections| {
        prove(shared, connections).await
    })
    .await?;
    match shared.different_mailboxes.get() {
        Some(Comparison::Same) => Err(Failure {
            exit: Exit::WithErrors,
            key: Some(crate::error::ErrorKey::MailboxesNotDistinct),
            message: "nothing is copied: it would be copied into folders of the same mailbox".to_owned(),
        }),
        _ => Ok(()),
    }
}

async fn compare(shared: &Shared, connections: &mut Connections) -> FolderResult<Comparison> {
    if !remove_leftover(shared, connections).await? {
        // Another one would be left over as well.
        return Ok(Comparison::Unproven);
    }
    let token = RandomState::new().build_hasher().finish();
    let marker = Marker(Mailbox::from_name(&format!(
        "{}{PREFIX}{token:016x}",
        shared.local_prefix.borrow()
    )));
    shared.state.borrow().set_test_folder(marker.0.name())?;
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
    remove(shared, &mut connections.local, &marker).await?;
    let listed = listed?;
    if is_shown {
        report(
            shared,
            "host1 and host2 are the same mailbox: nothing is deleted; correct the source of the task",
        );
        return Ok(Comparison::Same);
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

/// Deletes the marker that a former run may have left, whether or not there is anything else to delete. As long as it
/// is there, nothing is deleted remotely.
pub(super) async fn clear_leftover(shared: &Shared, connections: &mut Connections) -> FolderResult<()> {
    if !remove_leftover(shared, connections).await? {
        shared.different_mailboxes.set(Some(Comparison::Unproven));
    }
    Ok(())
}

/// A run that was cut off, or was not allowed to delete it, may have left its marker; `false` when it is still there.
async fn remove_leftover(shared: &Shared, connections: &mut Connections) -> FolderResult<bool> {
    let left = shared.state.borrow().test_folder()?;
    let Some(name) = left.filter(|name| name.contains(PREFIX)) else {
        return Ok(true);
    };
    let marker = Marker(Mailbox::from_name(&name));
    let is_gone = remove(shared, &mut connections.local, &marker).await?;
    if !is_gone && shared.job.delete_remote.deletes() {
        report(
            shared,
            "nothing is deleted remotely, as host1 and host2 may be the same mailbox: the folder of the last test is \
             still there",
        );
    }
    Ok(is_gone)
}

/// Deletes a marker, and forgets it once it is gone; `false` when it is still there.
async fn remove(shared: &Shared, local: &mut SideSession, marker: &Marker) -> FolderResult<bool> {
    let answer = gate::delete_marker(local, marker).await?;
    if !answer.is_ok() && !answer.has_code("NONEXISTENT") && may_be_there(local, marker).await? {
        let name = marker.0.name();
        let reason = format!(
            "the test folder {name} cannot be deleted on host2: {answer}; delete it, or the next run tries again"
        );
        let mut reporter = shared.reporter.borrow_mut();
        reporter.problem("", Exit::WithErrors, &reason);
        return Ok(false);
    }
    shared.state.borrow().forget_test_folder()?;
    Ok(true)
}

/// Whether a marker is listed, or a list was refused.
async fn may_be_there(local: &mut SideSession, marker: &Marker) -> FolderResult<bool> {
    let mut is_listed = false;
    let list = Command::new("LIST").text("\"\"").mailbox(&marker.0);
    let answer = local
        .call(list, |data| {
            if let Untagged::List(listed) = data {
                is_listed |= listed.mailbox.name() == marker.0.name() && !listed.has("\\NonExistent");
            }
        })
        .await?;
    Ok(is_listed || !answer.is_ok())
}

fn report(shared: &Shared, reason: &str) {
    let mut reporter = shared.reporter.borrow_mut();
    reporter.problem("", Exit::WithErrors, reason);
    let key = crate::error::ErrorKey::MailboxesNotDistinct.to_string();
    reporter.report.error.get_or_insert(key);
}
