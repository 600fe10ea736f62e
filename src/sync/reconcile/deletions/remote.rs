// SPDX-License-Identifier: GPL-3.0-or-later
//! Which remote messages may be deleted: those that are now what was delivered, whole, and whose local copies are alive
//! or were removed by their owner.

use std::collections::{HashMap, HashSet};

use super::gate::{self, RemoteDeletable};
use super::{days_ago, different_mailboxes, incomplete, report_kept, report_kept_remotely};
use crate::imap::{UidSet, among};
use crate::sync::account::Side;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::message_key::Digest;
use crate::sync::reconcile::compare;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::{self, FolderSync};
use crate::sync::reconcile::headers::{self, Detail, Seen};
use crate::sync::state::Copy;
use crate::task::{LocalUser, RemoteDeletion};

/// Deletes from the remote side what is known to be delivered.
pub async fn remote(shared: &Shared, sync: &FolderSync, connections: &mut Connections) -> FolderResult<()> {
    if sync.pair.view {
        // What is deleted there is deleted from the folders that it shows.
        return Ok(());
    }
    let before = match shared.job.delete_remote {
        RemoteDeletion::Keep => return take_back_marks(shared, sync, connections).await,
        RemoteDeletion::AfterTransfer => None,
        RemoteDeletion::OlderThan(days) => Some(days_ago(days.get())),
    };
    if !shared.job.dry {
        compare::locate(shared, sync, &mut connections.local).await?;
    }
    incomplete::report_short(shared, sync, connections).await?;
    let id = sync.folder.id;
    let delivered = shared.state.borrow().deletable(id, before)?;
    if delivered.is_empty() {
        return Ok(());
    }
    if shared.job.dry {
        let (_, alive) = sync
            .search(&mut connections.remote, false, among(&delivered))
            .await?;
        count(shared, sync, alive.len());
        return Ok(());
    }
    let (mut opened, alive) = sync
        .search(&mut connections.remote, true, among(&delivered))
        .await?;
    let gone = delivered.minus(&alive);
    shared.state.borrow_mut().mark_remote_deleted(id, &gone)?;
    if !shared.job.shared_with.is_empty() {
        report_shared(shared, sync, alive.len());
        return Ok(());
    }
    let Some(candidates) = Candidates::check(shared, sync, connections, &alive).await? else {
        return Ok(());
    };
    if candidates.proven.is_empty() {
        return Ok(());
    }
    let Some(different) = different_mailboxes::prove(shared, connections).await? else {
        return Ok(());
    };
    {
        let mut state = shared.state.borrow_mut();
        state.intend_remote_deletion(id, &candidates.proven)?;
        state.sync()?;
    }
    if candidates.has_earlier {
        // It was opened to be read meanwhile.
        opened = sync.open(&mut connections.remote, true).await?;
    }
    let proven = candidates.proven.clone();
    let proof = RemoteDeletable::new(candidates.proven, different);
    let kept = gate::delete(shared, &sync.pair.remote, opened, &mut connections.remote, &proof).await?;
    let deleted = proven.minus(&kept);
    shared.state.borrow_mut().mark_remote_deleted(id, &deleted)?;
    report_kept(shared, sync, Side::Remote, &kept);
    count(shared, sync, deleted.len());
    Ok(())
}

/// What one task deleted another one would never see.
fn report_shared(shared: &Shared, sync: &FolderSync, messages: u64) {
    if messages == 0 {
        return;
    }
    let users: Vec<&str> = shared.job.shared_with.iter().map(LocalUser::as_str).collect();
    let reason = format!(
        "tasks of other users pull from the same account: {}",
        users.join(", ")
    );
    report_kept_remotely(shared, sync, messages, &reason);
}

fn count(shared: &Shared, sync: &FolderSync, messages: u64) {
    let mut reporter = shared.reporter.borrow_mut();
    reporter.report.deleted_remote += messages;
    if let Some(folder) = reporter.folder(sync.index) {
        folder.deleted_remote += messages;
    }
}

/// Marks that a former run made and could not carry through are taken back when nothing is to be deleted any more.
async fn take_back_marks(
    shared: &Shared,
    sync: &FolderSync,
    connections: &mut Connections,
) -> FolderResult<()> {
    let id = sync.folder.id;
    let intended = shared.state.borrow().intended_remote_deletions(id)?;
    if shared.job.dry || intended.is_empty() {
        return Ok(());
    }
    let (_, alive) = sync
        .search(&mut connections.remote, true, among(&intended))
        .await?;
    gate::take_back_marks(&mut connections.remote, &alive).await?;
    Ok(shared.state.borrow_mut().cancel_remote_deletion(id, &intended)?)
}

/// Messages that passed the checks.
struct Candidates {
    proven: UidSet,
    /// Some of them were copied by earlier runs.
    has_earlier: bool,
}

impl Candidates {
    /// Holds each message and its copy against what is recorded; `None` when what is known of a side's UIDs proved wrong.
    async fn check(
        shared: &Shared,
        sync: &FolderSync,
        connections: &mut Connections,
        alive: &UidSet,
    ) -> FolderResult<Option<Self>> {
        let id = sync.folder.id;
        let copies = shared.state.borrow().copies(id, alive)?;
        let just_copied = sync.copied.borrow().clone();
        let earlier: UidSet = copies
            .iter()
            .map(|copy| copy.uid)
            .filter(|&uid| !just_copied.contains(uid))
            .collect();
        let new = alive.intersection(&just_copied);
        let unlike = incomplete::unlike(shared, sync, &mut connections.remote, &copies, &new).await?;
        let Some(locally) = Local::look(sync, &mut connections.local, &copies, &just_copied).await? else {
            folder::renumbered(shared, sync, Side::Local)?;
            return Ok(None);
        };
        let Some(changed) = changed_since(sync, connections, &copies, &earlier, &locally).await? else {
            folder::renumbered(shared, sync, Side::Remote)?;
            return Ok(None);
        };
        if !changed.other.is_empty() {
            let reason = format!(
                "{} messages are not what was copied before, although their headers are: they are copied by the next run and not deleted",
                changed.other.len()
            );
            let mut reporter = shared.reporter.borrow_mut();
            reporter.problem(sync.pair.remote.name(), Exit::WithErrors, &reason);
            shared.state.borrow_mut().copy_again(id, &changed.other)?;
        }
        if !changed.unproven.is_empty() {
            let reason = "nothing proves that they are the messages that were delivered";
            report_kept_remotely(shared, sync, changed.unproven.len(), reason);
        }
        let proven = copies
            .iter()
            .filter(|copy| !changed.other.contains(copy.uid) && !changed.unproven.contains(copy.uid))
            .filter(|copy| !unlike.contains(copy.uid) && locally.permits(copy))
            .map(|copy| copy.uid);
        Ok(Some(Self {
            proven: proven.collect(),
            has_earlier: !earlier.is_empty(),
        }))
    }
}

/// What the local side has of the copies.
struct Local {
    /// Present and not marked `\Deleted`.
    alive: UidSet,
    /// Present.
    present: UidSet,
}

impl Local {
    /// Looks at the copies; `None` when a UID is another message than the one on record.
    async fn look(
        sync: &FolderSync,
        local: &mut SideSession,
        copies: &[Copy],
        just_copied: &UidSet,
    ) -> FolderResult<Option<Self>> {
        let (new, old): (Vec<&Copy>, Vec<&Copy>) =
            copies.iter().partition(|copy| just_copied.contains(copy.uid));
        let uids = |list: &[&Copy]| list.iter().filter_map(|copy| copy.local_uid).collect::<UidSet>();
        let (new, old_uids) = (uids(&new), uids(&old));
        let mut found = Self {
            alive: UidSet::default(),
            present: UidSet::default(),
        };
        if new.is_empty() && old_uids.is_empty() {
            return Ok(Some(found));
        }
        sync.open(local, false).await?;
        if !new.is_empty() {
            found.present = local.search_among(&new).await?;
            let marked = local.search("DELETED").await?;
            found.alive = found.present.minus(&marked);
        }
        let seen = headers::read(local, &old_uids, Detail::Record).await?;
        let by_uid: HashMap<u32, &Seen> = seen.iter().map(|seen| (seen.uid, seen)).collect();
        for copy in old {
            let Some((uid, seen)) = copy.local_uid.and_then(|uid| Some((uid, by_uid.get(&uid)?))) else {
                continue;
            };
            if seen.key != copy.key {
                return Ok(None);
            }
            found.present.insert(uid);
            if !seen.flags.contains("\\Deleted") {
                found.alive.insert(uid);
            }
        }
        Ok(Some(found))
    }

    /// Whether the state of the local copy permits that the remote message goes: it is alive, or its owner (or the Sieve
    /// filters) removed it. One that is marked `\Deleted` is neither.
    fn permits(&self, copy: &Copy) -> bool {
        match copy.local_uid {
            Some(uid) => self.alive.contains(uid) || (copy.is_delivered && !self.present.contains(uid)),
            None => copy.is_delivered,
        }
    }
}

/// Which of the messages of earlier runs are not, octet for octet, what was delivered then; `None` when a UID is another
/// message altogether. What is on record without a digest is held against its local copy.
async fn changed_since(
    sync: &FolderSync,
    connections: &mut Connections,
    copies: &[Copy],
    earlier: &UidSet,
    locally: &Local,
) -> FolderResult<Option<Changed>> {
    if earlier.is_empty() {
        return Ok(Some(Changed::default()));
    }
    sync.open(&mut connections.remote, false).await?;
    let seen = headers::read(&mut connections.remote, earlier, Detail::Record).await?;
    let seen: HashMap<u32, Seen> = seen.into_iter().map(|seen| (seen.uid, seen)).collect();
    let copies: Vec<&Copy> = copies.iter().filter(|copy| earlier.contains(copy.uid)).collect();
    let other = copies
        .iter()
        .any(|copy| seen.get(&copy.uid).is_some_and(|seen| seen.key != copy.key));
    if other {
        return Ok(None);
    }
    let remote_digests: HashMap<u32, Digest> = headers::digests(&mut connections.remote, earlier).await?;
    let unread: HashSet<u32> = copies
        .iter()
        .filter(|copy| copy.digest.is_none())
        .filter_map(|copy| copy.local_uid)
        .collect();
    let unread: UidSet = unread
        .into_iter()
        .filter(|&uid| locally.present.contains(uid))
        .collect();
    let mut local_digests = HashMap::new();
    if !unread.is_empty() {
        sync.open(&mut connections.local, false).await?;
        local_digests = headers::digests(&mut connections.local, &unread).await?;
    }
    let mut changed = Changed::default();
    for copy in copies {
        let recorded = copy
            .digest
            .or_else(|| copy.local_uid.and_then(|uid| local_digests.get(&uid).copied()));
        let has_trace = seen.get(&copy.uid).is_some_and(|seen| seen.has_trace);
        match (remote_digests.get(&copy.uid), recorded) {
            (Some(now), Some(then)) if *now == then => {}
            (Some(_), Some(_)) => changed.other.insert(copy.uid),
            // Delivered by a former version, which recorded no digests, and gone locally since.
            (Some(_), None) if copy.is_delivered && has_trace => {}
            _ => changed.unproven.insert(copy.uid),
        }
    }
    Ok(Some(changed))
}

/// Messages of earlier runs that are not proven to be what was delivered.
#[derive(Default)]
struct Changed {
    /// Their octets are others.
    other: UidSet,
    /// It cannot be told.
    unproven: UidSet,
}
