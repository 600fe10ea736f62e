// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages as their headers show them: what their keys are made of, and as little else as possible.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::rc::Rc;

use crate::imap::{
    Command, Error, Fetch, Flags, Mailbox, Result, Selected, Session, UidSet, Untagged, among,
};
use crate::sync::message_key::{self, Digest, MessageKey};
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::poison::{self, PoisonMessages};
use crate::sync::state::{Completeness, Entry};

/// Messages asked for together, after more were refused together.
const GROUP: usize = 500;

/// A message seen by its header. Mailboxes hold many of them: it is kept small.
#[derive(Debug)]
pub struct Seen {
    /// Its UID.
    pub uid: u32,
    /// Its key.
    pub key: MessageKey,
    /// Its flags, where they were asked for.
    pub flags: Rc<Flags>,
    /// Its date of arrival, in seconds since 1970; 0 when it was not asked for.
    pub date: i64,
    /// Its size as the server claims; 0 when it was not asked for.
    pub size: u64,
    /// It went through a mail server, so that no other message has its key. Not so of a draft: its next version has, too.
    pub has_trace: bool,
    /// The digest of its octets, where they had to be read.
    pub digest: Option<Digest>,
    /// Whether as many came then as the server says that it has.
    pub completeness: Completeness,
}

impl Seen {
    /// What is recorded of it.
    pub fn entry(&self) -> Entry {
        Entry {
            uid: self.uid,
            key: self.key,
            size: self.size,
            digest: self.digest,
            flags: Flags::clone(&self.flags),
            date: self.date,
            completeness: self.completeness,
        }
    }
}

/// What is asked for in addition to the key. Each item costs the server time, with some a look at the message itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Whether it is a draft: the message is only to be found again.
    Key,
    /// All that is recorded and compared: flags, date and size.
    Record,
}

impl Detail {
    fn items(self) -> &'static str {
        match self {
            Self::Key => "FLAGS ",
            Self::Record => "FLAGS INTERNALDATE RFC822.SIZE ",
        }
    }
}

/// The messages among `uids` in the open folder, in ascending order of their UIDs.
pub async fn read(session: &mut SideSession, uids: &UidSet, detail: Detail) -> FolderResult<Vec<Seen>> {
    let mut reading = Reading::new(detail);
    let outcome = reading.read(session, uids).await;
    session.fetched(outcome)?;
    Ok(sorted(reading.seen))
}

/// Like [`read`], of one folder. What the server refuses together is asked for one by one. What it refuses alone, and
/// messages at which connections break, go to `refused`, with a reason unless that was told before.
pub async fn read_each(
    session: &mut SideSession,
    uids: &UidSet,
    detail: Detail,
    (poison, folder): (&PoisonMessages, i64),
    mut refused: impl FnMut(u32, Option<&str>),
) -> FolderResult<Vec<Seen>> {
    let doubtful = poison.among(folder, uids);
    let mut left: VecDeque<UidSet> = doubtful.chunks(1).collect();
    left.push_back(uids.minus(&doubtful));
    let mut messages = vec![];
    while let Some(uids) = left.pop_front() {
        let one = uids.first().filter(|_| uids.len() == 1);
        if let Some(uid) = one.filter(|&uid| poison.is_hopeless(folder, uid)) {
            let new = poison.give_up(folder, uid);
            let new = session.fetched(new)?;
            refused(uid, Some(poison::REASON).filter(|_| new));
            continue;
        }
        let mut reading = Reading::new(detail);
        match (reading.read(session, &uids).await, one) {
            (Ok(()), _) => messages.append(&mut reading.seen),
            (Err(Error::Command { answer, .. }), Some(uid)) => {
                refused(uid, Some(&format!("cannot be read: {answer}")));
            }
            (Err(Error::Command { .. }), None) => {
                let size = if uids.len() > GROUP as u64 { GROUP } else { 1 };
                let parts: Vec<UidSet> = uids.chunks(size).collect();
                for part in parts.into_iter().rev() {
                    left.push_front(part);
                }
            }
            (Err(error), _) => {
                if error.is_loss() {
                    poison.note(folder, &reading.asked, &reading.received);
                }
                return session.fetched(Err(error));
            }
        }
    }
    Ok(sorted(messages))
}

/// Opens a mailbox and reads the messages of a range, in one round trip; what is there and what is seen of it. `None` when
/// they have to be read with more care: something of them is refused, or was the last thing before a connection broke.
pub async fn open_and_read(
    session: &mut SideSession,
    mailbox: &Mailbox,
    range: &UidSet,
    (poison, folder): (&PoisonMessages, i64),
) -> FolderResult<Option<(Selected, UidSet, Vec<Seen>)>> {
    if !poison.among(folder, range).is_empty() {
        return Ok(None);
    }
    let mut reading = Reading::new(Detail::Record);
    match reading.open_and_read(session, mailbox, range).await {
        Ok((selected, present)) => Ok(Some((selected, present, sorted(reading.seen)))),
        Err(Error::Command {
            command: "UID FETCH", ..
        }) => Ok(None),
        Err(error) => {
            if error.is_loss() {
                poison.note(folder, &reading.asked, &reading.received);
            }
            session.fetched(Err(error))
        }
    }
}

/// Messages asked for ahead, by their UIDs or a range of them. With more of them than were announced nothing is kept.
pub struct MessagesAhead {
    range: UidSet,
    /// How many there are to be.
    announced: u64,
    reading: Reading,
    /// Messages without the fields that identify.
    bare: HashMap<u32, Seen>,
}

impl MessagesAhead {
    /// Asks for those of `range`, of which there are to be so many.
    pub fn ask(session: &Session, range: UidSet, announced: u64) -> (Self, Vec<Command>) {
        let ahead = Self {
            range,
            announced,
            reading: Reading::new(Detail::Record),
            bare: HashMap::new(),
        };
        let questions = ahead.reading.range_questions(session, &ahead.range);
        (ahead, questions)
    }

    /// Takes in what the open folder says.
    pub fn note(&mut self, data: Untagged) {
        if self.is_credible() {
            self.reading.note_range(data, &self.range, &mut self.bare);
        } else {
            self.reading.seen.clear();
            self.bare.clear();
        }
    }

    fn is_credible(&self) -> bool {
        let came = (self.reading.seen.len() + self.bare.len()) as u64;
        came.max(self.reading.asked.len()) <= self.announced
    }

    /// The range.
    pub fn range(&self) -> &UidSet {
        &self.range
    }

    /// What is there, and what is seen of it; `None` where something has to be read as a whole first.
    pub fn outcome(self) -> Option<(UidSet, Vec<Seen>)> {
        let is_all = self.is_credible() && self.bare.is_empty() && self.reading.failed.is_none();
        let Reading { asked, seen, .. } = self.reading;
        is_all.then(|| (asked, sorted(seen)))
    }
}

/// The digests of some messages of the open folder. One that does not come has none.
pub async fn digests(session: &mut SideSession, uids: &UidSet) -> FolderResult<HashMap<u32, Digest>> {
    let wholes = wholes(session, uids).await?;
    Ok(wholes
        .into_iter()
        .map(|(uid, (digest, _))| (uid, digest))
        .collect())
}

/// The same, with the octets that came.
pub async fn wholes(session: &mut SideSession, uids: &UidSet) -> FolderResult<HashMap<u32, (Digest, u64)>> {
    contents(session, whole_questions(uids)).await
}

/// The digests of whole headers.
pub async fn heads(session: &mut SideSession, uids: &UidSet) -> FolderResult<HashMap<u32, Digest>> {
    let chunks = uids.chunks(GROUP);
    let questions = chunks.map(|chunk| fetch_command(&chunk, "(UID BODY.PEEK[HEADER])"));
    let found = contents(session, questions.collect()).await?.into_iter();
    Ok(found.map(|(uid, (digest, _))| (uid, digest)).collect())
}

async fn contents(
    session: &mut SideSession,
    questions: Vec<Command>,
) -> FolderResult<HashMap<u32, (Digest, u64)>> {
    let mut found = HashMap::new();
    let mut failed = None;
    session
        .run_all(questions, |data| {
            if let Untagged::Fetch(fetch) = data
                && let (Some(uid), Some(body)) = (fetch.uid, fetch.body)
            {
                match Digest::of(&body) {
                    Ok(digest) => {
                        found.insert(uid, (digest, body.len()));
                    }
                    Err(error) => failed = Some(error),
                }
            }
        })
        .await?;
    match failed {
        Some(error) => session.fetched(Err(Error::Spool(error))),
        None => Ok(found),
    }
}

/// Of messages of the open folder, by the digests that they had a moment ago, those that still have them: some servers
/// generate a message at every request, and what differs from itself proves nothing.
pub async fn that_last(session: &mut SideSession, read: &HashMap<u32, Digest>) -> FolderResult<UidSet> {
    let again = digests(session, &read.keys().copied().collect()).await?;
    let lasting = read.iter().filter(|(uid, digest)| again.get(uid) == Some(digest));
    Ok(lasting.map(|(&uid, _)| uid).collect())
}

/// The Message-Ids of some messages of the open folder, where they have one.
pub async fn message_ids(session: &mut SideSession, uids: &UidSet) -> FolderResult<HashMap<u32, String>> {
    let chunks = uids.chunks(usize::MAX);
    let commands = chunks.map(|chunk| fetch_command(&chunk, "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"));
    let mut found = HashMap::new();
    let mut failed = None;
    session
        .run_all(commands, |data| {
            if let Untagged::Fetch(fetch) = data
                && let (Some(uid), Some(body)) = (fetch.uid, fetch.body)
            {
                match message_key::head_of(&body) {
                    Ok(header) => found.extend(message_key::message_id(&header).map(|id| (uid, id))),
                    Err(error) => {
                        failed.get_or_insert(error);
                    }
                }
            }
        })
        .await?;
    match failed {
        Some(error) => session.fetched(Err(Error::Spool(error))),
        None => Ok(found),
    }
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
    /// Why the first of them could not be read back from the disk.
    failed: Option<io::Error>,
}

impl Reading {
    fn new(detail: Detail) -> Self {
        Self {
            detail,
            seen: vec![],
            known: HashSet::new(),
            asked: UidSet::default(),
            received: UidSet::default(),
            failed: None,
        }
    }

    async fn read(&mut self, session: &mut Session, uids: &UidSet) -> Result<()> {
        let items = self.items();
        let mut bare = HashMap::new();
        self.asked = uids.clone();
        let chunks = uids.chunks(usize::MAX);
        let commands = chunks.map(|chunk| fetch_command(&chunk, &items));
        session
            .run_all(commands, |data| self.note(data, uids, &mut bare))
            .await?;
        self.read_bare(session, bare).await
    }

    /// Opens a mailbox and reads what there is of a range, in one round trip; gives the UIDs that exist.
    async fn open_and_read(
        &mut self,
        session: &mut Session,
        mailbox: &Mailbox,
        range: &UidSet,
    ) -> Result<(Selected, UidSet)> {
        let questions = self.range_questions(session, range);
        let mut bare = HashMap::new();
        let selected = session
            .open_and_ask(mailbox, false, questions, |data| {
                self.note_range(data, range, &mut bare);
            })
            .await?;
        let present = self.asked.clone();
        self.read_bare(session, bare).await?;
        Ok((selected, present))
    }

    /// What tells which messages of a range there are, and what is seen of them.
    fn range_questions(&self, session: &Session, range: &UidSet) -> Vec<Command> {
        let searches = among(range).into_iter().map(|one| session.search_command(&one));
        let items = self.items();
        let chunks = range.chunks(usize::MAX);
        let fetches = chunks.map(|chunk| fetch_command(&chunk, &items));
        searches.chain(fetches).collect()
    }

    fn note_range(&mut self, data: Untagged, range: &UidSet, bare: &mut HashMap<u32, Seen>) {
        match data {
            Untagged::Search(found) => self.asked = self.asked.union(&found.intersection(range)),
            data => self.note(data, range, bare),
        }
    }

    /// Messages without the fields that identify: the whole of each, as its size is part of the key and servers do not
    /// always tell the right one. It comes last in every reading, and fails where any of it could not be read back.
    async fn read_bare(&mut self, session: &mut Session, mut bare: HashMap<u32, Seen>) -> Result<()> {
        let uids: UidSet = bare.keys().copied().collect();
        let chunks = uids.chunks(usize::MAX);
        let commands = chunks.map(|chunk| fetch_command(&chunk, "(UID BODY.PEEK[])"));
        self.asked = uids.clone();
        self.received = UidSet::default();
        session
            .run_all(commands, |data| {
                if let Untagged::Fetch(fetch) = data
                    && let (Some(uid), Some(body)) = (fetch.uid, fetch.body)
                    && let Some(mut message) = bare.remove(&uid)
                {
                    let read = message_key::head_of(&body)
                        .map(|header| MessageKey::of_message(&header, body.canonical_len()))
                        .and_then(|key| Ok((key, Digest::of(&body)?)));
                    match read {
                        Ok((key, digest)) => {
                            message.key = key;
                            message.size = body.canonical_len();
                            message.digest = Some(digest);
                            self.received.insert(uid);
                            self.seen.push(message);
                        }
                        Err(error) => {
                            self.failed.get_or_insert(error);
                        }
                    }
                }
            })
            .await?;
        match self.failed.take() {
            Some(error) => Err(Error::Spool(error)),
            None => Ok(()),
        }
    }

    fn items(&self) -> String {
        format!("(UID {}{})", self.detail.items(), message_key::FIELDS)
    }

    /// Takes in a message that was asked for.
    fn note(&mut self, data: Untagged, asked: &UidSet, bare: &mut HashMap<u32, Seen>) {
        let Untagged::Fetch(fetch) = data else { return };
        let Some((message, identified)) = self.take(*fetch) else {
            return;
        };
        if !asked.contains(message.uid) {
            return;
        }
        self.received.insert(message.uid);
        if identified {
            self.seen.push(message);
        } else {
            bare.insert(message.uid, message);
        }
    }

    /// A message, and whether its header has what identifies it; `None` also for one that cannot be read back.
    fn take(&mut self, fetch: Fetch) -> Option<(Seen, bool)> {
        let (uid, body) = (fetch.uid?, fetch.body?);
        let header = match message_key::head_of(&body) {
            Ok(header) => header,
            Err(error) => {
                self.failed.get_or_insert(error);
                return None;
            }
        };
        let key = MessageKey::of_fields(&header);
        let flags = shared(&mut self.known, fetch.flags.unwrap_or_default());
        let message = Seen {
            uid,
            key: key.unwrap_or(MessageKey::of_message(b"", 0)),
            has_trace: message_key::has_trace(&header) && !flags.contains("\\Draft"),
            flags,
            date: fetch.date.map_or(0, |date| date.unix()),
            size: fetch.size.unwrap_or(0),
            digest: None,
            completeness: Completeness::Whole,
        };
        Some((message, key.is_some()))
    }
}

/// Asks for what keys are made of, for use in a pipeline.
pub fn key_question(uids: &UidSet) -> Command {
    fetch_command(uids, &format!("(UID FLAGS {})", message_key::FIELDS))
}

/// The same with size and date of arrival.
pub fn mark_question(uids: &UidSet) -> Command {
    let items = message_key::FIELDS;
    fetch_command(uids, &format!("(UID INTERNALDATE RFC822.SIZE {items})"))
}

/// Asks for whole messages, for use in a pipeline.
pub fn whole_questions(uids: &UidSet) -> Vec<Command> {
    let chunks = uids.chunks(GROUP);
    chunks
        .map(|chunk| fetch_command(&chunk, "(UID BODY.PEEK[])"))
        .collect()
}

/// The UID and the key that a message answers [`key_question`] with, where its header has what identifies it.
///
/// # Errors
/// When a large answer cannot be read back from the disk.
pub fn answered_key(fetch: &Fetch) -> io::Result<Option<(u32, MessageKey)>> {
    let (Some(uid), Some(body)) = (fetch.uid, &fetch.body) else {
        return Ok(None);
    };
    let header = message_key::head_of(body)?;
    Ok(MessageKey::of_fields(&header).map(|key| (uid, key)))
}

fn fetch_command(uids: &UidSet, items: &str) -> Command {
    Command::new("UID FETCH").text(&format!("{uids} {items}"))
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
pub fn by_key(messages: Vec<Seen>) -> HashMap<MessageKey, Vec<u32>> {
    let mut found: HashMap<_, Vec<u32>> = HashMap::new();
    for message in messages.into_iter().rev() {
        found.entry(message.key).or_default().push(message.uid);
    }
    found
}
