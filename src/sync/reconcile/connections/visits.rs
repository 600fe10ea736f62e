// SPDX-License-Identifier: GPL-3.0-or-later
//! Many folders of one side asked together, ahead of the work on each.

use crate::imap::visits::Outcome;
use crate::imap::{Selected, Untagged, Visit};
use crate::sync::account::Side;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::error::FolderResult;

/// Pays visits, and gives what opening each folder showed, where everything was answered. What does not come is left to the
/// work on its folder, which asks again and tells of refusals: that a server takes one command at a time, that connections
/// break at a folder, or that one cannot be opened.
pub async fn pay(
    shared: &Shared,
    connections: &mut Connections,
    side: Side,
    visits: Vec<Visit>,
    mut take: impl FnMut(usize, Untagged),
) -> FolderResult<Vec<Option<Selected>>> {
    let mut paid = vec![None; visits.len()];
    let known = connections.on(side).workarounds().clone();
    let hopeful = visits
        .into_iter()
        .enumerate()
        .filter(|(_, visit)| !known.is_suspect(&visit.mailbox));
    let (numbers, mut visits): (Vec<usize>, Vec<Visit>) = hopeful.unzip();
    // One folder alone is asked as fast by the work on it.
    if visits.len() < 2 || known.is_sequential() {
        return Ok(paid);
    }
    let mut was_tried = false;
    connections::with_reconnect(shared, connections, async |connections| {
        if std::mem::replace(&mut was_tried, true) {
            return Ok(());
        }
        let session = connections.on(side);
        let outcome = session.imap.visit_all(&mut visits, |at, data| {
            if let Some(&number) = numbers.get(at) {
                take(number, data);
            }
        });
        let outcome = outcome.await;
        session.fetched(outcome)
    })
    .await?;
    for (number, visit) in numbers.into_iter().zip(visits) {
        if let (Some(paid), Outcome::Answered(selected)) = (paid.get_mut(number), visit.outcome) {
            *paid = Some(selected);
        }
    }
    Ok(paid)
}
