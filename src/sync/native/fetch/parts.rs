// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that a server gives in several answers: its flags, date and size in one, its content in another (RFC 3501, 7.4.2).

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::imap::Fetch;

/// Messages with their content that wait for their flags at most. A server that never gives flags keeps none waiting.
const WAITING: usize = 16;

/// Octets of them at most, of all connections together.
const WAITING_OCTETS: u64 = 4 * 1024 * 1024;

/// What came of messages so far, by their UIDs.
pub(super) struct Parts {
    came: HashMap<u32, Fetch>,
    /// What waits of all connections.
    octets: Rc<Cell<u64>>,
}

impl Parts {
    /// Nothing, counted along with what waits elsewhere.
    pub(super) fn new(octets: Rc<Cell<u64>>) -> Self {
        let came = HashMap::new();
        Self { came, octets }
    }

    /// Adds an answer to what came before; gives the message once it is there.
    pub(super) fn join(&mut self, uid: u32, fetch: Fetch) -> Option<Fetch> {
        let fetch = match self.came.remove(&uid) {
            Some(former) => {
                self.count_less(&former);
                joined(former, fetch)
            }
            None => fetch,
        };
        let is_waited_for = match &fetch.body {
            Some(body) => {
                let has_room = self.whole() < WAITING && self.octets.get() < WAITING_OCTETS;
                // One on disk keeps the place that the next one may wait for.
                fetch.flags.is_none() && has_room && body.as_memory().is_some()
            }
            None => !fetch.body_nil,
        };
        if is_waited_for {
            self.octets.set(self.octets.get() + octets(&fetch));
            self.came.insert(uid, fetch);
            return None;
        }
        Some(fetch)
    }

    fn whole(&self) -> usize {
        self.came.values().filter(|fetch| fetch.body.is_some()).count()
    }

    fn count_less(&self, fetch: &Fetch) {
        self.octets.set(self.octets.get().saturating_sub(octets(fetch)));
    }

    /// Those that are there but for their flags.
    pub(super) fn take(&mut self) -> Vec<(u32, Fetch)> {
        let all: Vec<_> = self.came.drain().collect();
        for (_, fetch) in &all {
            self.count_less(fetch);
        }
        all.into_iter()
            .filter(|(_, fetch)| fetch.body.is_some())
            .collect()
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.take();
    }
}

/// What a message holds of the memory.
fn octets(fetch: &Fetch) -> u64 {
    let memory = fetch.body.as_ref().and_then(|body| body.as_memory());
    memory.map_or(0, |body| body.len() as u64)
}

/// Two answers about the same message; what is told again holds.
fn joined(former: Fetch, later: Fetch) -> Fetch {
    let is_whole = match later.body {
        Some(_) => later.is_whole,
        None => former.is_whole,
    };
    Fetch {
        uid: later.uid.or(former.uid),
        flags: later.flags.or(former.flags),
        date: later.date.or(former.date),
        size: later.size.or(former.size),
        identity: later.identity.or(former.identity),
        body: later.body.or(former.body),
        is_whole,
        body_nil: former.body_nil || later.body_nil,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::{Flags, Literal};

    fn flags() -> Fetch {
        Fetch {
            uid: Some(1),
            flags: Some(Flags::parse("\\Seen")),
            size: Some(1),
            ..Fetch::default()
        }
    }

    fn content() -> Fetch {
        Fetch {
            uid: Some(1),
            body: Some(Literal::memory(b"x".to_vec())),
            is_whole: true,
            ..Fetch::default()
        }
    }

    #[test]
    fn a_message_is_there_when_flags_and_content_are_in_whatever_order() {
        for (first, second) in [(flags(), content()), (content(), flags())] {
            let mut parts = Parts::new(Rc::default());
            assert!(parts.join(1, first).is_none());
            let whole = parts.join(1, second).unwrap();
            assert!(whole.is_whole && whole.body.is_some() && whole.size == Some(1));
            assert!(whole.flags.unwrap().contains("\\Seen"));
            assert!(parts.take().is_empty());
        }
    }

    #[test]
    fn content_without_flags_waits_for_the_end_of_the_command_at_most() {
        let mut parts = Parts::new(Rc::default());
        for uid in 1..=16 {
            assert!(parts.join(uid, content()).is_none());
        }
        assert!(parts.join(17, content()).is_some());
        assert_eq!(parts.take().len(), 16);
    }

    #[test]
    fn what_waits_is_bounded_for_all_connections_together() {
        let octets = Rc::new(Cell::new(0));
        let (mut one, mut other) = (Parts::new(octets.clone()), Parts::new(octets.clone()));
        let large = |length| Fetch {
            body: Some(Literal::memory(vec![b'x'; length])),
            ..content()
        };
        assert!(one.join(1, large(4 * 1024 * 1024)).is_none());
        assert!(other.join(2, large(1)).is_some(), "there is no room for it");
        assert!(one.join(1, flags()).is_some());
        assert!(other.join(2, large(1)).is_none());
        drop(other);
        assert_eq!(octets.get(), 0);
    }
}
