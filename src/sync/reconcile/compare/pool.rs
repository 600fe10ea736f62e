// SPDX-License-Identifier: GPL-3.0-or-later
//! Local messages that may be the other half of a remote one.

use crate::imap::UidSet;
use crate::sync::message_key::MessageKey;

/// Local UIDs, to be found by key; each is given out once.
#[derive(Debug, Default)]
pub struct Pool {
    /// Sorted by key, then UID.
    messages: Vec<(MessageKey, u32)>,
    taken: Vec<bool>,
}

impl Pool {
    /// A pool of these messages.
    pub fn new(mut messages: Vec<(MessageKey, u32)>) -> Self {
        messages.sort_unstable();
        messages.dedup();
        Self {
            taken: vec![false; messages.len()],
            messages,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn folders(&self, key: &MessageKey) -> std::ops::Range<usize> {
        let from = self.messages.partition_point(|(other, _)| other < key);
        let rest = self.messages.get(from..).unwrap_or_default();
        from..from + rest.partition_point(|(other, _)| other <= key)
    }

    /// All UIDs with one of these keys.
    pub fn candidates<'a>(&self, keys: impl Iterator<Item = &'a MessageKey>) -> UidSet {
        keys.flat_map(|key| self.folders(key))
            .filter_map(|at| self.messages.get(at).map(|&(_, uid)| uid))
            .collect()
    }

    /// Takes out what is no longer there.
    pub fn remove(&mut self, gone: &UidSet) {
        for (taken, (_, uid)) in self.taken.iter_mut().zip(&self.messages) {
            *taken |= gone.contains(*uid);
        }
    }

    /// Gives out the smallest UID with this key.
    pub fn claim(&mut self, key: &MessageKey) -> Option<u32> {
        let at = self.folders(key).find(|&at| self.taken.get(at) == Some(&false))?;
        *self.taken.get_mut(at)? = true;
        self.messages.get(at).map(|&(_, uid)| uid)
    }

    /// What was not given out: UIDs and keys.
    pub fn left(&self) -> impl Iterator<Item = (u32, MessageKey)> {
        let pairs = self.messages.iter().zip(&self.taken);
        pairs
            .filter(|&(_, taken)| !taken)
            .map(|(&(key, uid), _)| (uid, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> MessageKey {
        MessageKey::of_message(name.as_bytes(), 0)
    }

    #[test]
    fn twins_are_given_out_one_by_one_the_eldest_first() {
        let mut pool = Pool::new(vec![(key("b"), 4), (key("a"), 9), (key("a"), 2), (key("a"), 5)]);
        assert_eq!(pool.candidates([key("a"), key("z")].iter()).to_string(), "2,5,9");
        pool.remove(&UidSet::range(5..=5));
        assert_eq!(pool.claim(&key("a")), Some(2));
        assert_eq!(pool.claim(&key("a")), Some(9));
        assert_eq!(pool.claim(&key("a")), None);
        assert_eq!(pool.claim(&key("z")), None);
        assert_eq!(pool.left().collect::<Vec<_>>(), [(4, key("b"))]);
    }
}
