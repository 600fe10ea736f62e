// SPDX-License-Identifier: GPL-3.0-or-later
//! Moving messages: fetchers read them from the remote side, appenders write them to the local side, a short
//! channel of batches between them. Each connection has several commands in flight.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use crate::imap::Capability;
use crate::sync::account::Failure;
use crate::sync::job::Shared;
use crate::sync::native::append::Appender;
use crate::sync::native::fetch::Fetcher;
use crate::sync::native::pipeline::Pipeline;
use crate::sync::native::plan::Item;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::connections::session::SideSession;

/// Connections to the local server at most.
const APPENDERS: usize = 4;
/// Connections to the remote server; providers count them.
const FETCHERS: usize = 2;
/// As many as mail programs open, where it is worth while: each is at a folder of its own, and as many folders are
/// appended to at once.
const FETCHERS_AT_MOST: usize = 4;
/// Below this many messages one connection to each side does.
const WORTH_MORE: u64 = 200;
/// From this many on, the most that there may be.
const WORTH_MOST: u64 = 20_000;

/// Copies all items. The connections come back for what is left to do.
pub async fn copy(
    shared: &Shared,
    connections: Connections,
    items: VecDeque<Item>,
    count: u64,
) -> Result<Connections, Failure> {
    let many = count > WORTH_MORE;
    // A server that does not tell where a message went leaves it to be found among the others: with several
    // connections, one could take another's copy of a twin for its own.
    let told = [Capability::UidPlus, Capability::Imap4Rev2]
        .into_iter()
        .any(|capability| connections.local.capabilities().has(capability));
    let appenders = if many && told { APPENDERS } else { 1 };
    let allowed = shared
        .job
        .remote
        .connections
        .map_or(FETCHERS_AT_MOST, |most| most.get().into());
    let fetchers = fetchers_for(count, folders_of(&items).min(appenders)).min(allowed);
    let pipeline = Rc::new(Pipeline::new(items, fetchers));
    let (mut remote, mut local) = (Some(connections.remote), Some(connections.local));
    let appenders = (0..appenders).map(|number| {
        let appender = Appender::new(number, shared.clone(), pipeline.clone(), local.take());
        tokio::task::spawn_local(appender.run())
    });
    let appenders = appenders.collect();
    let fetchers = (0..fetchers).map(|number| {
        let fetcher = Fetcher::new(number, shared.clone(), pipeline.clone(), remote.take());
        tokio::task::spawn_local(fetcher.run())
    });
    let fetchers = fetchers.collect();
    let remote = first(fetchers).await;
    let local = first(appenders).await;
    if let Some(failure) = pipeline.failure.borrow_mut().take() {
        return Err(failure);
    }
    match (remote, local) {
        (Some(remote), Some(local)) => Ok(Connections { remote, local }),
        _ => Err(Failure::local(
            "internal error: a connection's task ended early; the next run goes on, please report this log",
        )),
    }
}

/// How many fetchers so many messages are worth, of which so many folders can be appended to at once.
fn fetchers_for(messages: u64, folders: usize) -> usize {
    match messages {
        0..=WORTH_MORE => 1,
        WORTH_MOST.. => folders.clamp(FETCHERS, FETCHERS_AT_MOST),
        _ => FETCHERS,
    }
}

fn folders_of(items: &VecDeque<Item>) -> usize {
    let folders: HashSet<usize> = items.iter().map(|item| item.sync.index).collect();
    folders.len()
}

/// Waits for all and keeps the first connection; the others say goodbye.
async fn first(tasks: Vec<tokio::task::JoinHandle<Option<SideSession>>>) -> Option<SideSession> {
    let mut kept = None;
    for task in tasks {
        if let Ok(Some(session)) = task.await {
            match kept {
                None => kept = Some(session),
                Some(_) => session.logout().await,
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_mailbox_of_several_folders_is_worth_more_connections() {
        assert_eq!(fetchers_for(1, 9), 1);
        assert_eq!(fetchers_for(200, 9), 1);
        assert_eq!(fetchers_for(201, 9), 2);
        assert_eq!(fetchers_for(19_999, 9), 2);
        assert_eq!(fetchers_for(20_000, 9), 4);
        assert_eq!(fetchers_for(20_000, 3), 3);
        assert_eq!(fetchers_for(u64::MAX, 1), 2);
    }
}
