// SPDX-License-Identifier: GPL-3.0-or-later
//! The native engine. First everything is listed, then folders are made and compared, then messages flow, then flags,
//! Sieve, `\Seen` and deletions follow from what is recorded as delivered.
//!
//! - [`listing`] ([`confirm`]), [`mod@prepare`], [`compare`] ([`headers`], [`pool`]): what both sides have, what is to be done.
//! - [`copy`]: [`fetch`] reads ([`order`]: what), [`append`] writes; [`belt`] is what lies between, where messages are
//!   packed (`pack`) and wait ([`batches`]); [`room`]: what the local mailbox still takes.
//! - [`flags`], [`after`] (Sieve, `\Seen`), [`deletions`], [`obsolete`] (folders): what follows.
//! - [`place`]: a folder at work; [`parcel`]: a message on its way.
//! - [`lines`]: the two connections, made anew when one breaks; [`aftermath`]: what broke off may still come;
//!   [`opened`]: whether a folder is still the same; [`trouble`]: what concerns one folder and what ends the run.

pub mod after;
pub mod aftermath;
pub mod append;
mod backoff;
pub mod batches;
pub mod belt;
pub mod compare;
pub mod confirm;
pub mod copy;
pub mod deletions;
pub mod fetch;
pub mod flags;
pub mod headers;
pub mod lines;
pub mod listing;
pub mod obsolete;
pub mod opened;
pub mod order;
mod pack;
pub mod parcel;
pub mod place;
pub mod pool;
pub mod prepare;
pub mod room;
pub mod trouble;

use std::collections::VecDeque;
use std::rc::Rc;

use self::lines::Lines;
use self::listing::Listing;
use self::order::Item;
use self::place::Place;
use self::prepare::{prepare, settled_word};
use self::trouble::{Troubled, contain};
use super::account::Failure;
use super::exit::Exit;
use super::job::Shared;
use super::state::FolderState;

/// Moves what is to be moved.
pub async fn sync(shared: &Shared) -> Result<(), Failure> {
    let mut lines = lines::connect(shared).await?;
    aftermath::settle_after_crash(shared, &mut lines).await?;
    let mut listing = listing::list(shared, &mut lines).await?;
    let mut subscribe = std::mem::take(&mut listing.subscribe);
    let Listing {
        pairs, remote_empty, ..
    } = &listing;
    let names = pairs
        .iter()
        .map(|pair| (pair.remote.name().to_owned(), pair.local.name().to_owned()));
    shared.recorder.borrow_mut().set_folders(names);
    let mut places = vec![];
    let mut items = VecDeque::new();
    let mut total = 0;
    for (index, pair) in pairs.iter().enumerate() {
        shared.recorder.borrow_mut().enter(index);
        let started = shared.recorder.borrow().elapsed();
        let outcome = lines::persist(shared, &mut lines, async |lines| {
            prepare(shared, index, pair.clone(), lines, &mut subscribe).await
        })
        .await;
        if let Some(Some((place, comparison))) = contain(shared, pair.remote.name(), outcome)? {
            total += comparison.count;
            let messages = place.pair.source.messages.unwrap_or(0);
            let present = if shared.job.inbox_only() {
                comparison.present
            } else {
                messages.saturating_sub(comparison.count)
            };
            shared.recorder.borrow_mut().skipped(index, present);
            let place = Rc::new(place);
            for uids in comparison.wanted {
                items.push_back(Item::new(place.clone(), uids, comparison.exact));
            }
            places.push(place);
        }
        let mut recorder = shared.recorder.borrow_mut();
        let spent = (recorder.elapsed() - started).as_secs_f64();
        if let Some(folder) = recorder.folder(index) {
            folder.seconds += spent;
        }
    }
    shared.recorder.borrow_mut().progress.messages_total = total;
    if !items.is_empty() {
        lines = copy::copy(shared, lines, items, total).await?;
    }
    for place in &places {
        let outcome = lines::persist(shared, &mut lines, async |lines| {
            finish(shared, place, lines, *remote_empty).await
        })
        .await;
        contain(shared, place.pair.remote.name(), outcome)?;
    }
    obsolete::delete(shared, &listing, &mut lines).await?;
    listing::accept_replaced_mailbox(shared, &listing)?;
    shared.state.borrow().set_meta("running", "0")?;
    lines::part(lines).await;
    Ok(())
}

/// What follows the copying of a folder.
async fn finish(shared: &Shared, place: &Place, lines: &mut Lines, remote_empty: bool) -> Troubled<()> {
    let started = shared.recorder.borrow().elapsed();
    let left = place.left.take();
    if left > 0 {
        let reason = format!("{left} messages wait for another run: the local mailbox has no room for them");
        let mut recorder = shared.recorder.borrow_mut();
        recorder.problem(place.pair.remote.name(), Exit::OverQuota, &reason);
    }
    if !place.broken.get() {
        let known = place.folder.clone();
        if shared.job.inbox_only() {
            after::inbox(shared, place, lines).await?;
        } else {
            flags::carry_over(shared, place, &mut lines.remote, &mut lines.local).await?;
        }
        let complete = deletions::reconcile(shared, place, lines, remote_empty).await?;
        deletions::remote(shared, place, lines).await?;
        record(shared, place, known, complete)?;
    }
    let mut recorder = shared.recorder.borrow_mut();
    let spent = (recorder.elapsed() - started).as_secs_f64();
    let Some(folder) = recorder.folder(place.index) else {
        return Ok(());
    };
    folder.seconds += spent;
    let line = format!(
        "Folder [{}] -> [{}]: {} copied, {} already there, {} failed, {} flags, {} deleted locally, {} deleted remotely",
        folder.remote,
        folder.local,
        folder.copied,
        folder.skipped,
        folder.failed,
        folder.flags,
        folder.deleted_local,
        folder.deleted_remote,
    );
    recorder.line(&line);
    Ok(())
}

/// Records how far the folder is known now.
fn record(shared: &Shared, place: &Place, mut folder: FolderState, complete: bool) -> Troubled<()> {
    let state = shared.state.borrow();
    if !shared.job.inbox_only()
        && let Some(next) = place.pair.source.uid_next
    {
        folder.remote_next = next.max(folder.remote_next);
        folder.remote_modseq = place.pair.source.highest_modseq.unwrap_or(0);
    }
    folder.remote_messages = place.pair.source.messages.unwrap_or(0);
    // Local UIDs below what the start showed are all accounted for by now.
    if let Some(next) = place.pair.destination.and_then(|status| status.uid_next) {
        folder.local_next = next.max(folder.local_next);
    }
    state.forget_buried(folder.id, folder.local_next)?;
    folder.replaced = false;
    let unfinished = !complete || !state.pending_uids(folder.id)?.is_empty();
    let (deletes, left) = (shared.job.delete_remote.deletes(), state.count(folder.id)? > 0);
    folder.settled = if unfinished || (deletes && left) {
        String::new()
    } else {
        settled_word(shared, &place.pair, place.pair.source, place.pair.destination)
    };
    state.save_folder(&folder)?;
    Ok(())
}
