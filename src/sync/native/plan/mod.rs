// SPDX-License-Identifier: GPL-3.0-or-later
//! What a fetcher asks for next.

pub mod size_limit;

use std::collections::VecDeque;
use std::rc::Rc;

use crate::imap::UidSet;
use crate::sync::native::plan::size_limit::SizeLimit;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::poison::PoisonMessages;

/// Some messages of one folder, to be fetched with one command.
#[derive(Clone)]
pub struct Item {
    /// The folder.
    pub sync: Rc<FolderSync>,
    /// The UIDs.
    pub uids: UidSet,
    /// Whether all of them were there when they were looked for. A range may hold UIDs of no message.
    pub exact: bool,
    /// Something went wrong: which of them exist is to be found out first.
    pub doubtful: bool,
    /// To be fetched one by one, because the server refused them together.
    pub alone: bool,
    /// How often the server put it off.
    pub put_off: u8,
    /// What is as large as this was left out already.
    pub checked_for_size: Option<u64>,
}

impl Item {
    /// Messages to be fetched together.
    pub fn new(sync: Rc<FolderSync>, uids: UidSet, exact: bool) -> Self {
        Self {
            sync,
            uids,
            exact,
            doubtful: false,
            alone: false,
            put_off: 0,
            checked_for_size: None,
        }
    }
}

/// What a fetcher is to do.
pub enum Order {
    /// Ask which of them exist.
    Find(Item),
    /// Ask which of them have so many octets or more: they do not fit into the local mailbox.
    FindLarge(Item, u64),
    /// Fetch them.
    Fetch(Item),
    /// Report the message: the connection broke at it too often.
    GiveUp(Item),
}

impl Order {
    /// What it is about.
    pub fn item(&self) -> &Item {
        match self {
            Self::Find(item) | Self::FindLarge(item, _) | Self::Fetch(item) | Self::GiveUp(item) => item,
        }
    }
}

/// The next order for a fetcher, if anything is left to do.
pub fn next(
    items: &mut VecDeque<Item>,
    reader: usize,
    size_limit: &SizeLimit,
    poison: &PoisonMessages,
) -> Option<Order> {
    let mut item = loop {
        let item = choose(items, reader)?;
        if !item.sync.broken.get() {
            break item;
        }
    };
    item.sync.reader.set(Some(reader));
    if let Some(limit) = size_limit.limit()
        && item.checked_for_size.is_none_or(|before| before > limit)
    {
        return Some(Order::FindLarge(item, limit));
    }
    if !item.exact && (item.doubtful || item.alone) {
        return Some(Order::Find(item));
    }
    let folder = item.sync.folder.id;
    let suspect = poison.among(folder, &item.uids).first();
    if let Some(uid) = suspect.or(item.uids.first().filter(|_| item.alone)) {
        let one = UidSet::range(uid..=uid);
        let others = item.uids.minus(&one);
        if !others.is_empty() {
            let uids = others;
            items.push_front(Item { uids, ..item.clone() });
        }
        item.uids = one;
        if poison.is_hopeless(folder, uid) {
            return Some(Order::GiveUp(item));
        }
    }
    Some(Order::Fetch(item))
}

/// The first item of the folder that the fetcher is at, else of one where no other is, so that several folders are
/// appended to at once; else the first of all.
fn choose(items: &mut VecDeque<Item>, reader: usize) -> Option<Item> {
    let of = |wanted: Option<usize>| items.iter().position(|item| item.sync.reader.get() == wanted);
    let at = of(Some(reader)).or_else(|| of(None)).unwrap_or(0);
    items.remove(at)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::imap::{Mailbox, MailboxStatus};
    use crate::sync::folder_mapping::Pair;
    use crate::sync::state::FolderState;

    pub(crate) fn folder_sync(index: usize) -> FolderSync {
        let inbox = Mailbox::inbox();
        let pair = Pair {
            remote: inbox.clone(),
            local: inbox.clone(),
            fallback: inbox.clone(),
            source: MailboxStatus::default(),
            destination: None,
            joined: false,
            renamed: false,
            view: false,
        };
        let folder = FolderState {
            id: 7,
            local: inbox,
            remote_validity: 1,
            local_validity: 1,
            remote_next: 1,
            remote_high: 1,
            remote_messages: 0,
            remote_modseq: 0,
            local_next: 1,
            local_high: 1,
            baseline: 1,
            looked_below: 1,
            fingerprint: String::new(),
            replaced: false,
            remote_id: None,
            local_id: None,
            is_former: false,
        };
        FolderSync::new(index, pair, folder)
    }

    fn item(uids: &str, exact: bool) -> Item {
        let uids = UidSet::parse(uids.as_bytes()).unwrap();
        Item::new(Rc::new(folder_sync(0)), uids, exact)
    }

    /// All orders, as a server carries them out that has the messages in `there`.
    fn all(items: Vec<Item>, size_limit: &SizeLimit, poison: &PoisonMessages, present: &str) -> Vec<String> {
        let present = UidSet::parse(present.as_bytes()).unwrap();
        let mut items = VecDeque::from(items);
        let mut orders = vec![];
        while let Some(order) = next(&mut items, 0, size_limit, poison) {
            orders.push(match order {
                Order::Find(item) => {
                    let text = format!("find {}", item.uids);
                    let uids = item.uids.intersection(&present);
                    items.push_front(Item {
                        uids,
                        exact: true,
                        ..item
                    });
                    text
                }
                Order::FindLarge(item, limit) => {
                    let text = format!("sift {} {limit}", item.uids);
                    items.push_front(Item {
                        checked_for_size: Some(limit),
                        ..item
                    });
                    text
                }
                Order::Fetch(item) => format!("fetch {}", item.uids),
                Order::GiveUp(item) => format!("give up {}", item.uids),
            });
        }
        orders
    }

    #[test]
    fn all_together_unless_something_went_wrong() {
        let (size_limit, poison) = (SizeLimit::default(), PoisonMessages::default());
        let orders = |item: Item| all(vec![item], &size_limit, &poison, "2:3,5");
        assert_eq!(orders(item("1:9", false)), ["fetch 1:9"]);
        let doubtful = Item {
            doubtful: true,
            ..item("1:9", false)
        };
        assert_eq!(orders(doubtful), ["find 1:9", "fetch 2:3,5"]);
        let alone = Item {
            alone: true,
            ..item("1:9", false)
        };
        assert_eq!(orders(alone), ["find 1:9", "fetch 2", "fetch 3", "fetch 5"]);
    }

    #[test]
    fn fetchers_keep_out_of_each_others_folders() {
        let (size_limit, poison) = (SizeLimit::default(), PoisonMessages::default());
        let (a, b) = (Rc::new(folder_sync(0)), Rc::new(folder_sync(1)));
        let part = |sync: &Rc<FolderSync>| Item::new(sync.clone(), UidSet::range(1..=9), true);
        let mut items = VecDeque::from([part(&a), part(&a), part(&b), part(&b), part(&a)]);
        let mut folder = |reader| match next(&mut items, reader, &size_limit, &poison) {
            Some(Order::Fetch(item)) => Some(item.sync.index),
            _ => None,
        };
        let order: Vec<_> = [1, 2, 1, 2, 2, 1]
            .map(&mut folder)
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(order, [0, 1, 0, 1, 0]);
    }

    #[test]
    fn suspects_are_fetched_alone_and_given_up_in_the_end() {
        let (size_limit, poison) = (SizeLimit::default(), PoisonMessages::default());
        let broken = UidSet::range(3..=3);
        poison.note(7, &broken, &UidSet::default());
        let orders = || all(vec![item("2:3,5", true)], &size_limit, &poison, "2:5");
        assert_eq!(orders(), ["fetch 3", "fetch 2,5"]);
        poison.note(7, &broken, &UidSet::default());
        poison.note(7, &broken, &UidSet::default());
        assert_eq!(orders(), ["give up 3", "fetch 2,5"]);
    }

    #[test]
    fn what_does_not_fit_is_not_fetched() {
        let (size_limit, poison) = (SizeLimit::default(), PoisonMessages::default());
        for _ in 0..50 {
            size_limit.refuse(9000);
        }
        let orders = all(vec![item("1:9", false)], &size_limit, &poison, "1:9");
        assert_eq!(orders, ["sift 1:9 9000", "fetch 1:9"]);
    }
}
