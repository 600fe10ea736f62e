// SPDX-License-Identifier: GPL-3.0-or-later
//! Deletions in many remote folders, in a few round trips for all of them together.
//!
//! What deletes is sent before it is known whether its folder was opened, so it is done in two steps. First the messages are
//! marked, and each mark counts only if the same opening showed the recorded generation. Then those that are marked are
//! expunged, by their UIDs: should a folder have been replaced in between, nothing there has both such a UID and the mark.
//! Each folder is opened again to be read before the next one is opened to write, so that nothing meant for a folder that
//! cannot be opened is done to the former one.

use super::{DELETED, Deletable as _, RemoteDeletable, expunge_commands};
use crate::imap::{MailboxRequest, Selected, Session, UidSet, Untagged, among};
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::{self, Connections, requests};
use crate::sync::reconcile::deletions::different_mailboxes;
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::reconcile::folder::{FolderSync, open};
use crate::sync::side::Side;

/// Deletes messages in many folders; gives for each those that the server kept. `None` for a folder that is to be looked at
/// alone: something was refused there, it is another one than before, or the connection broke.
pub async fn delete_in_all(
    shared: &Shared,
    doomed: &[(&FolderSync, RemoteDeletable)],
    connections: &mut Connections,
) -> FolderResult<Vec<Option<UidSet>>> {
    if !different_mailboxes::holds(shared) {
        return Ok(vec![None; doomed.len()]);
    }
    let marked = mark(shared, doomed, connections).await?;
    if !different_mailboxes::holds(shared) {
        // The connection was made again, and nothing is known of where it leads.
        return Ok(vec![None; doomed.len()]);
    }
    let mut asking = vec![];
    for (sync, proof) in select(doomed, &marked) {
        let mut request = MailboxRequest::to_write(&sync.pair.remote, expunge_commands(proof.uids()));
        // The folder has been opened again by then: Dovecot 2.3 still finds what it is about to expunge.
        let searches = among(proof.uids()).into_iter();
        request
            .questions
            .extend(searches.map(|one| connections.remote.search_command(&one)));
        asking.push(request);
    }
    let mut left = vec![UidSet::default(); asking.len()];
    let answered = requests::send_all(shared, connections, Side::Remote, asking, |at, data| {
        if let (Some(left), Untagged::Search(found)) = (left.get_mut(at), data) {
            *left = left.union(&found);
        }
    })
    .await?;
    let mut outcomes =
        select(doomed, &marked)
            .zip(answered.into_iter().zip(left))
            .map(|((sync, proof), (opened, left))| {
                let is_same = opened.is_some_and(|opened| is_recorded(sync, opened));
                is_same.then(|| left.intersection(proof.uids()))
            });
    let kept = marked.iter().map(|&is_marked| match is_marked {
        true => outcomes.next().flatten(),
        false => None,
    });
    Ok(kept.collect())
}

/// Marks the messages; tells for each folder whether all of them are marked, in the folder on record.
async fn mark(
    shared: &Shared,
    doomed: &[(&FolderSync, RemoteDeletable)],
    connections: &mut Connections,
) -> FolderResult<Vec<bool>> {
    let requests = doomed.iter().map(|(sync, proof)| {
        let marks = Session::store_commands(proof.uids(), '+', DELETED);
        MailboxRequest::to_write(&sync.pair.remote, marks)
    });
    let answered =
        requests::send_all(shared, connections, Side::Remote, requests.collect(), |_, _| {}).await?;
    let mut marked = vec![];
    for ((sync, proof), opened) in doomed.iter().zip(answered) {
        let is_marked = opened.is_some_and(|opened| is_recorded(sync, opened));
        if !is_marked && !connections.remote.workarounds().is_sequential() {
            let outcome = connections::at_folder(shared, connections, &sync.pair, async |connections| {
                take_back(sync, proof, connections).await
            });
            // Whatever else is the matter with the folder, the work on it alone tells.
            if let Err(FolderError::Failure(failure)) = outcome.await {
                return Err(failure.into());
            }
        }
        marked.push(is_marked);
    }
    Ok(marked)
}

/// The folders of which this is true.
fn select<'a>(
    doomed: &'a [(&'a FolderSync, RemoteDeletable)],
    which: &'a [bool],
) -> impl Iterator<Item = (&'a FolderSync, &'a RemoteDeletable)> {
    let all = doomed.iter().zip(which);
    all.filter(|(_, is_selected)| **is_selected)
        .map(|((sync, proof), _)| (*sync, proof))
}

/// Whether the folder that was opened is the one on record. One that does not tell is not worked on together with others.
fn is_recorded(sync: &FolderSync, opened: Selected) -> bool {
    opened.uid_validity.is_some() && open::check(Side::Remote, opened, &sync.folder).is_ok()
}

/// Takes back the marks in a folder that had been replaced in that very moment: they are on messages that no one meant.
async fn take_back(
    sync: &FolderSync,
    proof: &RemoteDeletable,
    connections: &mut Connections,
) -> FolderResult<()> {
    let (remote, mailbox) = (&mut connections.remote, &sync.pair.remote);
    if is_recorded(sync, remote.open(mailbox, false).await?) {
        return Ok(());
    }
    remote.open(mailbox, true).await?;
    super::take_back_marks(remote, proof.uids()).await?;
    // As after each request: nothing that follows is done to it.
    remote.open(mailbox, false).await?;
    Ok(())
}
