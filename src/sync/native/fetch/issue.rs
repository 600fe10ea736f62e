// SPDX-License-Identifier: GPL-3.0-or-later
//! What a fetcher sends: enough commands in flight that the server never waits for the next one.

use std::rc::Rc;

use super::parts::Parts;
use super::{Fetcher, InFlight};
use crate::imap::{Begun, Command, Error, Result, Selected, Session, UidSet};
use crate::sync::native::plan::{self, Item, Order};
use crate::sync::reconcile::flags::told::RemoteFlags;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::{compare, poison};

/// Messages asked for and not received, at least while there are more: a server that works on several commands at once
/// ends them all at once, so the next one is sent long before.
const MESSAGES_IN_FLIGHT: u64 = 1000;

/// Commands for messages in flight at most, each with its folder to be opened: where there is a message or two in each of many
/// folders, that is what counts. Once there are so many, others follow when half of them are answered, in one piece.
const COMMANDS_IN_FLIGHT: usize = 48;

/// The same before the local mailbox has taken anything, and where it has no room for something: what is asked for ahead may
/// find none.
const COMMANDS_WHILE_IN_DOUBT: usize = 16;

impl Fetcher {
    /// Asks for as much as may be in flight.
    pub(super) async fn fill(
        &mut self,
        session: &mut Session,
        opened: &mut Option<Rc<FolderSync>>,
    ) -> Result<()> {
        let some_fit = self.shared.reporter.borrow().report.messages.copied > 0;
        let window = match some_fit && !self.pipeline.size_limit.has_refused() {
            true => COMMANDS_IN_FLIGHT,
            false => COMMANDS_WHILE_IN_DOUBT,
        };
        let mut most = window / 2;
        while self.has_room(session, most) {
            let Some(order) = self.next_order() else { break };
            let item = order.item().clone();
            if let Err(error) = self.issue(session, order, opened).await {
                self.pipeline.items.borrow_mut().push_front(item);
                return Err(error);
            }
            most = window;
        }
        Ok(())
    }

    /// Whether more is to be asked for already, with at most so many commands.
    fn has_room(&self, session: &Session, most: usize) -> bool {
        let server = session.workarounds();
        let goes_alone = |command: &InFlight| match command {
            InFlight::Open { sync, .. } => server.is_suspect(&sync.pair.remote),
            // What comes next depends on it.
            InFlight::Beginning { .. } => true,
            InFlight::Search { .. } | InFlight::Fetch { .. } | InFlight::Flags { .. } => false,
        };
        if self.in_flight.iter().any(goes_alone) || (server.is_sequential() && !self.in_flight.is_empty()) {
            return false;
        }
        let (mut commands, mut messages) = (0, 0);
        for command in &self.in_flight {
            match command {
                InFlight::Open { .. } | InFlight::Flags { .. } => {}
                InFlight::Search { .. } | InFlight::Beginning { .. } => commands += 1,
                InFlight::Fetch { item, received, .. } => {
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
        commands < 2 || (commands < most && messages < MESSAGES_IN_FLIGHT)
    }

    fn next_order(&self) -> Option<Order> {
        let mut items = self.pipeline.items.borrow_mut();
        let order = plan::next(
            &mut items,
            self.number,
            &self.pipeline.size_limit,
            &self.shared.poison,
        );
        match (order, &self.begun) {
            // A message of which some is there goes alone.
            (Some(Order::Fetch(item)), Some((sync, begun))) if is_of(&item, sync, begun) => {
                let uids = UidSet::range(begun.uid()..=begun.uid());
                let others = item.uids.minus(&uids);
                if !others.is_empty() {
                    let uids = others;
                    items.push_front(Item { uids, ..item.clone() });
                }
                let exact = true;
                Some(Order::Fetch(Item { uids, exact, ..item }))
            }
            (order, _) => order,
        }
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
            Order::FindLarge(item, limit) => {
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
            self.in_flight.push_back(InFlight::Open {
                tag,
                sync: sync.clone(),
                selected: Selected::default(),
            });
            if session.workarounds().is_suspect(&sync.pair.remote) {
                self.pipeline.items.borrow_mut().push_front(item);
                return Ok(());
            }
            self.ask_for_flags(session, &sync).await?;
        }
        let unsure = self
            .begun
            .as_ref()
            .filter(|(sync, begun)| command.is_none() && !self.begins_alike && is_of(&item, sync, begun));
        if let Some((_, begun)) = unsure {
            let former = begun.beginning().map_err(Error::Spool)?;
            let items = format!("{} (UID BODY.PEEK[]<0.{}>)", item.uids, former.len());
            let tag = session.send(Command::new("UID FETCH").text(&items)).await?;
            self.in_flight.push_back(InFlight::Beginning {
                tag,
                item,
                former,
                is_alike: false,
            });
            return Ok(());
        }
        let issued = match command {
            Some(command) => InFlight::Search {
                tag: session.send(command).await?,
                item,
                found: UidSet::default(),
                limit,
                open: true,
            },
            None => {
                let begun = self.begun.take_if(|(sync, begun)| is_of(&item, sync, begun));
                let content = begun
                    .as_ref()
                    .map_or("BODY.PEEK[]".to_owned(), |(_, begun)| begun.rest());
                let items = format!("{} (UID FLAGS INTERNALDATE RFC822.SIZE {content})", item.uids);
                let fetch = Command::new("UID FETCH").text(&items);
                let rest = begun.is_some();
                InFlight::Fetch {
                    tag: match begun {
                        Some((_, begun)) => session.send_rest(fetch, begun).await?,
                        None => session.send(fetch).await?,
                    },
                    item,
                    received: UidSet::default(),
                    open: true,
                    garbled: false,
                    rest,
                    parts: Parts::new(self.pipeline.waiting_octets.clone()),
                }
            }
        };
        self.in_flight.push_back(issued);
        Ok(())
    }

    /// Asks a folder that was just opened for changed flags, once: it saves a round trip after the copying.
    async fn ask_for_flags(&mut self, session: &mut Session, sync: &Rc<FolderSync>) -> Result<()> {
        let shared = &self.shared;
        if shared.job.inbox_only() || session.workarounds().is_sequential() || sync.flags.borrow().is_some() {
            return Ok(());
        }
        let asked = match RemoteFlags::ask(shared, sync, session) {
            Ok(asked) => asked,
            Err(error) => {
                self.pipeline.fail(error.into());
                return Ok(());
            }
        };
        let Some((told, questions)) = asked else {
            return Ok(());
        };
        sync.flags.replace(Some(told));
        for question in questions {
            let tag = session.send(question).await?;
            let sync = sync.clone();
            self.in_flight.push_back(InFlight::Flags { tag, sync });
        }
        Ok(())
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
}

/// Whether the item has the message of which some is there.
fn is_of(item: &Item, sync: &Rc<FolderSync>, begun: &Begun) -> bool {
    Rc::ptr_eq(&item.sync, sync) && item.uids.contains(begun.uid())
}
