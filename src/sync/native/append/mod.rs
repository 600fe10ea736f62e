// SPDX-License-Identifier: GPL-3.0-or-later
//! Writes messages to the local side: several at once where the server can, the next ones sent before the former
//! are confirmed. [`answers`]: how each APPEND ended · [`lost`]: what a connection that broke had in flight.

mod answers;
mod lost;

use std::collections::VecDeque;
use std::rc::Rc;

use crate::imap::{Flags, Message, Result, Session, Tag};
use crate::sync::account::Failure;
use crate::sync::job::Shared;
use crate::sync::native::pipeline::Pipeline;
use crate::sync::native::pipeline::batches::Batch;
use crate::sync::native::pipeline::message::FetchedMessage;
use crate::sync::reconcile::connections::backoff::Backoff;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::poison;
use crate::sync::side::Side;

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
    in_flight: VecDeque<(Tag, AppendBatch)>,
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
            in_flight: VecDeque::new(),
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
            if self.spare && self.in_flight.is_empty() && self.todo.is_empty() {
                // The server allows no more connections; the first one goes on.
                return None;
            }
            if self.pipeline.halted() {
                return None;
            }
            if std::mem::take(&mut self.fresh)
                && let Some((_, batch)) = self.in_flight.front_mut()
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
                while !self.in_flight.is_empty() {
                    self.on_tagged(session).await?;
                }
                return Ok(());
            }
            while self.in_flight.len() >= APPENDS_IN_FLIGHT
                || (self.is_window_full() && !self.in_flight.is_empty())
            {
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
            let batch = if self.in_flight.is_empty() {
                batches.take(self.number).await
            } else {
                batches.try_take(self.number)
            };
            match batch {
                Some(batch) => self.queue(batch, session.has_multiappend()),
                None if self.in_flight.is_empty() => return Ok(()),
                None => self.on_tagged(session).await?,
            }
        }
    }

    /// Large messages are not sent on top of others: the window stays small.
    fn is_window_full(&self) -> bool {
        let octets: u64 = self
            .in_flight
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
        let planned = self
            .without_known(&sync, messages)
            .and_then(|messages| self.plan(&sync, &messages).map(|()| messages));
        let messages = match planned {
            Ok(messages) if messages.is_empty() => return,
            Ok(messages) => messages,
            Err(error) => return self.pipeline.fail(error),
        };
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

    /// Leaves out what was to be copied again and came as it did before: some servers cut a message in company and give it
    /// whole alone. The copy that is there stays the one on record.
    fn without_known(
        &self,
        sync: &FolderSync,
        mut messages: Vec<FetchedMessage>,
    ) -> std::result::Result<Vec<FetchedMessage>, Failure> {
        let mut state = self.shared.state.borrow_mut();
        let again = state.distrusted(sync.folder.id)?;
        let came = messages.iter().filter(|message| again.contains(message.uid));
        let came: Vec<_> = came.map(|message| (message.uid, message.digest)).collect();
        if came.is_empty() {
            return Ok(messages);
        }
        let kept = state.keep_copies(sync.folder.id, &came)?;
        messages.retain(|message| !kept.contains(message.uid));
        self.shared.reporter.borrow_mut().skipped(sync.index, kept.len());
        Ok(messages)
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
        self.in_flight.push_back((Tag::default(), batch));
        let Some((slot, batch)) = self.in_flight.back_mut() else {
            return Ok(());
        };
        let messages: Vec<Message<'_>> = batch
            .messages
            .iter()
            .zip(&flags)
            .map(|(message, flags)| Message {
                flags,
                date: message.stored_date.as_ref(),
                body: &message.body,
            })
            .collect();
        *slot = session.append(&sync.pair.local, &messages).await?;
        Ok(())
    }
}
