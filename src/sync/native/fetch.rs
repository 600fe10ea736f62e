// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads messages from the remote side, asking for the next ones long before the former have arrived.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::imap::{
    Command, Error, Fetch, Response, Result, Selected, Session, StatusLine, Tag, UidSet, Untagged,
};
use crate::sync::account::Side;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::native::MAX_MISSING;
use crate::sync::native::pipeline::packer::Packer;
use crate::sync::native::pipeline::{MAX_TEMPORARY_REFUSALS, Pipeline};
use crate::sync::native::plan::{self, Item, Order};
use crate::sync::reconcile::compare;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::connections::{self, backoff::Backoff};
use crate::sync::reconcile::error::{FolderError, contain};
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::poison;
use crate::sync::state::Completeness;

/// Messages asked for and not received, at least while there are more: a server that works on several commands at once
/// ends them all at once, so the next one is sent long before.
const MESSAGES_IN_FLIGHT: u64 = 1000;

/// Into so many parts what did not come is divided.
const PARTS: usize = 8;

/// Commands in flight at most, beside those that open folders.
const COMMANDS_IN_FLIGHT: usize = 16;

/// One connection to the remote server at work.
pub struct Fetcher {
    number: usize,
    shared: Shared,
    pipeline: Rc<Pipeline>,
    session: Option<SideSession>,
    /// Whether this one may give up where another goes on.
    spare: bool,
    packer: Packer,
    flight: VecDeque<Flight>,
    /// Something was achieved since a connection broke.
    progress: bool,
}

enum Flight {
    Open {
        tag: Tag,
        sync: Rc<FolderSync>,
        selected: Selected,
    },
    /// A search for those that exist or, with a limit in octets, that are too large.
    Search {
        tag: Tag,
        item: Item,
        found: UidSet,
        limit: Option<u64>,
        open: bool,
    },
    Fetch {
        tag: Tag,
        item: Item,
        received: UidSet,
        open: bool,
        /// Something came that could not be read.
        garbled: bool,
    },
}

impl Fetcher {
    /// A fetcher on a connection, or a spare one that makes its own. Each has another number.
    pub fn new(number: usize, shared: Shared, pipeline: Rc<Pipeline>, session: Option<SideSession>) -> Self {
        let spare = session.is_none();
        Self {
            number,
            packer: Packer::new(pipeline.clone()),
            shared,
            pipeline,
            session,
            spare,
            flight: VecDeque::new(),
            progress: false,
        }
    }

    /// Works until nothing is left; gives the connection back.
    pub async fn run(mut self) -> Option<SideSession> {
        let session = self.with_reconnect().await;
        self.pipeline.batches.leave();
        session
    }

    async fn with_reconnect(&mut self) -> Option<SideSession> {
        let mut backoff = Backoff::default();
        loop {
            let outcome = self.work().await;
            self.packer.pass_on().await;
            let Err(error) = outcome else {
                return self.session.take();
            };
            self.session = None;
            if self.pipeline.halted() {
                return None;
            }
            self.requeue(&error);
            if self.spare {
                // The server may allow no second connection; the first one goes on.
                return None;
            }
            if std::mem::take(&mut self.progress) {
                backoff = Backoff::default();
            }
            let recovers = self
                .pipeline
                .recovers(&self.shared, Side::Remote, &error, &mut backoff);
            if !recovers.await {
                return None;
            }
        }
    }

    /// Puts back what was not received. What the server was at when the connection broke is looked at more closely.
    fn requeue(&mut self, error: &Error) {
        let alone = self.flight.len() == 1;
        let first = self.flight.len().min(1);
        while let Some(flight) = self.flight.pop_back() {
            let at_work = self.flight.len() < first && error.is_loss();
            let item = match flight {
                Flight::Open { sync, .. } => {
                    if at_work {
                        self.blame(&sync, alone);
                    }
                    continue;
                }
                Flight::Search { item, .. } => item,
                Flight::Fetch {
                    mut item,
                    received,
                    open,
                    ..
                } => {
                    if at_work && open && item.exact {
                        let folder = item.sync.folder.id;
                        self.progress |= self.shared.poison.note(folder, &item.uids, &received);
                    }
                    self.progress |= at_work && !item.doubtful;
                    item.doubtful |= at_work;
                    item.uids = item.uids.minus(&received);
                    item
                }
            };
            if !item.uids.is_empty() {
                self.pipeline.items.borrow_mut().push_front(item);
            }
        }
    }

    /// A connection broke while a folder was being opened. Whether that is the reason is told when nothing else is asked
    /// along with it.
    fn blame(&mut self, sync: &FolderSync, alone: bool) {
        let server = &self.shared.job.remote.workarounds;
        let mailbox = &sync.pair.remote;
        self.progress |= match alone {
            true => server.lost_at(mailbox),
            false => server.suspect(mailbox),
        };
        if server.is_hopeless(mailbox) {
            let error =
                FolderError::unusable(Side::Remote, Exit::SelectErrors, connections::CLOSES.to_owned());
            self.leave_out(sync, error);
        }
    }

    /// Works no more on a folder.
    fn leave_out(&self, sync: &FolderSync, error: FolderError) {
        if sync.broken.replace(true) {
            return;
        }
        let name = sync.pair.remote.name();
        if let Err(failure) = contain::<()>(&self.shared, name, Err(error)) {
            self.pipeline.fail(failure);
        }
    }

    async fn work(&mut self) -> Result<()> {
        if self.pipeline.items.borrow().is_empty() && self.spare {
            return Ok(());
        }
        let mut session = match self.session.take() {
            Some(session) => session,
            None => {
                let session = SideSession::log_in(&self.shared.job.remote).await?;
                // From here on items may be in its hands; it has to see them through.
                self.spare = false;
                session
            }
        };
        let outcome = self.drive(&mut session.imap).await;
        self.session = Some(session);
        outcome
    }

    async fn drive(&mut self, session: &mut Session) -> Result<()> {
        let mut opened: Option<Rc<FolderSync>> = None;
        loop {
            if self.pipeline.halted() {
                return Err(Error::Lost("the run is ending".to_owned()));
            }
            while self.has_room(session) {
                let Some(order) = self.next_order() else { break };
                self.issue(session, order, &mut opened).await?;
            }
            if self.flight.is_empty() {
                return Ok(());
            }
            match session.next().await? {
                Response::Untagged(data) => self.on_untagged(data).await?,
                Response::Tagged { tag, status } => self.on_tagged(session, &tag, status)?,
                Response::Continue(_) => {}
            }
        }
    }

    /// Whether more is to be asked for already.
    fn has_room(&self, session: &Session) -> bool {
        let server = session.workarounds();
        let opens_alone = |flight: &Flight| match flight {
            Flight::Open { sync, .. } => server.is_suspect(&sync.pair.remote),
            Flight::Search { .. } | Flight::Fetch { .. } => false,
        };
        if self.flight.iter().any(opens_alone) || (server.is_sequential() && !self.flight.is_empty()) {
            return false;
        }
        let (mut commands, mut messages) = (0, 0);
        for flight in &self.flight {
            match flight {
                Flight::Open { .. } => {}
                Flight::Search { .. } => commands += 1,
                Flight::Fetch { item, received, .. } => {
                    commands += 1;
                    // A range may be much wider than what is in it.
                    let asked = match item.exact {
                        true => item.uids.len(),
                        false => item.uids.len().min(compare::BATCH),
                    };
                    messages += asked.saturating_sub(received.len());
                }
            }
        }
        commands < 2 || (commands < COMMANDS_IN_FLIGHT && messages < MESSAGES_IN_FLIGHT)
    }

    fn next_order(&self) -> Option<Order> {
        let mut items = self.pipeline.items.borrow_mut();
        plan::next(
            &mut items,
            self.number,
            &self.pipeline.size_limit,
            &self.shared.poison,
        )
    }

    /// Does what an order says, or sends what it asks for.
    async fn issue(
        &mut self,
        session: &mut Session,
        order: Order,
        opened: &mut Option<Rc<FolderSync>>,
    ) -> Result<()> {
        let (item, command, limit) = match order {
            Order::GiveUp(item) => return self.give_up(&item),
            Order::Find(item) => {
                let command = session.search_command(&format!("UID {}", item.uids));
                (item, Some(command), None)
            }
            Order::Sift(item, limit) => {
                let command = session.search_command(&format!("UID {} NOT SMALLER {limit}", item.uids));
                (item, Some(command), Some(limit))
            }
            Order::Fetch(item) => (item, None, None),
        };
        if !opened.as_ref().is_some_and(|sync| Rc::ptr_eq(sync, &item.sync)) {
            let tag = session
                .send(Session::open_command(&item.sync.pair.remote, false))
                .await?;
            let sync = item.sync.clone();
            *opened = Some(sync.clone());
            self.flight.push_back(Flight::Open {
                tag,
                sync: sync.clone(),
                selected: Selected::default(),
            });
            if session.workarounds().is_suspect(&sync.pair.remote) {
                self.pipeline.items.borrow_mut().push_front(item);
                return Ok(());
            }
        }
        let flight = match command {
            Some(command) => Flight::Search {
                tag: session.send(command).await?,
                item,
                found: UidSet::default(),
                limit,
                open: true,
            },
            None => {
                let items = format!("{} (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])", item.uids);
                Flight::Fetch {
                    tag: session.send(Command::new("UID FETCH").text(&items)).await?,
                    item,
                    received: UidSet::default(),
                    open: true,
                    garbled: false,
                }
            }
        };
        self.flight.push_back(flight);
        Ok(())
    }

    async fn on_untagged(&mut self, data: Untagged) -> Result<()> {
        if let Some(Flight::Open { selected, .. }) = self.flight.front_mut() {
            selected.note(&data);
            return Ok(());
        }
        // A server may work on several commands of the open folder at once and answer them in any order (RFC 3501, 5.5;
        // Dovecot does): the UID tells which one a message belongs to.
        let mut open_now = self
            .flight
            .iter_mut()
            .take_while(|flight| !matches!(flight, Flight::Open { .. }));
        match data {
            Untagged::Search(uids) => {
                for flight in open_now {
                    if let Flight::Search { item, found, .. } = flight {
                        *found = found.union(&uids.intersection(&item.uids));
                    }
                }
            }
            Untagged::Fetch(fetch) => {
                let Some(uid) = fetch.uid.filter(|_| fetch.body.is_some() || fetch.body_nil) else {
                    return Ok(());
                };
                let asked = open_now.find_map(|flight| match flight {
                    Flight::Fetch {
                        item, received, open, ..
                    } if item.uids.contains(uid) && !received.contains(uid) => Some((item, received, *open)),
                    _ => None,
                });
                // Some servers keep the former folder open when the next one cannot be: its messages are not those
                // asked for.
                let Some((item, received, true)) = asked else {
                    return Ok(());
                };
                received.insert(uid);
                let sync = item.sync.clone();
                sync.received.set(sync.received.get() + 1);
                self.progress = true;
                if fetch.body.is_none() {
                    self.refuse(&sync, uid, "the server has no content for it");
                } else if !fetch.is_whole {
                    self.refuse(
                        &sync,
                        uid,
                        "the server sent a part of it instead of the whole message",
                    );
                } else {
                    self.note_short(&sync, uid, &fetch);
                    self.packer.add(sync, uid, *fetch).await.map_err(Error::Spool)?;
                }
            }
            Untagged::Unreadable => {
                for flight in open_now {
                    if let Flight::Fetch { garbled, .. } = flight {
                        *garbled = true;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Reports a message of which much less came than the server says that it has; some servers estimate sizes, and are off
    /// by a little. What came is kept locally; on the remote side it is never deleted.
    fn note_short(&self, sync: &FolderSync, uid: u32, fetch: &Fetch) {
        let (Some(size), Some(body)) = (fetch.size, &fetch.body) else {
            return;
        };
        if Completeness::of(body.canonical_len(), Some(size)) == Completeness::Cut {
            let reason = format!(
                "message {uid}: only {} of {size} octets came; they are kept, and the message stays on the remote side",
                body.canonical_len()
            );
            let mut reporter = self.shared.reporter.borrow_mut();
            reporter.problem(sync.pair.remote.name(), Exit::FetchErrors, &reason);
        }
    }

    fn refuse(&self, sync: &FolderSync, uid: u32, reason: &str) {
        let mut reporter = self.shared.reporter.borrow_mut();
        reporter.message_problem(sync.index, Exit::FetchErrors, uid, None, reason);
        self.withhold(sync, &UidSet::range(uid..=uid));
    }

    fn withhold(&self, sync: &FolderSync, uids: &UidSet) {
        let mut state = self.shared.state.borrow_mut();
        if let Err(error) = state.withhold(sync.folder.id, uids.iter()) {
            self.pipeline.fail(error.into());
        }
    }

    fn give_up(&mut self, item: &Item) -> Result<()> {
        for uid in item.uids.iter() {
            self.progress = true;
            if self.shared.poison.give_up(item.sync.folder.id, uid)? {
                self.refuse(&item.sync, uid, poison::REASON);
            }
        }
        Ok(())
    }

    fn on_tagged(&mut self, session: &Session, answered: &str, status: StatusLine) -> Result<()> {
        let at = self.flight.iter().position(|flight| match flight {
            Flight::Open { tag, .. } | Flight::Search { tag, .. } | Flight::Fetch { tag, .. } => {
                Session::is(*tag, answered)
            }
        });
        if at.is_some_and(|at| at > 0 && matches!(self.flight.get(at), Some(Flight::Open { .. }))) {
            // It could not be told any more which folder a message is from (RFC 3501, 5.5).
            let text = "it opened a folder before it had answered what was asked of another";
            return Err(Error::Inconsistent(text.to_owned()));
        }
        // As long as it is in flight, what it was about is put back.
        if let Some(Flight::Search {
            found, open: true, ..
        }) = at.and_then(|at| self.flight.get(at))
        {
            session.check_found(found)?;
        }
        match at.and_then(|at| self.flight.remove(at)) {
            Some(Flight::Open { .. }) if !status.is_ok() && status.is_throttled() => {
                return Err(Error::Unavailable(status.to_string()));
            }
            Some(Flight::Open { sync, selected, .. }) => self.opened(&sync, selected, &status),
            Some(Flight::Search {
                item,
                found,
                limit,
                open,
                ..
            }) if open => self.searched(item, &found, limit, &status)?,
            Some(Flight::Fetch {
                item,
                received,
                open,
                garbled,
                ..
            }) if open => self.fetched(item, &received, garbled, status)?,
            _ => {}
        }
        Ok(())
    }

    fn opened(&mut self, sync: &Rc<FolderSync>, selected: Selected, status: &StatusLine) {
        let other = selected
            .uid_validity
            .is_some_and(|validity| validity != sync.folder.remote_validity);
        let reason = if !status.is_ok() {
            format!("cannot be opened: {status}")
        } else if other {
            "was replaced during the run; the next run compares it again".to_owned()
        } else {
            self.shared.job.remote.workarounds.answered(&sync.pair.remote);
            return;
        };
        if !sync.broken.replace(true) {
            let name = sync.pair.remote.name().to_owned();
            self.shared
                .reporter
                .borrow_mut()
                .problem(&name, Exit::SelectErrors, &reason);
        }
        for flight in &mut self.flight {
            if let Flight::Fetch { item, open, .. } | Flight::Search { item, open, .. } = flight
                && Rc::ptr_eq(&item.sync, sync)
            {
                *open = false;
            }
        }
    }

    /// The end of a search: what exists is asked for again, what is too large is left for another run.
    fn searched(
        &mut self,
        item: Item,
        found: &UidSet,
        limit: Option<u64>,
        status: &StatusLine,
    ) -> Result<()> {
        if self.is_put_off(&item, &item.uids, status) {
            return Err(Error::Unavailable(status.to_string()));
        }
        if !status.is_ok() {
            // What exists is looked for at the end of the run, and reported then.
            item.sync.gaps.set(true);
            let name = item.sync.pair.remote.name();
            let reason = format!("cannot be searched: {status}");
            let mut reporter = self.shared.reporter.borrow_mut();
            reporter.problem(name, Exit::FetchErrors, &reason);
            return Ok(());
        }
        self.progress = true;
        let Some(limit) = limit else {
            // What the answer lacks is noticed at the end of the run.
            item.sync.gaps.set(true);
            let uids = found.clone();
            self.ask_again(Item {
                uids,
                exact: true,
                ..item
            });
            return Ok(());
        };
        self.withhold(&item.sync, found);
        item.sync.left.set(item.sync.left.get() + found.len());
        item.sync.received.set(item.sync.received.get() + found.len());
        let uids = item.uids.minus(found);
        if limit > 0 {
            self.ask_again(Item {
                uids,
                sifted: Some(limit),
                ..item
            });
        } else {
            self.miss(&item, &uids);
        }
        Ok(())
    }

    /// What did not come is looked for at the end of the run. Of a folder that is new all messages are counted then.
    fn miss(&self, item: &Item, left: &UidSet) {
        if item.exact {
            let mut missing = item.sync.missing.borrow_mut();
            *missing = missing.union(left);
            if missing.len() > MAX_MISSING {
                let reason = format!("{} messages that it lists are not handed out", missing.len());
                self.leave_out(
                    &item.sync,
                    FolderError::unusable(Side::Remote, Exit::FetchErrors, reason),
                );
            }
        } else if !left.is_empty() {
            let mut unanswered = item.sync.unanswered.borrow_mut();
            *unanswered = unanswered.union(left);
            if item.sync.folder.remote_next > 1 {
                item.sync.gaps.set(true);
            }
        }
    }

    fn ask_again(&self, item: Item) {
        if !item.uids.is_empty() {
            self.pipeline.items.borrow_mut().push_front(item);
        }
    }

    /// Whether the server wants to be asked later; then it will be.
    fn is_put_off(&self, item: &Item, left: &UidSet, status: &StatusLine) -> bool {
        let put_off =
            status.is_throttled() || (status.is_temporary() && item.put_off < MAX_TEMPORARY_REFUSALS);
        if status.is_ok() || !put_off {
            return false;
        }
        self.ask_again(Item {
            uids: left.clone(),
            put_off: item.put_off.saturating_add(1),
            ..item.clone()
        });
        true
    }

    /// The end of a FETCH. When the server refused, what it did not give is asked for one by one; when it was silent, in
    /// smaller and smaller groups: one message may have kept it from giving the others.
    fn fetched(&mut self, item: Item, received: &UidSet, garbled: bool, status: StatusLine) -> Result<()> {
        let left = item.uids.minus(received);
        if status.is_ok() && (item.alone || !garbled) {
            if item.exact && item.uids.len() > 1 {
                let size = usize::try_from(left.len()).unwrap_or(usize::MAX) / PARTS;
                for uids in left.chunks(size.max(1)) {
                    self.ask_again(Item { uids, ..item.clone() });
                }
            } else {
                self.miss(&item, &left);
            }
            return Ok(());
        }
        if self.is_put_off(&item, &left, &status) {
            return Err(Error::Unavailable(status.to_string()));
        }
        if !item.alone {
            self.ask_again(Item {
                uids: left,
                alone: true,
                ..item
            });
        } else if let Some(uid) = left.first() {
            self.refuse(&item.sync, uid, &format!("cannot be read: {status}"));
        }
        Ok(())
    }
}
