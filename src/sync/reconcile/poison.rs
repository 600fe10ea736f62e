// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages at which a connection broke. A server that crashes over a message would do so at every attempt: asked for
//! alone, that message is identified, reported and left for the next run, and the others are moved.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use crate::imap::{Error, Result, UidSet};

/// What is said of a message that is given up.
pub const REASON: &str = "the connection breaks whenever it is read";

/// How often the connection may break at a message.
pub const MAX_LOSSES: u8 = 2;

/// How many messages are given up in one run; with more, it is the server that is broken.
const MAX_GIVEN_UP: usize = 20;

/// Messages that were being read when a connection broke, of a whole run.
#[derive(Debug, Default)]
pub struct PoisonMessages {
    /// By folder and UID: how often.
    losses: RefCell<HashMap<(i64, u32), u8>>,
    given_up: RefCell<HashSet<(i64, u32)>>,
    /// A message became hopeless since it was last asked.
    progress: Cell<bool>,
}

impl PoisonMessages {
    /// A connection broke before all of `asked` had come: what the server owed next is to blame. Servers give
    /// messages in ascending order. `true` when something was learnt by this.
    pub fn note(&self, folder: i64, asked: &UidSet, received: &UidSet) -> bool {
        let left = asked.minus(received);
        let next = left.from(received.last().unwrap_or(0)).first();
        let Some(uid) = next.or(left.first()) else {
            return false;
        };
        let mut losses = self.losses.borrow_mut();
        let losses = losses.entry((folder, uid)).or_default();
        *losses = losses.saturating_add(1);
        if *losses == MAX_LOSSES + 1 {
            self.progress.set(true);
        }
        leads_further(*losses)
    }

    /// Whether a message became hopeless since this was last asked. For work that is begun again after each loss, a first
    /// suspicion is no progress: a connection that breaks after so many octets raises one each time.
    pub fn take_progress(&self) -> bool {
        self.progress.take()
    }

    /// The poison messages among some messages.
    pub fn among(&self, folder: i64, uids: &UidSet) -> UidSet {
        let losses = self.losses.borrow();
        let in_folder = losses
            .keys()
            .filter(|&&(at, uid)| at == folder && uids.contains(uid));
        in_folder.map(|&(_, uid)| uid).collect()
    }

    /// Whether a message is to be given up.
    pub fn is_hopeless(&self, folder: i64, uid: u32) -> bool {
        let losses = self.losses.borrow();
        losses
            .get(&(folder, uid))
            .is_some_and(|&losses| losses > MAX_LOSSES)
    }

    /// Gives up a message; `true` when that is new.
    ///
    /// # Errors
    /// When there were too many of them.
    pub fn give_up(&self, folder: i64, uid: u32) -> Result<bool> {
        let mut given_up = self.given_up.borrow_mut();
        let new = given_up.insert((folder, uid));
        if given_up.len() <= MAX_GIVEN_UP {
            return Ok(new);
        }
        let text = "the server drops the connection at one message after another";
        Err(Error::Unstable(text.to_owned()))
    }
}

/// Whether a message is suspected for the first time or given up with this loss; then there is no reason to wait longer.
pub fn leads_further(losses: u8) -> bool {
    losses == 1 || losses == MAX_LOSSES + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> UidSet {
        UidSet::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_was_owed_next_is_to_blame() {
        let poison = PoisonMessages::default();
        poison.note(1, &set("3:9"), &UidSet::default());
        poison.note(1, &set("3:9"), &set("3:5"));
        poison.note(2, &set("3:9"), &set("5:9"));
        assert_eq!(poison.among(1, &set("1:9")), set("3,6"));
        assert_eq!(poison.among(2, &set("1:9")), set("3"));
        assert_eq!(poison.among(1, &set("4:5")), UidSet::default());
    }

    #[test]
    fn after_some_losses_a_message_is_hopeless() {
        let poison = PoisonMessages::default();
        for _ in 0..MAX_LOSSES {
            poison.note(1, &set("7"), &UidSet::default());
            assert!(!poison.is_hopeless(1, 7));
        }
        poison.note(1, &set("7"), &UidSet::default());
        assert!(poison.is_hopeless(1, 7));
        assert!(!poison.is_hopeless(2, 7));
    }
}
