// SPDX-License-Identifier: GPL-3.0-or-later
//! What inbox mode does after the delivery is recorded: the user's Sieve filters once per message, then `\Seen` on the
//! remote side.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::imap::{Capability, Command, Error, Mailbox, Response, Session, StatusLine, UidSet};
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::job::Shared;
use crate::sync::reconcile::compare;
use crate::sync::reconcile::connections::Connections;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::deletions::gate::{self, Filtered};
use crate::sync::reconcile::deletions::second_copies;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::FolderSync;
use crate::sync::state::{Flag, PostDelivery};

/// Marks a message that goes through the filters. The command that marks a message and the one that filters it leave
/// side by side, and the server does both or neither: after a crash the mark tells whether a message still has to be
/// filtered. It is taken away when that is no longer in question, also from what the filters filed elsewhere.
const FILTERED: &str = "$NS8ImapsyncFiltered";

/// Messages whose filtering is under way at once; their commands fit into one TLS record.
const GROUP: usize = 40;

/// Octets of such a group of commands at most.
const GROUP_OCTETS: u64 = 40 * 120;

/// Dovecot reads commands into a buffer that begins with 8 KiB, and takes what crosses its end in two pieces: a FILTER
/// that is cut there is not begun until more is sent (seen with 2.3.19), and if the client is gone by then it never is,
/// although its message was marked. So no group crosses that end; there is a new connection before.
const BUFFER_OCTETS: u64 = 7_500;

/// What Pigeonhole says to a user who never wrote a script; the mail then stays where it is, as with any delivery.
const NO_SCRIPTS: &str = "Sieve script storage not accessible";

/// Does what is left to do in the inbox.
pub async fn finish(shared: &Shared, sync: &FolderSync, connections: &mut Connections) -> FolderResult<()> {
    if shared.job.sieve {
        compare::locate(shared, sync, &mut connections.local).await?;
        resume(shared, sync, &mut connections.local).await?;
        spare_what_comes_again(shared, sync)?;
        filter(shared, sync, &mut connections.local).await?;
    }
    let unseen = shared.state.borrow().unseen(sync.folder.id)?;
    if unseen.is_empty() {
        return Ok(());
    }
    sync.open(&mut connections.remote, true).await?;
    connections.remote.store(&unseen, '+', "\\Seen").await?;
    let uids: Vec<u32> = unseen.iter().collect();
    shared.state.borrow_mut().set_seen(sync.folder.id, &uids)?;
    Ok(())
}

/// What comes again after its mailbox was lost has gone through the filters once: they may have sent it on, or an answer to it.
fn spare_what_comes_again(shared: &Shared, sync: &FolderSync) -> FolderResult<()> {
    let mut state = shared.state.borrow_mut();
    let lost = state.lost_copies(sync.folder.id)?;
    let wanted = state.sieve(sync.folder.id, PostDelivery::Wanted)?;
    let again = wanted
        .iter()
        .map(|&(uid, _)| uid)
        .filter(|&uid| lost.contains(uid));
    Ok(state.set_sieve(sync.folder.id, &again.collect::<Vec<_>>(), PostDelivery::Done)?)
}

/// Gives up filters that are owed where no task asks for them any more.
pub fn cancel_filters(shared: &Shared, sync: &FolderSync) -> FolderResult<()> {
    if shared.job.sieve || shared.job.filters_elsewhere {
        return Ok(());
    }
    let owed = shared.state.borrow_mut().cancel_sieve(sync.folder.id)?;
    if owed > 0 {
        shared.reporter.borrow_mut().tell(&Event::FiltersCancelled {
            folder: &sync.pair.local,
            messages: owed,
        });
    }
    Ok(())
}

/// Messages that a run which was cut off had begun to filter: those that are still there without the mark never got to
/// it. The server may still be at work on behalf of that run; it is given the time it needs.
async fn resume(shared: &Shared, sync: &FolderSync, local: &mut SideSession) -> FolderResult<()> {
    let id = sync.folder.id;
    let started = shared.state.borrow().sieve(id, PostDelivery::Started)?;
    if !started.is_empty() {
        decide(shared, sync, local, started).await?;
    }
    // What that run had no time to take away, whether it was filtering or beyond.
    if shared.state.borrow().is_set(Flag::FilterMarks)? {
        sync.open(local, true).await?;
        let marked = local.search(&format!("KEYWORD {FILTERED}")).await?;
        tidy(shared, sync, local, Filtered::new(marked)).await?;
        sweep(sync, local, &HashMap::new()).await?;
        shared.state.borrow().set(Flag::FilterMarks, false)?;
    }
    Ok(())
}

/// Which of the messages still have to be filtered.
async fn decide(
    shared: &Shared,
    sync: &FolderSync,
    local: &mut SideSession,
    started: Vec<(u32, u32)>,
) -> FolderResult<()> {
    let id = sync.folder.id;
    let set: UidSet = started.iter().map(|&(_, local)| local).collect();
    let mut left = untouched(sync, local, &set).await?;
    while !left.is_empty() {
        tokio::time::sleep(SETTLE).await;
        let now = untouched(sync, local, &set).await?;
        if now == left {
            break;
        }
        left = now;
    }
    let (again, done): (Vec<_>, Vec<_>) = started.into_iter().partition(|(_, local)| left.contains(*local));
    let uids = |list: &[(u32, u32)]| list.iter().map(|&(uid, _)| uid).collect::<Vec<_>>();
    let mut state = shared.state.borrow_mut();
    state.set_sieve(id, &uids(&again), PostDelivery::Wanted)?;
    state.set_sieve(id, &uids(&done), PostDelivery::Done)?;
    Ok(())
}

/// How long nothing may change before the former run's commands count as finished.
const SETTLE: Duration = Duration::from_secs(1);

async fn untouched(sync: &FolderSync, local: &mut SideSession, set: &UidSet) -> FolderResult<UidSet> {
    sync.open(local, true).await?;
    let criteria = format!("UID {set} UNKEYWORD {FILTERED} UNDELETED");
    local.search(&criteria).await
}

async fn filter(shared: &Shared, sync: &FolderSync, local: &mut SideSession) -> FolderResult<()> {
    let id = sync.folder.id;
    let wanted = shared.state.borrow().sieve(id, PostDelivery::Wanted)?;
    if wanted.is_empty() {
        return Ok(());
    }
    if !local.capabilities().has(Capability::FilterSieve) {
        let reason = "host2 does not offer Sieve filters over IMAP: mail stays in the inbox until it does";
        shared
            .reporter
            .borrow_mut()
            .problem(sync.pair.local.name(), Exit::WithErrors, reason);
        return Ok(());
    }
    shared.state.borrow().set(Flag::FilterMarks, true)?;
    let before = next_uids(local).await?;
    let waiting = wanted.iter().map(|&(_, local)| local).collect();
    second_copies::remove_filed(shared, sync, &waiting, &before, local).await?;
    let wanted = shared.state.borrow().sieve(id, PostDelivery::Wanted)?;
    sync.open(local, true).await?;
    for group in wanted.chunks(GROUP) {
        if local.sent() + GROUP_OCTETS > BUFFER_OCTETS {
            let fresh = SideSession::log_in(&shared.job.local).await;
            let fresh = local.changed(fresh)?;
            std::mem::replace(local, fresh).logout().await;
            sync.open(local, true).await?;
        }
        let uids: Vec<u32> = group.iter().map(|&(uid, _)| uid).collect();
        {
            let mut state = shared.state.borrow_mut();
            state.set_sieve(id, &uids, PostDelivery::Started)?;
            state.sync()?;
        }
        let refused = filter_group(&mut local.imap, group).await;
        let refused = local.changed(refused)?;
        shared
            .state
            .borrow_mut()
            .set_sieve(id, &uids, PostDelivery::Done)?;
        let filtered = group.iter().map(|&(_, local)| local).collect();
        tidy(shared, sync, local, Filtered::new(filtered)).await?;
        for (uid, answer) in refused {
            if answer.to_string().contains(NO_SCRIPTS) {
                continue;
            }
            let reason = format!("the Sieve filters failed, the message stays in the inbox: {answer}");
            let mut reporter = shared.reporter.borrow_mut();
            reporter.message_problem(sync.index, Exit::WithErrors, uid, None, &reason);
        }
    }
    sweep(sync, local, &before).await?;
    shared.state.borrow().set(Flag::FilterMarks, false)?;
    Ok(())
}

/// The next UID of every folder.
async fn next_uids(local: &mut SideSession) -> FolderResult<HashMap<Mailbox, u32>> {
    let listed = local.list_status().await?;
    let next = listed.into_iter().filter_map(|(listed, status)| {
        let next = status?.uid_next?;
        Some((listed.mailbox, next))
    });
    Ok(next.collect())
}

/// Takes the marks from what was filed in other folders: those that have changed since `before`.
async fn sweep(
    sync: &FolderSync,
    local: &mut SideSession,
    before: &HashMap<Mailbox, u32>,
) -> FolderResult<()> {
    for (mailbox, next) in next_uids(local).await? {
        let from = before.get(&mailbox).copied().unwrap_or(1);
        if next <= from || mailbox == sync.pair.local {
            continue;
        }
        match local.imap.open(&mailbox, true).await {
            // A folder that this task may not write to got nothing filed by it.
            Err(Error::Command { .. }) => continue,
            opened => local.opened(opened)?,
        };
        let marked = local.search(&format!("UID {from}:* KEYWORD {FILTERED}")).await?;
        local.store(&marked, '-', FILTERED).await?;
    }
    Ok(())
}

/// Has a group filtered; gives what was refused.
async fn filter_group(
    local: &mut Session,
    group: &[(u32, u32)],
) -> crate::imap::Result<Vec<(u32, StatusLine)>> {
    let mut filters = VecDeque::new();
    let mut last = None;
    for &(uid, local_uid) in group {
        let mark = Command::new("UID STORE").text(&format!("{local_uid} +FLAGS.SILENT ({FILTERED})"));
        local.send(mark).await?;
        let filter = Command::new("FILTER").text(&format!("SIEVE DELIVERY UID {local_uid}"));
        let tag = local.send(filter).await?;
        filters.push_back((tag, uid));
        last = Some(tag);
    }
    let mut refused = vec![];
    while let Some(tag) = last {
        let Response::Tagged {
            tag: answered,
            status,
        } = local.next().await?
        else {
            continue;
        };
        let ended = Session::is(tag, &answered);
        if let Some((_, uid)) = filters.iter().find(|(tag, _)| Session::is(*tag, &answered))
            && !status.is_ok()
        {
            refused.push((*uid, status));
        }
        if ended {
            break;
        }
    }
    Ok(refused)
}

/// Removes what the filters moved elsewhere and takes the marks away; in this order, so that what a crash leaves behind
/// is found by its mark.
async fn tidy(
    shared: &Shared,
    sync: &FolderSync,
    local: &mut SideSession,
    filtered: Filtered,
) -> FolderResult<()> {
    let opened = sync.open(local, true).await?;
    gate::expunge_filtered(shared, &sync.pair.local, opened, local, &filtered).await?;
    local.store(filtered.uids(), '-', FILTERED).await
}
