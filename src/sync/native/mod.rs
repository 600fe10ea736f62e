// SPDX-License-Identifier: GPL-3.0-or-later
//! The native engine. First everything is listed, then folders are made and compared, then messages flow, then flags,
//! Sieve, `\Seen` and deletions follow from what is recorded as delivered.
//!
//! [`transfer`]: [`fetch`] reads ([`plan`]: what next), [`append`] writes; [`pipeline`] is what lies between. `finish`: what
//! follows in each folder.

pub mod append;
pub mod fetch;
mod finish;
pub mod pipeline;
pub mod plan;
pub mod transfer;

use std::collections::VecDeque;
use std::rc::Rc;

use crate::sync::account::Failure;
use crate::sync::job::Shared;
use crate::sync::native::plan::Item;
use crate::sync::reconcile::compare::ahead;
use crate::sync::reconcile::connections::{self, Connections, settle};
use crate::sync::reconcile::deletions::{self, different_mailboxes, gate, present};
use crate::sync::reconcile::error::contain;
use crate::sync::reconcile::flags;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::listing::{self, Listing, filed};
use crate::sync::reconcile::prepare::prepare;
use crate::sync::reconcile::self_check;
use crate::sync::state::Flag;

/// Moves what is to be moved.
pub async fn sync(shared: &Shared) -> Result<(), Failure> {
    let mut connections = connections::connect(shared).await?;
    settle::settle_after_crash(shared, &mut connections).await?;
    let restored = connections::with_reconnect(shared, &mut connections, async |connections| {
        gate::restore_lifted_marks(shared, connections).await
    });
    restored.await?;
    let listing = listing::list(shared, &mut connections).await?;
    deletions::refuse_itself(shared, &listing, &mut connections).await?;
    let Prepared {
        folders,
        items,
        count,
        complete,
    } = prepare_all(shared, &listing, &mut connections).await?;
    if complete {
        filed::all_compared(shared, &listing.pairs, &mut connections).await?;
        // What a run by imapsync brought is on record now, too.
        shared.state.borrow().end_imapsync_run(&shared.job.task)?;
    }
    shared.reporter.borrow_mut().progress.messages_total = count;
    if !items.is_empty() {
        connections = transfer::copy(shared, connections, items, count).await?;
        let (silent, count) = unanswered(&folders);
        if !silent.is_empty() {
            connections = transfer::copy(shared, connections, silent, count).await?;
        }
        // They may have been made again.
        different_mailboxes::forget(shared);
    }
    flags::ask_ahead(shared, &folders, &mut connections).await?;
    present::ask_ahead(shared, &folders, &mut connections).await?;
    let (plan, finished) = finish::all(shared, &folders, &mut connections).await?;
    deletions::delete_local(shared, plan, &listing, complete && finished, &mut connections).await?;
    for sync in &folders {
        finish::tell(shared, sync);
    }
    self_check::check(shared, &folders, &listing, &mut connections).await?;
    listing::accept_local_mailbox(shared, &listing)?;
    shared.state.borrow().set(Flag::Running, false)?;
    connections::close(connections).await;
    Ok(())
}

/// What the comparison of all folders led to.
struct Prepared {
    /// Those in which something may be left to do.
    folders: Vec<Rc<FolderSync>>,
    /// What is to be copied, and how many messages that are.
    items: VecDeque<Item>,
    count: u64,
    /// Whether no folder had to be left out.
    complete: bool,
}

/// Makes all folders ready and compares them.
async fn prepare_all(
    shared: &Shared,
    listing: &Listing,
    connections: &mut Connections,
) -> Result<Prepared, Failure> {
    let pairs = &listing.pairs;
    let names = pairs
        .iter()
        .map(|pair| (pair.remote.name().to_owned(), pair.local.name().to_owned()));
    shared.reporter.borrow_mut().set_folders(names);
    let mut folders = vec![];
    let mut items = VecDeque::new();
    let mut count = 0;
    let mut complete = true;
    let mut read_to = 0;
    for (index, pair) in pairs.iter().enumerate() {
        if index >= read_to {
            let rest = pairs.get(index..).unwrap_or_default();
            read_to = index + ahead::read(shared, rest, connections).await?;
        }
        shared.reporter.borrow_mut().enter(index);
        let started = shared.reporter.borrow().elapsed();
        let outcome = connections::at_folder(shared, connections, pair, async |connections| {
            prepare(shared, index, pair.clone(), connections).await
        })
        .await;
        let prepared = contain(shared, pair.remote.name(), outcome)?;
        complete &= prepared.is_some();
        if let Some(Some((sync, comparison))) = prepared {
            count += comparison.count;
            let messages = sync.pair.source.messages.unwrap_or(0);
            let present = if shared.job.inbox_only() {
                comparison.present
            } else {
                messages.saturating_sub(comparison.count)
            };
            shared.reporter.borrow_mut().skipped(index, present);
            sync.expected.set(comparison.count);
            let sync = Rc::new(sync);
            for uids in comparison.wanted {
                items.push_back(Item::new(sync.clone(), uids, comparison.exact));
            }
            folders.push(sync);
        }
        let mut reporter = shared.reporter.borrow_mut();
        let spent = (reporter.elapsed() - started).as_secs_f64();
        if let Some(folder) = reporter.folder(index) {
            folder.seconds += spent;
        }
    }
    Ok(Prepared {
        folders,
        items,
        count,
        complete,
    })
}

/// What a server said nothing of, where it has more messages than it gave: it is looked for there.
fn unanswered(folders: &[Rc<FolderSync>]) -> (VecDeque<Item>, u64) {
    let mut items = VecDeque::new();
    let mut count: u64 = 0;
    for sync in folders {
        let missing = sync.expected.get().saturating_sub(sync.received.get());
        let uids = sync.unanswered.take();
        if sync.broken.get() || missing == 0 || missing > MAX_MISSING || uids.is_empty() {
            continue;
        }
        count = count.saturating_add(missing);
        items.push_back(Item {
            doubtful: true,
            ..Item::new(sync.clone(), uids, false)
        });
    }
    (items, count)
}

/// A folder of which more messages do not come than this is left to another run as a whole.
const MAX_MISSING: u64 = 10_000;
