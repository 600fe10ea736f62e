// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages as they come, packed for the appenders.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::imap::{Fetch, Flags};
use crate::sync::message_key::{self, Digest, MessageKey};
use crate::sync::native::pipeline::Pipeline;
use crate::sync::native::pipeline::batches::Batch;
use crate::sync::native::pipeline::message::FetchedMessage;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::state::Completeness;

/// Messages of a batch at most, and octets. The more go into one APPEND, the less often the server has to write down that
/// they came.
const BATCH_MESSAGES: usize = 250;
const BATCH_OCTETS: u64 = 512 * 1024;
/// So many are enough when the server has nothing else to do, and the source takes so long for them. Where it has, more
/// batches are more work for it, and it is what a copy waits for.
const ENOUGH_MESSAGES: usize = 50;
const ENOUGH_TIME: Duration = Duration::from_millis(200);

/// Fills batches with the messages of one folder each.
pub struct Packer {
    pipeline: Rc<Pipeline>,
    batch: Option<Batch>,
    octets: u64,
    begun: Instant,
}

impl Packer {
    /// Puts its batches on the pipeline.
    pub fn new(pipeline: Rc<Pipeline>) -> Self {
        Self {
            pipeline,
            batch: None,
            octets: 0,
            begun: Instant::now(),
        }
    }

    /// Takes in a message.
    ///
    /// # Errors
    /// When a large one cannot be read back from the disk.
    pub async fn add(&mut self, sync: Rc<FolderSync>, uid: u32, fetch: Fetch) -> io::Result<()> {
        let Some(body) = fetch.body else { return Ok(()) };
        let digest = Digest::of(&body)?;
        let header = message_key::head_of(&body)?;
        let key = MessageKey::of_message(&header, body.canonical_len());
        let mut flags = fetch.flags.unwrap_or_default();
        if sync.own_marks.contains(&key) {
            flags = flags.minus(&Flags::parse("\\Deleted"));
        }
        // A server that does not tell when a message arrived still tells when it was written.
        let written = message_key::date(&header);
        let date = fetch.date.or_else(|| written.clone());
        let stored_date = [date.clone(), written, message_key::received(&header)]
            .into_iter()
            .flatten()
            .find(|date| !date.is_ahead())
            .or_else(|| date.clone());
        let message = FetchedMessage {
            uid,
            key,
            digest,
            flags,
            date,
            stored_date,
            message_id: message_key::message_id(&header),
            completeness: Completeness::of(body.len(), fetch.size),
            body,
        };
        let size = message.body.canonical_len();
        let fits = self.batch.as_ref().is_some_and(|batch| {
            Rc::ptr_eq(&batch.sync, &sync)
                && batch.messages.len() < BATCH_MESSAGES
                && self.octets + size <= BATCH_OCTETS
        });
        if !fits {
            self.pass_on().await;
            self.batch = Some(Batch {
                sync,
                messages: vec![],
            });
            self.octets = 0;
            self.begun = Instant::now();
        }
        self.octets += size;
        // What fills a batch is not kept back: it may hold what the next message needs of the spool.
        let is_ready = self.batch.as_mut().is_some_and(|batch| {
            batch.messages.push(message);
            let is_enough = batch.messages.len() >= ENOUGH_MESSAGES && self.begun.elapsed() >= ENOUGH_TIME;
            self.octets >= BATCH_OCTETS || (is_enough && self.pipeline.batches.is_idle())
        });
        if is_ready {
            self.pass_on().await;
        }
        Ok(())
    }

    /// Passes on what there is.
    pub async fn pass_on(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.pipeline.batches.put(batch).await;
        }
    }
}
