// SPDX-License-Identifier: GPL-3.0-or-later
//! What both sides have, at the start of a run.

mod confirm;
pub mod filed;
mod other_name;
mod renamed;
pub mod sample;
mod spellings;

use std::collections::{HashMap, HashSet};

use crate::imap::{ConnectionInfo, ListExtras, Mailbox, MailboxStatus};
use crate::sync::account::{Account, Failure};
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::folder_mapping::{self, Known, LeftOut, Pair, PatternHits, Provider};
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::look::Look;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::connections::{self, Connections};
use crate::sync::reconcile::error::{FolderError, FolderResult};
use crate::sync::reconcile::listing::sample::Sample;
use crate::sync::side::Side;
use crate::sync::state::{AccountFact, Flag, FolderState, Ledger, LedgerError, is_same_generation};

/// What both sides have.
pub struct Listing {
    /// The selected folders.
    pub pairs: Vec<Pair>,
    /// The remote side listed nothing.
    pub remote_empty: bool,
    /// The inboxes of both sides have the same UIDVALIDITY: they may be one.
    pub has_same_inbox: bool,
    /// A side listed folders in a way that cannot be read.
    pub is_incomplete: bool,
    /// The remote side lists a folder under several spellings of its name.
    pub has_spellings: bool,
    /// The local side as listed.
    pub local: folder_mapping::Side,
    /// All remote folders as listed.
    pub remote_names: HashSet<Mailbox>,
    /// Local names of all remote folders, left out or not.
    pub local_names: HashSet<String>,
    /// What each pattern of the task hits, for a look ahead.
    pub pattern_hits: Vec<PatternHits>,
}

/// Lists both sides at once.
pub async fn list(shared: &Shared, connections: &mut Connections) -> Result<Listing, Failure> {
    Ok(
        connections::with_reconnect(shared, connections, async |connections| {
            attempt(shared, connections).await
        })
        .await?,
    )
}

/// Where folders went in earlier runs.
pub fn known_folders(ledger: &Ledger) -> crate::sync::state::Result<Known> {
    let folders = ledger.folders()?.into_iter();
    Ok(folders.map(|(remote, folder)| (remote, folder.local)).collect())
}

async fn attempt(shared: &Shared, connections: &mut Connections) -> FolderResult<Listing> {
    // Asked once in a run: where a connection breaks at it, the list counts for more.
    let (mut remote_sample, mut local_sample) = match shared.sampled.replace(true) {
        true => Default::default(),
        false => (
            Sample::newest(shared, Side::Remote)?,
            Sample::newest(shared, Side::Local)?,
        ),
    };
    let (remote, local) = tokio::join!(
        sampled_side(&mut connections.remote, ListExtras::Nothing, &mut remote_sample),
        sampled_side(&mut connections.local, ListExtras::Nothing, &mut local_sample)
    );
    let (remote, local) = (remote?, local?);
    other_name::recognise(shared, &remote, &mut connections.remote).await?;
    renamed::follow(shared, &remote)?;
    let known = known_folders(&shared.state.borrow())?;
    let selection = &shared.job.selection;
    let mut pairs = folder_mapping::pair(&remote, &local, selection, &known);
    shared.elsewhere.set_order(&pairs);
    shared.elsewhere.note_losses(shared, &pairs)?;
    *shared.local_prefix.borrow_mut() = local.prefix();
    let statuses = local.folders.iter();
    let statuses = statuses.filter_map(|(listed, status)| Some((listed.mailbox.clone(), (*status)?)));
    *shared.local_folders.borrow_mut() = statuses.collect();
    confirm::confirm(shared, &mut pairs, connections).await?;
    note_renumbered_source(shared, &remote, remote_sample, &mut connections.remote).await?;
    note_replaced_source(shared, &remote)?;
    local_sample.settle_doubts(shared, &mut connections.local).await?;
    let is_restored = !local_sample
        .contradicted(|mailbox| local.status(mailbox))
        .is_empty();
    note_replaced_mailbox(shared, &pairs, (&local, is_restored), &mut connections.local).await?;
    filed::note(shared, &pairs, &local)?;
    {
        let mut reporter = shared.reporter.borrow_mut();
        for (side, count) in [
            (Side::Remote, remote.folders.len()),
            (Side::Local, local.folders.len()),
        ] {
            reporter.tell(&Event::FoldersFound { side, count });
        }
    }
    for (side, listed) in [(Side::Remote, &remote), (Side::Local, &local)] {
        if listed.unreadable > 0 {
            let reason = format!(
                "{} lists {} folders in a way that cannot be read: they are left out, and nothing is deleted locally",
                side.in_words(),
                listed.unreadable
            );
            let mut reporter = shared.reporter.borrow_mut();
            reporter.problem("", Exit::WithErrors, &reason);
        }
    }
    tell_left_out(shared, &remote);
    let local_names = folder_mapping::local_names(&remote, &local, selection, &known);
    let pattern_hits = match shared.job.dry {
        true => folder_mapping::pattern_hits(&remote, selection),
        false => vec![],
    };
    Ok(Listing {
        pairs,
        pattern_hits,
        local_names,
        remote_names: remote
            .folders
            .iter()
            .map(|(listed, _)| listed.mailbox.clone())
            .collect(),
        remote_empty: remote.folders.is_empty(),
        has_same_inbox: inbox_of(&remote).is_some() && inbox_of(&remote) == inbox_of(&local),
        is_incomplete: remote.unreadable + local.unreadable > 0,
        has_spellings: remote.has_spellings,
        local,
    })
}

/// The UIDVALIDITY of the inbox.
fn inbox_of(side: &folder_mapping::Side) -> Option<u32> {
    let mut folders = side.folders.iter();
    let (_, status) = folders.find(|(listed, _)| listed.mailbox.is_inbox())?;
    status.as_ref()?.uid_validity
}

/// Lists one side.
pub async fn side(session: &mut SideSession, extras: ListExtras) -> FolderResult<folder_mapping::Side> {
    sampled_side(session, extras, &mut Sample::default()).await
}

/// Lists one side and asks for the youngest messages, in one round trip.
pub async fn sampled_side(
    session: &mut SideSession,
    extras: ListExtras,
    sample: &mut Sample,
) -> FolderResult<folder_mapping::Side> {
    let questions = sample.questions();
    let overview = session
        .imap
        .overview_and_ask(extras, questions, |question, data| sample.note(question, &data));
    let overview = overview.await;
    let overview = session.fetched(overview)?;
    let checked = sample.check();
    session.fetched(checked)?;
    let provider = if session.is_gmail() {
        Provider::Gmail
    } else if session.is_exchange() {
        Provider::Exchange
    } else {
        Provider::Other
    };
    let mut side = folder_mapping::Side::new(overview.namespaces, overview.mailboxes, provider);
    side.unreadable = overview.unreadable;
    spellings::merge(session, &mut side).await?;
    Ok(side)
}

/// Names the folders that are left out; one whose name a pattern gave up on is a problem.
fn tell_left_out(shared: &Shared, remote: &folder_mapping::Side) {
    let chooser = shared.job.selection.on(remote);
    let mut reporter = shared.reporter.borrow_mut();
    for (listed, _) in &remote.folders {
        let name = listed.mailbox.name();
        match chooser.reason(listed) {
            None | Some(LeftOut::NotTheInbox) => {}
            Some(reason @ LeftOut::PatternGaveUp(_)) => {
                reporter.problem(name, Exit::WithErrors, &format!("left out: {reason}"));
            }
            Some(reason) => {
                reporter.tell(&Event::FolderLeftOut {
                    folder: name,
                    reason: &reason,
                });
            }
        }
    }
}

/// Logs in and lists, for a look at one side alone.
pub async fn log_in_and_list(
    account: &Account,
    extras: ListExtras,
) -> Result<(folder_mapping::Side, SideSession), Failure> {
    let mut look = Look::with(account);
    loop {
        let session = look.log_in(&mut ConnectionInfo::default()).await;
        let session = session.map_err(|error| Failure::from_imap(account.side, &error))?;
        let mut session = SideSession::new(account.side, session);
        match side(&mut session, extras).await {
            Err(FolderError::Imap { error, .. }) if look.is_to_be_repeated(&error).await => {}
            outcome => return Ok((outcome?, session)),
        }
    }
}

/// Remote folders whose UIDs mean other messages than those on record: their youngest messages are others, or UIDs of one
/// folder went back, as they do where a server was restored from a backup. Where one folder shows it, or an earlier run or
/// another name of the server gives reason, all folders of the account are asked, whichever task pulls them.
async fn note_renumbered_source(
    shared: &Shared,
    listed: &folder_mapping::Side,
    mut sample: Sample,
    session: &mut SideSession,
) -> FolderResult<()> {
    let statuses = listed.folders.iter();
    let statuses = statuses.filter_map(|(listed, status)| Some((&listed.mailbox, (*status)?)));
    let statuses: HashMap<&Mailbox, MailboxStatus> = statuses.collect();
    let status = |mailbox: &Mailbox| statuses.get(mailbox).copied();
    sample.settle_doubts(shared, session).await?;
    let known = shared.state.borrow().folders()?;
    let mut renumbered: HashSet<Mailbox> = sample.contradicted(status).into_iter().collect();
    let is_suspected = shared.state.borrow().is_set(Flag::SourceRenumbered)?;
    if is_suspected || other_name::is_reached_otherwise(shared)? || !renumbered.is_empty() {
        for (mailbox, folder) in known.iter().filter(|(mailbox, _)| status(mailbox).is_some()) {
            let mut sample = Sample::of(shared, Side::Remote, std::iter::once((mailbox, folder)))?;
            sample.ask(session).await?;
            renumbered.extend(sample.contradicted(status));
        }
    }
    let same = known.iter().filter_map(|(mailbox, folder)| {
        let now = status(mailbox)?;
        (now.uid_validity == Some(folder.remote_validity)).then_some((mailbox, folder, now.uid_next))
    });
    let same: Vec<_> = same.collect();
    let went_back = |(_, folder, next): &(&Mailbox, &FolderState, Option<u32>)| {
        next.is_some_and(|next| next < folder.remote_high)
    };
    let suspects: Vec<&Mailbox> = match shared.job.inbox_only() {
        true => vec![],
        false => same
            .iter()
            .filter(|one| went_back(one))
            .map(|(mailbox, ..)| *mailbox)
            .collect(),
    };
    // So much follows from it that no STATUS is believed.
    let opened = session.examine_all(&suspects).await?;
    let is_proven = opened.iter().any(|(mailbox, now)| {
        let known = same.iter().find(|(known, ..)| *known == mailbox);
        known.is_some_and(|(_, folder, told)| {
            // Some servers tell it by STATUS only.
            let next = now.uid_next.or(*told);
            let is_lower = next.is_some_and(|next| next < folder.remote_high);
            now.uid_validity == Some(folder.remote_validity) && is_lower
        })
    });
    if is_proven {
        renumbered.extend(same.iter().map(|(mailbox, ..)| (*mailbox).clone()));
    }
    if is_suspected || !renumbered.is_empty() {
        let folders = known.iter().filter(|(mailbox, _)| renumbered.contains(mailbox));
        let folders: Vec<i64> = folders.map(|(_, folder)| folder.id).collect();
        // A run that suspected it has forgotten what it knew of the inbox.
        let may_be_another =
            renumbered.iter().any(Mailbox::is_inbox) || is_suspected && !renumbered.is_empty();
        let mut state = shared.state.borrow_mut();
        state.note_renumbered_source(&folders, may_be_another)?;
    }
    shared.renumbered.borrow_mut().extend(renumbered);
    Ok(())
}

/// A remote inbox of another generation may mean that the source is another mailbox, also where the task leaves the inbox out:
/// then what it does not list was not deleted there. It counts until that is left to its owner.
fn note_replaced_source(shared: &Shared, remote: &folder_mapping::Side) -> Result<(), LedgerError> {
    let state = shared.state.borrow();
    if let Some(validity) = inbox_of(remote).map(|validity| validity.to_string()) {
        let known = state.account_fact(AccountFact::InboxValidity)?;
        if known.is_some_and(|known| known != validity) {
            state.set(Flag::SourceReplaced, true)?;
        }
        state.set_account_fact(AccountFact::InboxValidity, &validity)?;
    }
    shared.source_replaced.set(state.is_set(Flag::SourceReplaced)?);
    Ok(())
}

/// An inbox of another generation may mean that the whole local mailbox is another one: then folders that are missing were
/// not removed by its owner. It is looked at whatever the task pulls, and counts for each account until a run of it has come to
/// its end. So does a folder whose UIDs went back, or mean other messages (`is_restored`): no one but a restored backup does
/// that.
async fn note_replaced_mailbox(
    shared: &Shared,
    pairs: &[Pair],
    (local, is_restored): (&folder_mapping::Side, bool),
    session: &mut SideSession,
) -> FolderResult<()> {
    if is_restored || shared.state.borrow().was_restored_meanwhile()? {
        shared.state.borrow_mut().note_restored_mailbox()?;
    }
    let opened = pairs
        .iter()
        .filter_map(|pair| Some((&pair.local, pair.destination?)));
    let mut folders: Vec<(&Mailbox, MailboxStatus)> = opened.collect();
    if !folders.iter().any(|(mailbox, _)| mailbox.is_inbox()) {
        let listed = local.folders.iter().find(|(listed, _)| listed.mailbox.is_inbox());
        folders.extend(listed.and_then(|(listed, status)| Some((&listed.mailbox, (*status)?))));
    }
    for (mailbox, told) in folders {
        let mut now = told;
        if went_back(&shared.state.borrow(), mailbox, told)? {
            // So much follows from it that no STATUS is believed.
            let opened = session.examine_all(&[mailbox]).await?;
            let Some((_, opened)) = opened.into_iter().next() else {
                continue;
            };
            now = opened;
        }
        if !now.is_valid() {
            continue;
        }
        let mut state = shared.state.borrow_mut();
        // On record before what would tell it again.
        if went_back(&state, mailbox, now)? {
            state.note_restored_mailbox()?;
        }
        if mailbox.is_inbox() {
            let known = state.inbox_generation()?;
            if known.is_some_and(|(validity, next)| !is_same_generation(validity, next, now)) {
                state.note_replaced_mailbox()?;
            }
            state.set_inbox_generation(now.uid_validity.unwrap_or(0), now.uid_next.unwrap_or(0))?;
        }
    }
    let mut state = shared.state.borrow_mut();
    let is_replaced = state.is_set(Flag::MailboxReplaced)?;
    if is_replaced {
        let there: HashSet<&Mailbox> = local.folders.iter().map(|(listed, _)| &listed.mailbox).collect();
        state.forget_absent(|mailbox| there.contains(mailbox))?;
        shared.reporter.borrow_mut().tell(&Event::MailboxReplaced);
    }
    shared.mailbox_replaced.set(is_replaced);
    Ok(())
}

/// Whether UIDNEXT of a local folder is lower than it was once under the same UIDVALIDITY.
fn went_back(state: &Ledger, mailbox: &Mailbox, now: MailboxStatus) -> Result<bool, LedgerError> {
    let (Some(validity), Some(next)) = (now.uid_validity, now.uid_next) else {
        return Ok(false);
    };
    let inbox = match mailbox.is_inbox() {
        true => state.inbox_generation()?,
        false => None,
    };
    let inbox = inbox
        .filter(|(known, _)| *known == validity)
        .map(|(_, high)| high);
    let highest = state.local_high(mailbox, validity)?.max(inbox);
    Ok(highest.is_some_and(|high| next < high))
}

/// Records that a run came to its end: what it saw of the local mailbox counts from now on.
pub fn accept_local_mailbox(shared: &Shared, listing: &Listing) -> Result<(), Failure> {
    other_name::remember(shared)?;
    filed::accept(shared, listing)?;
    if shared.mailbox_replaced.get() && !listing.remote_empty {
        shared.state.borrow().set(Flag::MailboxReplaced, false)?;
    }
    Ok(())
}
