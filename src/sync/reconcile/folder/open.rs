// SPDX-License-Identifier: GPL-3.0-or-later
//! Opening a folder, and making sure that it is still the one whose UIDs are known.

use crate::imap::{Mailbox, Selected, Session, UidSet};
use crate::sync::account::Side;
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::state::FolderState;

/// Opens a remote folder.
pub async fn remote(
    session: &mut Session,
    mailbox: &Mailbox,
    folder: &FolderState,
    write: bool,
) -> FolderResult<Selected> {
    open(session, Side::Remote, mailbox, folder, write).await
}

/// Opens a local folder.
pub async fn local(
    session: &mut Session,
    mailbox: &Mailbox,
    folder: &FolderState,
    write: bool,
) -> FolderResult<Selected> {
    open(session, Side::Local, mailbox, folder, write).await
}

impl FolderSync {
    /// Opens the remote folder.
    pub async fn open_remote(&self, session: &mut Session, write: bool) -> FolderResult<Selected> {
        remote(session, &self.pair.remote, &self.folder, write).await
    }

    /// Opens the local folder.
    pub async fn open_local(&self, session: &mut Session, write: bool) -> FolderResult<Selected> {
        local(session, &self.pair.local, &self.folder, write).await
    }

    /// Opens the remote folder and finds what matches there, in one round trip.
    pub async fn search_remote<T: AsRef<str>>(
        &self,
        session: &mut Session,
        write: bool,
        criteria: impl IntoIterator<Item = T>,
    ) -> FolderResult<(Selected, UidSet)> {
        search_remote(session, &self.pair.remote, &self.folder, write, criteria).await
    }
}

/// Opens a remote folder and finds what matches there, in one round trip.
pub async fn search_remote<T: AsRef<str>>(
    session: &mut Session,
    mailbox: &Mailbox,
    folder: &FolderState,
    write: bool,
    criteria: impl IntoIterator<Item = T>,
) -> FolderResult<(Selected, UidSet)> {
    let found = session.open_and_search(mailbox, write, criteria).await;
    let (selected, found) = found.map_err(|error| FolderError::fetch(Side::Remote, error))?;
    check(Side::Remote, selected, folder)?;
    Ok((selected, found))
}

async fn open(
    session: &mut Session,
    side: Side,
    mailbox: &Mailbox,
    folder: &FolderState,
    write: bool,
) -> FolderResult<Selected> {
    let selected = session.open(mailbox, write).await;
    let selected = selected.map_err(|error| FolderError::select(side, error))?;
    check(side, selected, folder)?;
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
