// SPDX-License-Identifier: GPL-3.0-or-later
//! At the end of a run that changed anything: whether what the ledger says is true. One round trip a side: the
//! numbers of all folders, and the youngest messages of those that mail was copied to. A contradiction is a problem,
//! and the next run compares.

use std::rc::Rc;

use crate::imap::{ListExtras, Mailbox, MailboxStatus, UidSet};
use crate::sync::account::Failure;
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::folder_mapping;
use crate::sync::job::Shared;
use crate::sync::message_key::MessageKey;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::{FolderError, FolderResult, contain};
use crate::sync::reconcile::folder::{self, FolderSync};
use crate::sync::reconcile::headers::{self, Detail};
use crate::sync::reconcile::listing::sample::Sample;
use crate::sync::reconcile::listing::{self, Listing};
use crate::sync::side::Side;
use crate::sync::state::{FolderState, LedgerError};

/// Folders whose youngest messages are looked at.
const FOLDERS: usize = 20;

/// Holds both sides against the ledger, if this run copied or deleted anything.
///
/// # Errors
/// When the run cannot go on.
pub async fn check(
    shared: &Shared,
    folders: &[Rc<FolderSync>],
    listing: &Listing,
    connections: &mut Connections,
) -> Result<(), Failure> {
    let did_anything = {
        let report = &shared.reporter.borrow().report;
        report.messages.copied + report.deleted_local + report.deleted_remote > 0
    };
    if !did_anything || shared.job.dry {
        return Ok(());
    }
    let worked = folders.iter().filter(|sync| !sync.broken.get());
    let mut syncs: Vec<&FolderSync> = worked.map(|sync| &**sync).collect();
    syncs.sort_by_key(|sync| std::cmp::Reverse(sync.copied.borrow().len()));
    syncs.truncate(FOLDERS);
    match look(shared, &syncs, listing, connections).await {
        // The mail is there; a server that breaks off at a look back does not make less of it.
        Err(FolderError::Imap { side, error, .. }) => {
            let event = Event::NotChecked { side, reason: &error };
            shared.reporter.borrow_mut().tell(&event);
            Ok(())
        }
        outcome => contain(shared, "", outcome).map(drop),
    }
}

async fn look(
    shared: &Shared,
    syncs: &[&FolderSync],
    listing: &Listing,
    connections: &mut Connections,
) -> FolderResult<()> {
    // As the run left them.
    let mut records = vec![];
    for sync in syncs {
        if let Some(record) = shared.state.borrow().known_folder(&sync.pair.remote)? {
            records.push((*sync, record));
        }
    }
    let known = || records.iter().map(|(sync, record)| (&sync.pair.remote, record));
    let mut remote_sample = Sample::of(shared, Side::Remote, known())?;
    let mut local_sample = Sample::of(shared, Side::Local, known())?;
    let (remote, local) = tokio::join!(
        listing::sampled_side(&mut connections.remote, ListExtras::Nothing, &mut remote_sample),
        listing::sampled_side(&mut connections.local, ListExtras::Nothing, &mut local_sample)
    );
    let (remote, local) = (remote?, local?);
    let messages = |side: &folder_mapping::Side| -> u64 {
        let own = side
            .folders
            .iter()
            .filter(|(listed, _)| side.is_own(&listed.mailbox));
        own.filter_map(|(_, status)| status.as_ref()?.messages).sum()
    };
    let expected = {
        let report = &shared.reporter.borrow().report;
        (messages(&listing.local) + report.messages.copied).saturating_sub(report.deleted_local)
    };
    // What its owner files at once is still there.
    let any_lost = messages(&local) < expected && !shared.job.sieve;
    for (listed, sample, session) in [
        (&remote, &remote_sample, &mut connections.remote),
        (&local, &local_sample, &mut connections.local),
    ] {
        let side = session.side();
        let status = |mailbox: &Mailbox| listed.status(mailbox);
        let others = sample.contradicted(status);
        for (sync, record) in &records {
            let mailbox = sync.mailbox(side);
            let now = match others.contains(mailbox) {
                true => Generation::TakenBack,
                false => generation(record, mailbox, status(mailbox), session).await?,
            };
            if now != Generation::Recorded {
                contradicted(shared, side, now, sync, record)?;
            } else if side == Side::Local && any_lost {
                report_lost(shared, sync, record, sample, (&listing.local, &local), session).await?;
            }
        }
    }
    Ok(())
}

/// What a folder is, measured by its record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Generation {
    /// The folder on record.
    Recorded,
    /// That folder as it was at an earlier moment: a backup came back.
    TakenBack,
    /// Another one, or none.
    Another,
}

/// What a folder is. A STATUS may be out of date: what it says against the record is looked at.
async fn generation(
    record: &FolderState,
    mailbox: &Mailbox,
    told: Option<MailboxStatus>,
    session: &mut SideSession,
) -> FolderResult<Generation> {
    let side = session.side();
    let is_same = |now: MailboxStatus| match side {
        Side::Remote => record.is_same_remote(now),
        Side::Local => record.is_same_local(now),
    };
    if told.is_some_and(is_same) {
        return Ok(Generation::Recorded);
    }
    let now: MailboxStatus = match session.imap.open(mailbox, false).await {
        Err(crate::imap::Error::Command { .. }) => return Ok(Generation::Another),
        opened => session.opened(opened)?.into(),
    };
    let validity = match side {
        Side::Remote => record.remote_validity,
        Side::Local => record.local_validity,
    };
    Ok(match (is_same(now), now.uid_validity == Some(validity)) {
        (true, _) => Generation::Recorded,
        (false, true) => Generation::TakenBack,
        (false, false) => Generation::Another,
    })
}

fn contradicted(
    shared: &Shared,
    side: Side,
    now: Generation,
    sync: &FolderSync,
    record: &FolderState,
) -> FolderResult<()> {
    let reason = format!(
        "self-check: {} does not show what the ledger says of this folder, which was replaced or restored during the \
         run: the next run compares both sides",
        side.in_words()
    );
    let mut reporter = shared.reporter.borrow_mut();
    reporter.problem(sync.pair.remote.name(), Exit::WithErrors, &reason);
    drop(reporter);
    match now {
        Generation::TakenBack => folder::taken_back(shared, sync, side)?,
        // Renamed, removed, or made anew: the next run tells it by the record.
        Generation::Another | Generation::Recorded => shared.state.borrow().unsettle(record.id)?,
    }
    Ok(())
}

/// Messages that this run delivered and that are not there, in a mailbox that lost some; but for what its owner filed at
/// once.
async fn report_lost(
    shared: &Shared,
    sync: &FolderSync,
    record: &FolderState,
    sample: &Sample,
    (before, now): (&folder_mapping::Side, &folder_mapping::Side),
    session: &mut SideSession,
) -> FolderResult<()> {
    let Some(first) = sync.pair.destination.and_then(|status| status.uid_next) else {
        return Ok(());
    };
    let lost = sample.unanswered(&sync.pair.local).from(first);
    if sync.copied.borrow().is_empty() || lost.is_empty() {
        return Ok(());
    }
    let came = came_elsewhere(shared, &sync.pair.local, before, now, session).await?;
    let lost = not_among(shared, record, &lost, came)?;
    if lost.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "self-check: messages {lost} of the local folder were delivered by this run and are not there: the next run copies \
         what of them the remote side still has"
    );
    let mut reporter = shared.reporter.borrow_mut();
    reporter.problem(sync.pair.remote.name(), Exit::WithErrors, &reason);
    Ok(shared.state.borrow_mut().deny_delivery(record.id, &lost)?)
}

/// The keys of messages that came to other local folders during the run, and that it did not bring.
async fn came_elsewhere(
    shared: &Shared,
    mailbox: &Mailbox,
    before: &folder_mapping::Side,
    now: &folder_mapping::Side,
    session: &mut SideSession,
) -> FolderResult<Vec<MessageKey>> {
    let mut came = vec![];
    let others = now
        .folders
        .iter()
        .filter(|(listed, _)| listed.mailbox != *mailbox);
    for (listed, status) in others {
        let at_start = before.status(&listed.mailbox).and_then(|status| status.uid_next);
        let from = at_start.unwrap_or(1);
        let next = status.and_then(|status| status.uid_next).unwrap_or(1);
        if next <= from || !now.is_own(&listed.mailbox) {
            continue;
        }
        match session.imap.open(&listed.mailbox, false).await {
            Err(crate::imap::Error::Command { .. }) => continue,
            opened => session.fetched(opened)?,
        };
        let mut own = UidSet::default();
        {
            let state = shared.state.borrow();
            for (_, folder) in state.folders()? {
                if folder.local == listed.mailbox {
                    own = own.union(&state.local_uids(folder.id, from)?);
                }
            }
        }
        let foreign = UidSet::range(from..=next - 1).minus(&own);
        let seen = headers::read(session, &foreign, Detail::Key).await?;
        came.extend(seen.iter().map(|message| message.key));
    }
    Ok(came)
}

/// Those of the messages that none of these can be.
fn not_among(
    shared: &Shared,
    record: &FolderState,
    lost: &UidSet,
    mut came: Vec<MessageKey>,
) -> Result<UidSet, LedgerError> {
    let first = lost.first().unwrap_or(1);
    let keys = shared.state.borrow().brought_from(record.id, first)?;
    let mut is_lost = |uid: &u32| match keys
        .get(uid)
        .and_then(|key| came.iter().position(|one| one == key))
    {
        Some(at) => {
            came.swap_remove(at);
            false
        }
        None => true,
    };
    Ok(lost.iter().filter(|uid| is_lost(uid)).collect())
}
