// SPDX-License-Identifier: GPL-3.0-or-later
//! One folder on both sides: what is to be copied.

use std::collections::HashMap;

use super::account::Side;
use super::copy::Place;
use super::folders::Pair;
use super::job::Shared;
use super::key::{self, Key};
use super::opened;
use super::state::{Entry, FolderState};
use super::trouble::{Trouble, Troubled};
use crate::imap::{Command, Fetch, Flags, MailboxStatus, Session, UidSet, Untagged};

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
        && strangers.is_empty()
        && pending.is_empty()
        && fresh
    {
        return Ok(by_range(pair, folder, next));
    }
    opened::remote(remote, &pair.remote, folder, false).await?;
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

/// Everything from the first unknown UID on, without asking which UIDs exist.
fn by_range(pair: &Pair, folder: &FolderState, next: u32) -> Comparison {
    let messages = pair.source.messages.unwrap_or(u64::from(u32::MAX));
    if messages == 0 || next <= folder.remote_next {
        return Comparison::default();
    }
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
    let nothing_new = status.uid_next.is_some_and(|next| next <= folder.local_next);
    if nothing_new || status.messages == Some(0) {
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
    state.add_strangers(folder.id, &strangers, folder.replaced)?;
    Ok(())
}

/// Finds messages whose UID the local server did not tell when it took them.
pub async fn locate(shared: &Shared, place: &Place, local: &mut Session) -> Troubled<()> {
    if shared.state.borrow().unlocated(place.folder.id)?.is_empty() {
        return Ok(());
    }
    let mut pair = place.pair.clone();
    pair.destination = Some(MailboxStatus::default());
    learn_strangers(shared, &pair, &place.folder, local).await
}

/// Opens the local folder and finds the UIDs there that are not accounted for.
pub async fn unknown_local(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    local: &mut Session,
) -> Troubled<UidSet> {
    opened::local(local, &pair.local, folder, !shared.job.dry).await?;
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
    let messages = keys(remote, new)
        .await
        .map_err(|error| Trouble::fetch(Side::Remote, error))?;
    let candidates: UidSet = messages
        .iter()
        .filter_map(|m| strangers.get(&m.key))
        .flatten()
        .copied()
        .collect();
    if candidates.is_empty() {
        return Ok((new.clone(), 0));
    }
    opened::local(local, &pair.local, folder, !shared.job.dry).await?;
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

/// Local UIDs by key, the smallest last, to be taken first.
pub fn by_key(messages: Vec<Seen>) -> HashMap<Key, Vec<u32>> {
    let mut found: HashMap<_, Vec<u32>> = HashMap::new();
    for message in messages.into_iter().rev() {
        found.entry(message.key).or_default().push(message.uid);
    }
    found
}

async fn headers(session: &mut Session, uids: &UidSet, ids: bool) -> crate::imap::Result<Vec<Seen>> {
    let mut seen: Vec<Seen> = vec![];
    let mut bare: HashMap<u32, (Flags, i64, u64)> = HashMap::new();
    let mut tags = vec![];
    for chunk in uids.chunks(usize::MAX) {
        let items = format!("{chunk} (UID FLAGS INTERNALDATE RFC822.SIZE {})", key::FIELDS);
        tags.push(session.send(Command::new("UID FETCH").text(&items)).await?);
    }
    let answers = session
        .finish_all(&tags, |data| {
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
    if let Some(answer) = answers.into_iter().find(|answer| !answer.is_ok()) {
        return Err(crate::imap::Error::Command {
            command: "UID FETCH",
            answer,
        });
    }
    let without: UidSet = bare.keys().copied().collect();
    // The size is part of the key: where the server only estimates it, the message itself tells.
    let (section, exact) = if session.estimates_sizes() {
        ("BODY.PEEK[]", true)
    } else {
        ("BODY.PEEK[HEADER]", false)
    };
    for chunk in without.chunks(usize::MAX) {
        let items = format!("{chunk} (UID {section})");
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
                let Some((flags, date, told)) = bare.remove(&uid) else {
                    return;
                };
                let size = if exact { body.canonical_len() } else { told };
                let header = body.head(key::HEADER_LIMIT).unwrap_or_default();
                seen.push(Seen {
                    uid,
                    key: Key::of_message(&header, size),
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
