// SPDX-License-Identifier: GPL-3.0-or-later
//! Remote deletions of many folders together: the same checks as for one, each made for all folders before the next.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::candidates::{Candidates, RemoteMessages};
use super::gate::{self, RemoteDeletable};
use super::{days_ago, different_mailboxes, remote, report_kept};
use crate::imap::{MailboxRequest, Selected, UidSet, Untagged};
use crate::sync::job::Shared;
use crate::sync::message_key::Digest;
use crate::sync::reconcile::connections::{self, Connections, requests};
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::reconcile::folder::{FolderSync, open};
use crate::sync::reconcile::headers::{self, MessagesAhead};
use crate::sync::side::Side;
use crate::sync::state::LedgerError;
use crate::task::RemoteDeletion;

/// Messages of all folders that are dealt with together. In a folder of more a few round trips count for nothing.
const MESSAGES: u64 = 10_000;
const MESSAGES_OF_ONE: u64 = 1_000;

/// One that an earlier run copied counts as so many: all its octets are read, and what is proven is not to be long ago.
const WEIGHT_OF_EARLIER: u64 = 10;

/// The folders that are done with, by their numbers.
pub(super) type Done = HashSet<usize>;

/// Deletes from the remote side what is known to be delivered, in all folders for which that can be done together. The
/// others are left to [`remote::delete_remote`]. What the test of a former run left goes first.
pub async fn delete_remote_together(
    shared: &Shared,
    folders: &[Rc<FolderSync>],
    connections: &mut Connections,
) -> FolderResult<Done> {
    let mut done = Done::new();
    if !shared.job.dry {
        connections::with_reconnect(shared, connections, async |connections| {
            different_mailboxes::clear_leftover(shared, connections).await
        })
        .await?;
    }
    let Some(before) = bears(shared, connections) else {
        return Ok(done);
    };
    let mut group: Vec<(&FolderSync, UidSet)> = vec![];
    let mut messages = 0;
    for sync in folders {
        let Some(delivered) = suits(shared, sync, before)? else {
            continue;
        };
        let new = delivered.intersection(&sync.copied.borrow()).len();
        let weight = new + (delivered.len() - new) * WEIGHT_OF_EARLIER;
        if messages + weight > MESSAGES {
            delete(shared, std::mem::take(&mut group), connections, &mut done).await?;
            messages = 0;
        }
        messages += weight;
        group.push((sync, delivered));
    }
    delete(shared, group, connections, &mut done).await?;
    Ok(done)
}

/// Whether this run deletes, from a server with which it can be done for several folders together; and what is older than
/// which moment.
fn bears(shared: &Shared, connections: &Connections) -> Option<Option<i64>> {
    let job = &shared.job;
    let remote = &connections.remote;
    if job.dry || !job.shared_with.is_empty() || !remote.expunges_some() || !remote.finds_uids() {
        return None;
    }
    match job.delete_remote {
        RemoteDeletion::Keep => None,
        RemoteDeletion::AfterTransfer => Some(None),
        RemoteDeletion::OlderThan(days) => Some(Some(days_ago(days.get()))),
    }
}

/// What is delivered of a folder about which there is nothing else to tell.
fn suits(shared: &Shared, sync: &FolderSync, before: Option<i64>) -> Result<Option<UidSet>, LedgerError> {
    if sync.broken.get() || sync.pair.view {
        return Ok(None);
    }
    let id = sync.folder.id;
    let state = shared.state.borrow();
    if !state.unlocated(id)?.is_empty() || !state.incomplete(id)?.is_empty() {
        return Ok(None);
    }
    let delivered = state.deletable(id, before)?;
    let is_rest_unmarked = state.intended_remote_deletions(id)?.minus(&delivered).is_empty();
    let is_suitable = !delivered.is_empty() && delivered.len() <= MESSAGES_OF_ONE && is_rest_unmarked;
    Ok(is_suitable.then_some(delivered))
}

async fn delete(
    shared: &Shared,
    group: Vec<(&FolderSync, UidSet)>,
    connections: &mut Connections,
    done: &mut Done,
) -> FolderResult<()> {
    if group.len() < 2 || shared.restored_meanwhile.get() {
        return Ok(());
    }
    let mut checked = vec![];
    for content in read_contents(shared, group, connections).await? {
        let sync = content.sync;
        match check(shared, content, connections).await? {
            Checked::Alone => {}
            Checked::Nothing => {
                done.insert(sync.index);
            }
            Checked::Proven(candidates) => checked.push((sync, candidates)),
        }
    }
    if checked.is_empty() {
        return Ok(());
    }
    let different = connections::with_reconnect(shared, connections, async |connections| {
        different_mailboxes::prove(shared, connections).await
    });
    let Some(different) = different.await? else {
        done.extend(checked.iter().map(|(sync, _)| sync.index));
        return Ok(());
    };
    let mut proven = vec![];
    for (sync, candidates) in checked {
        let outcome = connections::at_folder(shared, connections, &sync.pair, async |connections| {
            candidates.still_hold(shared, sync, &mut connections.local).await
        });
        match outcome.await {
            Ok(true) => proven.push((sync, candidates.proven)),
            Err(error @ FolderError::Failure(_)) => return Err(error),
            // The work on the folder alone meets it again, and tells.
            Ok(false) | Err(_) => {}
        }
    }
    if shared.restored_meanwhile.get() {
        return Ok(());
    }
    {
        let mut state = shared.state.borrow_mut();
        for (sync, uids) in &proven {
            state.intend_remote_deletion(sync.folder.id, uids)?;
        }
        state.sync()?;
    }
    let doomed = proven.iter().map(|(sync, uids)| {
        let proof = RemoteDeletable::new(uids.clone(), different);
        (*sync, proof)
    });
    let doomed: Vec<_> = doomed.collect();
    let outcomes = gate::delete_in_all(shared, &doomed, connections).await?;
    for ((sync, uids), kept) in proven.into_iter().zip(outcomes) {
        let Some(kept) = kept else { continue };
        let deleted = uids.minus(&kept);
        shared
            .state
            .borrow_mut()
            .mark_remote_deleted(sync.folder.id, &deleted)?;
        report_kept(shared, sync, Side::Remote, &kept);
        remote::count(shared, sync, deleted.len());
        done.insert(sync.index);
    }
    Ok(())
}

/// What a remote folder shows of what was delivered from it.
struct FolderContent<'a> {
    sync: &'a FolderSync,
    delivered: UidSet,
    selected: Selected,
    alive: UidSet,
    found: RemoteMessages,
}

/// Looks at all folders of a group; those that do not tell everything are left out.
async fn read_contents<'a>(
    shared: &Shared,
    group: Vec<(&'a FolderSync, UidSet)>,
    connections: &mut Connections,
) -> FolderResult<Vec<FolderContent<'a>>> {
    let (mut asked, mut asking) = (vec![], vec![]);
    for (sync, delivered) in group {
        let (ahead, mut questions) =
            MessagesAhead::ask(&connections.remote, delivered.clone(), delivered.len());
        let earlier = delivered.minus(&sync.copied.borrow());
        questions.extend(headers::whole_questions(&earlier));
        asking.push(MailboxRequest::to_read(&sync.pair.remote, questions));
        asked.push((sync, delivered, ahead, Wholes::default()));
    }
    let answered = requests::send_all(shared, connections, Side::Remote, asking, |at, data| {
        if let Some((_, delivered, ahead, wholes)) = asked.get_mut(at)
            && let Some(data) = wholes.take(delivered, data)
        {
            ahead.note(data);
        }
    })
    .await?;
    let mut contents = vec![];
    for ((sync, delivered, ahead, wholes), selected) in asked.into_iter().zip(answered) {
        if let (Some(selected), Some((alive, seen)), false) = (selected, ahead.outcome(), wholes.failed) {
            let seen = seen.into_iter().map(|seen| (seen.uid, seen)).collect();
            let digests = wholes.digests;
            contents.push(FolderContent {
                sync,
                delivered,
                selected,
                alive,
                found: RemoteMessages { seen, digests },
            });
        }
    }
    Ok(contents)
}

/// The digests and octets of the messages that came as a whole.
#[derive(Default)]
struct Wholes {
    digests: HashMap<u32, (Digest, u64)>,
    failed: bool,
}

impl Wholes {
    /// Takes in a whole message of those that were asked for, and gives back what is something else.
    fn take(&mut self, asked: &UidSet, data: Untagged) -> Option<Untagged> {
        let Untagged::Fetch(fetch) = data else {
            return Some(data);
        };
        let (Some(uid), Some(body)) = (fetch.uid, fetch.body.as_ref().filter(|_| fetch.is_whole)) else {
            return Some(Untagged::Fetch(fetch));
        };
        match Digest::of(body) {
            Ok(digest) if asked.contains(uid) => {
                self.digests.insert(uid, (digest, body.len()));
            }
            Ok(_) => {}
            Err(_) => self.failed = true,
        }
        None
    }
}

/// What the checks of a folder came to.
enum Checked {
    /// They are to be made with the folder alone.
    Alone,
    /// Nothing is to be deleted.
    Nothing,
    /// This may be deleted.
    Proven(Candidates),
}

async fn check(
    shared: &Shared,
    content: FolderContent<'_>,
    connections: &mut Connections,
) -> FolderResult<Checked> {
    let FolderContent {
        sync,
        delivered,
        selected,
        alive,
        found,
    } = content;
    if selected.uid_validity.is_none() || open::check(Side::Remote, selected, &sync.folder).is_err() {
        return Ok(Checked::Alone);
    }
    let gone = delivered.minus(&alive);
    shared
        .state
        .borrow_mut()
        .mark_remote_deleted(sync.folder.id, &gone)?;
    match Candidates::check(shared, sync, connections, &alive, Some(found)).await {
        Ok(Some(candidates)) if !candidates.proven.is_empty() => Ok(Checked::Proven(candidates)),
        Ok(_) => Ok(Checked::Nothing),
        Err(error @ FolderError::Failure(_)) => Err(error),
        // The work on the folder alone meets it again, and tells.
        Err(_) => Ok(Checked::Alone),
    }
}
