// SPDX-License-Identifier: GPL-3.0-or-later
//! Local messages that may be the other half of a remote one.

use std::collections::HashMap;

use crate::imap::UidSet;
use crate::sync::message_key::{Digest, MessageKey};
use crate::sync::reconcile::headers::Seen;
use crate::sync::state::LocalOnly;

/// Local messages, to be found by key; each is given out once.
#[derive(Debug, Default)]
pub struct Pool {
    /// Sorted by key, then UID.
    messages: Vec<LocalOnly>,
    taken: Vec<bool>,
}

impl Pool {
    /// A pool of these messages.
    pub fn new(mut messages: Vec<LocalOnly>) -> Self {
        messages.sort_unstable_by_key(|message| (message.key, message.uid));
        messages.dedup_by_key(|message| message.uid);
        Self {
            taken: vec![false; messages.len()],
            messages,
        }
    }

    fn positions(&self, key: &MessageKey) -> std::ops::Range<usize> {
        let from = self.messages.partition_point(|other| other.key < *key);
        let rest = self.messages.get(from..).unwrap_or_default();
        from..from + rest.partition_point(|other| other.key <= *key)
    }

    /// All UIDs with one of these keys.
    pub fn candidates<'a>(&self, keys: impl Iterator<Item = &'a MessageKey>) -> UidSet {
        keys.flat_map(|key| self.positions(key))
            .filter_map(|at| self.messages.get(at).map(|message| message.uid))
            .collect()
    }

    /// Takes out what is no longer there.
    pub fn remove(&mut self, gone: &UidSet) {
        for (taken, message) in self.taken.iter_mut().zip(&self.messages) {
            *taken |= gone.contains(message.uid);
        }
    }

    /// Remote and local messages whose likeness is in doubt: they are the same only if their octets are.
    pub fn doubtful(&self, remote: &[Seen]) -> (UidSet, UidSet) {
        let (mut remote_uids, mut local_uids) = (vec![], vec![]);
        for message in remote {
            let candidates = || self.positions(&message.key).filter(|&at| self.is_free(at));
            let mut all = candidates().filter_map(|at| self.messages.get(at)).peekable();
            if all.peek().is_some() && !all.any(|local| is_certain(message, local)) {
                remote_uids.extend(Some(message.uid).filter(|_| message.digest.is_none()));
                local_uids.extend(candidates().filter_map(|at| self.messages.get(at).map(|local| local.uid)));
            }
        }
        (
            remote_uids.into_iter().collect(),
            local_uids.into_iter().collect(),
        )
    }

    /// Gives out the other half of a message: one that is certainly the same, or whose octets are. `digests` are those of the
    /// local messages that had to be read, by UID.
    pub fn claim(&mut self, message: &Seen, digests: &HashMap<u32, Digest>) -> Option<u32> {
        let free: Vec<usize> = self
            .positions(&message.key)
            .filter(|&at| self.is_free(at))
            .collect();
        let is_same = |at: &usize| {
            self.messages.get(*at).is_some_and(|local| match &message.digest {
                Some(digest) => digests.get(&local.uid) == Some(digest),
                None => is_certain(message, local),
            })
        };
        let at = free.into_iter().find(is_same)?;
        *self.taken.get_mut(at)? = true;
        self.messages.get(at).map(|message| message.uid)
    }

    /// Gives out the other half of a message whose octets tell nothing: the first one with its key.
    pub fn claim_alike(&mut self, message: &Seen) -> Option<u32> {
        let at = self.positions(&message.key).find(|&at| self.is_free(at))?;
        *self.taken.get_mut(at)? = true;
        self.messages.get(at).map(|message| message.uid)
    }

    fn is_free(&self, at: usize) -> bool {
        self.taken.get(at) == Some(&false)
    }

    /// What was not given out.
    pub fn left(&self) -> impl Iterator<Item = &LocalOnly> {
        let pairs = self.messages.iter().zip(&self.taken);
        pairs.filter(|&(_, taken)| !taken).map(|(message, _)| message)
    }
}

/// Whether two messages of one key are the same without a look at their octets: a mail server gave them their trace
/// fields, and they have the same size and arrived at the same second.
fn is_certain(remote: &Seen, local: &LocalOnly) -> bool {
    remote.has_trace && remote.size != 0 && remote.size == local.size && remote.date == local.date
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::state::Completeness;
    use std::rc::Rc;

    fn key(name: &str) -> MessageKey {
        MessageKey::of_message(name.as_bytes(), 0)
    }

    fn local(name: &str, uid: u32, size: u64) -> LocalOnly {
        LocalOnly {
            uid,
            key: key(name),
            size,
            date: 7,
        }
    }

    fn remote(name: &str, uid: u32, size: u64, has_trace: bool) -> Seen {
        Seen {
            uid,
            key: key(name),
            flags: Rc::default(),
            date: 7,
            size,
            has_trace,
            digest: None,
            completeness: Completeness::Whole,
        }
    }

    #[test]
    fn what_is_alike_in_all_but_its_octets_is_read_only_without_a_trace() {
        let pool = Pool::new(vec![local("a", 2, 1)]);
        let mut message = remote("a", 1, 1, true);
        assert!(pool.doubtful(std::slice::from_ref(&message)).0.is_empty());
        message.has_trace = false;
        let (remote_uids, local_uids) = pool.doubtful(&[message]);
        assert_eq!(
            (remote_uids.to_string(), local_uids.to_string()),
            ("1".to_owned(), "2".to_owned())
        );
    }

    #[test]
    fn twins_are_given_out_one_by_one_the_eldest_first() {
        let mut pool = Pool::new(vec![
            local("b", 4, 1),
            local("a", 9, 1),
            local("a", 2, 1),
            local("a", 5, 1),
        ]);
        assert_eq!(pool.candidates([key("a"), key("z")].iter()).to_string(), "2,5,9");
        pool.remove(&UidSet::range(5..=5));
        let digests = HashMap::new();
        let mut claim = |name| pool.claim(&remote(name, 1, 1, true), &digests);
        assert_eq!(claim("a"), Some(2));
        assert_eq!(claim("a"), Some(9));
        assert_eq!(claim("a"), None);
        assert_eq!(claim("z"), None);
        assert_eq!(pool.left().copied().collect::<Vec<_>>(), [local("b", 4, 1)]);
    }

    #[test]
    fn a_draft_is_the_same_only_if_its_octets_are() {
        let digest = |text: &str| Digest::of(&crate::imap::Literal::memory(text.into())).unwrap();
        let mut pool = Pool::new(vec![local("a", 2, 1), local("a", 3, 1)]);
        let mut draft = remote("a", 8, 1, false);
        assert_eq!(
            pool.doubtful(std::slice::from_ref(&draft)),
            (UidSet::range(8..=8), UidSet::range(2..=3))
        );
        let digests = [(2, digest("two")), (3, digest("three"))].into();
        draft.digest = Some(digest("new"));
        assert_eq!(pool.claim(&draft, &digests), None);
        draft.digest = Some(digest("three"));
        assert_eq!(pool.claim(&draft, &digests), Some(3));
    }

    #[test]
    fn another_size_is_another_message_unless_its_octets_are_the_same() {
        let pool = Pool::new(vec![local("a", 2, 1)]);
        let same = remote("a", 8, 1, true);
        let other = remote("a", 9, 2, true);
        assert_eq!(pool.doubtful(&[same]), (UidSet::default(), UidSet::default()));
        assert_eq!(
            pool.doubtful(&[other]),
            (UidSet::range(9..=9), UidSet::range(2..=2))
        );
    }
}
