// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages seen by their headers: what their keys are made of, and as little more as is needed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

use crate::imap::{Command, Error, Fetch, Flags, Result, Session, UidSet, Untagged};
use crate::sync::key::{self, Key};
use crate::sync::state::Entry;
use crate::sync::suspects::{self, Suspects};

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
    let mut reading = Reading::new(detail);
    reading.read(session, uids).await?;
    Ok(sorted(reading.seen))
}

/// Like [`read`], of one folder. What the server refuses together is asked for one by one; what it refuses alone, and
/// at what connections break, is given to `refused`.
pub async fn read_each(
    session: &mut Session,
    uids: &UidSet,
    detail: Detail,
    (suspects, folder): (&Suspects, i64),
    mut refused: impl FnMut(u32, &str),
) -> Result<Vec<Seen>> {
    let doubtful = suspects.among(folder, uids);
    let mut left: VecDeque<UidSet> = doubtful.chunks(1).into();
    left.push_back(uids.minus(&doubtful));
    let mut messages = vec![];
    while let Some(uids) = left.pop_front() {
        let one = uids.first().filter(|_| uids.len() == 1);
        if let Some(uid) = one.filter(|&uid| suspects.is_hopeless(folder, uid)) {
            refused(uid, suspects::REASON);
            suspects.give_up()?;
            continue;
        }
        let mut reading = Reading::new(detail);
        match (reading.read(session, &uids).await, one) {
            (Ok(()), _) => messages.append(&mut reading.seen),
            (Err(Error::Command { answer, .. }), Some(uid)) => {
                refused(uid, &format!("cannot be read: {answer}"));
            }
            (Err(Error::Command { .. }), None) => {
                let size = if uids.len() > GROUP as u64 { GROUP } else { 1 };
                for part in uids.chunks(size).into_iter().rev() {
                    left.push_front(part);
                }
            }
            (Err(error), _) => {
                if suspects::is_loss(&error) {
                    suspects.note(folder, &reading.asked, &reading.received);
                }
                return Err(error);
            }
        }
    }
    Ok(sorted(messages))
}

fn sorted(mut seen: Vec<Seen>) -> Vec<Seen> {
    seen.sort_unstable_by_key(|message| message.uid);
    seen.dedup_by_key(|message| message.uid);
    seen
}

/// Messages as they come in.
struct Reading {
    detail: Detail,
    seen: Vec<Seen>,
    known: HashSet<Rc<Flags>>,
    /// What the server owes, and what of it has come.
    asked: UidSet,
    received: UidSet,
}

impl Reading {
    fn new(detail: Detail) -> Self {
        Self {
            detail,
            seen: vec![],
            known: HashSet::new(),
            asked: UidSet::default(),
            received: UidSet::default(),
        }
    }

    async fn read(&mut self, session: &mut Session, uids: &UidSet) -> Result<()> {
        let items = format!("(UID {}{})", self.detail.items(), key::FIELDS);
        let mut bare = HashMap::new();
        self.asked = uids.clone();
        fetch(session, uids, &items, |fetch| {
            let Some((message, identified)) = self.take(fetch) else {
                return;
            };
            self.received.insert(message.uid);
            if identified {
                self.seen.push(message);
            } else {
                bare.insert(message.uid, message);
            }
        })
        .await?;
        // The whole of it, as its size is part of the key and servers do not always tell the right one.
        self.asked = bare.keys().copied().collect();
        self.received = UidSet::default();
        fetch(session, &self.asked, "(UID BODY.PEEK[])", |fetch| {
            if let (Some(uid), Some(body)) = (fetch.uid, fetch.body)
                && let Some(mut message) = bare.remove(&uid)
            {
                let header = body.head(key::HEADER_LIMIT).unwrap_or_default();
                message.key = Key::of_message(&header, body.canonical_len());
                self.received.insert(uid);
                self.seen.push(message);
            }
        })
        .await
    }

    /// A message, and whether its header has what identifies it.
    fn take(&mut self, fetch: Fetch) -> Option<(Seen, bool)> {
        let (uid, body) = (fetch.uid?, fetch.body?);
        let header = body.head(key::HEADER_LIMIT).unwrap_or_default();
        let key = Key::of_fields(&header);
        let message_id = key
            .filter(|_| self.detail == Detail::Everything)
            .and_then(|_| key::message_id(&header));
        let message = Seen {
            uid,
            key: key.unwrap_or(Key::of_message(b"", 0)),
            message_id: message_id.map(String::into_boxed_str),
            flags: shared(&mut self.known, fetch.flags.unwrap_or_default()),
            date: fetch.date.map_or(0, |date| date.unix()),
            size: fetch.size.unwrap_or(0),
        };
        Some((message, key.is_some()))
    }
}

/// Fetches items of messages; what was not asked for is let pass.
async fn fetch(session: &mut Session, uids: &UidSet, items: &str, mut take: impl FnMut(Fetch)) -> Result<()> {
    let chunks = uids.chunks(usize::MAX);
    let commands = chunks
        .iter()
        .map(|chunk| Command::new("UID FETCH").text(&format!("{chunk} {items}")));
    session
        .run_all(commands, |data| {
            if let Untagged::Fetch(fetch) = data
                && fetch.uid.is_some_and(|uid| uids.contains(uid))
            {
                take(*fetch);
            }
        })
        .await
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
