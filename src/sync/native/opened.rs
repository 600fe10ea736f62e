// SPDX-License-Identifier: GPL-3.0-or-later
//! Opening a folder, and making sure that it is still the one whose UIDs are known.

use super::belt::Place;
use super::trouble::{Trouble, Troubled};
use crate::imap::{Mailbox, Selected, Session};
use crate::sync::account::Side;
use crate::sync::state::FolderState;

/// Opens a remote folder.
pub async fn remote(
    session: &mut Session,
    mailbox: &Mailbox,
    folder: &FolderState,
    write: bool,
) -> Troubled<Selected> {
    open(session, Side::Remote, mailbox, folder.remote_validity, write).await
}

/// Opens a local folder.
pub async fn local(
    session: &mut Session,
    mailbox: &Mailbox,
    folder: &FolderState,
    write: bool,
) -> Troubled<Selected> {
    open(session, Side::Local, mailbox, folder.local_validity, write).await
}

impl Place {
    /// Opens the remote folder.
    pub async fn open_remote(&self, session: &mut Session, write: bool) -> Troubled<Selected> {
        remote(session, &self.pair.remote, &self.folder, write).await
    }

    /// Opens the local folder.
    pub async fn open_local(&self, session: &mut Session, write: bool) -> Troubled<Selected> {
        local(session, &self.pair.local, &self.folder, write).await
    }
}

async fn open(
    session: &mut Session,
    side: Side,
    mailbox: &Mailbox,
    validity: u32,
    write: bool,
) -> Troubled<Selected> {
    let selected = session.open(mailbox, write).await;
    let selected = selected.map_err(|error| Trouble::select(side, error))?;
    match selected.uid_validity {
        Some(now) if validity != 0 && now != validity => Err(Trouble::Replaced(side)),
        _ => Ok(selected),
    }
}
