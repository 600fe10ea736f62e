// SPDX-License-Identifier: GPL-3.0-or-later
//! Folders that a server lists under several spellings of one name.

use crate::imap::{Error, Mailbox, UidSet};
use crate::sync::folder_mapping;
use crate::sync::message_key::MessageKey;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::headers::{self, Detail};

/// How many of the youngest messages are compared.
const SAMPLE: u64 = 20;

/// What tells a folder from others: its UIDs, and the keys of its youngest messages.
#[derive(PartialEq, Eq)]
struct Content {
    uids: UidSet,
    youngest: Vec<(u32, MessageKey)>,
}

/// Leaves out other spellings of a folder. Names and numbers alone do not show that two are one: what they hold does.
pub(super) async fn merge(session: &mut SideSession, side: &mut folder_mapping::Side) -> FolderResult<()> {
    for (first, second) in side.alike() {
        let one = content(session, &first).await?;
        if one.is_some() && one == content(session, &second).await? {
            side.forget(&second);
        }
    }
    Ok(())
}

/// What a folder holds; `None` when it cannot be opened.
async fn content(session: &mut SideSession, mailbox: &Mailbox) -> FolderResult<Option<Content>> {
    let opened = session.imap.open_and_search(mailbox, false, ["ALL"]).await;
    if let Err(Error::Command { .. }) = opened {
        return Ok(None);
    }
    let (_, uids) = session.fetched(opened)?;
    let older = usize::try_from(uids.len().saturating_sub(SAMPLE)).unwrap_or(usize::MAX);
    let youngest: UidSet = uids.iter().skip(older).collect();
    let seen = headers::read(session, &youngest, Detail::Key).await?;
    Ok(Some(Content {
        uids,
        youngest: seen.iter().map(|one| (one.uid, one.key)).collect(),
    }))
}
