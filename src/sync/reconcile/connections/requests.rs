// SPDX-License-Identifier: GPL-3.0-or-later
//! Many folders of one side asked together, ahead of the work on each.

use crate::imap::mailbox_requests::Outcome;
use crate::imap::{MailboxRequest, Selected, Untagged};
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::side::Side;

/// Sends requests, and gives what opening each folder showed, where everything was answered. What does not come is left to the
/// work on its folder, which asks again and tells of refusals: that a server takes one command at a time, that connections
/// break at a folder, or that one cannot be opened.
pub async fn send_all(
    shared: &Shared,
    connections: &mut Connections,
    side: Side,
    requests: Vec<MailboxRequest>,
    mut take: impl FnMut(usize, Untagged),
) -> FolderResult<Vec<Option<Selected>>> {
    let mut answered = vec![None; requests.len()];
    let known = connections.on(side).workarounds().clone();
    let hopeful = requests
        .into_iter()
        .enumerate()
        .filter(|(_, request)| !known.is_suspect(&request.mailbox));
    let (numbers, mut requests): (Vec<usize>, Vec<MailboxRequest>) = hopeful.unzip();
    // One folder alone is asked as fast by the work on it.
    if requests.len() < 2 || known.is_sequential() {
        return Ok(answered);
    }
    let mut was_tried = false;
    connections::with_reconnect(shared, connections, async |connections| {
        if std::mem::replace(&mut was_tried, true) {
            return Ok(());
        }
        let session = connections.on(side);
        let outcome = session.imap.request_all(&mut requests, |at, data| {
            if let Some(&number) = numbers.get(at) {
                take(number, data);
            }
        });
        let outcome = outcome.await;
        session.fetched(outcome)
    })
    .await?;
    for (number, request) in numbers.into_iter().zip(requests) {
        if let (Some(answered), Outcome::Answered(selected)) = (answered.get_mut(number), request.outcome) {
            *answered = Some(selected);
        }
    }
    Ok(answered)
}
