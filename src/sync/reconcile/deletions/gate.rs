// SPDX-License-Identifier: GPL-3.0-or-later
//! The only place that marks a message `\Deleted`, expunges, or deletes a folder, on either side. Its functions take
//! proofs: values that only the checks of [`super`] can make. [`many`]: many folders together.

pub mod many;

use std::collections::HashMap;

use crate::imap::{Command, Mailbox, Selected, Session, StatusLine, UidSet};
use crate::sync::account::{Failure, Side};
use crate::sync::job::Shared;
use crate::sync::message_key::{Digest, MessageKey};
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::deletions::different_mailboxes::{DifferentMailboxes, Marker};
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::headers::Seen;
use crate::sync::state::{LocalOnly, MarkedSide, SecondCopy};

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

/// Local messages that are octet for octet what was sent twice: of a pair the one that came first stays, so that no two
/// programs remove both.
#[derive(Default)]
pub struct LateCopies {
    uids: UidSet,
    copies: Vec<SecondCopy>,
    turned: UidSet,
}

impl LateCopies {
    /// Pairs each message that was sent again, by the local UID on record, with one of the messages that no one claims
    /// and that is the same, its date of arrival included: an APPEND that is sent again gives the same one, and what its
    /// owner puts there has one of its own. `filed`: those on record that the filters took elsewhere. `dates`: of those on
    /// record that are there, in seconds since 1970; 0 where the server tells none.
    pub fn among(
        unclaimed: &[LocalOnly],
        repeated: &[(u32, MessageKey)],
        filed: &UidSet,
        digests: &HashMap<u32, Digest>,
        dates: &HashMap<u32, i64>,
    ) -> Self {
        let mut found = Self::default();
        let mut taken = UidSet::default();
        for &(original, key) in repeated {
            let Some(digest) = digests.get(&original) else {
                continue;
            };
            let is_of_date = |date: i64| match dates.get(&original) {
                None | Some(0) => true,
                Some(&own) => date == own || date == 0,
            };
            let late = unclaimed.iter().find(|message| {
                message.key == key
                    && is_of_date(message.date)
                    && digests.get(&message.uid) == Some(digest)
                    && !taken.contains(message.uid)
            });
            let Some(&LocalOnly { uid: late, .. }) = late else {
                continue;
            };
            taken.insert(late);
            let (goes, stays) = match late < original && !filed.contains(original) {
                true => (original, late),
                false => (late, original),
            };
            if stays == late {
                found.turned.insert(late);
            }
            found.uids.insert(goes);
            found.copies.push(SecondCopy { goes, stays });
        }
        found
    }

    /// Each of them with the copy that stays.
    pub fn copies(&self) -> &[SecondCopy] {
        &self.copies
    }

    /// Copies that stay and were on no record, as the one on record came after them.
    pub fn turned(&self) -> &UidSet {
        &self.turned
    }
}

impl sealed::Sealed for LateCopies {}

impl Deletable for LateCopies {
    const SIDE: Side = Side::Local;

    fn uids(&self) -> &UidSet {
        &self.uids
    }
}

/// One of several local messages that are octet for octet the same.
struct EqualCopy {
    uid: u32,
    /// Whether this program brought it.
    is_own: bool,
    /// Whether it is marked `\Deleted`.
    is_marked: bool,
}

/// Local messages that are octet for octet what was there before them, and of which this program brought one.
#[derive(Default)]
pub struct SecondCopies {
    uids: UidSet,
    copies: Vec<SecondCopy>,
}

impl SecondCopies {
    /// Those of the copies that are too many: of equal messages as many stay as this program brought, those that came
    /// first. One that is marked `\Deleted` is no reason for another one to go that is not. `guessed`: own copies whose
    /// UID the server did not tell. Another one of theirs may be the own one, so that it goes, too; but no more go than
    /// this program brought.
    pub(super) fn among(
        own: &[Seen],
        others: &[Seen],
        guessed: &UidSet,
        digests: &HashMap<u32, Digest>,
    ) -> Self {
        let mut equal: HashMap<(MessageKey, Digest), Vec<EqualCopy>> = HashMap::new();
        for (seen, is_own) in own
            .iter()
            .map(|seen| (seen, true))
            .chain(others.iter().map(|seen| (seen, false)))
        {
            if let Some(digest) = digests.get(&seen.uid) {
                equal.entry((seen.key, *digest)).or_default().push(EqualCopy {
                    uid: seen.uid,
                    is_own,
                    is_marked: seen.flags.contains("\\Deleted"),
                });
            }
        }
        let mut found = Self::default();
        for mut copies in equal.into_values() {
            copies.sort_unstable_by_key(|copy| copy.uid);
            let (marked, unmarked): (Vec<_>, Vec<_>) = copies.into_iter().partition(|copy| copy.is_marked);
            found.among_alike(&unmarked, guessed);
            found.among_alike(&marked, guessed);
            found.marked_by_another(&unmarked, &marked, guessed);
        }
        found
    }

    /// The same among equal copies that are all marked, or all not.
    fn among_alike(&mut self, copies: &[EqualCopy], guessed: &UidSet) {
        let wanted = copies.iter().filter(|copy| copy.is_own).count();
        let (stay, rest) = copies.split_at(wanted);
        let of = |copies: &[EqualCopy], own: bool| -> Vec<u32> {
            let copies = copies.iter().filter(|copy| copy.is_own == own);
            copies.map(|copy| copy.uid).collect()
        };
        let (second, first) = (of(rest, true), of(stay, false));
        self.pair(second.into_iter().zip(first));
        let stay = of(stay, true);
        let guessed = stay.into_iter().filter(|&uid| guessed.contains(uid));
        self.pair(of(rest, false).into_iter().zip(guessed));
    }

    /// A message that another program had brought and marked at the source when this one fetched it came with that mark.
    /// Only where one was brought, as it is not known how many of the others stay.
    fn marked_by_another(&mut self, unmarked: &[EqualCopy], marked: &[EqualCopy], guessed: &UidSet) {
        let own = unmarked.iter().chain(marked).filter(|copy| copy.is_own);
        let (1, Some(first)) = (own.count(), unmarked.first()) else {
            return;
        };
        let may_go = |copy: &&EqualCopy| copy.is_own || (first.is_own && guessed.contains(first.uid));
        let mut later = marked.iter().filter(|copy| copy.uid > first.uid);
        if let Some(second) = later.find(may_go)
            && !self.uids.contains(second.uid)
        {
            self.pair([(second.uid, first.uid)].into_iter());
        }
    }

    /// Those of the own copies that another program's filters have filed in other folders.
    pub(super) fn filed(own: &HashMap<u32, Digest>, mut filed: Vec<Digest>) -> Self {
        let mut found = Self::default();
        for (&uid, digest) in own {
            if let Some(at) = filed.iter().position(|one| one == digest) {
                filed.swap_remove(at);
                found.pair([(uid, 0)].into_iter());
            }
        }
        found
    }

    fn pair(&mut self, copies: impl Iterator<Item = (u32, u32)>) {
        for (goes, stays) in copies {
            self.uids.insert(goes);
            self.copies.push(SecondCopy { goes, stays });
        }
    }

    /// Each of them with the copy that stays.
    pub fn copies(&self) -> &[SecondCopy] {
        &self.copies
    }
}

impl sealed::Sealed for SecondCopies {}

impl Deletable for SecondCopies {
    const SIDE: Side = Side::Local;

    fn uids(&self) -> &UidSet {
        &self.uids
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
    let (marked_side, validity) = (marked(session.side()), opened.uid_validity.unwrap_or(0));
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
    let side = marked(session.side());
    let lifted = shared.state.borrow().lifted_marks(side, mailbox, validity)?;
    session.store(&lifted, '+', DELETED).await?;
    Ok(shared.state.borrow().forget_lifted_marks(side, mailbox)?)
}

/// Gives back the marks of others that a run which was cut off had lifted.
pub async fn restore_lifted_marks(shared: &Shared, connections: &mut Connections) -> FolderResult<()> {
    for side in [Side::Remote, Side::Local] {
        let mailboxes = shared.state.borrow().mailboxes_with_lifted_marks(marked(side))?;
        for mailbox in mailboxes {
            let session = match side {
                Side::Remote => &mut connections.remote,
                Side::Local => &mut connections.local,
            };
            match session.imap.open(&mailbox, true).await {
                // The folder is no more.
                Err(crate::imap::Error::Command { .. }) => {
                    let state = shared.state.borrow();
                    state.forget_lifted_marks(marked(side), &mailbox)?;
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

fn marked(side: Side) -> MarkedSide {
    match side {
        Side::Remote => MarkedSide::Remote,
        Side::Local => MarkedSide::Local,
    }
}

fn expunge_commands(uids: &UidSet) -> Vec<Command> {
    let chunks = uids.chunks(usize::MAX);
    let texts = chunks.map(|chunk| chunk.to_string());
    texts
        .map(|text| Command::new("UID EXPUNGE").text(&text))
        .collect()
}
