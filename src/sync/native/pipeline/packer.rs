// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages as they come, packed for the appenders.

use std::borrow::Cow;
use std::rc::Rc;

use crate::imap::Fetch;
use crate::sync::message_key::{self, Key};
use crate::sync::native::pipeline::Belt;
use crate::sync::native::pipeline::batches::Batch;
use crate::sync::native::pipeline::message::Parcel;
use crate::sync::reconcile::folder::Place;

/// Messages of a batch at most, and octets.
const BATCH_MESSAGES: usize = 50;
const BATCH_OCTETS: u64 = 512 * 1024;

/// Fills batches with the messages of one folder each.
pub struct Packer {
    belt: Rc<Belt>,
    batch: Option<Batch>,
    octets: u64,
}

impl Packer {
    /// Puts its batches on the belt.
    pub fn new(belt: Rc<Belt>) -> Self {
        Self {
            belt,
            batch: None,
            octets: 0,
        }
    }

    /// Takes in a message.
    pub async fn add(&mut self, place: Rc<Place>, uid: u32, fetch: Fetch) {
        let Some(body) = fetch.body else { return };
        let header = match body.as_memory() {
            Some(bytes) => Cow::Borrowed(&bytes[..bytes.len().min(message_key::HEADER_LIMIT)]),
            None => Cow::Owned(body.head(message_key::HEADER_LIMIT).unwrap_or_default()),
        };
        let parcel = Parcel {
            uid,
            key: Key::of_message(&header, body.canonical_len()),
            flags: fetch.flags.unwrap_or_default(),
            date: fetch.date,
            message_id: message_key::message_id(&header),
            body,
        };
        let size = parcel.body.canonical_len();
        let fits = self.batch.as_ref().is_some_and(|batch| {
            Rc::ptr_eq(&batch.place, &place)
                && batch.parcels.len() < BATCH_MESSAGES
                && self.octets + size <= BATCH_OCTETS
        });
        if !fits {
            self.pass_on().await;
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

    /// Passes on what there is.
    pub async fn pass_on(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.belt.batches.put(batch).await;
        }
    }
}
