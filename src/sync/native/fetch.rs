// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads messages from the remote side, two commands ahead of what has arrived.

use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::mpsc;

use super::backoff::Backoff;
use super::belt::{Batch, Belt, Item, PATIENCE, Parcel, Place};
use crate::imap::{
    Command, Error, Fetch, Response, Result, Selected, Session, StatusLine, Tag, UidSet, Untagged,
};
use crate::sync::account::{Failure, Side};
use crate::sync::exit::Exit;
use crate::sync::job::Shared;
use crate::sync::key::{self, Key};

/// Messages of a batch at most, and octets.
const BATCH_MESSAGES: usize = 50;
const BATCH_OCTETS: u64 = 512 * 1024;
/// FETCH commands in flight.
const AHEAD: usize = 2;

/// One connection to the remote server at work.
pub struct Fetcher {
    shared: Shared,
    belt: Rc<Belt>,
    session: Option<Session>,
    /// Whether this one may give up where another goes on.
    spare: bool,
    sender: mpsc::Sender<Batch>,
    flight: VecDeque<Flight>,
    batch: Option<Batch>,
    octets: u64,
}

enum Flight {
    Open {
        tag: Tag,
        place: Rc<Place>,
        selected: Selected,
    },
    Fetch {
        tag: Tag,
        item: Item,
        received: UidSet,
        open: bool,
    },
}

impl Fetcher {
    /// A fetcher on a connection, or a spare one that makes its own.
    pub fn new(
        shared: Shared,
        belt: Rc<Belt>,
        session: Option<Session>,
        sender: mpsc::Sender<Batch>,
    ) -> Self {
        let spare = session.is_none();
        Self {
            shared,
            belt,
            session,
            spare,
            sender,
            flight: VecDeque::new(),
            batch: None,
            octets: 0,
        }
    }

    /// Works until nothing is left; gives the connection back.
    pub async fn run(mut self) -> Option<Session> {
        let mut backoff = Backoff::default();
        loop {
            let before = self.belt.items.borrow().len() + self.flight.len();
            let outcome = self.work().await;
            self.send_batch().await;
            match outcome {
                Ok(()) => return self.session,
                Err(error) => {
                    self.session = None;
                    if self.belt.halted() {
                        return None;
                    }
                    let progress = self.give_back();
                    if self.spare {
                        // The server may allow no second connection; the first one goes on.
                        return None;
                    }
                    if progress || self.belt.items.borrow().len() < before {
                        backoff = Backoff::default();
                    }
                    self.shared
                        .recorder
                        .borrow_mut()
                        .line(&format!("Host1: {error}; reconnecting"));
                    if !error.is_transient() || !backoff.pause_after(&error).await {
                        self.belt.fail(Failure::from_imap(Side::Remote, &error));
                        return None;
                    }
                }
            }
        }
    }

    /// Puts back what was not received; tells whether anything was.
    fn give_back(&mut self) -> bool {
        let mut progress = false;
        while let Some(flight) = self.flight.pop_back() {
            if let Flight::Fetch {
                mut item, received, ..
            } = flight
            {
                progress |= !received.is_empty();
                item.uids = item.uids.minus(&received);
                if !item.uids.is_empty() {
                    self.belt.items.borrow_mut().push_front(item);
                }
            }
        }
        progress
    }

    async fn work(&mut self) -> Result<()> {
        if self.belt.items.borrow().is_empty() && self.spare {
            return Ok(());
        }
        let mut session = match self.session.take() {
            Some(session) => session,
            None => {
                let session = self.shared.job.remote.login().await?;
                // From here on items may be in its hands; it has to see them through.
                self.spare = false;
                session
            }
        };
        let outcome = self.pump(&mut session).await;
        self.session = Some(session);
        outcome
    }

    async fn pump(&mut self, session: &mut Session) -> Result<()> {
        let mut opened: Option<Rc<Place>> = None;
        loop {
            if self.belt.halted() {
                return Err(Error::Lost("the run is ending".to_owned()));
            }
            let mut fetching = self
                .flight
                .iter()
                .filter(|f| matches!(f, Flight::Fetch { .. }))
                .count();
            while fetching < AHEAD {
                let Some(item) = self.next_item() else { break };
                if !opened
                    .as_ref()
                    .is_some_and(|place| Rc::ptr_eq(place, &item.place))
                {
                    let tag = session
                        .send(Session::open_command(&item.place.pair.remote, false))
                        .await?;
                    let place = item.place.clone();
                    opened = Some(place.clone());
                    self.flight.push_back(Flight::Open {
                        tag,
                        place,
                        selected: Selected::default(),
                    });
                }
                let items = format!("{} (UID FLAGS INTERNALDATE BODY.PEEK[])", item.uids);
                let tag = session.send(Command::new("UID FETCH").text(&items)).await?;
                self.flight.push_back(Flight::Fetch {
                    tag,
                    item,
                    received: UidSet::default(),
                    open: true,
                });
                fetching += 1;
            }
            if self.flight.is_empty() {
                return Ok(());
            }
            match session.next().await? {
                Response::Untagged(data) => self.note(data).await,
                Response::Tagged { tag, status } => self.settle(&tag, status).await?,
                Response::Continue(_) => {}
            }
        }
    }

    fn next_item(&self) -> Option<Item> {
        let mut items = self.belt.items.borrow_mut();
        while let Some(item) = items.pop_front() {
            if !item.place.broken.get() {
                return Some(item);
            }
        }
        None
    }

    async fn note(&mut self, data: Untagged) {
        if let Some(Flight::Open { selected, .. }) = self.flight.front_mut() {
            selected.note(&data);
            return;
        }
        let Untagged::Fetch(fetch) = data else { return };
        let Some(uid) = fetch.uid.filter(|_| fetch.body.is_some() || fetch.body_nil) else {
            return;
        };
        // A server may work on several FETCHes of the open folder at once and answer them in any order (RFC 3501, 5.5;
        // Dovecot does): the UID tells which one a message belongs to.
        let mut open_now = self.flight.iter_mut().map_while(|flight| match flight {
            Flight::Fetch {
                item, received, open, ..
            } => Some((item, received, *open)),
            Flight::Open { .. } => None,
        });
        let asked = open_now.find(|(item, received, _)| item.uids.contains(uid) && !received.contains(uid));
        // Some servers keep the former folder open when the next one cannot be: its messages are not those asked for.
        let Some((item, received, true)) = asked else {
            return;
        };
        received.insert(uid);
        let place = item.place.clone();
        if fetch.body.is_some() {
            self.accept(place, uid, *fetch).await;
        } else {
            self.refuse(&place, uid, "the server has no content for it");
        }
    }

    async fn accept(&mut self, place: Rc<Place>, uid: u32, fetch: Fetch) {
        let Some(body) = fetch.body else { return };
        let header = match body.as_memory() {
            Some(bytes) => std::borrow::Cow::Borrowed(&bytes[..bytes.len().min(key::HEADER_LIMIT)]),
            None => std::borrow::Cow::Owned(body.head(key::HEADER_LIMIT).unwrap_or_default()),
        };
        let parcel = Parcel {
            uid,
            key: Key::of_message(&header, body.canonical_len()),
            flags: fetch.flags.unwrap_or_default(),
            date: fetch.date,
            message_id: key::message_id(&header),
            body,
        };
        let size = parcel.body.canonical_len();
        let fits = self.batch.as_ref().is_some_and(|batch| {
            Rc::ptr_eq(&batch.place, &place)
                && batch.parcels.len() < BATCH_MESSAGES
                && self.octets + size <= BATCH_OCTETS
        });
        if !fits {
            self.send_batch().await;
            self.batch = Some(Batch {
                place,
                parcels: vec![],
            });
            self.octets = 0;
        }
        if let Some(batch) = &mut self.batch {
            batch.parcels.push(parcel);
            self.octets += size;
        }
    }

    async fn send_batch(&mut self) {
        if let Some(batch) = self.batch.take().filter(|batch| !batch.parcels.is_empty())
            && self.sender.send(batch).await.is_err()
            && !self.belt.halted()
        {
            self.belt
                .fail(Failure::local("nobody takes the messages any more"));
        }
    }

    fn refuse(&self, place: &Place, uid: u32, reason: &str) {
        let mut recorder = self.shared.recorder.borrow_mut();
        recorder.message_problem(place.index, Exit::FetchErrors, uid, None, reason);
        let mut state = self.shared.state.borrow_mut();
        if let Err(error) = state.withhold(place.folder.id, std::iter::once(uid)) {
            self.belt.fail(error.into());
        }
    }

    async fn settle(&mut self, answered: &str, status: StatusLine) -> Result<()> {
        let at = self.flight.iter().position(|flight| match flight {
            Flight::Open { tag, .. } | Flight::Fetch { tag, .. } => Session::is(*tag, answered),
        });
        match at.and_then(|at| self.flight.remove(at)) {
            Some(Flight::Open { .. }) if !status.is_ok() && status.is_throttled() => {
                return Err(Error::Refused(status.to_string()));
            }
            Some(Flight::Open { place, selected, .. }) => self.opened(&place, selected, &status),
            Some(Flight::Fetch {
                item, received, open, ..
            }) => self.fetched(item, &received, open, status).await?,
            None => {}
        }
        Ok(())
    }

    fn opened(&mut self, place: &Rc<Place>, selected: Selected, status: &StatusLine) {
        let other = selected
            .uid_validity
            .is_some_and(|validity| validity != place.folder.remote_validity);
        let reason = if !status.is_ok() {
            format!("cannot be opened: {status}")
        } else if other {
            "was replaced during the run; the next run compares it anew".to_owned()
        } else {
            return;
        };
        if !place.broken.replace(true) {
            let name = place.pair.remote.name().to_owned();
            self.shared
                .recorder
                .borrow_mut()
                .problem(&name, Exit::SelectErrors, &reason);
        }
        for flight in &mut self.flight {
            if let Flight::Fetch { item, open, .. } = flight
                && Rc::ptr_eq(&item.place, place)
            {
                *open = false;
            }
        }
    }

    /// The end of a FETCH. When the server refused, what it did not give is asked for one by one.
    async fn fetched(&mut self, item: Item, received: &UidSet, open: bool, status: StatusLine) -> Result<()> {
        if !open || status.is_ok() {
            if open && self.shared.job.inbox_only() {
                let left = item.uids.minus(received);
                let mut missing = item.place.missing.borrow_mut();
                *missing = missing.iter().chain(left.iter()).collect();
            }
            return Ok(());
        }
        if status.is_throttled() || (status.is_temporary() && item.put_off < PATIENCE) {
            self.belt.items.borrow_mut().push_front(Item {
                uids: item.uids.minus(received),
                put_off: item.put_off.saturating_add(1),
                ..item
            });
            return Err(Error::Refused(status.to_string()));
        }
        let left = item.uids.minus(received);
        if item.single {
            if let Some(uid) = left.iter().next() {
                self.refuse(&item.place, uid, &format!("cannot be read: {status}"));
            }
            return Ok(());
        }
        // A range may hold UIDs that do not exist; they are only asked for in small ranges.
        let mut items = self.belt.items.borrow_mut();
        if left.len() > 1000 {
            for half in left
                .chunks(usize::try_from(left.len() / 2).unwrap_or(1000))
                .into_iter()
                .rev()
            {
                items.push_front(Item {
                    place: item.place.clone(),
                    uids: half,
                    single: false,
                    put_off: item.put_off,
                });
            }
        } else {
            for uid in left.iter().collect::<Vec<_>>().into_iter().rev() {
                let uids = UidSet::range(uid..=uid);
                items.push_front(Item {
                    place: item.place.clone(),
                    uids,
                    single: true,
                    put_off: item.put_off,
                });
            }
        }
        Ok(())
    }
}
