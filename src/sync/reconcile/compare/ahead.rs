// SPDX-License-Identifier: GPL-3.0-or-later
//! Remote folders read ahead of their comparison, many in a few round trips: after a lost ledger every folder of both
//! sides has to be read.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::imap::{Mailbox, MailboxRequest, Selected, UidSet};
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::{Connections, requests};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::headers::{MessagesAhead, Seen};
use crate::sync::side::Side;
use crate::sync::state::LedgerError;

/// Messages that are held at most before their folders are compared. A folder of more is read alone: its size counts for
/// more than a round trip.
const MESSAGES: u64 = 10_000;

/// What opening a folder showed, the UIDs that it has, and what is seen of them.
type Read = (Selected, UidSet, Vec<Seen>);

/// What was read ahead, until it is compared.
#[derive(Default)]
pub struct ReadAhead(RefCell<HashMap<Mailbox, (UidSet, Read)>>);

impl ReadAhead {
    /// What was read of this range of a folder, once.
    pub fn take(&self, mailbox: &Mailbox, range: &UidSet) -> Option<Read> {
        let (asked, read) = self.0.borrow_mut().remove(mailbox)?;
        (asked == *range).then_some(read)
    }
}

/// Reads the first of these folders, as many as may be held at once; gives how many of them need no further look ahead.
pub async fn read(shared: &Shared, pairs: &[Pair], connections: &mut Connections) -> FolderResult<usize> {
    shared.ahead.0.borrow_mut().clear();
    let (mut asked, mut asking) = (vec![], vec![]);
    let (mut passed, mut held) = (0, 0);
    for pair in pairs {
        if let Some((range, messages)) = to_read(shared, pair)? {
            if held + messages > MESSAGES {
                break;
            }
            held += messages;
            let (ahead, questions) = MessagesAhead::ask(&connections.remote, range, messages);
            asked.push((pair, ahead));
            asking.push(MailboxRequest::to_read(&pair.remote, questions));
        }
        passed += 1;
    }
    let answered = requests::send_all(shared, connections, Side::Remote, asking, |at, data| {
        if let Some((_, ahead)) = asked.get_mut(at) {
            ahead.note(data);
        }
    })
    .await?;
    let mut known = shared.ahead.0.borrow_mut();
    for ((pair, ahead), selected) in asked.into_iter().zip(answered) {
        let range = ahead.range().clone();
        if let (Some(selected), Some((present, seen))) = (selected, ahead.outcome()) {
            known.insert(pair.remote.clone(), (range, (selected, present, seen)));
        }
    }
    // One of more than may be held comes alone.
    Ok(passed.max(1))
}

/// The range of UIDs that the comparison of a folder is going to read, and how many messages that may be; `None` where
/// it reads nothing, or not by a range, or too much.
fn to_read(shared: &Shared, pair: &Pair) -> Result<Option<(UidSet, u64)>, LedgerError> {
    let (Some(next), Some(messages), Some(local)) =
        (pair.source.uid_next, pair.source.messages, pair.destination)
    else {
        return Ok(None);
    };
    if shared.job.inbox_only() || messages == 0 {
        return Ok(None);
    }
    let known = shared.state.borrow().known_folder(&pair.remote)?;
    let (from, local_from) = known
        .as_ref()
        .map_or((1, 1), |folder| (folder.remote_next, folder.local_next));
    // The same conditions as those of the comparison; where they differ, what is read here is not used.
    if next <= from || local.uid_next.is_some_and(|next| next <= local_from) {
        return Ok(None);
    }
    if let Some(folder) = known {
        let state = shared.state.borrow();
        let range = UidSet::range(from..=next - 1);
        let is_plain = state.pending_uids(folder.id)?.is_empty();
        if !is_plain || !shared.poison.among(folder.id, &range).is_empty() {
            return Ok(None);
        }
    }
    let messages = messages.min(u64::from(next - from));
    Ok((messages <= MESSAGES).then(|| (UidSet::range(from..=next - 1), messages)))
}
