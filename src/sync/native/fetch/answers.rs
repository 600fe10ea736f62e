// SPDX-License-Identifier: GPL-3.0-or-later
//! What a server answers to a fetcher: messages as they come, and how each command ended.

use std::rc::Rc;

use super::{Fetcher, InFlight, note_flags};
use crate::imap::{Error, Fetch, Flags, Literal, Result, Selected, Session, StatusLine, UidSet, Untagged};
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::native::MAX_MISSING;
use crate::sync::native::pipeline::MAX_TEMPORARY_REFUSALS;
use crate::sync::native::plan::Item;
use crate::sync::reconcile::error::FolderError;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::side::Side;
use crate::sync::state::Completeness;

/// Into how many parts the messages that did not come are divided.
const PARTS: usize = 8;

impl Fetcher {
    pub(super) async fn on_untagged(&mut self, data: Untagged) -> Result<()> {
        if let Some(InFlight::Open { selected, .. }) = self.in_flight.front_mut() {
            selected.note(&data);
            return Ok(());
        }
        if self.is_beginning(&data) || self.is_about_flags(&data) {
            return Ok(());
        }
        // A server may work on several commands of the open folder at once and answer them in any order (RFC 3501, 5.5;
        // Dovecot does): the UID tells which one a message belongs to.
        let mut open_now = self
            .in_flight
            .iter_mut()
            .take_while(|command| !matches!(command, InFlight::Open { .. }));
        match data {
            Untagged::Search(uids) => {
                for command in open_now {
                    if let InFlight::Search { item, found, .. } = command {
                        *found = found.union(&uids.intersection(&item.uids));
                    }
                }
            }
            Untagged::Fetch(fetch) => {
                let Some(uid) = fetch.uid else { return Ok(()) };
                let asked = open_now.find_map(|command| match command {
                    // What is no answer to the question for the rest of a message is none: all of it is asked for again.
                    InFlight::Fetch { rest: true, .. } if !fetch.is_whole => None,
                    InFlight::Fetch {
                        item,
                        received,
                        open,
                        parts,
                        ..
                    } if item.uids.contains(uid) && !received.contains(uid) => {
                        Some((item, received, parts, *open))
                    }
                    _ => None,
                });
                // Some servers keep the former folder open when the next one cannot be: its messages are not those
                // asked for.
                let Some((item, received, parts, true)) = asked else {
                    return Ok(());
                };
                if let Some(fetch) = parts.join(uid, *fetch) {
                    received.insert(uid);
                    let sync = item.sync.clone();
                    self.take_in(sync, uid, fetch).await?;
                }
            }
            Untagged::Unreadable => {
                for command in open_now {
                    if let InFlight::Fetch { garbled, .. } = command {
                        *garbled = true;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in a message, or that there is none.
    async fn take_in(&mut self, sync: Rc<FolderSync>, uid: u32, fetch: Fetch) -> Result<()> {
        sync.received.set(sync.received.get() + 1);
        self.progress = true;
        let is_nothing = fetch
            .body
            .as_ref()
            .is_none_or(|body| body.is_empty() && fetch.size != Some(0));
        if is_nothing {
            self.refuse(&sync, uid, "the server has no content for it");
        } else if !fetch.is_whole {
            self.refuse(
                &sync,
                uid,
                "the server sent a part of it instead of the whole message",
            );
        } else {
            if fetch.body.as_ref().is_some_and(Literal::is_joined) {
                sync.joined.borrow_mut().insert(uid);
            }
            self.note_short(&sync, uid, &fetch);
            self.note_dropped(&sync, uid, &fetch);
            self.packer.add(sync, uid, fetch).await.map_err(Error::Spool)?;
        }
        Ok(())
    }

    /// The end of a command: messages of which nothing more will come.
    pub(super) async fn take_in_rest(&mut self, answered: &str) -> Result<()> {
        let ended = self.in_flight.iter_mut().find_map(|command| match command {
            InFlight::Fetch {
                tag,
                item,
                received,
                parts,
                open: true,
                ..
            } if Session::is(*tag, answered) => Some((item.sync.clone(), received, parts.take())),
            _ => None,
        });
        let Some((sync, received, rest)) = ended else {
            return Ok(());
        };
        for (uid, _) in &rest {
            received.insert(*uid);
        }
        for (uid, fetch) in rest {
            self.take_in(sync.clone(), uid, fetch).await?;
        }
        Ok(())
    }

    /// Takes in how a message begins, where that was asked; `false` when it is about something else.
    fn is_beginning(&mut self, data: &Untagged) -> bool {
        let Untagged::Fetch(fetch) = data else {
            return false;
        };
        let Some(body) = fetch.body.as_ref().filter(|_| !fetch.is_whole) else {
            return false;
        };
        let asked = self.in_flight.iter_mut().find_map(|command| match command {
            InFlight::Beginning {
                item,
                former,
                is_alike,
                ..
            } if fetch.uid.is_some_and(|uid| item.uids.contains(uid)) => Some((former, is_alike)),
            _ => None,
        });
        let Some((former, is_alike)) = asked else {
            return false;
        };
        *is_alike |= body.as_memory() == Some(former.as_slice());
        true
    }

    /// Takes in what answers a question for flags; `false` when it is about something else.
    fn is_about_flags(&self, data: &Untagged) -> bool {
        let Untagged::Fetch(fetch) = data else {
            return false;
        };
        let mut open_now = self
            .in_flight
            .iter()
            .take_while(|command| !matches!(command, InFlight::Open { .. }));
        let asked = open_now.find_map(|command| match command {
            InFlight::Flags { sync, .. } => Some(sync),
            _ => None,
        });
        let Some(sync) = asked.filter(|_| !fetch.is_whole) else {
            return false;
        };
        let mut told = sync.flags.borrow_mut();
        let Some(told) = told.as_mut() else { return false };
        let is_key = fetch.body.is_some() && fetch.uid.is_some_and(|uid| told.is_sampled(uid));
        let is_answer = is_key || (fetch.body.is_none() && !fetch.body_nil);
        if is_answer {
            told.note_ahead(&self.shared, data);
        }
        is_answer
    }

    /// Reports a message of which much less came than the server says that it has; some servers estimate sizes, and are off
    /// by a little. What came is kept locally; on the remote side it is never deleted.
    fn note_short(&self, sync: &FolderSync, uid: u32, fetch: &Fetch) {
        let (Some(size), Some(body)) = (fetch.size, &fetch.body) else {
            return;
        };
        if Completeness::of(body.len(), Some(size)) == Completeness::Cut {
            let reason = format!(
                "message {uid}: only {} of {size} octets came; they are kept, and the message stays on the remote side",
                body.len()
            );
            let mut reporter = self.shared.reporter.borrow_mut();
            reporter.problem(sync.pair.remote.name(), Exit::FetchErrors, &reason);
        }
    }

    /// Reports the keywords of a message that cannot be handed on.
    fn note_dropped(&self, sync: &FolderSync, uid: u32, fetch: &Fetch) {
        let Some(dropped) = fetch.flags.as_ref().and_then(Flags::dropped) else {
            return;
        };
        let mut reporter = self.shared.reporter.borrow_mut();
        reporter.tell(&Event::KeywordsDropped {
            folder: &sync.pair.local,
            uid,
            keywords: dropped,
        });
        reporter.flags_dropped(sync.index, dropped.count());
    }

    pub(super) fn refuse(&self, sync: &FolderSync, uid: u32, reason: &str) {
        let mut reporter = self.shared.reporter.borrow_mut();
        reporter.message_problem(sync.index, Exit::FetchErrors, uid, None, reason);
        self.record_unreadable(sync, &UidSet::range(uid..=uid));
    }

    pub(super) fn record_unreadable(&self, sync: &FolderSync, uids: &UidSet) {
        let mut state = self.shared.state.borrow_mut();
        if let Err(error) = state.record_unreadable(sync.folder.id, uids.iter()) {
            self.pipeline.fail(error.into());
        }
    }

    pub(super) fn on_tagged(
        &mut self,
        session: &mut Session,
        answered: &str,
        status: StatusLine,
    ) -> Result<()> {
        let at = self.in_flight.iter().position(|command| match command {
            InFlight::Open { tag, .. }
            | InFlight::Search { tag, .. }
            | InFlight::Fetch { tag, .. }
            | InFlight::Beginning { tag, .. }
            | InFlight::Flags { tag, .. } => Session::is(*tag, answered),
        });
        if at.is_some_and(|at| at > 0 && matches!(self.in_flight.get(at), Some(InFlight::Open { .. }))) {
            // It could not be told any more which folder a message is from (RFC 3501, 5.5).
            let text = "it opened a folder before it had answered what was asked of another";
            return Err(Error::Inconsistent(text.to_owned()));
        }
        // As long as it is in flight, what it was about is put back.
        if let Some(InFlight::Search {
            found, open: true, ..
        }) = at.and_then(|at| self.in_flight.get(at))
        {
            session.check_found(found)?;
        }
        match at.and_then(|at| self.in_flight.remove(at)) {
            Some(InFlight::Open { .. }) if !status.is_ok() && status.is_throttled() => {
                return Err(Error::Unavailable(status.to_string()));
            }
            Some(InFlight::Open { sync, selected, .. }) => self.opened(&sync, selected, &status),
            Some(InFlight::Search {
                item,
                found,
                limit,
                open,
                ..
            }) if open => self.searched(item, &found, limit, &status)?,
            Some(InFlight::Fetch {
                item,
                received,
                open,
                rest: true,
                ..
            }) if open && received.is_empty() && !status.is_throttled() => {
                session.take_begun();
                self.start_over(item);
            }
            Some(InFlight::Beginning { item, .. }) if !status.is_ok() && status.is_throttled() => {
                self.ask_again(item);
                return Err(Error::Unavailable(status.to_string()));
            }
            Some(InFlight::Beginning { item, is_alike, .. }) => {
                self.begins_alike = is_alike;
                match is_alike {
                    true => self.ask_again(item),
                    false => self.start_over(item),
                }
            }
            Some(InFlight::Fetch {
                item,
                received,
                open,
                garbled,
                ..
            }) if open => self.fetched(item, &received, garbled, status)?,
            Some(InFlight::Flags { sync, .. }) => {
                note_flags(&sync, status.is_ok());
                if !status.is_ok() && status.is_throttled() {
                    return Err(Error::Unavailable(status.to_string()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn opened(&mut self, sync: &Rc<FolderSync>, selected: Selected, status: &StatusLine) {
        let other = selected
            .uid_validity
            .is_some_and(|validity| validity != sync.folder.remote_validity);
        let reason = if !status.is_ok() {
            format!("cannot be opened: {status}")
        } else if other {
            "was replaced during the run; the next run compares it again".to_owned()
        } else {
            self.shared.job.remote.workarounds.answered(&sync.pair.remote);
            if let Some(told) = sync.flags.borrow_mut().as_mut() {
                told.opened(selected);
            }
            return;
        };
        if !sync.broken.replace(true) {
            let name = sync.pair.remote.name().to_owned();
            self.shared
                .reporter
                .borrow_mut()
                .problem(&name, Exit::SelectErrors, &reason);
        }
        for command in &mut self.in_flight {
            if let InFlight::Fetch { item, open, .. } | InFlight::Search { item, open, .. } = command
                && Rc::ptr_eq(&item.sync, sync)
            {
                *open = false;
            }
        }
    }

    /// The end of a search: what exists is asked for again, what is too large is left for another run.
    fn searched(
        &mut self,
        item: Item,
        found: &UidSet,
        limit: Option<u64>,
        status: &StatusLine,
    ) -> Result<()> {
        if self.is_put_off(&item, &item.uids, status) {
            return Err(Error::Unavailable(status.to_string()));
        }
        if !status.is_ok() {
            // What exists is looked for at the end of the run, and reported then.
            item.sync.gaps.set(true);
            let name = item.sync.pair.remote.name();
            let reason = format!("cannot be searched: {status}");
            let mut reporter = self.shared.reporter.borrow_mut();
            reporter.problem(name, Exit::FetchErrors, &reason);
            return Ok(());
        }
        self.progress = true;
        let Some(limit) = limit else {
            // What the answer lacks is noticed at the end of the run.
            item.sync.gaps.set(true);
            let uids = found.clone();
            self.ask_again(Item {
                uids,
                exact: true,
                ..item
            });
            return Ok(());
        };
        self.record_unreadable(&item.sync, found);
        item.sync.left.set(item.sync.left.get() + found.len());
        item.sync.received.set(item.sync.received.get() + found.len());
        let uids = item.uids.minus(found);
        if limit > 0 {
            self.ask_again(Item {
                uids,
                checked_for_size: Some(limit),
                ..item
            });
        } else {
            self.miss(&item, &uids);
        }
        Ok(())
    }

    /// What did not come is looked for at the end of the run. Of a folder that is new all messages are counted then.
    fn miss(&self, item: &Item, left: &UidSet) {
        if item.exact {
            let mut missing = item.sync.missing.borrow_mut();
            *missing = missing.union(left);
            if missing.len() > MAX_MISSING {
                let reason = format!("does not send {} messages that it lists", missing.len());
                self.leave_out(
                    &item.sync,
                    FolderError::unusable(Side::Remote, Exit::FetchErrors, reason),
                );
            }
        } else if !left.is_empty() {
            let mut unanswered = item.sync.unanswered.borrow_mut();
            *unanswered = unanswered.union(left);
            if item.sync.folder.remote_next > 1 {
                item.sync.gaps.set(true);
            }
        }
    }

    fn ask_again(&self, item: Item) {
        if !item.uids.is_empty() {
            self.pipeline.items.borrow_mut().push_front(item);
        }
    }

    /// Asks for a message as a whole whose parts do not fit together, or do not come. What comes of it when the connection
    /// breaks again is of no use, so that it counts as progress no longer.
    fn start_over(&mut self, item: Item) {
        self.begun = None;
        let mut whole_only = item.sync.whole_only.borrow_mut();
        *whole_only = whole_only.union(&item.uids);
        drop(whole_only);
        self.ask_again(item);
    }

    /// Whether the server wants to be asked later; then it will be.
    fn is_put_off(&self, item: &Item, left: &UidSet, status: &StatusLine) -> bool {
        let put_off =
            status.is_throttled() || (status.is_temporary() && item.put_off < MAX_TEMPORARY_REFUSALS);
        if status.is_ok() || !put_off {
            return false;
        }
        self.ask_again(Item {
            uids: left.clone(),
            put_off: item.put_off.saturating_add(1),
            ..item.clone()
        });
        true
    }

    /// The end of a FETCH. When the server refused, what it did not give is asked for one by one; when it was silent, in
    /// smaller and smaller groups: one message may have kept it from giving the others.
    fn fetched(&mut self, item: Item, received: &UidSet, garbled: bool, status: StatusLine) -> Result<()> {
        let left = item.uids.minus(received);
        if status.is_ok() && (item.alone || !garbled) {
            if item.exact && item.uids.len() > 1 {
                let size = usize::try_from(left.len()).unwrap_or(usize::MAX) / PARTS;
                for uids in left.chunks(size.max(1)) {
                    self.ask_again(Item { uids, ..item.clone() });
                }
            } else {
                self.miss(&item, &left);
            }
            return Ok(());
        }
        if self.is_put_off(&item, &left, &status) {
            return Err(Error::Unavailable(status.to_string()));
        }
        if !item.alone {
            self.ask_again(Item {
                uids: left,
                alone: true,
                ..item
            });
        } else if let Some(uid) = left.first() {
            self.refuse(&item.sync, uid, &format!("cannot be read: {status}"));
        }
        Ok(())
    }
}
