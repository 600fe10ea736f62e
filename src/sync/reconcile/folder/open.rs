// SPDX-License-Identifier: GPL-3.0-or-later
//! Opening a folder, and making sure that it is still the one whose UIDs are known.

use crate::imap::{Mailbox, Selected, UidSet};
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::side::Side;
use crate::sync::state::FolderState;

impl FolderSync {
    /// Its name on a side.
    pub fn mailbox(&self, side: Side) -> &Mailbox {
        match side {
            Side::Remote => &self.pair.remote,
            Side::Local => &self.pair.local,
        }
    }

    /// Opens the folder on the session's side.
    pub async fn open(&self, session: &mut SideSession, write: bool) -> FolderResult<Selected> {
        open(session, self.mailbox(session.side()), &self.folder, write).await
    }

    /// Opens the folder on the session's side and finds what matches there, in one round trip.
    pub async fn search<T: AsRef<str>>(
        &self,
        session: &mut SideSession,
        write: bool,
        criteria: impl IntoIterator<Item = T>,
    ) -> FolderResult<(Selected, UidSet)> {
        let mailbox = self.mailbox(session.side());
        search(session, mailbox, &self.folder, write, criteria).await
    }
}

/// Opens a folder on the session's side and finds what matches there, in one round trip.
pub async fn search<T: AsRef<str>>(
    session: &mut SideSession,
    mailbox: &Mailbox,
    folder: &FolderState,
    write: bool,
    criteria: impl IntoIterator<Item = T>,
) -> FolderResult<(Selected, UidSet)> {
    let (selected, found) = session.open_and_search(mailbox, write, criteria).await?;
    check(session.side(), selected, folder)?;
    Ok((selected, found))
}

/// Opens a folder on the session's side.
pub async fn open(
    session: &mut SideSession,
    mailbox: &Mailbox,
    folder: &FolderState,
    write: bool,
) -> FolderResult<Selected> {
    let selected = session.open(mailbox, write).await?;
    check(session.side(), selected, folder)?;
    Ok(selected)
}

/// Whether what was opened is of the generation whose UIDs are known.
pub fn check(side: Side, selected: Selected, folder: &FolderState) -> FolderResult<()> {
    let (validity, is_same) = match side {
        Side::Remote => (folder.remote_validity, folder.is_same_remote(selected.into())),
        Side::Local => (folder.local_validity, folder.is_same_local(selected.into())),
    };
    match selected.uid_validity {
        Some(_) if validity != 0 && !is_same => Err(FolderError::Replaced(side)),
        _ => Ok(()),
    }
}
