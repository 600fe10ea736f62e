// SPDX-License-Identifier: GPL-3.0-or-later
//! One folder made ready: created if need be, checked against what is remembered, compared.

use std::cell::Cell;
use std::collections::HashSet;

use crate::imap::{Capability, Command, Error, Mailbox, MailboxStatus, Session, Untagged, limits};
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::compare::{self, Comparison};
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::deletions::{self, incomplete, second_copies};
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::reconcile::narrow;
use crate::sync::side::Side;
use crate::sync::state::{Flag, FolderState, LedgerError};

/// Makes the local folder if need be and compares; `None` when there is nothing to do.
///
/// It may be done again after a connection was lost.
pub async fn prepare(
    shared: &Shared,
    index: usize,
    mut pair: Pair,
    connections: &mut Connections,
) -> FolderResult<Option<(FolderSync, Comparison)>> {
    known_sides(&mut pair, connections).await?;
    let known = shared.state.borrow().known_folder(&pair.remote)?;
    let was_known = known.is_some();
    let known = known.filter(|folder| folder.local == pair.local || folder.local == pair.fallback);
    let mut removed = None;
    match (&known, pair.destination) {
        (Some(folder), Some(status)) => {
            if shared.state.borrow().is_deleting(folder.id)? {
                // The source has it again: should it be missing one day, that is its owner's doing.
                shared.state.borrow().set_deleting(folder.id, false)?;
            }
            // Of one that was being made when a run was cut off, nothing is known.
            let same_local = folder.local_validity == 0 || folder.is_same_local(status);
            let same_remote = folder.is_same_remote(pair.source) && means_the_same(shared, &pair.remote);
            if !same_local && same_remote && was_renamed(shared, folder) {
                // Its owner gave it another name and made a new one: what was delivered is there.
                shared.state.borrow().forget_local_uids(folder.id)?;
            } else if !same_local || !same_remote {
                forget_generation(shared, &pair, folder, (same_local, same_remote))?;
            } else if is_settled(shared, &pair, folder)? {
                if shared.job.delete_local && !pair.joined {
                    let withheld = shared.state.borrow().count_withheld(folder.id)?;
                    deletions::report_older(shared, pair.remote.name(), withheld);
                }
                shared
                    .reporter
                    .borrow_mut()
                    .skipped(index, pair.source.messages.unwrap_or(0));
                return Ok(None);
            } else if has_unexplained(shared, &pair, folder)? {
                forget_generation(shared, &pair, folder, (true, false))?;
            }
        }
        (Some(folder), None)
            if shared.mailbox_replaced.get() || shared.state.borrow().is_deleting(folder.id)? =>
        {
            // It is missing because the whole mailbox is another one, or because this program deleted it.
            shared.state.borrow_mut().forget_local_generation(folder.id)?;
            shared.state.borrow().set_deleting(folder.id, false)?;
        }
        (Some(folder), None) if folder.local_validity != 0 => {
            // Its owner removed it. It comes back only for mail that is new.
            let same_remote = folder.is_same_remote(pair.source)
                && means_the_same(shared, &pair.remote)
                && !has_unexplained(shared, &pair, folder)?;
            if same_remote
                && pair
                    .source
                    .uid_next
                    .is_some_and(|next| next <= folder.remote_next)
            {
                return Ok(None);
            }
            if same_remote {
                removed = Some(Removed {
                    folder: folder.clone(),
                    was_renamed: was_renamed(shared, folder),
                });
            } else {
                shared.state.borrow_mut().forget_remote_generation(folder.id)?;
            }
        }
        (Some(folder), None)
            if folder.remote_validity != 0
                && !(folder.is_same_remote(pair.source) && means_the_same(shared, &pair.remote)) =>
        {
            shared.state.borrow_mut().forget_remote_generation(folder.id)?;
        }
        _ => {}
    }
    if let Some(removed) = removed {
        removed.settle(shared, &mut pair, &mut connections.local).await?;
    }
    if pair.destination.is_none() && !shared.job.dry {
        create(shared, &mut pair, connections).await?;
    }
    let mut folder = shared.state.borrow_mut().folder(&pair.remote, &pair.local)?;
    folder.remote_validity = pair.source.uid_validity.unwrap_or(0);
    folder.local_validity = pair
        .destination
        .and_then(|status| status.uid_validity)
        .unwrap_or(0);
    folder.remote_id = pair.source.id.or(folder.remote_id);
    folder.local_id = pair.destination.and_then(|status| status.id).or(folder.local_id);
    folder.remote_high = pair.source.uid_next.unwrap_or(1).max(folder.remote_high);
    let local_next = pair.destination.and_then(|status| status.uid_next);
    folder.local_high = local_next.unwrap_or(1).max(folder.local_high);
    if folder.baseline == 0 {
        // A folder that is new on both sides has no mail that could have gone elsewhere.
        if was_known || pair.destination.is_some_and(|status| status.uid_next != Some(1)) {
            shared.state.borrow().set(Flag::NewMayBeOlder, true)?;
        }
        // What is local now is older than the ledger; what a server does not number may be.
        folder.baseline = local_next.unwrap_or(u32::MAX);
    }
    folder.fingerprint.clear();
    shared.state.borrow().save_folder(&folder)?;
    deletions::settle_intended(shared, &pair.local, &folder, &mut connections.local).await?;
    second_copies::resume(shared, &pair, &folder, &mut connections.local).await?;
    narrow::reopen(shared, &pair, &folder, &mut connections.remote).await?;
    incomplete::look_again(shared, &pair, &folder, &mut connections.remote).await?;
    let comparison = compare::compare(
        shared,
        &pair,
        &folder,
        &mut connections.remote,
        &mut connections.local,
    )
    .await?;
    let comparison = narrow::narrow(shared, &pair, &folder, comparison, &mut connections.remote).await?;
    let own_marks = shared.state.borrow().own_marks(&pair.remote)?;
    let sync = FolderSync {
        own_marks,
        flags_pending: Cell::new(comparison.has_new_flags),
        ..FolderSync::new(index, pair, folder)
    };
    Ok(Some((sync, comparison)))
}

/// A local folder that is not listed any more.
struct Removed {
    folder: FolderState,
    was_renamed: bool,
}

impl Removed {
    /// Records what its owner did, before it is made again. A server may have left it out of its list: then it is the same with
    /// all that is known of it.
    async fn settle(self, shared: &Shared, pair: &mut Pair, local: &mut SideSession) -> FolderResult<()> {
        let Self { folder, was_renamed } = self;
        if !shared.job.dry {
            match status(&mut local.imap, &folder.local).await {
                Err(Error::Command { .. }) => {}
                told => {
                    let told = local.fetched(told)?;
                    if told.is_valid() {
                        pair.local = folder.local.clone();
                        pair.destination = Some(told);
                    }
                }
            }
        }
        let is_back = pair.destination.is_some_and(|now| {
            now.uid_validity == Some(folder.local_validity)
                && now.uid_next.is_some_and(|next| next >= folder.local_next)
        });
        if is_back {
            return Ok(());
        }
        match was_renamed {
            true => shared.state.borrow().forget_local_uids(folder.id)?,
            false => shared.state.borrow_mut().forget_local_folder(folder.id)?,
        }
        Ok(())
    }
}

/// Whether nothing has changed since the last run found everything done.
///
/// # Errors
/// When the ledger cannot be read.
pub fn is_settled(shared: &Shared, pair: &Pair, folder: &FolderState) -> Result<bool, LedgerError> {
    let is_same = !folder.fingerprint.is_empty()
        && folder.fingerprint == sync_fingerprint(shared, pair, pair.source, pair.destination);
    let state = shared.state.borrow();
    let may_be_all_that_is_left = shared.elsewhere.has_lost() && !state.left_out(folder.id)?.is_empty();
    Ok(is_same && !may_be_all_that_is_left && !state.awaits_late_copies(folder.id)?)
}

/// Whether the youngest messages of a remote folder are not known to be others than before.
fn means_the_same(shared: &Shared, mailbox: &Mailbox) -> bool {
    !shared.renumbered.borrow().contains(mailbox)
}

/// Whether the remote folder has messages under UIDs that were dealt with and that nothing is on record of: it was restored
/// from a backup, and gave UIDs for a second time.
fn has_unexplained(shared: &Shared, pair: &Pair, folder: &FolderState) -> Result<bool, LedgerError> {
    let (Some(messages), Some(next)) = (pair.source.messages, pair.source.uid_next) else {
        return Ok(false);
    };
    Ok(!shared.job.inbox_only()
        && folder.remote_next > 1
        && next <= folder.remote_next
        && messages > shared.state.borrow().count(folder.id)?)
}

/// Whether the local folder that was filled is there under another name.
fn was_renamed(shared: &Shared, folder: &FolderState) -> bool {
    let others = shared.local_folders.borrow();
    let mut same = others
        .iter()
        .filter(|(mailbox, status)| *mailbox != folder.local && folder.is_same_local(*status));
    // Where all folders have one UIDVALIDITY it tells nothing.
    folder.local_validity != 0 && same.next().is_some() && same.next().is_none()
}

/// What is known of a folder's UIDs does not hold on a side that shows another generation.
fn forget_generation(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    (same_local, same_remote): (bool, bool),
) -> Result<(), LedgerError> {
    if folder.remote_validity != 0 {
        let side = if same_local { Side::Remote } else { Side::Local };
        let folder = pair.remote.name();
        let event = Event::FolderReplaced { side, folder };
        shared.reporter.borrow_mut().tell(&event);
        if same_local && pair.remote.is_inbox() {
            shared.source_replaced.set(true);
            // Should this run be cut off, the next one finds the inbox as it is now.
            shared.state.borrow().set(Flag::SourceReplaced, true)?;
        }
    }
    let mut state = shared.state.borrow_mut();
    if same_local {
        state.forget_remote_generation(folder.id)
    } else {
        state.forget_local_generation(folder.id)?;
        match same_remote {
            true => Ok(()),
            false => state.forget_all_lost_copies(folder.id),
        }
    }
}

/// All that decides whether a folder has to be looked at again.
pub fn sync_fingerprint(
    shared: &Shared,
    pair: &Pair,
    source: MailboxStatus,
    destination: Option<MailboxStatus>,
) -> String {
    // Without modification sequences a change of flags shows nowhere in the status.
    if source.highest_modseq.is_none() && !shared.job.inbox_only() {
        return String::new();
    }
    let (Some(next), Some(messages)) = (source.uid_next, source.messages) else {
        return String::new();
    };
    let modseq = source.highest_modseq.unwrap_or(0);
    if shared.job.inbox_only() && modseq == 0 && messages > 0 {
        return String::new();
    }
    // What is added locally matters only where it would be deleted.
    let local = if shared.job.delete_local && !pair.joined {
        destination.map_or(String::new(), |d| {
            format!("{} {}", d.messages.unwrap_or(0), d.uid_next.unwrap_or(0))
        })
    } else {
        String::new()
    };
    shared
        .job
        .sync_fingerprint(&format!("{next} {messages} {modseq} {local}"))
}

/// What is remembered of a folder is not given up because the server does not tell its state just now.
async fn known_sides(pair: &mut Pair, connections: &mut Connections) -> FolderResult<()> {
    if pair.source.uid_validity.is_none() {
        pair.source = look(&mut connections.remote, &pair.remote).await?;
    }
    if let Some(status) = pair.destination
        && status.uid_validity.is_none()
    {
        pair.destination = Some(look(&mut connections.local, &pair.local).await?);
    }
    check_extent(Side::Remote, pair.source)?;
    check_extent(Side::Local, pair.destination.unwrap_or_default())
}

/// The state of a folder as opening it shows.
async fn look(session: &mut SideSession, mailbox: &Mailbox) -> FolderResult<MailboxStatus> {
    let opened = session.imap.open(mailbox, false).await;
    if matches!(&opened, Err(error) if error.is_loss()) {
        session.workarounds().lost_at(mailbox);
    }
    Ok(session.opened(opened)?.into())
}

/// A folder of more messages than there can be is not gone through.
fn check_extent(side: Side, status: MailboxStatus) -> FolderResult<()> {
    match status.messages {
        Some(messages) if messages > limits::MESSAGES => Err(FolderError::unusable(
            side,
            Exit::SelectErrors,
            format!(
                "the server claims {messages} messages, more than {}",
                limits::MESSAGES
            ),
        )),
        _ => Ok(()),
    }
}

async fn create(shared: &Shared, pair: &mut Pair, connections: &mut Connections) -> FolderResult<()> {
    let local = &mut connections.local;
    let mut created = create_one(local, &pair.local).await;
    if matches!(created, Err(Error::Command { .. })) && pair.fallback != pair.local {
        created = create_one(local, &pair.fallback).await;
        pair.local = pair.fallback.clone();
    }
    let status = local.created(created)?;
    shared
        .reporter
        .borrow_mut()
        .tell(&Event::FolderCreated { folder: &pair.local });
    if is_subscribed(shared, &pair.remote, &mut connections.remote).await? {
        let subscribe = Command::new("SUBSCRIBE").mailbox(&pair.local);
        let answer = connections.local.call(subscribe, |_| {}).await?;
        if !answer.is_ok() {
            shared.reporter.borrow_mut().tell(&Event::NotSubscribed {
                folder: &pair.local,
                answer: &answer,
            });
        }
    }
    pair.destination = Some(status);
    Ok(())
}

/// Whether a remote folder is subscribed; asked when the first folder is made, for all of them.
async fn is_subscribed(shared: &Shared, mailbox: &Mailbox, remote: &mut SideSession) -> FolderResult<bool> {
    if let Some(subscribed) = shared.subscribed.get() {
        return Ok(subscribed.contains(mailbox));
    }
    let told = remote.imap.subscriptions().await;
    let told: HashSet<Mailbox> = remote.fetched(told)?.into_iter().collect();
    Ok(shared.subscribed.get_or_init(|| told).contains(mailbox))
}

/// Makes a mailbox, and looks whether it is there under this very name: some servers make another one of a name that they
/// do not take, and say OK.
async fn create_one(session: &mut Session, mailbox: &Mailbox) -> crate::imap::Result<MailboxStatus> {
    let answer = session
        .call(Command::new("CREATE").mailbox(mailbox), |_| {})
        .await?;
    // Without RFC 5530 a refusal does not tell whether it exists: this program may have made it before the connection broke.
    match status(session, mailbox).await {
        Err(Error::Command { .. }) if !answer.is_ok() && !answer.has_code("ALREADYEXISTS") => {
            Err(Error::Command {
                command: "CREATE",
                answer,
            })
        }
        status => status,
    }
}

/// The status of one mailbox.
pub async fn status(session: &mut Session, mailbox: &Mailbox) -> crate::imap::Result<MailboxStatus> {
    let mut found = MailboxStatus::default();
    let items = match session.capabilities().has(Capability::ObjectId) {
        true => "(MESSAGES UIDNEXT UIDVALIDITY MAILBOXID)",
        false => "(MESSAGES UIDNEXT UIDVALIDITY)",
    };
    let command = Command::new("STATUS").mailbox(mailbox).text(items);
    session
        .run(command, |data| {
            if let Untagged::MailboxStatus(_, status) = data {
                found = status;
            }
        })
        .await?;
    Ok(found)
}
