// SPDX-License-Identifier: GPL-3.0-or-later
//! The only place that marks a message `\Deleted`, expunges, or deletes a folder, on either side. Its functions take
//! proofs: values that only the checks of [`super`] can make. [`copies`]: proofs about copies that are one too many ·
//! [`many`]: many folders together.

mod copies;
pub mod many;

use crate::imap::{Command, Mailbox, Selected, Session, StatusLine, UidSet};
use crate::sync::account::Failure;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::deletions::different_mailboxes::{DifferentMailboxes, Marker};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::side::Side;

pub use copies::{LateCopies, SecondCopies};
pub use many::delete_in_all;

const DELETED: &str = "\\Deleted";

mod sealed {
    /// Proofs are made in this module alone.
    pub trait Sealed {}
}

/// A proof that messages of one side may be deleted.
pub trait Deletable: sealed::Sealed {
    /// The side that they are on.
    const SIDE: Side;

    /// The messages.
    fn uids(&self) -> &UidSet;
}

/// Remote messages that are what was delivered, and whose local copies are alive, or were removed by their owner.
pub struct RemoteDeletable(UidSet);

impl RemoteDeletable {
    /// Messages that passed all checks, on a side that is not the local mailbox.
    pub(super) fn new(checked: UidSet, _different: DifferentMailboxes) -> Self {
        Self(checked)
    }
}

impl sealed::Sealed for RemoteDeletable {}

impl Deletable for RemoteDeletable {
    const SIDE: Side = Side::Remote;

    fn uids(&self) -> &UidSet {
        &self.0
    }
}

/// Local messages that this account brought or that came after its first run, that are gone on the remote side, and
/// that no guard holds back.
pub struct LocalDeletable(UidSet);

impl LocalDeletable {
    /// Messages that passed all checks and guards.
    pub(super) fn new(checked: UidSet) -> Self {
        Self(checked)
    }
}

impl sealed::Sealed for LocalDeletable {}

impl Deletable for LocalDeletable {
    const SIDE: Side = Side::Local;

    fn uids(&self) -> &UidSet {
        &self.0
    }
}

/// A local folder that this account filled, that was missing remotely in two successive runs, and that is empty now.
pub struct EmptyFolder<'a>(&'a Mailbox);

impl<'a> EmptyFolder<'a> {
    /// A folder in which nothing is left.
    pub(super) fn new(mailbox: &'a Mailbox, opened: Selected) -> Option<Self> {
        (opened.messages == 0).then_some(Self(mailbox))
    }
}

/// Messages that went through the user's Sieve filters; what these filed elsewhere is marked by the server.
pub struct Filtered(UidSet);

impl Filtered {
    /// Messages whose FILTER command was answered.
    pub(in crate::sync::reconcile) fn new(answered: UidSet) -> Self {
        Self(answered)
    }

    /// The messages.
    pub fn uids(&self) -> &UidSet {
        &self.0
    }
}

/// Deletes messages in the open folder of the side that the proof is about; gives those that the server kept.
pub async fn delete<P: Deletable>(
    shared: &Shared,
    mailbox: &Mailbox,
    opened: Selected,
    session: &mut SideSession,
    proof: &P,
) -> FolderResult<UidSet> {
    if session.side() != P::SIDE {
        return Err(Failure::local("what may be deleted on one side was to be deleted on the other").into());
    }
    let uids = proof.uids();
    if uids.is_empty() {
        return Ok(UidSet::default());
    }
    if session.expunges_some() {
        let mut commands = Session::store_commands(uids, '+', DELETED);
        commands.extend(expunge_commands(uids));
        session.run_all(commands, |_| {}).await?;
    } else {
        session.store(uids, '+', DELETED).await?;
        expunge(shared, mailbox, opened, session, uids).await?;
    }
    // Not along with the commands above: Dovecot 2.3 then still finds what it is about to expunge. What is read-only, or
    // without the right to delete, a server may keep without a word ("OK Store ignored").
    session.search_among(uids).await
}

/// Removes what the Sieve filters filed elsewhere from the open local inbox.
pub async fn expunge_filtered(
    shared: &Shared,
    mailbox: &Mailbox,
    opened: Selected,
    local: &mut SideSession,
    proof: &Filtered,
) -> FolderResult<()> {
    expunge(shared, mailbox, opened, local, &proof.0).await
}

/// Deletes an empty local folder. It must not be open.
pub async fn delete_folder(local: &mut SideSession, proof: EmptyFolder<'_>) -> FolderResult<()> {
    // Some servers delete no folder that is open; one that was opened to be read is closed without an EXPUNGE.
    local.run(Command::new("CLOSE"), |_| {}).await?;
    let delete = Command::new("DELETE").mailbox(proof.0);
    local.run(delete, |_| {}).await?;
    let unsubscribe = Command::new("UNSUBSCRIBE").mailbox(proof.0);
    local.call(unsubscribe, |_| {}).await?;
    Ok(())
}

/// Deletes the folder that was made to tell the two mailboxes apart; gives what the server says to that.
pub(super) async fn delete_marker(local: &mut SideSession, marker: &Marker) -> FolderResult<StatusLine> {
    let delete = Command::new("DELETE").mailbox(marker.mailbox());
    local.call(delete, |_| {}).await
}

/// Takes back marks that were ours and whose messages are no longer to be deleted.
pub async fn take_back_marks(session: &mut SideSession, uids: &UidSet) -> FolderResult<()> {
    session.store(uids, '-', DELETED).await
}

/// Removes messages that are marked: only these where the server can (RFC 4315). Elsewhere an EXPUNGE takes whatever is
/// marked; what others marked is spared by lifting their marks meanwhile, which is recorded before.
async fn expunge(
    shared: &Shared,
    mailbox: &Mailbox,
    opened: Selected,
    session: &mut SideSession,
    uids: &UidSet,
) -> FolderResult<()> {
    if session.expunges_some() {
        return session.run_all(expunge_commands(uids), |_| {}).await;
    }
    let (marked_side, validity) = (session.side(), opened.uid_validity.unwrap_or(0));
    let others = session.search("DELETED").await?.minus(uids);
    {
        let mut state = shared.state.borrow_mut();
        state.lift_marks(marked_side, mailbox, validity, &others)?;
        state.sync()?;
    }
    session.store(&others, '-', DELETED).await?;
    // A server may answer OK to a STORE and ignore it.
    let are_spared = others.is_empty() || session.search("DELETED").await?.minus(uids).is_empty();
    let expunged = match are_spared {
        true => session.run(Command::new("EXPUNGE"), |_| {}).await.map(drop),
        false => Ok(()),
    };
    restore_marks(shared, mailbox, validity, session).await?;
    expunged
}

async fn restore_marks(
    shared: &Shared,
    mailbox: &Mailbox,
    validity: u32,
    session: &mut SideSession,
) -> FolderResult<()> {
    let side = session.side();
    let lifted = shared.state.borrow().lifted_marks(side, mailbox, validity)?;
    session.store(&lifted, '+', DELETED).await?;
    Ok(shared.state.borrow().forget_lifted_marks(side, mailbox)?)
}

/// Gives back the marks of others that a run which was cut off had lifted.
pub async fn restore_lifted_marks(shared: &Shared, connections: &mut Connections) -> FolderResult<()> {
    for side in [Side::Remote, Side::Local] {
        let mailboxes = shared.state.borrow().mailboxes_with_lifted_marks(side)?;
        for mailbox in mailboxes {
            let session = match side {
                Side::Remote => &mut connections.remote,
                Side::Local => &mut connections.local,
            };
            match session.imap.open(&mailbox, true).await {
                // The folder is no more.
                Err(crate::imap::Error::Command { .. }) => {
                    let state = shared.state.borrow();
                    state.forget_lifted_marks(side, &mailbox)?;
                }
                opened => {
                    let validity = session.opened(opened)?.uid_validity.unwrap_or(0);
                    restore_marks(shared, &mailbox, validity, session).await?;
                }
            }
        }
    }
    Ok(())
}

fn expunge_commands(uids: &UidSet) -> Vec<Command> {
    let chunks = uids.chunks(usize::MAX);
    let texts = chunks.map(|chunk| chunk.to_string());
    texts
        .map(|text| Command::new("UID EXPUNGE").text(&text))
        .collect()
}
