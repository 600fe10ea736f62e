// SPDX-License-Identifier: GPL-3.0-or-later
//! What was in flight on a connection that broke: it may have arrived, or may still. It is looked up before it is sent again.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use super::{AppendBatch, Appender};
use crate::imap::Result;
use crate::sync::account::Failure;
use crate::sync::exit_code::Exit;
use crate::sync::message_key::Digest;
use crate::sync::native::pipeline::message;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::connections::{self, settle};
use crate::sync::reconcile::error::{FolderError, FolderResult, contain};
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::headers::{self, Detail};
use crate::sync::reconcile::{compare, poison};
use crate::sync::side::Side;
use crate::sync::state::Flag;

impl Appender {
    /// After a lost connection: what was in flight may have arrived, or may still. It is looked up, until two looks
    /// agree, before it is sent again.
    pub(super) async fn look_up_lost(&mut self, session: &mut SideSession) -> Result<()> {
        while let Some((_, first)) = self.in_flight.front() {
            let sync = first.sync.clone();
            self.selected = None;
            if self.is_left_out(&sync) {
                self.in_flight
                    .retain(|(_, batch)| !Rc::ptr_eq(&batch.sync, &sync));
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
            let (lost, others): (VecDeque<_>, _) = std::mem::take(&mut self.in_flight)
                .into_iter()
                .partition(|(_, batch)| Rc::ptr_eq(&batch.sync, &sync));
            self.in_flight = others;
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
                // What was found may be what another program brought, and this one still be on the way.
                let uids = arrived.iter().map(|message| message.uid);
                let recorded = self.shared.state.borrow_mut().repeat(sync.folder.id, uids);
                if let Err(error) = recorded {
                    return self.abandon(error.into());
                }
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
    pub(super) fn is_left_out(&self, sync: &FolderSync) -> bool {
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

    /// Stops everything. No one will answer what was in flight on a connection that broke.
    fn abandon(&mut self, failure: Failure) -> Result<()> {
        self.in_flight.clear();
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
            self.report(&batch, Exit::AppendErrors, |octets| {
                format!("host2 drops the connection whenever this {octets}-byte message is sent")
            });
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
            let batches = self.in_flight.iter().map(|(_, batch)| batch);
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
            let mut claimed = message::claim(messages(), headers::by_key(found));
            if !claimed.is_empty() && !self.shared.state.borrow().is_set(Flag::LocalVaries)? {
                // Its owner may have stored another version of a draft meanwhile.
                let stored = headers::digests(session, &claimed.values().copied().collect()).await?;
                let digests: HashMap<u32, Digest> =
                    messages().map(|message| (message.uid, message.digest)).collect();
                claimed.retain(|uid, local| stored.get(local) == digests.get(uid));
            }
            Ok(claimed)
        })
        .await
    }
}
