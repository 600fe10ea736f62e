// SPDX-License-Identifier: GPL-3.0-or-later
//! What fetchers and appenders share: what is to be done, what is on its way, why it has to stop.

pub mod batches;
pub mod message;
pub mod packer;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::imap::Error;
use crate::sync::account::Failure;
use crate::sync::event::Event;
use crate::sync::job::Shared;
use crate::sync::native::pipeline::batches::Batches;
use crate::sync::native::plan::Item;
use crate::sync::native::plan::size_limit::SizeLimit;
use crate::sync::reconcile::connections::backoff::Backoff;
use crate::sync::side::Side;

/// How often a message is tried again that a server refuses temporarily; then it counts as refused.
pub const MAX_TEMPORARY_REFUSALS: u8 = 2;

/// What fetchers and appenders share.
pub struct Pipeline {
    /// What is still to be fetched.
    pub items: RefCell<VecDeque<Item>>,
    /// Messages on their way.
    pub batches: Batches,
    /// What the local mailbox still takes.
    pub size_limit: SizeLimit,
    /// Fetchers at work on their connections: before one of them ends it looks once more for what is to be fetched.
    pub fetching: Cell<usize>,
    /// Octets of messages that wait for the rest of what is told of them.
    pub waiting_octets: Rc<Cell<u64>>,
    /// Why everything has to stop.
    pub failure: RefCell<Option<Failure>>,
}

impl Pipeline {
    /// With all of this to be fetched, by so many fetchers.
    pub fn new(items: VecDeque<Item>, fetchers: usize) -> Self {
        Self {
            items: RefCell::new(items),
            batches: Batches::new(fetchers),
            size_limit: SizeLimit::default(),
            fetching: Cell::new(0),
            waiting_octets: Rc::default(),
            failure: RefCell::new(None),
        }
    }

    /// Whether there is no point in going on.
    pub fn halted(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// Waits before a broken connection is made again; `false` when it is time to give up, which stops everything.
    pub async fn recovers(&self, shared: &Shared, side: Side, error: &Error, backoff: &mut Backoff) -> bool {
        if side == Side::Remote && matches!(error, Error::Unavailable(_)) {
            shared.reporter.borrow_mut().turned_away();
        }
        if error.is_transient() {
            let event = Event::Reconnecting { side, reason: error };
            shared.reporter.borrow_mut().tell(&event);
        }
        let goes_on = error.is_transient() && backoff.pause_after(error).await;
        if !goes_on {
            self.fail(Failure::from_imap(side, error));
        }
        goes_on
    }

    /// Stops everything; the first reason counts.
    pub fn fail(&self, failure: Failure) {
        self.failure.borrow_mut().get_or_insert(failure);
        self.batches.end();
    }
}
