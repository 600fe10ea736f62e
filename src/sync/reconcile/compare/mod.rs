// SPDX-License-Identifier: GPL-3.0-or-later
//! One folder on both sides: what is to be copied. [`ahead`]: many folders read together.

pub mod ahead;
mod late_copies;
mod lost;
mod matching;
pub mod pool;
mod returned;

use crate::imap::{MailboxStatus, UidSet};
use crate::sync::exit_code::Exit;
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::compare::matching::match_up;
use crate::sync::reconcile::compare::pool::Pool;
use crate::sync::reconcile::compare::returned::Orphans;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::folder::open;
use crate::sync::reconcile::headers::{self, Detail, Seen};
use crate::sync::side::Side;
use crate::sync::state::{FolderState, LedgerError, LocalOnly, Origin};

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Messages to copy.
    pub wanted: Vec<UidSet>,
    /// Whether all of them exist: ranges may hold UIDs of no message.
    pub exact: bool,
    /// About how many these are.
    pub count: u64,
    /// Messages that were there already.
    pub present: u64,
    /// Some of them got flags on the remote side since they were known last: the next run carries these over.
    pub has_new_flags: bool,
}

/// Messages in one FETCH.
pub const BATCH: u64 = 500;

/// Messages recorded together.
const GROUP: usize = 1000;

/// Finds what a folder lacks locally.
pub async fn compare(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    remote: &mut SideSession,
    local: &mut SideSession,
) -> FolderResult<Comparison> {
    let side = RemoteSide { shared, pair, folder };
    // Where both sides have to be read, they are read at the same time.
    let from = unknown_from(shared, pair, folder)?;
    let unknown = read_unknown(from, shared, pair, folder, local);
    let (unknown, read) = if from.is_some() && side.has_news() {
        let (unknown, read) = tokio::join!(unknown, side.read(remote));
        (unknown?, Some(read?))
    } else {
        (unknown.await?, None)
    };
    let fresh = settle_unlocated(shared, folder, unknown)?;
    let (stored, pending, first, history) = {
        let state = shared.state.borrow();
        let pending = state.pending_uids(folder.id)?;
        // Messages of a former generation, or such as came back under UIDs that nothing is on record of.
        let inbox_only = shared.job.inbox_only();
        let returned =
            inbox_only || folder.remote_next <= 1 || !state.unexplained_uids(folder.id)?.is_empty();
        (
            state.local_only(folder.id)?,
            pending,
            !state.knows_from(folder.id, folder.remote_next)?,
            returned && state.has_history(folder.id)?,
        )
    };
    let lost = match shared.job.inbox_only() {
        true => side.lost()?,
        false => UidSet::default(),
    };
    let orphans = Orphans::find(shared, pair, folder, remote).await?;
    if let Some(next) = pair.source.uid_next
        && !shared.job.inbox_only()
        && orphans.copies.is_empty()
        && stored.is_empty()
        && fresh.is_empty()
        && pending.is_empty()
        && first
        && !history
        && !seems_emptied(pair, folder)
    {
        return Ok(by_range(pair, folder, next));
    }
    let (mut new, mut messages) = match read {
        Some(read) => read,
        None => {
            let new = side.search(remote).await?;
            let any_known =
                !stored.is_empty() || !fresh.is_empty() || !orphans.copies.is_empty() || !lost.is_empty();
            if new.is_empty() || !(any_known || history) {
                (new, vec![])
            } else {
                side.headers(remote, new).await?
            }
        }
    };
    if shared.job.inbox_only() {
        let back = side.back_under_same_uids(&new, remote).await?;
        new = new.minus(&back);
        messages.retain(|message| new.contains(message.uid));
    }
    let distrusted = shared.state.borrow().distrusted(folder.id)?;
    for message in messages.iter_mut().filter(|one| distrusted.contains(one.uid)) {
        message.has_trace = false;
    }
    let known = || stored.iter().chain(&orphans.copies).copied();
    let known_uids: UidSet = known().map(|message| message.uid).collect();
    let mut pool = Pool::new(known().chain(fresh).collect());
    let found = match_up(shared, pair, folder, &mut pool, &mut messages, remote, local).await?;
    let matched: UidSet = found.iter().map(|&(at, _)| messages[at].uid).collect();
    new = new.minus(&matched);
    let (back, other): (Vec<_>, Vec<_>) = found
        .iter()
        .copied()
        .partition(|&(_, local)| orphans.former_uid(local).is_some());
    for (at, local) in back {
        if let Some(former) = orphans.former_uid(local) {
            shared
                .state
                .borrow()
                .came_back(folder.id, former, &messages[at].entry())?;
        }
    }
    // Only what is no one's copy can have come late.
    let unclaimed = pool.left().filter(|message| !known_uids.contains(message.uid));
    let unclaimed: Vec<LocalOnly> = unclaimed.copied().collect();
    let has_new_flags = record_found(shared, folder, &messages, &other, &unclaimed)?;
    pool.remove(&late_copies::remove(shared, pair, folder, &unclaimed, local).await?);
    record_local_only(shared, folder, &known_uids, &pool)?;
    let lost = lost.intersection(&new);
    new = new.minus(&lost::filed_elsewhere(shared, folder, &messages, &lost, local).await?);
    if history {
        new = new.minus(&side.removed_by_owner(&messages, &matched, remote).await?);
    }
    Ok(Comparison {
        count: new.len(),
        exact: true,
        wanted: new.chunks(usize::try_from(BATCH).unwrap_or(usize::MAX)).collect(),
        present: found.len() as u64,
        has_new_flags,
    })
}

/// The remote folder and what is remembered of it.
struct RemoteSide<'a> {
    shared: &'a Shared,
    pair: &'a Pair,
    folder: &'a FolderState,
}

impl RemoteSide<'_> {
    /// Whether there may be messages that nothing is known of.
    fn has_news(&self) -> bool {
        self.shared.job.inbox_only()
            || self
                .pair
                .source
                .uid_next
                .is_none_or(|next| next > self.folder.remote_next)
    }

    /// Messages of the inbox whose copies went with a former local mailbox, and are not there again.
    fn lost(&self) -> Result<UidSet, LedgerError> {
        let state = self.shared.state.borrow();
        let lost = state.lost_copies(self.folder.id)?;
        match lost.is_empty() {
            true => Ok(lost),
            false => Ok(lost.minus(&state.done_uids(self.folder.id)?)),
        }
    }

    /// UIDs that are not dealt with.
    async fn search(&self, remote: &mut SideSession) -> FolderResult<UidSet> {
        let Self { shared, pair, folder } = *self;
        let inbox_only = shared.job.inbox_only();
        let (criteria, from) = if inbox_only {
            ("UNSEEN".to_owned(), 1)
        } else {
            // `n:*` names the last message even when its UID is below n (RFC 3501, 6.4.8); it is filtered out below.
            (format!("UID {}:*", folder.remote_next), folder.remote_next)
        };
        let (_, found) = open::search(remote, &pair.remote, folder, false, [criteria]).await?;
        let (done, pending) = {
            let state = shared.state.borrow();
            (state.done_uids(folder.id)?, state.pending_uids(folder.id)?)
        };
        let mut new = found.from(from).minus(&done);
        // In inbox mode what waits is unread, unless this program marked it.
        let lost = match inbox_only {
            true => self.lost()?,
            false => UidSet::default(),
        };
        let again = match inbox_only {
            true => shared.state.borrow().distrusted(folder.id)?.union(&lost),
            false => pending,
        };
        if !again.is_empty() {
            let alive = remote.search_among(&again).await?;
            let gone = lost.minus(&alive);
            shared.state.borrow_mut().forget_lost_copies(folder.id, &gone)?;
            new = new.union(&alive);
        }
        Ok(new)
    }

    /// What is not dealt with, by its headers.
    async fn read(&self, remote: &mut SideSession) -> FolderResult<(UidSet, Vec<Seen>)> {
        if let Some(read) = self.read_at_once(remote).await? {
            return Ok(read);
        }
        let new = self.search(remote).await?;
        self.headers(remote, new).await
    }

    /// The same in one round trip, where a range of UIDs tells what to read.
    async fn read_at_once(&self, remote: &mut SideSession) -> FolderResult<Option<(UidSet, Vec<Seen>)>> {
        let Self { shared, pair, folder } = *self;
        let (done, pending) = {
            let state = shared.state.borrow();
            (state.done_uids(folder.id)?, state.pending_uids(folder.id)?)
        };
        let Some(next) = pair.source.uid_next.filter(|&next| next > folder.remote_next) else {
            return Ok(None);
        };
        if shared.job.inbox_only() || !pending.is_empty() {
            return Ok(None);
        }
        let range = UidSet::range(folder.remote_next..=next - 1);
        let read = match shared.ahead.take(&pair.remote, &range) {
            Some(read) => Some(read),
            None => {
                let poison = (&*shared.poison, folder.id);
                headers::open_and_read(remote, &pair.remote, &range, poison).await?
            }
        };
        let Some((selected, present, mut messages)) = read else {
            return Ok(None);
        };
        open::check(Side::Remote, selected, folder)?;
        let new = present.minus(&done);
        messages.retain(|message| new.contains(message.uid));
        Ok(Some((new, messages)))
    }

    /// Messages by their headers. One that cannot be read is reported and not copied, as it may be there already.
    async fn headers(&self, remote: &mut SideSession, uids: UidSet) -> FolderResult<(UidSet, Vec<Seen>)> {
        let Self { shared, pair, folder } = *self;
        let mut refused = vec![];
        let poison = (&*shared.poison, folder.id);
        let messages = headers::read_each(remote, &uids, Detail::Record, poison, |uid, reason| {
            if let Some(reason) = reason {
                let reason = format!("message {uid}: {reason}");
                let mut reporter = shared.reporter.borrow_mut();
                reporter.problem(pair.remote.name(), Exit::FetchErrors, &reason);
            }
            refused.push(uid);
        });
        let messages = messages.await?;
        let mut state = shared.state.borrow_mut();
        state.record_unreadable(folder.id, refused.iter().copied())?;
        Ok((uids.minus(&refused.into_iter().collect()), messages))
    }
}

/// Whether messages came and, if the status is right, went again. Servers are known to say so of folders whose index
/// they are about to build; the folder itself is asked.
fn seems_emptied(pair: &Pair, folder: &FolderState) -> bool {
    pair.source.messages == Some(0) && pair.source.uid_next.is_some_and(|next| next > folder.remote_next)
}

/// Everything from the first unknown UID on, without asking which UIDs exist.
fn by_range(pair: &Pair, folder: &FolderState, next: u32) -> Comparison {
    if next <= folder.remote_next {
        return Comparison::default();
    }
    let messages = pair.source.messages.unwrap_or(u64::from(u32::MAX));
    let span = u64::from(next - folder.remote_next);
    // How the known number of messages may be spread over the span of UIDs.
    let pieces = messages.min(span).div_ceil(BATCH).max(1);
    let width = u32::try_from(span.div_ceil(pieces)).unwrap_or(u32::MAX).max(1);
    let mut wanted = vec![];
    let mut from = folder.remote_next;
    while from < next {
        let to = from.saturating_add(width).min(next);
        wanted.push(UidSet::range(from..=to - 1));
        from = to;
    }
    Comparison {
        wanted,
        exact: false,
        count: messages.min(span),
        present: 0,
        has_new_flags: false,
    }
}

/// The local UID from which on there may be messages that nothing is known of; `None` where there are none. After a crash no
/// status is believed that says so.
fn unknown_from(shared: &Shared, pair: &Pair, folder: &FolderState) -> Result<Option<u32>, LedgerError> {
    let Some(status) = pair.destination else {
        return Ok(None);
    };
    if has_unaccounted(shared, folder, status)? {
        return Ok(Some(1));
    }
    // No number of messages tells that there are none: an index that is being built says 0 for a while.
    let may_have_news = status.uid_next.is_none_or(|next| next > folder.local_next)
        || !shared.state.borrow().planned_uids(folder.id)?.is_empty();
    Ok(may_have_news.then_some(folder.local_next))
}

/// Whether the local folder has more messages than are on record, although it gave no new UIDs: a backup that came back has
/// it give UIDs for a second time. Copies of what was deleted on the remote side are on record only as long as they may be
/// searched for, so that where there were such it tells nothing.
fn has_unaccounted(shared: &Shared, folder: &FolderState, now: MailboxStatus) -> Result<bool, LedgerError> {
    let state = shared.state.borrow();
    let gave_none = now.uid_next.is_some_and(|next| next <= folder.local_next);
    Ok(gave_none
        && folder.local_next > 1
        && !state.has_history(folder.id)?
        && now.messages > Some(state.count_local(folder.id)?))
}

/// The local messages from a UID on that nothing is known of, by their keys.
async fn read_unknown(
    from: Option<u32>,
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    local: &mut SideSession,
) -> FolderResult<Vec<Seen>> {
    let Some(from) = from else {
        return Ok(vec![]);
    };
    let unknown = find_unknown(from, shared, pair, folder, local).await?;
    headers::read(local, &unknown, Detail::Record).await
}

/// Gives local UIDs to delivered messages whose UID the server did not tell; what is left is not of this task.
fn settle_unlocated(
    shared: &Shared,
    folder: &FolderState,
    unknown: Vec<Seen>,
) -> FolderResult<Vec<LocalOnly>> {
    let mut state = shared.state.borrow_mut();
    let mut unlocated = state.unlocated(folder.id)?;
    let (mut local_only, mut located) = (vec![], vec![]);
    for message in unknown {
        match unlocated.get_mut(&message.key).and_then(Vec::pop) {
            Some(uid) => located.push((uid, message.uid)),
            None => local_only.push(LocalOnly {
                uid: message.uid,
                key: message.key,
                size: message.size,
                date: message.date,
            }),
        }
    }
    state.locate(folder.id, &located)?;
    Ok(local_only)
}

/// Finds messages whose UID the local server did not tell when it took them.
pub async fn locate(shared: &Shared, sync: &FolderSync, local: &mut SideSession) -> FolderResult<()> {
    let folder = &sync.folder;
    if shared.state.borrow().unlocated(folder.id)?.is_empty() {
        return Ok(());
    }
    let unknown = unknown_local(shared, &sync.pair, folder, local).await?;
    let found = headers::read(local, &unknown, Detail::Key).await?;
    // The next run learns the others.
    settle_unlocated(shared, folder, found).map(drop)
}

/// Opens the local folder and finds the UIDs there that are not accounted for.
pub async fn unknown_local(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    local: &mut SideSession,
) -> FolderResult<UidSet> {
    find_unknown(folder.local_next, shared, pair, folder, local).await
}

async fn find_unknown(
    from: u32,
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    local: &mut SideSession,
) -> FolderResult<UidSet> {
    let criteria = [format!("UID {from}:*")];
    let (_, found) = open::search(local, &pair.local, folder, !shared.job.dry, criteria).await?;
    let known = shared.state.borrow().local_uids(folder.id, from)?;
    Ok(found.from(from).minus(&known))
}

/// Records what was found; whether any of it has new flags. What a run that was cut off had sent and is there twice, another
/// program has brought, too: it counts as sent twice.
fn record_found(
    shared: &Shared,
    folder: &FolderState,
    messages: &[Seen],
    found: &[(usize, u32)],
    unclaimed: &[LocalOnly],
) -> FolderResult<bool> {
    let (sieve, seen) = shared.job.post_delivery();
    let mut state = shared.state.borrow_mut();
    let planned = state.planned_uids(folder.id)?;
    let is_there_twice = |message: &&Seen| {
        let is_twin = |other: &LocalOnly| other.key == message.key && other.uid >= folder.baseline;
        planned.contains(message.uid) && unclaimed.iter().any(is_twin)
    };
    let twice: Vec<u32> = found
        .iter()
        .map(|&(at, _)| &messages[at])
        .filter(is_there_twice)
        .map(|message| message.uid)
        .collect();
    let mut has_new_flags = false;
    for group in found.chunks(GROUP) {
        let group: Vec<_> = group
            .iter()
            .map(|&(at, local)| (messages[at].entry(), local))
            .collect();
        has_new_flags |= state.found(folder.id, &group, sieve, seen)?;
    }
    state.forget_former_flags(folder.id)?;
    state.repeat(folder.id, twice.into_iter())?;
    Ok(has_new_flags)
}

/// Records what the task has not brought.
fn record_local_only(
    shared: &Shared,
    folder: &FolderState,
    stored: &UidSet,
    pool: &Pool,
) -> FolderResult<()> {
    let mut state = shared.state.borrow_mut();
    let (older, younger): (Vec<LocalOnly>, Vec<LocalOnly>) = pool
        .left()
        .filter(|message| !stored.contains(message.uid))
        // What lies below what was read before was lost from the ledger, and nothing tells how it came.
        .partition(|message| folder.replaced || message.uid < folder.baseline.max(folder.local_next));
    state.add_local_only(folder.id, &older, Origin::Older)?;
    state.add_local_only(folder.id, &younger, Origin::Younger)?;
    Ok(())
}
