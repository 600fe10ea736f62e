// SPDX-License-Identifier: GPL-3.0-or-later
//! How each APPEND ended. What is refused together is tried one by one; what is refused alone is reported.

use super::{AppendBatch, Appender, Attempt};
use crate::imap::{Code, Error, Response, Result, Session, StatusLine, Tag, UidSet};
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::native::pipeline::MAX_TEMPORARY_REFUSALS;
use crate::sync::native::pipeline::message::FetchedMessage;
use crate::sync::reconcile::folder::{self, FolderSync};

impl Appender {
    /// Waits for the outcome of the oldest APPEND.
    pub(super) async fn on_tagged(&mut self, session: &mut Session) -> Result<()> {
        loop {
            let Response::Tagged {
                tag: answered,
                status,
            } = session.next().await?
            else {
                continue;
            };
            let Some(at) = self
                .in_flight
                .iter()
                .position(|(tag, _)| Session::is(*tag, &answered))
            else {
                continue;
            };
            if let Some((_, batch)) = self.in_flight.remove(at) {
                self.outcome(session, batch, status).await?;
            }
            return Ok(());
        }
    }

    async fn outcome(&mut self, session: &mut Session, batch: AppendBatch, status: StatusLine) -> Result<()> {
        if status.is_ok() {
            self.delivered(&batch, &status);
            return Ok(());
        }
        let put_off =
            status.is_throttled() || (status.is_temporary() && batch.put_off < MAX_TEMPORARY_REFUSALS);
        if put_off && !status.is_over_quota() {
            // It is sent again if it is not there: a server may have stored it before something went wrong.
            let batch = AppendBatch {
                put_off: batch.put_off.saturating_add(1),
                ..batch
            };
            self.in_flight.push_front((Tag::default(), batch));
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
            self.expect_stored(&batch);
            self.one_by_one(batch);
            return Ok(());
        }
        let keywords = batch
            .messages
            .iter()
            .any(|message| message.flags.system_only() != message.flags);
        if keywords && batch.attempt != Attempt::Plain && !status.is_over_quota() {
            self.expect_stored(&batch);
            self.record_missing_keywords(&batch);
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
        if batch
            .messages
            .iter()
            .all(|message| message.body.canonical_len() == 0)
        {
            self.skip_empty(&batch, &status);
        } else {
            self.refused(&batch, kind, &status);
        }
        Ok(())
    }

    /// A server may have stored what it refused, and it is sent again: of two copies one goes.
    fn expect_stored(&self, batch: &AppendBatch) {
        let uids = batch.messages.iter().map(|message| message.uid);
        let recorded = self.shared.state.borrow_mut().repeat(batch.sync.folder.id, uids);
        if let Err(error) = recorded {
            self.pipeline.fail(error.into());
        }
    }

    /// One of its keywords was refused, and none is told: they are set one by one when the folder is filled. Recorded before
    /// it is sent without them: this run may not come so far.
    fn record_missing_keywords(&self, batch: &AppendBatch) {
        let uids = batch.messages.iter().map(|message| message.uid);
        let mut state = self.shared.state.borrow_mut();
        if let Err(error) = state.send_without_keywords(batch.sync.folder.id, uids) {
            self.pipeline.fail(error.into());
        }
    }

    pub(super) fn one_by_one(&mut self, batch: AppendBatch) {
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
            self.note_given(sync, uids);
        }
        let confirmed: Vec<_> = batch.messages.iter().map(|p| p.uid).zip(local).collect();
        for message in batch
            .messages
            .iter()
            .filter(|message| message.stored_date.is_none())
        {
            self.shared.reporter.borrow_mut().tell(&Event::DateUnknown {
                folder: &sync.pair.local,
                uid: message.uid,
            });
        }
        let uids = batch.messages.iter().map(|message| message.uid).collect();
        let mut copied = sync.copied.borrow_mut();
        *copied = copied.union(&uids);
        drop(copied);
        self.record(sync, &confirmed, &batch.messages);
    }

    /// UIDs only go up, but where a backup comes back.
    fn note_given(&self, sync: &FolderSync, uids: &UidSet) {
        let is_old = uids.first().is_some_and(|uid| uid < sync.folder.local_high);
        if !is_old || self.shared.restored_meanwhile.get() {
            return;
        }
        let reason = "host2 gives UIDs for a second time: a backup came back during the run; the next run compares both sides";
        let name = sync.pair.remote.name();
        let mut reporter = self.shared.reporter.borrow_mut();
        reporter.problem(name, Exit::WithErrors, reason);
        drop(reporter);
        if let Err(error) = folder::local_taken_back(&self.shared) {
            self.pipeline.fail(error.into());
        }
    }

    pub(super) fn record(
        &self,
        sync: &FolderSync,
        confirmed: &[(u32, Option<u32>)],
        messages: &[FetchedMessage],
    ) {
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

    fn refused(&self, batch: &AppendBatch, kind: Exit, status: &StatusLine) {
        self.report(batch, kind, |octets| {
            format!("host2 refused this {octets}-byte message: {status}")
        });
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

    /// Reports each message of a batch, for a reason that names its octets.
    pub(super) fn report(&self, batch: &AppendBatch, kind: Exit, reason: impl Fn(u64) -> String) {
        let mut reporter = self.shared.reporter.borrow_mut();
        for message in &batch.messages {
            let reason = reason(message.body.canonical_len());
            let id = message.message_id.clone();
            reporter.message_problem(batch.sync.index, kind, message.uid, id, &reason);
        }
    }
}
