// SPDX-License-Identifier: GPL-3.0-or-later
//! One folder on both sides: what is to be copied.

use std::collections::{HashMap, VecDeque};

use super::account::Side;
use super::exit::Exit;
use super::folders::Pair;
use super::job::Shared;
use super::key::{self, Key};
use super::native::{Trouble, Troubled};
use super::state::{Entry, FolderState};
use crate::imap::{Command, Error, Fetch, Flags, Session, UidSet, Untagged};

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Messages to copy.
    pub wanted: Vec<UidSet>,
    /// About how many these are.
    pub count: u64,
    /// Messages that were there already.
    pub present: u64,
}

/// UIDs in one FETCH of whole messages.
const BATCH: u64 = 500;

/// Finds what a folder lacks locally. `remote_open` tells whether `remote` has the folder open already.
pub async fn compare(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    remote: &mut Session,
    local: &mut Session,
) -> Troubled<Comparison> {
    learn_strangers(shared, pair, folder, local).await?;
    let (strangers, pending, fresh) = {
        let state = shared.state.borrow();
        let strangers = state.strangers(folder.id)?;
        (
            strangers,
            state.pending_uids(folder.id)?,
            !state.knows_from(folder.id, folder.remote_next)?,
        )
    };
    if let Some(next) = pair.source.uid_next
        && !shared.job.inbox_only()
        && !seems_emptied(pair, folder)
        && strangers.is_empty()
        && pending.is_empty()
        && fresh
    {
        return Ok(by_range(pair, folder, next));
    }
    remote
        .open(&pair.remote, false)
        .await
        .map_err(|error| Trouble::select(Side::Remote, error))?;
    let criteria = if shared.job.inbox_only() {
        "UNSEEN".to_owned()
    } else {
        // `n:*` names the last message even when its UID is below n (RFC 3501, 6.4.8); it is filtered out below.
        format!("UID {}:*", folder.remote_next)
    };
    let found = remote
        .search(&criteria)
        .await
        .map_err(|error| Trouble::fetch(Side::Remote, error))?;
    let done = shared.state.borrow().done_uids(folder.id)?;
    let from = if shared.job.inbox_only() {
        1
    } else {
        folder.remote_next
    };
    let mut new: UidSet = found
        .iter()
        .filter(|&uid| uid >= from && !done.contains(uid))
        .collect();
    if !pending.is_empty() && !shared.job.inbox_only() {
        let again = remote.search(&format!("UID {pending}")).await;
        let again = again.map_err(|error| Trouble::fetch(Side::Remote, error))?;
        new = new.iter().chain(again.iter()).collect();
    }
    let mut comparison = Comparison::default();
    if !strangers.is_empty() && !new.is_empty() {
        let (left, present) = match_up(shared, folder, strangers, &new, remote, local, pair).await?;
        new = left;
        comparison.present = present;
    }
    comparison.count = new.len();
    comparison.wanted = new.chunks(usize::try_from(BATCH).unwrap_or(usize::MAX));
    Ok(comparison)
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
        count: messages.min(span),
        present: 0,
    }
}

/// Records the local messages that nothing is known of.
pub async fn learn_strangers(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    local: &mut Session,
) -> Troubled<()> {
    let Some(status) = pair.destination else {
        return Ok(());
    };
    // The number of messages is not asked: an index that is being built says 0 for a while.
    if status.uid_next.is_some_and(|next| next <= folder.local_next) {
        return Ok(());
    }
    let unknown = unknown_local(shared, pair, folder, local).await?;
    if unknown.is_empty() {
        return Ok(());
    }
    let found = keys(local, &unknown)
        .await
        .map_err(|error| Trouble::fetch(Side::Local, error))?;
    let mut state = shared.state.borrow_mut();
    let mut unlocated = state.unlocated(folder.id)?;
    let (mut strangers, mut located) = (vec![], vec![]);
    for message in found {
        match unlocated.get_mut(&message.key).and_then(Vec::pop) {
            Some(uid) => located.push((uid, message.uid)),
            None => strangers.push((message.uid, message.key)),
        }
    }
    state.locate(folder.id, &located)?;
    state.add_strangers(folder.id, &strangers)?;
    Ok(())
}

/// Finds the local UIDs of what was delivered without being told them, so that nothing else is taken for it.
pub async fn locate_delivered(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    local: &mut Session,
) -> Troubled<()> {
    let mut unlocated = shared.state.borrow().unlocated(folder.id)?;
    if unlocated.is_empty() {
        return Ok(());
    }
    let unknown = unknown_local(shared, pair, folder, local).await?;
    let found = keys(local, &unknown)
        .await
        .map_err(|error| Trouble::fetch(Side::Local, error))?;
    let mut located = vec![];
    for message in found {
        if let Some(uid) = unlocated.get_mut(&message.key).and_then(Vec::pop) {
            located.push((uid, message.uid));
        }
    }
    shared.state.borrow_mut().locate(folder.id, &located)?;
    Ok(())
}

/// Opens the local folder and finds the UIDs there that are not accounted for.
pub async fn unknown_local(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    local: &mut Session,
) -> Troubled<UidSet> {
    local
        .open(&pair.local, !shared.job.dry)
        .await
        .map_err(|error| Trouble::select(Side::Local, error))?;
    let from = folder.local_next;
    let found = local.search(&format!("UID {from}:*")).await;
    let found = found.map_err(|error| Trouble::fetch(Side::Local, error))?;
    let known = shared.state.borrow().local_uids(folder.id, from)?;
    Ok(found
        .iter()
        .filter(|&uid| uid >= from && !known.contains(uid))
        .collect())
}

/// Takes from `new` what is among the strangers. What was recorded by an earlier run may be gone since: each match
/// is looked up before it counts, or a message would be taken for delivered that is nowhere.
async fn match_up(
    shared: &Shared,
    folder: &FolderState,
    mut strangers: HashMap<Key, Vec<u32>>,
    new: &UidSet,
    remote: &mut Session,
    local: &mut Session,
    pair: &Pair,
) -> Troubled<(UidSet, u64)> {
    let (messages, unreadable) = readable(shared, folder, new, remote, pair).await?;
    let new = &new.minus(&unreadable);
    let candidates: UidSet = messages
        .iter()
        .filter_map(|m| strangers.get(&m.key))
        .flatten()
        .copied()
        .collect();
    if candidates.is_empty() {
        return Ok((new.clone(), 0));
    }
    local
        .open(&pair.local, !shared.job.dry)
        .await
        .map_err(|error| Trouble::select(Side::Local, error))?;
    let mut alive = UidSet::default();
    for chunk in candidates.chunks(usize::MAX) {
        let found = local.search(&format!("UID {chunk}")).await;
        let found = found.map_err(|error| Trouble::fetch(Side::Local, error))?;
        alive = alive.iter().chain(found.iter()).collect();
    }
    let gone: UidSet = candidates.iter().filter(|&uid| !alive.contains(uid)).collect();
    let mut present = vec![];
    let mut matched = UidSet::default();
    for message in messages {
        let Some(uids) = strangers.get_mut(&message.key) else {
            continue;
        };
        uids.retain(|&uid| alive.contains(uid));
        if let Some(local_uid) = uids.pop() {
            matched.insert(message.uid);
            present.push((message.entry(), local_uid));
        }
    }
    let (sieve, seen) = shared.job.chores();
    let mut state = shared.state.borrow_mut();
    state.drop_strangers(folder.id, &gone)?;
    state.found(folder.id, &present, sieve, seen)?;
    let left = new.iter().filter(|&uid| !matched.contains(uid)).collect();
    Ok((left, present.len() as u64))
}

/// The keys of remote messages. What the server refuses together is asked for one by one; what it refuses alone is
/// reported and not copied, as it may be there already.
async fn readable(
    shared: &Shared,
    folder: &FolderState,
    new: &UidSet,
    remote: &mut Session,
    pair: &Pair,
) -> Troubled<(Vec<Seen>, UidSet)> {
    let trouble = |error| Trouble::fetch(Side::Remote, error);
    match keys(remote, new).await {
        Ok(messages) => return Ok((messages, UidSet::default())),
        Err(Error::Command { answer, .. }) if !answer.is_throttled() => {}
        Err(error) => return Err(trouble(error)),
    }
    let (mut messages, mut refused) = (vec![], UidSet::default());
    let mut left: VecDeque<UidSet> = new.chunks(usize::try_from(BATCH).unwrap_or(usize::MAX)).into();
    while let Some(uids) = left.pop_front() {
        match keys(remote, &uids).await {
            Ok(found) => messages.extend(found),
            Err(error @ Error::Command { .. }) if uids.len() == 1 => {
                let reason = format!("message {uids} cannot be read: {error}");
                let mut recorder = shared.recorder.borrow_mut();
                recorder.problem(pair.remote.name(), Exit::FetchErrors, &reason);
                refused = refused.iter().chain(uids.iter()).collect();
            }
            Err(Error::Command { .. }) => {
                for single in uids.chunks(1).into_iter().rev() {
                    left.push_front(single);
                }
            }
            Err(error) => return Err(trouble(error)),
        }
    }
    shared.state.borrow_mut().withhold(folder.id, refused.iter())?;
    Ok((messages, refused))
}

/// A message seen by its header.
#[derive(Debug)]
pub struct Seen {
    /// Its UID.
    pub uid: u32,
    /// Its key.
    pub key: Key,
    /// Its Message-Id.
    pub message_id: Option<String>,
    /// Its flags.
    pub flags: Flags,
    /// Its date of arrival, in seconds since 1970.
    pub date: i64,
    /// Its size as the server claims.
    pub size: u64,
}

impl Seen {
    fn entry(&self) -> Entry {
        Entry {
            uid: self.uid,
            key: self.key,
            flags: self.flags.clone(),
            date: self.date,
        }
    }
}

/// The keys of messages in the open folder, in ascending order of their UIDs.
pub async fn keys(session: &mut Session, uids: &UidSet) -> crate::imap::Result<Vec<Seen>> {
    headers(session, uids, false).await
}

/// Like [`keys`], with the Message-Ids kept, for reports.
pub async fn keys_with_ids(session: &mut Session, uids: &UidSet) -> crate::imap::Result<Vec<Seen>> {
    headers(session, uids, true).await
}

async fn headers(session: &mut Session, uids: &UidSet, ids: bool) -> crate::imap::Result<Vec<Seen>> {
    let mut seen: Vec<Seen> = vec![];
    let mut bare: HashMap<u32, (Flags, i64, u64)> = HashMap::new();
    let mut last = None;
    for chunk in uids.chunks(usize::MAX) {
        let items = format!("{chunk} (UID FLAGS INTERNALDATE RFC822.SIZE {})", key::FIELDS);
        last = Some(session.send(Command::new("UID FETCH").text(&items)).await?);
    }
    let Some(last) = last else { return Ok(seen) };
    let answer = session
        .finish(last, |data| {
            let Untagged::Fetch(fetch) = data else { return };
            let Fetch {
                uid: Some(uid),
                flags,
                date,
                size,
                body: Some(body),
                ..
            } = *fetch
            else {
                return;
            };
            if !uids.contains(uid) {
                return;
            }
            let header = body.head(key::HEADER_LIMIT).unwrap_or_default();
            let (flags, date, size) = (
                flags.unwrap_or_default(),
                date.map_or(0, |d| d.unix()),
                size.unwrap_or(0),
            );
            match Key::of_fields(&header) {
                Some(key) => {
                    let message_id = if ids { key::message_id(&header) } else { None };
                    seen.push(Seen {
                        uid,
                        key,
                        message_id,
                        flags,
                        date,
                        size,
                    });
                }
                None => {
                    bare.insert(uid, (flags, date, size));
                }
            }
        })
        .await?;
    if !answer.is_ok() {
        return Err(Error::Command {
            command: "UID FETCH",
            answer,
        });
    }
    let without: UidSet = bare.keys().copied().collect();
    for chunk in without.chunks(usize::MAX) {
        // The whole of it, as its size is part of the key and servers do not always tell the right one.
        let items = format!("{chunk} (UID BODY.PEEK[])");
        session
            .run(Command::new("UID FETCH").text(&items), |data| {
                let Untagged::Fetch(fetch) = data else { return };
                let Fetch {
                    uid: Some(uid),
                    body: Some(body),
                    ..
                } = *fetch
                else {
                    return;
                };
                let Some((flags, date, size)) = bare.remove(&uid) else {
                    return;
                };
                let header = body.head(key::HEADER_LIMIT).unwrap_or_default();
                seen.push(Seen {
                    uid,
                    key: Key::of_message(&header, body.canonical_len()),
                    message_id: None,
                    flags,
                    date,
                    size,
                });
            })
            .await?;
    }
    seen.sort_unstable_by_key(|message| message.uid);
    seen.dedup_by_key(|message| message.uid);
    Ok(seen)
}
