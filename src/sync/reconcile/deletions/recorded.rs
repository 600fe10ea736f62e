// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether local messages that are to go are those on record. No number tells of a restored backup in which as much mail has
//! come since as was lost.

use crate::imap::UidSet;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder;
use crate::sync::reconcile::headers::{self, Detail};

/// Whether messages of the open local folder have the keys on record. If not, it is told, and the next run compares.
pub(super) async fn are_recorded(
    shared: &Shared,
    id: i64,
    name: &str,
    uids: &UidSet,
    local: &mut SideSession,
) -> FolderResult<bool> {
    if uids.is_empty() {
        return Ok(true);
    }
    let recorded = shared.state.borrow().keys_locally(id, uids)?;
    let seen = headers::read(local, uids, Detail::Key).await?;
    let is_another = |uid: &u32, key| recorded.get(uid).is_some_and(|recorded| *recorded != key);
    if !seen.iter().any(|message| is_another(&message.uid, message.key)) {
        return Ok(true);
    }
    let reason = "host2: the UIDs name other messages than before, as after a restored backup: nothing is deleted, the next run \
                  compares both sides";
    let mut reporter = shared.reporter.borrow_mut();
    reporter.problem(name, Exit::WithErrors, reason);
    drop(reporter);
    folder::local_taken_back(shared)?;
    Ok(false)
}
