// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages seen by their headers: what their keys are made of, and as little more as is needed.

use std::collections::HashMap;
use std::collections::HashSet;
use std::rc::Rc;

use super::key::{self, Key};
use super::state::Entry;
use crate::imap::{Command, Error, Fetch, Flags, Result, Session, UidSet, Untagged};

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
    // The size is part of the key: where the server only estimates it, the message itself tells.
    let exact = session.estimates_sizes();
    let items = if exact {
        "(UID BODY.PEEK[])"
    } else {
        "(UID RFC822.SIZE BODY.PEEK[HEADER])"
    };
    fetch(session, &without, items, |fetch| {
        let (Some(uid), Some(body)) = (fetch.uid, fetch.body) else {
            return;
        };
        let Some(mut message) = bare.remove(&uid) else {
            return;
        };
        let told = fetch.size.unwrap_or(0);
        let size = if exact { body.canonical_len() } else { told };
        message.key = Key::of_message(&body.head(key::HEADER_LIMIT).unwrap_or_default(), size);
        seen.push(message);
    })
    .await?;
    seen.sort_unstable_by_key(|message| message.uid);
    seen.dedup_by_key(|message| message.uid);
    Ok(seen)
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
