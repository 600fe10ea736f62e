// SPDX-License-Identifier: GPL-3.0-or-later
//! Writes messages to the local side: several at once where the server can, the next ones sent before the former
//! are confirmed. What is refused together is tried one by one; what is refused alone is reported.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use crate::imap::{Code, Error, Flags, Message, Response, Result, Session, StatusLine, Tag};
use crate::sync::account::{Failure, Side};
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::native::pipeline::batches::Batch;
use crate::sync::native::pipeline::message::{self, FetchedMessage};
use crate::sync::native::pipeline::{MAX_TEMPORARY_REFUSALS, Pipeline};
use crate::sync::reconcile::compare;
use crate::sync::reconcile::connections::backoff::Backoff;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::connections::{self, settle};
use crate::sync::reconcile::error::{FolderError, FolderResult, contain};
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::headers::{self, Detail};
use crate::sync::reconcile::poison;

/// APPEND commands in flight.
const APPENDS_IN_FLIGHT: usize = 2;

/// One connection to the local server at work.
pub struct Appender {
    number: usize,
    shared: Shared,
    pipeline: Rc<Pipeline>,
    session: Option<SideSession>,
    spare: bool,
    selected: Option<Rc<FolderSync>>,
    todo: VecDeque<AppendBatch>,
    flight: VecDeque<(Tag, AppendBatch)>,
    /// What is in flight was sent on this connection and not on one that broke.
    fresh: bool,
}

/// Messages for one APPEND.
struct AppendBatch {
    sync: Rc<FolderSync>,
    messages: Vec<FetchedMessage>,
    attempt: Attempt,
    /// How often the server put it off.
    put_off: u8,
    /// How often a connection broke while the server was at it.
    losses: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// As many as fit.
    Together,
    /// Alone, since something was refused.
    Alone,
    /// Alone and without keywords, which not every server takes.
    Plain,
    /// After the folder was created again.
    Recreated,
}

impl Appender {
    /// An appender on a connection, or a spare one that makes its own. Each has another number.
    pub fn new(number: usize, shared: Shared, pipeline: Rc<Pipeline>, session: Option<SideSession>) -> Self {
        let spare = session.is_none();
        Self {
            number,
            shared,
            pipeline,
            session,
            spare,
            selected: None,
            todo: VecDeque::new(),
            flight: VecDeque::new(),
            fresh: false,
        }
    }

    /// Works until no more batches come; gives the connection back.
    pub async fn run(mut self) -> Option<SideSession> {
        let mut backoff = Backoff::default();
        loop {
            let outcome = self.work(&mut backoff).await;
            self.pipeline.batches.retire(self.number);
            let Err(error) = outcome else {
                return self.session;
            };
            self.session = None;
            self.selected = None;
            if self.spare && self.flight.is_empty() && self.todo.is_empty() {
                // The server allows no more connections; the first one goes on.
                return None;
            }
            if self.pipeline.halted() {
                return None;
            }
            if std::mem::take(&mut self.fresh)
                && let Some((_, batch)) = self.flight.front_mut()
                && error.is_loss()
            {
                batch.losses = batch.losses.saturating_add(1);
                if poison::leads_further(batch.losses) {
                    backoff = Backoff::default();
                }
            }
            let recovers = self
                .pipeline
                .recovers(&self.shared, Side::Local, &error, &mut backoff);
            if !recovers.await {
                return None;
            }
        }
    }

    async fn work(&mut self, backoff: &mut Backoff) -> Result<()> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => SideSession::log_in(&self.shared.job.local).await?,
        };
        let outcome = match self.look_up_lost(&mut session).await {
            Ok(()) => self.drive(&mut session.imap, backoff).await,
            Err(error) => Err(error),
        };
        self.session = Some(session);
        outcome
    }

    async fn drive(&mut self, session: &mut Session, backoff: &mut Backoff) -> Result<()> {
        loop {
            if self.pipeline.halted() {
                // What is in flight is waited for, so that it is recorded; nothing more is sent.
                while !self.flight.is_empty() {
                    self.on_tagged(session).await?;
                }
                return Ok(());
            }
            while self.flight.len() >= APPENDS_IN_FLIGHT || (self.flight_full() && !self.flight.is_empty()) {
                self.on_tagged(session).await?;
                *backoff = Backoff::default();
            }
            if let Some(batch) = self.todo.pop_front() {
                if self.is_left_out(&batch.sync) {
                    continue;
                }
                if let Some(batch) = self.fitting(batch) {
                    self.send(session, batch).await?;
                }
                continue;
            }
            let batches = &self.pipeline.batches;
            let batch = if self.flight.is_empty() {
                batches.take(self.number).await
            } else {
                batches.try_take(self.number)
            };
            match batch {
                Some(batch) => self.queue(batch, session.has_multiappend()),
                None if self.flight.is_empty() => return Ok(()),
                None => self.on_tagged(session).await?,
            }
        }
    }

    /// Large messages are not sent on top of others: the window stays small.
    fn flight_full(&self) -> bool {
        let octets: u64 = self
            .flight
            .iter()
            .flat_map(|(_, batch)| &batch.messages)
            .map(|p| p.body.len())
            .sum();
        octets > 1024 * 1024
    }

    fn queue(&mut self, batch: Batch, together: bool) {
        let Batch { sync, messages } = batch;
        if self.is_left_out(&sync) {
            return;
        }
        if let Err(error) = self.plan(&sync, &messages) {
            self.pipeline.fail(error);
            return;
        }
        let batch = |messages| AppendBatch {
            sync: sync.clone(),
            messages,
            attempt: Attempt::Together,
            put_off: 0,
            losses: 0,
        };
        if together {
            self.todo.push_back(batch(messages));
        } else {
            self.todo
                .extend(messages.into_iter().map(|message| batch(vec![message])));
        }
    }

    /// Recorded before it is sent: after a crash the next run knows what may have arrived.
    fn plan(&self, sync: &FolderSync, messages: &[FetchedMessage]) -> std::result::Result<(), Failure> {
        let entries: Vec<_> = messages.iter().map(FetchedMessage::entry).collect();
        Ok(self.shared.state.borrow_mut().plan(sync.folder.id, &entries)?)
    }

    /// Leaves what does not fit to another run, which finds it planned; gives the rest.
    fn fitting(&self, batch: AppendBatch) -> Option<AppendBatch> {
        let Some(limit) = self.pipeline.size_limit.limit() else {
            return Some(batch);
        };
        let (messages, large): (Vec<_>, Vec<_>) = batch
            .messages
            .into_iter()
            .partition(|message| message.body.canonical_len() < limit);
        let left = &batch.sync.left;
        left.set(left.get() + large.len() as u64);
        Some(AppendBatch { messages, ..batch }).filter(|batch| !batch.messages.is_empty())
    }

    async fn send(&mut self, session: &mut Session, batch: AppendBatch) -> Result<()> {
        let sync = batch.sync.clone();
        if !self
            .selected
            .as_ref()
            .is_some_and(|selected| Rc::ptr_eq(selected, &sync))
        {
            // Appending is faster to a mailbox that is open; whether this works is told by the APPEND.
            session
                .send(Session::open_command(&sync.pair.local, true))
                .await?;
            self.selected = Some(sync.clone());
        }
        let plain = batch.attempt == Attempt::Plain;
        // What the filters file elsewhere they mark `\Deleted`; the mark of the message's owner would be taken for theirs.
        let withheld = match self.shared.job.inbox_only() {
            true => Flags::parse("\\Deleted"),
            false => Flags::default(),
        };
        let flags: Vec<Flags> = batch
            .messages
            .iter()
            .map(|p| {
                if plain {
                    p.flags.system_only().minus(&withheld)
                } else {
                    p.flags.minus(&withheld)
                }
            })
            .collect();
        // In the queue of unknown outcomes before the first octet goes out.
        self.fresh = true;
        self.flight.push_back((Tag::default(), batch));
        let Some((slot, batch)) = self.flight.back_mut() else {
            return Ok(());
        };
        let messages: Vec<Message<'_>> = batch
            .messages
            .iter()
            .zip(&flags)
            .map(|(message, flags)| Message {
                flags,
                date: message.date.as_ref(),
                body: &message.body,
            })
            .collect();
        *slot = session.append(&sync.pair.local, &messages).await?;
        Ok(())
    }

    /// Waits for the outcome of the oldest APPEND.
    async fn on_tagged(&mut self, session: &mut Session) -> Result<()> {
        loop {
            let Response::Tagged {
                tag: answered,
                status,
            } = session.next().await?
            else {
                continue;
            };
            let Some(at) = self
                .flight
                .iter()
                .position(|(tag, _)| Session::is(*tag, &answered))
            else {
                continue;
            };
            if let Some((_, batch)) = self.flight.remove(at) {
                self.outcome(session, batch, status).await?;
            }
            return Ok(());
        }
    }

    async fn outcome(&mut self, session: &mut Session, batch: AppendBatch, status: StatusLine) -> Result<()> {
        if status.is_ok() {
            if batch.attempt == Attempt::Plain {
                self.note_lost_keywords(&batch);
            }
            self.delivered(&batch, &status);
            return Ok(());
        }
        let put_off =
            status.is_throttled() || (status.is_temporary() && batch.put_off < MAX_TEMPORARY_REFUSALS);
        if put_off && !status.is_over_quota() {
            self.todo.push_front(AppendBatch {
                put_off: batch.put_off.saturating_add(1),
                ..batch
            });
            return Err(Error::Unavailable(status.to_string()));
        }
        if status.has_code("TRYCREATE") && !matches!(batch.attempt, Attempt::Recreated | Attempt::Plain) {
            session
                .send(crate::imap::Command::new("CREATE").mailbox(&batch.sync.pair.local))
                .await?;
            self.todo.push_front(AppendBatch {
                attempt: Attempt::Recreated,
                ..batch
            });
            return Ok(());
        }
        if batch.messages.len() > 1 {
            // Nothing of a refused MULTIAPPEND is stored (RFC 3502): each message gets its own answer.
            self.one_by_one(batch);
            return Ok(());
        }
        let keywords = batch
            .messages
            .iter()
            .any(|message| message.flags.system_only() != message.flags);
        if keywords && batch.attempt != Attempt::Plain && !status.is_over_quota() {
            self.todo.push_front(AppendBatch {
                attempt: Attempt::Plain,
                ..batch
            });
            return Ok(());
        }
        let kind = if status.is_over_quota() {
            Exit::OverQuota
        } else {
            Exit::AppendErrors
        };
        if batch.messages.iter().all(|message| message.body.is_empty()) {
            self.skip_empty(&batch, &status);
        } else {
            self.refused(&batch, kind, &format!("refused by host2: {status}"));
        }
        Ok(())
    }

    fn note_lost_keywords(&self, batch: &AppendBatch) {
        for message in &batch.messages {
            let lost = message.flags.minus(&message.flags.system_only());
            let mut reporter = self.shared.reporter.borrow_mut();
            reporter.tell(&Event::KeywordsDropped {
                folder: &batch.sync.pair.local,
                uid: message.uid,
                keywords: &lost,
            });
            reporter.flags_dropped(batch.sync.index, lost.len() as u64);
        }
    }

    fn one_by_one(&mut self, batch: AppendBatch) {
        for message in batch.messages.into_iter().rev() {
            self.todo.push_front(AppendBatch {
                sync: batch.sync.clone(),
                messages: vec![message],
                attempt: Attempt::Alone,
                put_off: batch.put_off,
                losses: 0,
            });
        }
    }

    fn delivered(&self, batch: &AppendBatch, status: &StatusLine) {
        let sync = &batch.sync;
        // Whatever broke the connection before, it was not the folder.
        self.shared.job.local.workarounds.answered(&sync.pair.local);
        let mut local = vec![None; batch.messages.len()];
        if let Some(Code::AppendUid { validity, uids }) = &status.code
            && *validity == sync.folder.local_validity
            && uids.len() == batch.messages.len() as u64
        {
            local = uids.iter().map(Some).collect();
        }
        let confirmed: Vec<_> = batch.messages.iter().map(|p| p.uid).zip(local).collect();
        let uids = batch.messages.iter().map(|message| message.uid).collect();
        let mut copied = sync.copied.borrow_mut();
        *copied = copied.union(&uids);
        drop(copied);
        self.record(sync, &confirmed, &batch.messages);
    }

    fn record(&self, sync: &FolderSync, confirmed: &[(u32, Option<u32>)], messages: &[FetchedMessage]) {
        let (sieve, seen) = self.shared.job.post_delivery();
        if let Err(error) = self
            .shared
            .state
            .borrow_mut()
            .confirm(sync.folder.id, confirmed, sieve, seen)
        {
            self.pipeline.fail(error.into());
        }
        let octets = messages.iter().map(|p| p.body.canonical_len()).sum();
        self.shared
            .reporter
            .borrow_mut()
            .copied(sync.index, messages.len() as u64, octets);
    }

    fn refused(&self, batch: &AppendBatch, kind: Exit, reason: &str) {
        self.report(batch, kind, reason);
        let entries: Vec<_> = batch.messages.iter().map(FetchedMessage::entry).collect();
        let mut state = self.shared.state.borrow_mut();
        if let Err(error) = state.fail(batch.sync.folder.id, &entries) {
            self.pipeline.fail(error.into());
        }
        if kind == Exit::OverQuota {
            for message in &batch.messages {
                self.pipeline.size_limit.refuse(message.body.canonical_len());
            }
        }
    }

    /// A message without a single octet is nothing that could be missed, and most servers do not take one.
    fn skip_empty(&self, batch: &AppendBatch, status: &StatusLine) {
        let folder = batch.sync.pair.remote.name();
        for message in &batch.messages {
            self.shared
                .reporter
                .borrow_mut()
                .tell(&Event::EmptyMessageSkipped {
                    folder,
                    uid: message.uid,
                    answer: status,
                });
        }
        let entries: Vec<_> = batch.messages.iter().map(FetchedMessage::entry).collect();
        let mut state = self.shared.state.borrow_mut();
        if let Err(error) = state.fail(batch.sync.folder.id, &entries) {
            self.pipeline.fail(error.into());
        }
    }

    fn report(&self, batch: &AppendBatch, kind: Exit, reason: &str) {
        let mut reporter = self.shared.reporter.borrow_mut();
        for message in &batch.messages {
            let reason = format!("{} octets {reason}", message.body.canonical_len());
            let id = message.message_id.clone();
            reporter.message_problem(batch.sync.index, kind, message.uid, id, &reason);
        }
    }

    /// After a lost connection: what was in flight may have arrived, or may still. It is looked up, until two looks
    /// agree, before it is sent again.
    async fn look_up_lost(&mut self, session: &mut SideSession) -> Result<()> {
        while let Some((_, first)) = self.flight.front() {
            let sync = first.sync.clone();
            self.selected = None;
            if self.is_left_out(&sync) {
                self.flight.retain(|(_, batch)| !Rc::ptr_eq(&batch.sync, &sync));
                continue;
            }
            let opened = Cell::new(false);
            let mut claimed = match self.arrived(&sync, session, &opened).await {
                Ok(claimed) => claimed,
                Err(FolderError::Imap { error, .. }) => {
                    // What breaks later, broke for another reason than the folder.
                    if error.is_loss() && !opened.get() {
                        self.shared.job.local.workarounds.lost_at(&sync.pair.local);
                    }
                    return Err(error);
                }
                Err(trouble) => return self.abandon(trouble.into()),
            };
            // Another connection that broke may have claimed the same copy for a twin meanwhile.
            let known = self
                .shared
                .state
                .borrow()
                .local_uids(sync.folder.id, sync.folder.local_next);
            match known {
                Ok(known) => claimed.retain(|_, local| !known.contains(*local)),
                Err(error) => return self.abandon(error.into()),
            }
            let (lost, others): (VecDeque<_>, _) = std::mem::take(&mut self.flight)
                .into_iter()
                .partition(|(_, batch)| Rc::ptr_eq(&batch.sync, &sync));
            self.flight = others;
            for (_, batch) in lost.into_iter().rev() {
                let (arrived, missing): (Vec<_>, Vec<_>) = batch
                    .messages
                    .into_iter()
                    .partition(|message| claimed.contains_key(&message.uid));
                let confirmed: Vec<_> = arrived
                    .iter()
                    .map(|message| (message.uid, claimed.get(&message.uid).copied()))
                    .collect();
                self.record(&sync, &confirmed, &arrived);
                if !missing.is_empty() {
                    self.repeat(AppendBatch {
                        messages: missing,
                        ..batch
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Whether connections break whenever a local folder is opened. What was sent there is looked for by the next run.
    fn is_left_out(&self, sync: &FolderSync) -> bool {
        if !self.shared.job.local.workarounds.is_hopeless(&sync.pair.local) {
            return false;
        }
        if !sync.broken.replace(true) {
            let error =
                FolderError::unusable(Side::Local, Exit::SelectErrors, connections::CLOSES.to_owned());
            if let Err(failure) = contain::<()>(&self.shared, sync.pair.remote.name(), Err(error)) {
                self.pipeline.fail(failure);
            }
        }
        true
    }

    /// Stops everything. Nobody will answer what was in flight on a connection that broke.
    fn abandon(&mut self, failure: Failure) -> Result<()> {
        self.flight.clear();
        self.pipeline.fail(failure);
        Ok(())
    }

    /// Sends again what a lost connection took along. A message at which connections break is reported and left as planned:
    /// it may arrive yet.
    fn repeat(&mut self, batch: AppendBatch) -> Result<()> {
        let uids = batch.messages.iter().map(|message| message.uid);
        let recorded = self.shared.state.borrow_mut().repeat(batch.sync.folder.id, uids);
        if let Err(error) = recorded {
            return self.abandon(error.into());
        }
        if batch.losses > 0 && batch.messages.len() > 1 {
            self.one_by_one(batch);
        } else if batch.losses > poison::MAX_LOSSES {
            let reason = "are not taken by host2: the connection breaks whenever they are sent";
            self.report(&batch, Exit::AppendErrors, reason);
            for message in &batch.messages {
                self.shared.poison.give_up(batch.sync.folder.id, message.uid)?;
            }
        } else {
            self.todo.push_front(batch);
        }
        Ok(())
    }

    /// What of the messages in flight to a folder is there: local UIDs by remote ones.
    async fn arrived(
        &self,
        sync: &FolderSync,
        session: &mut SideSession,
        opened: &Cell<bool>,
    ) -> FolderResult<HashMap<u32, u32>> {
        let messages = || {
            let batches = self.flight.iter().map(|(_, batch)| batch);
            let of_folder = batches.filter(|batch| std::ptr::eq(batch.sync.as_ref(), sync));
            of_folder.flat_map(|batch| &batch.messages)
        };
        settle::poll_until_stable(settle::AFTER_LOSS, async || {
            // What is known to be delivered is not this message, however alike.
            compare::locate(&self.shared, sync, session).await?;
            let unknown = compare::unknown_local(&self.shared, &sync.pair, &sync.folder, session).await?;
            opened.set(true);
            self.shared.job.local.workarounds.answered(&sync.pair.local);
            let found = headers::read(session, &unknown, Detail::Key).await?;
            Ok(message::claim(messages(), headers::by_key(found)))
        })
        .await
    }
}
