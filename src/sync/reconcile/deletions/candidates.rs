// SPDX-License-Identifier: GPL-3.0-or-later
//! The checks of remote messages before they are deleted: that they are now what was delivered, whole, and that their local
//! copies are alive or were removed by their owner.

use std::collections::{HashMap, HashSet};

use super::{incomplete, report_kept_remotely};
use crate::imap::{UidSet, among};
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::message_key::Digest;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::{self, FolderSync};
use crate::sync::reconcile::headers::{self, Detail, Seen};
use crate::sync::side::Side;
use crate::sync::state::Copy;

/// Why messages stay on the remote side whose local copies are marked.
const MARKED_DELETED: &str = "their copies on host2 are marked \\Deleted and still there";

/// Why messages stay there that have no local copies.
const WITHOUT_COPY: &str = "host2 has no copies of them, and nothing proves that they were delivered";

/// Messages that passed the checks.
pub(super) struct Candidates {
    /// The messages.
    pub proven: UidSet,
    /// Some of them were copied by earlier runs.
    pub has_earlier: bool,
    /// The highest local UID of a copy.
    last_copy: Option<u32>,
}

/// What the remote folder shows of messages, with the digests and octets of those that earlier runs copied.
#[derive(Default)]
pub(super) struct RemoteMessages {
    pub seen: HashMap<u32, Seen>,
    pub digests: HashMap<u32, (Digest, u64)>,
}

impl Candidates {
    /// Compares each message and its copy with what is recorded; `None` when what is known of a side's UIDs proved
    /// wrong. What the remote folder shows is read here, unless it was `told` before.
    pub(super) async fn check(
        shared: &Shared,
        sync: &FolderSync,
        connections: &mut Connections,
        alive: &UidSet,
        told: Option<RemoteMessages>,
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
        let (mut found, is_told) = match told {
            Some(told) => (told, true),
            None => (
                RemoteMessages::of_new(&mut connections.remote, &new).await?,
                false,
            ),
        };
        let unlike = incomplete::unlike(shared, sync, &found.seen, &copies, connections).await?;
        let Some(locally) = Local::look(shared, sync, &mut connections.local, &copies).await? else {
            folder::renumbered(shared, sync, Side::Local)?;
            return Ok(None);
        };
        if !is_told {
            found.add_earlier(sync, &mut connections.remote, &earlier).await?;
        }
        let Some(mut changed) =
            changed_since(sync, &mut connections.local, &copies, &earlier, &locally, &found).await?
        else {
            folder::renumbered(shared, sync, Side::Remote)?;
            return Ok(None);
        };
        if !changed.other.is_empty() {
            changed.look_again(sync, &mut connections.remote, &found).await?;
        }
        if !changed.other.is_empty() {
            let reason = format!(
                "{} messages have changed on the remote side under unchanged headers: they are not deleted, and the \
                 next run copies them again",
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
        let (mut proven, mut marked, mut without_copy) = (UidSet::default(), 0, 0);
        let is_equal = |copy: &&Copy| {
            let reported = [&changed.other, &changed.unproven, &unlike];
            !reported.iter().any(|uids| uids.contains(copy.uid))
        };
        for copy in copies.iter().filter(is_equal) {
            match locally.allows(copy) {
                Allowed::Yes => proven.insert(copy.uid),
                Allowed::NotYet => {}
                Allowed::MarkedDeleted => marked += 1,
                Allowed::WithoutCopy => without_copy += 1,
            }
        }
        for (messages, reason) in [(marked, MARKED_DELETED), (without_copy, WITHOUT_COPY)] {
            if messages > 0 {
                let folder = sync.pair.remote.name();
                shared.reporter.borrow_mut().withheld(folder, messages, reason);
            }
        }
        Ok(Some(Self {
            proven,
            has_earlier: !earlier.is_empty(),
            last_copy: copies.iter().filter_map(|copy| copy.local_uid).max(),
        }))
    }

    /// Whether the local folder is still the one in which the copies were looked at; a backup may come back at any moment.
    pub(super) async fn still_hold(
        &self,
        shared: &Shared,
        sync: &FolderSync,
        local: &mut SideSession,
    ) -> FolderResult<bool> {
        let opened = sync.open(local, false).await?;
        let is_restored = has_taken_back(opened.uid_next, self.last_copy);
        if is_restored {
            folder::renumbered(shared, sync, Side::Local)?;
        }
        Ok(!is_restored)
    }
}

/// Whether a folder no longer knows of a UID that it has given: it was restored from a backup meanwhile.
fn has_taken_back(next: Option<u32>, given: Option<u32>) -> bool {
    next.is_some_and(|next| given.is_some_and(|given| next <= given))
}

/// What the local side has of the copies.
struct Local {
    /// Present and not marked `\Deleted`.
    alive: UidSet,
    /// Present.
    present: UidSet,
    /// Copied in this run, but for what goes through filters: one that is not there may never have been.
    new: UidSet,
}

impl Local {
    /// Looks at the copies; `None` when a UID is another message than the one on record.
    async fn look(
        shared: &Shared,
        sync: &FolderSync,
        local: &mut SideSession,
        copies: &[Copy],
    ) -> FolderResult<Option<Self>> {
        let just_copied = sync.copied.borrow().clone();
        let (new, old): (Vec<&Copy>, Vec<&Copy>) =
            copies.iter().partition(|copy| just_copied.contains(copy.uid));
        let uids = |list: &[&Copy]| list.iter().filter_map(|copy| copy.local_uid).collect::<UidSet>();
        let (new, old_uids) = (uids(&new), uids(&old));
        let mut found = Self {
            alive: UidSet::default(),
            present: UidSet::default(),
            new: if shared.job.sieve {
                UidSet::default()
            } else {
                new.clone()
            },
        };
        if new.is_empty() && old_uids.is_empty() {
            return Ok(Some(found));
        }
        let opened = if new.is_empty() {
            sync.open(local, false).await?
        } else {
            let (opened, present) = sync.search(local, false, among(&new)).await?;
            found.present = present.intersection(&new);
            let marked = local.search("DELETED").await?;
            found.alive = found.present.minus(&marked);
            opened
        };
        if has_taken_back(opened.uid_next, new.union(&old_uids).last()) {
            return Ok(None);
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

    /// Whether the state of the local copy allows that the remote message goes: it is alive, or its owner (or the Sieve
    /// filters) removed it.
    fn allows(&self, copy: &Copy) -> Allowed {
        match copy.local_uid {
            Some(uid) if self.alive.contains(uid) => Allowed::Yes,
            Some(uid) if self.present.contains(uid) => Allowed::MarkedDeleted,
            Some(uid) if self.new.contains(uid) => Allowed::NotYet,
            _ if copy.is_delivered => Allowed::Yes,
            _ => Allowed::WithoutCopy,
        }
    }
}

/// Whether the state of a local copy allows that the remote message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    Yes,
    /// It was copied in this run and is not there: the next run looks at it.
    NotYet,
    /// The copy is marked `\Deleted`: it is neither alive nor removed.
    MarkedDeleted,
    /// There is none, and this program did not deliver it.
    WithoutCopy,
}

impl RemoteMessages {
    /// What the open folder shows of messages that this run copied.
    async fn of_new(remote: &mut SideSession, new: &UidSet) -> FolderResult<Self> {
        Ok(Self {
            seen: incomplete::by_uid(remote, new).await?,
            digests: HashMap::new(),
        })
    }

    /// Opens the folder to read, and adds what it shows of messages that earlier runs copied.
    async fn add_earlier(
        &mut self,
        sync: &FolderSync,
        remote: &mut SideSession,
        earlier: &UidSet,
    ) -> FolderResult<()> {
        if earlier.is_empty() {
            return Ok(());
        }
        sync.open(remote, false).await?;
        self.seen.extend(incomplete::by_uid(remote, earlier).await?);
        self.digests = headers::wholes(remote, earlier).await?;
        Ok(())
    }
}

/// Which of the messages of earlier runs are not, octet for octet, what was delivered then; `None` when a UID is another
/// message altogether. What is on record without a digest is held against its local copy.
async fn changed_since(
    sync: &FolderSync,
    local: &mut SideSession,
    copies: &[Copy],
    earlier: &UidSet,
    locally: &Local,
    found: &RemoteMessages,
) -> FolderResult<Option<Changed>> {
    if earlier.is_empty() {
        return Ok(Some(Changed::default()));
    }
    let RemoteMessages { seen, digests } = found;
    let copies: Vec<&Copy> = copies.iter().filter(|copy| earlier.contains(copy.uid)).collect();
    let other = copies
        .iter()
        .any(|copy| seen.get(&copy.uid).is_some_and(|seen| seen.key != copy.key));
    if other {
        return Ok(None);
    }
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
        sync.open(local, false).await?;
        local_digests = headers::digests(local, &unread).await?;
    }
    let mut changed = Changed::default();
    for copy in copies {
        let recorded = copy
            .digest
            .or_else(|| copy.local_uid.and_then(|uid| local_digests.get(&uid).copied()));
        let has_trace = seen.get(&copy.uid).is_some_and(|seen| seen.has_trace);
        let given = digests.get(&copy.uid);
        // What was cut both times is equal, too.
        let is_whole = given
            .zip(seen.get(&copy.uid))
            .is_some_and(|((_, octets), seen)| *octets >= seen.size);
        match (given.map(|(digest, _)| *digest), recorded) {
            (Some(_), _) if copy.digest.is_none() && !is_whole => changed.unproven.insert(copy.uid),
            (Some(now), Some(then)) if now == then => {}
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

impl Changed {
    /// What differs from itself is not proven to be another message.
    async fn look_again(
        &mut self,
        sync: &FolderSync,
        remote: &mut SideSession,
        found: &RemoteMessages,
    ) -> FolderResult<()> {
        let read = found.digests.iter().filter(|(uid, _)| self.other.contains(**uid));
        let read = read.map(|(&uid, &(digest, _))| (uid, digest)).collect();
        sync.open(remote, false).await?;
        let lasting = headers::that_last(remote, &read).await?;
        self.unproven = self.unproven.union(&self.other.minus(&lasting));
        self.other = self.other.intersection(&lasting);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::message_key::MessageKey;

    #[test]
    fn a_copy_that_is_marked_and_one_that_never_was_allow_nothing() {
        let locally = Local {
            alive: UidSet::range(1..=1),
            present: UidSet::range(1..=2),
            new: UidSet::range(3..=3),
        };
        let allows = |local_uid, is_delivered| {
            locally.allows(&Copy {
                uid: 9,
                local_uid,
                key: MessageKey::of_message(b"a", 1),
                size: 1,
                digest: None,
                is_delivered,
            })
        };
        for is_delivered in [false, true] {
            assert_eq!(allows(Some(1), is_delivered), Allowed::Yes);
            assert_eq!(allows(Some(2), is_delivered), Allowed::MarkedDeleted);
            assert_eq!(allows(Some(3), is_delivered), Allowed::NotYet);
        }
        for removed in [None, Some(4)] {
            assert_eq!(allows(removed, true), Allowed::Yes);
            assert_eq!(allows(removed, false), Allowed::WithoutCopy);
        }
    }
}
