// SPDX-License-Identifier: GPL-3.0-or-later
//! Writes messages to the local side: several at once where the server can, the next ones sent before the former
//! are confirmed. What is refused together is tried one by one; what is refused alone is reported.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use crate::imap::{Code, Error, Flags, Message, Response, Result, Session, StatusLine, Tag};
use crate::sync::account::{Failure, Side};
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::native::pipeline::batches::Batch;
use crate::sync::native::pipeline::message::{self, Parcel};
use crate::sync::native::pipeline::{Belt, PATIENCE};
use crate::sync::reconcile::compare;
use crate::sync::reconcile::connections::backoff::Backoff;
use crate::sync::reconcile::connections::settle;
use crate::sync::reconcile::error::{Trouble, Troubled};
use crate::sync::reconcile::folder::Place;
use crate::sync::reconcile::headers::{self, Detail};
use crate::sync::reconcile::poison;

/// APPEND commands in flight.
const AHEAD: usize = 2;

/// One connection to the local server at work.
pub struct Appender {
    number: usize,
    shared: Shared,
    belt: Rc<Belt>,
    session: Option<Session>,
    spare: bool,
    selected: Option<Rc<Place>>,
    todo: VecDeque<Load>,
    flight: VecDeque<(Tag, Load)>,
    /// What is in flight was sent on this connection and not on one that broke.
    fresh: bool,
}

/// Messages for one APPEND.
struct Load {
    place: Rc<Place>,
    parcels: Vec<Parcel>,
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
    pub fn new(number: usize, shared: Shared, belt: Rc<Belt>, session: Option<Session>) -> Self {
        let spare = session.is_none();
        Self {
            number,
            shared,
            belt,
            session,
            spare,
            selected: None,
            todo: VecDeque::new(),
            flight: VecDeque::new(),
            fresh: false,
        }
    }

    /// Works until no more batches come; gives the connection back.
    pub async fn run(mut self) -> Option<Session> {
        let mut backoff = Backoff::default();
        loop {
            let outcome = self.work(&mut backoff).await;
            self.belt.batches.retire(self.number);
            let Err(error) = outcome else {
                return self.session;
            };
            self.session = None;
            self.selected = None;
            if self.spare && self.flight.is_empty() && self.todo.is_empty() {
                // The server allows no more connections; the first one goes on.
                return None;
            }
            if self.belt.halted() {
                return None;
            }
            if std::mem::take(&mut self.fresh)
                && let Some((_, load)) = self.flight.front_mut()
                && poison::is_loss(&error)
            {
                load.losses = load.losses.saturating_add(1);
                if poison::leads_further(load.losses) {
                    backoff = Backoff::default();
                }
            }
            let recovers = self
                .belt
                .recovers(&self.shared, Side::Local, &error, &mut backoff);
            if !recovers.await {
                return None;
            }
        }
    }

    async fn work(&mut self, backoff: &mut Backoff) -> Result<()> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.shared.job.local.login().await?,
        };
        let outcome = self.pump(&mut session, backoff).await;
        self.session = Some(session);
        outcome
    }

    async fn pump(&mut self, session: &mut Session, backoff: &mut Backoff) -> Result<()> {
        self.look_up_lost(session).await?;
        loop {
            if self.belt.halted() {
                // What is in flight is waited for, so that it is recorded; nothing more is sent.
                while !self.flight.is_empty() {
                    self.settle(session).await?;
                }
                return Ok(());
            }
            while self.flight.len() >= AHEAD || (self.flight_full() && !self.flight.is_empty()) {
                self.settle(session).await?;
                *backoff = Backoff::default();
            }
            if let Some(load) = self.todo.pop_front() {
                if let Some(load) = self.fitting(load) {
                    self.send(session, load).await?;
                }
                continue;
            }
            let batches = &self.belt.batches;
            let batch = if self.flight.is_empty() {
                batches.take(self.number).await
            } else {
                batches.try_take(self.number)
            };
            match batch {
                Some(batch) => self.queue(batch, session.has_multiappend()),
                None if self.flight.is_empty() => return Ok(()),
                None => self.settle(session).await?,
            }
        }
    }

    /// Large messages are not sent on top of others: the window stays small.
    fn flight_full(&self) -> bool {
        let octets: u64 = self
            .flight
            .iter()
            .flat_map(|(_, load)| &load.parcels)
            .map(|p| p.body.len())
            .sum();
        octets > 1024 * 1024
    }

    fn queue(&mut self, batch: Batch, together: bool) {
        let Batch { place, parcels } = batch;
        if let Err(error) = self.plan(&place, &parcels) {
            self.belt.fail(error);
            return;
        }
        let load = |parcels| Load {
            place: place.clone(),
            parcels,
            attempt: Attempt::Together,
            put_off: 0,
            losses: 0,
        };
        if together {
            self.todo.push_back(load(parcels));
        } else {
            self.todo
                .extend(parcels.into_iter().map(|parcel| load(vec![parcel])));
        }
    }

    /// Recorded before it is sent: after a crash the next run knows what may have arrived.
    fn plan(&self, place: &Place, parcels: &[Parcel]) -> std::result::Result<(), Failure> {
        let entries: Vec<_> = parcels.iter().map(Parcel::entry).collect();
        Ok(self.shared.state.borrow_mut().plan(place.folder.id, &entries)?)
    }

    /// Leaves what does not fit to another run, which finds it planned; gives the rest.
    fn fitting(&self, load: Load) -> Option<Load> {
        let Some(limit) = self.belt.room.limit() else {
            return Some(load);
        };
        let (parcels, large): (Vec<_>, Vec<_>) = load
            .parcels
            .into_iter()
            .partition(|parcel| parcel.body.canonical_len() < limit);
        let left = &load.place.left;
        left.set(left.get() + large.len() as u64);
        Some(Load { parcels, ..load }).filter(|load| !load.parcels.is_empty())
    }

    async fn send(&mut self, session: &mut Session, load: Load) -> Result<()> {
        let place = load.place.clone();
        if !self
            .selected
            .as_ref()
            .is_some_and(|selected| Rc::ptr_eq(selected, &place))
        {
            // Appending is faster to a mailbox that is open; whether this works is told by the APPEND.
            session
                .send(Session::open_command(&place.pair.local, true))
                .await?;
            self.selected = Some(place.clone());
        }
        let plain = load.attempt == Attempt::Plain;
        let flags: Vec<Flags> = load
            .parcels
            .iter()
            .map(|p| {
                if plain {
                    p.flags.system_only()
                } else {
                    p.flags.clone()
                }
            })
            .collect();
        // In the queue of unknown outcomes before the first octet goes out.
        self.fresh = true;
        self.flight.push_back((Tag::default(), load));
        let Some((slot, load)) = self.flight.back_mut() else {
            return Ok(());
        };
        let messages: Vec<Message<'_>> = load
            .parcels
            .iter()
            .zip(&flags)
            .map(|(parcel, flags)| Message {
                flags,
                date: parcel.date.as_ref(),
                body: &parcel.body,
            })
            .collect();
        *slot = session.append(&place.pair.local, &messages).await?;
        Ok(())
    }

    /// Waits for the outcome of the oldest APPEND.
    async fn settle(&mut self, session: &mut Session) -> Result<()> {
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
            if let Some((_, load)) = self.flight.remove(at) {
                self.outcome(session, load, status).await?;
            }
            return Ok(());
        }
    }

    async fn outcome(&mut self, session: &mut Session, load: Load, status: StatusLine) -> Result<()> {
        if status.is_ok() {
            self.delivered(&load, &status);
            return Ok(());
        }
        let put_off = status.is_throttled() || (status.is_temporary() && load.put_off < PATIENCE);
        if put_off && !status.is_over_quota() {
            self.todo.push_front(Load {
                put_off: load.put_off.saturating_add(1),
                ..load
            });
            return Err(Error::Unavailable(status.to_string()));
        }
        if status.has_code("TRYCREATE") && !matches!(load.attempt, Attempt::Recreated | Attempt::Plain) {
            session
                .send(crate::imap::Command::new("CREATE").mailbox(&load.place.pair.local))
                .await?;
            self.todo.push_front(Load {
                attempt: Attempt::Recreated,
                ..load
            });
            return Ok(());
        }
        if load.parcels.len() > 1 {
            // Nothing of a refused MULTIAPPEND is stored (RFC 3502): each message gets its own answer.
            self.one_by_one(load);
            return Ok(());
        }
        let keywords = load
            .parcels
            .iter()
            .any(|parcel| parcel.flags.system_only() != parcel.flags);
        if keywords && load.attempt != Attempt::Plain && !status.is_over_quota() {
            self.todo.push_front(Load {
                attempt: Attempt::Plain,
                ..load
            });
            return Ok(());
        }
        let kind = if status.is_over_quota() {
            Exit::OverQuota
        } else {
            Exit::AppendErrors
        };
        self.refused(&load, kind, &format!("refused by host2: {status}"));
        Ok(())
    }

    fn one_by_one(&mut self, load: Load) {
        for parcel in load.parcels.into_iter().rev() {
            self.todo.push_front(Load {
                place: load.place.clone(),
                parcels: vec![parcel],
                attempt: Attempt::Alone,
                put_off: load.put_off,
                losses: 0,
            });
        }
    }

    fn delivered(&self, load: &Load, status: &StatusLine) {
        let place = &load.place;
        let mut local = vec![None; load.parcels.len()];
        if let Some(Code::AppendUid { validity, uids }) = &status.code
            && *validity == place.folder.local_validity
            && uids.len() == load.parcels.len() as u64
        {
            local = uids.iter().map(Some).collect();
        }
        let confirmed: Vec<_> = load.parcels.iter().map(|p| p.uid).zip(local).collect();
        self.record(place, &confirmed, &load.parcels);
    }

    fn record(&self, place: &Place, confirmed: &[(u32, Option<u32>)], parcels: &[Parcel]) {
        let (sieve, seen) = self.shared.job.chores();
        if let Err(error) = self
            .shared
            .state
            .borrow_mut()
            .confirm(place.folder.id, confirmed, sieve, seen)
        {
            self.belt.fail(error.into());
        }
        let octets = parcels.iter().map(|p| p.body.canonical_len()).sum();
        self.shared
            .recorder
            .borrow_mut()
            .copied(place.index, parcels.len() as u64, octets);
    }

    fn refused(&self, load: &Load, kind: Exit, reason: &str) {
        self.report(load, kind, reason);
        let entries: Vec<_> = load.parcels.iter().map(Parcel::entry).collect();
        let mut state = self.shared.state.borrow_mut();
        if let Err(error) = state.fail(load.place.folder.id, &entries) {
            self.belt.fail(error.into());
        }
        if kind == Exit::OverQuota {
            for parcel in &load.parcels {
                self.belt.room.refuse(parcel.body.canonical_len());
            }
        }
    }

    fn report(&self, load: &Load, kind: Exit, reason: &str) {
        let mut recorder = self.shared.recorder.borrow_mut();
        for parcel in &load.parcels {
            let reason = format!("{} octets {reason}", parcel.body.canonical_len());
            let id = parcel.message_id.clone();
            recorder.message_problem(load.place.index, kind, parcel.uid, id, &reason);
        }
    }

    /// After a lost connection: what was in flight may have arrived, or may still. It is looked up, until two looks
    /// agree, before it is sent again.
    async fn look_up_lost(&mut self, session: &mut Session) -> Result<()> {
        while let Some((_, first)) = self.flight.front() {
            let place = first.place.clone();
            self.selected = None;
            let mut claimed = match self.arrived(&place, session).await {
                Ok(claimed) => claimed,
                Err(Trouble::Imap { error, .. }) => return Err(error),
                Err(trouble) => return self.abandon(trouble.into()),
            };
            // Another connection that broke may have claimed the same copy for a twin meanwhile.
            let known = self
                .shared
                .state
                .borrow()
                .local_uids(place.folder.id, place.folder.local_next);
            match known {
                Ok(known) => claimed.retain(|_, local| !known.contains(*local)),
                Err(error) => return self.abandon(error.into()),
            }
            let (lost, others): (VecDeque<_>, _) = std::mem::take(&mut self.flight)
                .into_iter()
                .partition(|(_, load)| Rc::ptr_eq(&load.place, &place));
            self.flight = others;
            for (_, load) in lost.into_iter().rev() {
                let (arrived, missing): (Vec<_>, Vec<_>) = load
                    .parcels
                    .into_iter()
                    .partition(|parcel| claimed.contains_key(&parcel.uid));
                let confirmed: Vec<_> = arrived
                    .iter()
                    .map(|parcel| (parcel.uid, claimed.get(&parcel.uid).copied()))
                    .collect();
                self.record(&place, &confirmed, &arrived);
                if !missing.is_empty() {
                    self.repeat(Load {
                        parcels: missing,
                        ..load
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Stops everything. Nobody will answer what was in flight on a connection that broke.
    fn abandon(&mut self, failure: Failure) -> Result<()> {
        self.flight.clear();
        self.belt.fail(failure);
        Ok(())
    }

    /// Sends again what a lost connection took along. A message at which connections break is reported and left as planned:
    /// it may arrive yet.
    fn repeat(&mut self, load: Load) -> Result<()> {
        if load.losses > 0 && load.parcels.len() > 1 {
            self.one_by_one(load);
        } else if load.losses > poison::PATIENCE {
            let reason = "are not taken by host2: the connection breaks whenever they are sent";
            self.report(&load, Exit::AppendErrors, reason);
            for parcel in &load.parcels {
                self.shared.suspects.give_up(load.place.folder.id, parcel.uid)?;
            }
        } else {
            self.todo.push_front(load);
        }
        Ok(())
    }

    /// What of the messages in flight to a folder is there: local UIDs by remote ones.
    async fn arrived(&self, place: &Place, session: &mut Session) -> Troubled<HashMap<u32, u32>> {
        let parcels = || {
            let loads = self.flight.iter().map(|(_, load)| load);
            let here = loads.filter(|load| std::ptr::eq(load.place.as_ref(), place));
            here.flat_map(|load| &load.parcels)
        };
        settle::at_rest(settle::AFTER_LOSS, async || {
            // What is known to be delivered is not this message, however alike.
            compare::locate(&self.shared, place, session).await?;
            let unknown = compare::unknown_local(&self.shared, &place.pair, &place.folder, session).await?;
            let found = headers::read(session, &unknown, Detail::Key)
                .await
                .map_err(|error| Trouble::fetch(Side::Local, error))?;
            Ok(message::claim(parcels(), headers::by_key(found)))
        })
        .await
    }
}
