// SPDX-License-Identifier: GPL-3.0-or-later
//! A STATUS that contradicts what is remembered, or says that there is nothing to do, is not believed until the mailbox
//! has been opened: RFC 3501, 6.3.10, lets it be out of date, and servers make use of that.

use std::collections::HashMap;

use crate::imap::{Mailbox, MailboxId, MailboxStatus, limits};
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::prepare;
use crate::sync::state::FolderState;

/// Opens what is in doubt, all of a side together, and corrects the status of both sides.
pub(super) async fn confirm(
    shared: &Shared,
    pairs: &mut [Pair],
    connections: &mut Connections,
) -> FolderResult<()> {
    let (mut doubtful_remote, mut doubtful_local) = (vec![], vec![]);
    for (at, pair) in pairs.iter().enumerate() {
        let known = shared.state.borrow().known_folder(&pair.remote)?;
        let known = known.filter(|folder| folder.local == pair.local || folder.local == pair.fallback);
        let is_settled = known
            .as_ref()
            .map_or(Ok(false), |folder| prepare::is_settled(shared, pair, folder))?;
        if !is_settled && is_doubtful(pair.source, known.as_ref().map(remote_side)) {
            doubtful_remote.push(at);
        }
        if pair
            .destination
            .is_some_and(|status| is_doubtful(status, known.as_ref().map(local_side)))
        {
            doubtful_local.push(at);
        }
    }
    let remote: Vec<&Mailbox> = doubtful_remote.iter().map(|&at| &pairs[at].remote).collect();
    let local: Vec<&Mailbox> = doubtful_local.iter().map(|&at| &pairs[at].local).collect();
    let (remote, local) = tokio::join!(
        connections.remote.examine_all(&remote),
        connections.local.examine_all(&local)
    );
    let (remote, local) = (remote?, local?);
    let remote: HashMap<_, _> = remote.into_iter().collect();
    let local: HashMap<_, _> = local.into_iter().collect();
    for at in doubtful_remote {
        let pair = &mut pairs[at];
        if let Some(&opened) = remote.get(&pair.remote) {
            pair.source = merged(opened, pair.source);
        }
    }
    for at in doubtful_local {
        let pair = &mut pairs[at];
        if let Some(&opened) = local.get(&pair.local) {
            pair.destination = pair.destination.map(|told| merged(opened, told));
        }
    }
    Ok(())
}

/// What is remembered of one side of a folder.
#[derive(Clone, Copy)]
struct Known {
    validity: u32,
    next: u32,
    messages: u64,
    id: Option<MailboxId>,
}

fn remote_side(folder: &FolderState) -> Known {
    Known {
        validity: folder.remote_validity,
        next: folder.remote_high,
        messages: folder.remote_messages,
        id: folder.remote_id,
    }
}

fn local_side(folder: &FolderState) -> Known {
    Known {
        validity: folder.local_validity,
        next: folder.local_high,
        // Its owner may have emptied it; what is there is told by its UIDs.
        messages: 0,
        id: folder.local_id,
    }
}

fn is_doubtful(told: MailboxStatus, known: Option<Known>) -> bool {
    if !told.is_valid() {
        // It was opened already, or cannot be.
        return false;
    }
    if told.messages.is_some_and(|messages| messages > limits::MESSAGES) {
        return true;
    }
    let Some(known) = known.filter(|known| known.validity != 0) else {
        return told.messages == Some(0);
    };
    told.uid_validity != Some(known.validity)
        || !MailboxId::may_be_same(known.id, told.id)
        // Within one UIDVALIDITY it never goes back (RFC 3501, 2.3.1.1).
        || told.uid_next.is_some_and(|next| next < known.next)
        || (told.messages == Some(0) && known.messages > 0)
}

/// What the opened mailbox showed, and what only STATUS tells.
fn merged(opened: MailboxStatus, told: MailboxStatus) -> MailboxStatus {
    MailboxStatus {
        messages: opened.messages,
        uid_next: opened.uid_next.or(told.uid_next),
        uid_validity: opened.uid_validity.or(told.uid_validity),
        highest_modseq: opened.highest_modseq,
        size: told.size.filter(|_| opened.messages == told.messages),
        id: opened.id.or(told.id),
        has_wrong_id: told.has_wrong_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(validity: u32, next: u32, messages: u64) -> MailboxStatus {
        MailboxStatus {
            messages: Some(messages),
            uid_next: Some(next),
            uid_validity: Some(validity),
            ..MailboxStatus::default()
        }
    }

    #[test]
    fn what_contradicts_the_record_is_in_doubt() {
        let known = Some(Known {
            validity: 7,
            next: 51,
            messages: 50,
            id: None,
        });
        assert!(!is_doubtful(told(7, 51, 50), known));
        assert!(!is_doubtful(told(7, 60, 12), known));
        assert!(is_doubtful(told(8, 51, 50), known), "another UIDVALIDITY");
        assert!(is_doubtful(told(7, 1, 50), known), "UIDs that go back");
        assert!(is_doubtful(told(7, 51, 0), known), "suddenly empty");
    }

    #[test]
    fn an_unknown_folder_is_not_believed_to_be_empty() {
        assert!(is_doubtful(told(7, 1, 0), None));
        assert!(!is_doubtful(told(7, 2, 1), None));
    }
}
