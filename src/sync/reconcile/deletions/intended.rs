// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run is about to delete locally is recorded before, so that the next one knows what a cut-off run did.

use super::gate;
use crate::imap::{Mailbox, UidSet};
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::open;
use crate::sync::state::{Flag, FolderState};

/// Records what is about to be deleted locally.
pub(super) fn intend(shared: &Shared, id: i64, uids: &UidSet) -> FolderResult<()> {
    let mut state = shared.state.borrow_mut();
    state.intend_local_deletion(id, uids)?;
    Ok(state.sync()?)
}

/// What a run was about to delete locally when it was cut off: what is gone is no one's wish, and comes again when the source
/// has it again; what is there loses our mark, and is looked at again.
pub async fn settle_intended(
    shared: &Shared,
    mailbox: &Mailbox,
    folder: &FolderState,
    local: &mut SideSession,
) -> FolderResult<()> {
    let intended = shared.state.borrow().intended_local_deletions(folder.id)?;
    if intended.is_empty() || shared.job.dry {
        return Ok(());
    }
    open::open(local, mailbox, folder, true).await?;
    let present = local.search_among(&intended).await?;
    gate::take_back_marks(local, &present).await?;
    let mut state = shared.state.borrow_mut();
    let gone = intended.minus(&present);
    if !gone.is_empty() {
        // Unless its owner filed it at that very moment: what is new elsewhere may be that.
        state.set(Flag::NewMayBeOlder, true)?;
    }
    state.forget_copies(folder.id, &gone)?;
    Ok(state.local_deletion_done(folder.id)?)
}
