// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages seen by their headers: what their keys are made of, and as little more as is needed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

use crate::imap::{Command, Error, Fetch, Flags, Result, Session, StatusLine, UidSet, Untagged};
use crate::sync::key::{self, Key};
use crate::sync::state::Entry;

/// Messages asked for together, after more were refused together.
const GROUP: usize = 500;

/// A message seen by its header. Mailboxes hold many of them: it is kept small.
#[derive(Debug)]
pub struct Seen {
    /// Its UID.
    pub uid: u32,
    /// Its key.
    pub key: Key,
    /// Its Message-Id, where it was asked for.
    pub message_id: Option<Box<str>>,
    /// Its flags, where they were asked for.
    pub flags: Rc<Flags>,
    /// Its date of arrival, in seconds since 1970; 0 when it was not asked for.
    pub date: i64,
    /// Its size as the server claims; 0 when it was not asked for.
    pub size: u64,
}

impl Seen {
    /// What is recorded of it.
    pub fn entry(&self) -> Entry {
        Entry {
            uid: self.uid,
            key: self.key,
            flags: Flags::clone(&self.flags),
            date: self.date,
        }
    }
}

/// What is asked for beside the key. Each item costs the server time, with some a look at the message itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing: the message is only to be found again.
    Key,
    /// What is recorded: flags and date.
    Record,
    /// All that can be compared.
    Everything,
}

impl Detail {
    fn items(self) -> &'static str {
        match self {
            Self::Key => "",
            Self::Record => "FLAGS INTERNALDATE ",
            Self::Everything => "FLAGS INTERNALDATE RFC822.SIZE ",
        }
    }
}

/// The messages among `uids` in the open folder, in ascending order of their UIDs.
pub async fn read(session: &mut Session, uids: &UidSet, detail: Detail) -> Result<Vec<Seen>> {
    let mut seen: Vec<Seen> = vec![];
    let mut bare: HashMap<u32, Seen> = HashMap::new();
    let mut known: HashSet<Rc<Flags>> = HashSet::new();
    let items = format!("(UID {}{})", detail.items(), key::FIELDS);
    fetch(session, uids, &items, |fetch| {
        let Fetch {
            uid: Some(uid),
            flags,
            date,
            size,
            body: Some(body),
            ..
        } = fetch
        else {
            return;
        };
        let header = body.head(key::HEADER_LIMIT).unwrap_or_default();
        let key = Key::of_fields(&header);
        let message = Seen {
            uid,
            key: key.unwrap_or(Key::of_message(b"", 0)),
            message_id: key
                .filter(|_| detail == Detail::Everything)
                .and_then(|_| key::message_id(&header))
                .map(String::into_boxed_str),
            flags: shared(&mut known, flags.unwrap_or_default()),
            date: date.map_or(0, |date| date.unix()),
            size: size.unwrap_or(0),
        };
        if key.is_some() {
            seen.push(message);
        } else {
            bare.insert(uid, message);
        }
    })
    .await?;
    let without: UidSet = bare.keys().copied().collect();
    // The whole of it, as its size is part of the key and servers do not always tell the right one.
    fetch(session, &without, "(UID BODY.PEEK[])", |fetch| {
        let (Some(uid), Some(body)) = (fetch.uid, fetch.body) else {
            return;
        };
        let Some(mut message) = bare.remove(&uid) else {
            return;
        };
        let header = body.head(key::HEADER_LIMIT).unwrap_or_default();
        message.key = Key::of_message(&header, body.canonical_len());
        seen.push(message);
    })
    .await?;
    seen.sort_unstable_by_key(|message| message.uid);
    seen.dedup_by_key(|message| message.uid);
    Ok(seen)
}

/// Like [`read`]. What the server refuses together is asked for one by one; what it refuses alone is given to `refused`.
pub async fn read_each(
    session: &mut Session,
    uids: &UidSet,
    detail: Detail,
    mut refused: impl FnMut(u32, &StatusLine),
) -> Result<Vec<Seen>> {
    match read(session, uids, detail).await {
        Err(Error::Command { .. }) => {}
        outcome => return outcome,
    }
    let mut messages = vec![];
    let mut left: VecDeque<UidSet> = uids.chunks(GROUP).into();
    while let Some(uids) = left.pop_front() {
        match (read(session, &uids, detail).await, uids.iter().next()) {
            (Ok(found), _) => messages.extend(found),
            (Err(Error::Command { answer, .. }), Some(uid)) if uids.len() == 1 => refused(uid, &answer),
            (Err(Error::Command { .. }), _) => {
                for single in uids.chunks(1).into_iter().rev() {
                    left.push_front(single);
                }
            }
            (Err(error), _) => return Err(error),
        }
    }
    Ok(messages)
}

/// Fetches items of messages; what was not asked for is let pass.
async fn fetch(session: &mut Session, uids: &UidSet, items: &str, mut take: impl FnMut(Fetch)) -> Result<()> {
    let mut tags = vec![];
    for chunk in uids.chunks(usize::MAX) {
        let command = Command::new("UID FETCH").text(&format!("{chunk} {items}"));
        tags.push(session.send(command).await?);
    }
    let answers = session
        .finish_all(&tags, |data| {
            if let Untagged::Fetch(fetch) = data
                && fetch.uid.is_some_and(|uid| uids.contains(uid))
            {
                take(*fetch);
            }
        })
        .await?;
    match answers.into_iter().find(|answer| !answer.is_ok()) {
        None => Ok(()),
        Some(answer) if answer.is_throttled() => Err(Error::Refused(answer.to_string())),
        Some(answer) => Err(Error::Command {
            command: "UID FETCH",
            answer,
        }),
    }
}

/// Most messages have one of a few sets of flags: each set is held once.
fn shared(known: &mut HashSet<Rc<Flags>>, flags: Flags) -> Rc<Flags> {
    if let Some(found) = known.get(&flags) {
        return found.clone();
    }
    let flags = Rc::new(flags);
    known.insert(flags.clone());
    flags
}

/// UIDs by key, the smallest last, to be taken first.
pub fn by_key(messages: Vec<Seen>) -> HashMap<Key, Vec<u32>> {
    let mut found: HashMap<_, Vec<u32>> = HashMap::new();
    for message in messages.into_iter().rev() {
        found.entry(message.key).or_default().push(message.uid);
    }
    found
}
