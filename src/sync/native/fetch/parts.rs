// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that a server gives in several answers: its flags, date and size in one, its content in another (RFC 3501, 7.4.2).

use std::collections::HashMap;

use crate::imap::Fetch;

/// Messages with their content that wait for their flags at most. A server that never gives flags keeps none waiting.
const WAITING: usize = 16;

/// What came of messages so far, by their UIDs.
#[derive(Default)]
pub(super) struct Parts(HashMap<u32, Fetch>);

impl Parts {
    /// Adds an answer to what came before; gives the message once it is there.
    pub(super) fn join(&mut self, uid: u32, fetch: Fetch) -> Option<Fetch> {
        let fetch = match self.0.remove(&uid) {
            Some(former) => joined(former, fetch),
            None => fetch,
        };
        let is_waited_for = match fetch.body {
            Some(_) => fetch.flags.is_none() && self.whole() < WAITING,
            None => !fetch.body_nil,
        };
        if is_waited_for {
            self.0.insert(uid, fetch);
            return None;
        }
        Some(fetch)
    }

    fn whole(&self) -> usize {
        self.0.values().filter(|fetch| fetch.body.is_some()).count()
    }

    /// Those that are there but for their flags.
    pub(super) fn take(&mut self) -> Vec<(u32, Fetch)> {
        let all = std::mem::take(&mut self.0).into_iter();
        all.filter(|(_, fetch)| fetch.body.is_some()).collect()
    }
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
            let mut parts = Parts::default();
            assert!(parts.join(1, first).is_none());
            let whole = parts.join(1, second).unwrap();
            assert!(whole.is_whole && whole.body.is_some() && whole.size == Some(1));
            assert!(whole.flags.unwrap().contains("\\Seen"));
            assert!(parts.take().is_empty());
        }
    }

    #[test]
    fn content_without_flags_waits_for_the_end_of_the_command_at_most() {
        let mut parts = Parts::default();
        for uid in 1..=16 {
            assert!(parts.join(uid, content()).is_none());
        }
        assert!(parts.join(17, content()).is_some());
        assert_eq!(parts.take().len(), 16);
    }
}
