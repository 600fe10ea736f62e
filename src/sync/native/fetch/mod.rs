// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads messages from the remote side, asking for the next ones long before the former have arrived.
//!
//! [`issue`]: what is sent, and how much at once · [`answers`]: what comes, [`parts`] of messages at times.

mod answers;
mod issue;
mod parts;

use std::collections::VecDeque;
use std::rc::Rc;

use crate::imap::{Begun, Error, Response, Result, Selected, Session, Tag, UidSet};
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::native::fetch::parts::Parts;
use crate::sync::native::pipeline::Pipeline;
use crate::sync::native::pipeline::packer::Packer;
use crate::sync::native::plan::Item;
use crate::sync::reconcile::connections;
use crate::sync::reconcile::connections::backoff::Backoff;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::{FolderError, contain};
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::side::Side;

/// One connection to the remote server at work.
pub struct Fetcher {
    number: usize,
    shared: Shared,
    pipeline: Rc<Pipeline>,
    session: Option<SideSession>,
    /// Whether this one may give up where another goes on.
    spare: bool,
    packer: Packer,
    in_flight: VecDeque<InFlight>,
    /// The message that was coming when the connection broke, and its folder.
    begun: Option<(Rc<FolderSync>, Begun)>,
    /// It begins on this connection as it did on the former one.
    begins_alike: bool,
    /// Something was achieved since a connection broke.
    progress: bool,
}

enum InFlight {
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
        /// It is only the rest of a message that is asked for.
        rest: bool,
        /// What came of messages that are not there yet.
        parts: Parts,
    },
    /// The beginning of a message of which some is there: a server that generates messages makes another one at each
    /// request, and its rest would not belong to what came.
    Beginning {
        tag: Tag,
        item: Item,
        former: Vec<u8>,
        is_alike: bool,
    },
    /// One of the questions for changed flags, which go along with the messages.
    Flags { tag: Tag, sync: Rc<FolderSync> },
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
            in_flight: VecDeque::new(),
            begun: None,
            begins_alike: false,
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
            let begun = self
                .session
                .take()
                .and_then(|mut session| session.imap.take_begun());
            if self.pipeline.halted() {
                return None;
            }
            if !self.progress && begun.is_none() && self.pipeline.fetching.get() > 0 {
                // The server bears no more connections than those over which something comes, however it says so.
                self.put_back();
                return None;
            }
            let has_grown = begun.is_some_and(|begun| self.keep(begun));
            self.requeue(&error, has_grown);
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

    /// Keeps what came of a message for the next connection; whether it is more than on the one before.
    fn keep(&mut self, begun: Begun) -> bool {
        let of = self.in_flight.iter().find_map(|command| match command {
            InFlight::Fetch {
                item,
                received,
                open: true,
                ..
            } if item.uids.contains(begun.uid()) && !received.contains(begun.uid()) => {
                Some(item.sync.clone())
            }
            _ => None,
        });
        let of = of.filter(|sync| !sync.whole_only.borrow().contains(begun.uid()));
        let has_grown = of.is_some() && begun.has_grown();
        self.begun = of.map(|sync| (sync, begun));
        has_grown
    }

    /// Leaves what was asked for to the other fetchers.
    fn put_back(&mut self) {
        while let Some(command) = self.in_flight.pop_back() {
            match command {
                InFlight::Open { .. } => {}
                InFlight::Flags { sync, .. } => note_flags(&sync, false),
                InFlight::Search { item, .. }
                | InFlight::Fetch { item, .. }
                | InFlight::Beginning { item, .. } => {
                    self.pipeline.items.borrow_mut().push_front(item);
                }
            }
        }
    }

    /// Puts back what was not received. What the server was at when the connection broke is looked at more closely, unless
    /// it was giving one message on and on.
    fn requeue(&mut self, error: &Error, is_giving: bool) {
        self.progress |= is_giving;
        let alone = self.in_flight.len() == 1;
        let first = self.in_flight.len().min(1);
        while let Some(command) = self.in_flight.pop_back() {
            let at_work = self.in_flight.len() < first && error.is_loss();
            let item = match command {
                InFlight::Open { sync, .. } => {
                    if at_work {
                        self.blame(&sync, alone);
                    }
                    continue;
                }
                InFlight::Flags { sync, .. } => {
                    self.progress |= at_work;
                    note_flags(&sync, false);
                    continue;
                }
                InFlight::Search { item, .. } => item,
                InFlight::Beginning { item, .. } => {
                    if at_work {
                        let (folder, none) = (item.sync.folder.id, UidSet::default());
                        self.progress |= self.shared.poison.note(folder, &item.uids, &none);
                    }
                    item
                }
                InFlight::Fetch {
                    mut item,
                    received,
                    open,
                    ..
                } => {
                    if at_work && open && item.exact && !is_giving {
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
        self.begins_alike = false;
        let fetching = &self.pipeline.clone().fetching;
        fetching.set(fetching.get() + 1);
        let outcome = self.drive(&mut session.imap).await;
        fetching.set(fetching.get() - 1);
        self.session = Some(session);
        outcome
    }

    async fn drive(&mut self, session: &mut Session) -> Result<()> {
        let mut opened: Option<Rc<FolderSync>> = None;
        loop {
            if self.pipeline.halted() {
                return Err(Error::Lost("the run is ending".to_owned()));
            }
            self.fill(session, &mut opened).await?;
            if self.in_flight.is_empty() {
                return Ok(());
            }
            match session.next().await? {
                Response::Untagged(data) => self.on_untagged(data).await?,
                Response::Tagged { tag, status } => {
                    self.take_in_rest(&tag).await?;
                    self.on_tagged(session, &tag, status)?;
                }
                Response::Continue(_) => {}
            }
        }
    }
}

/// A question for the flags of a folder has its outcome, or will have none.
fn note_flags(sync: &FolderSync, is_ok: bool) {
    if let Some(told) = sync.flags.borrow_mut().as_mut() {
        told.answered(is_ok);
    }
}
