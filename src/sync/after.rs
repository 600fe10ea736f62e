// SPDX-License-Identifier: GPL-3.0-or-later
//! What inbox mode does after the delivery is recorded: the user's Sieve filters once per message, then `\Seen` on the
//! remote side.

use super::account::Side;
use super::compare;
use super::copy::{Lines, Place};
use super::exit::Exit;
use super::job::Shared;
use super::native::{Trouble, Troubled};
use super::state::Chore;
use crate::imap::{Command, Error, Session, UidSet};

/// Marks a message that was handed to the filters, in the same breath as it is handed over: after a crash it tells
/// whether the server has the command. It is taken away when the filters are through.
const HANDED_OVER: &str = "$NS8ImapsyncFiltering";

/// Does what is left to do in the inbox.
pub async fn inbox(shared: &Shared, place: &Place, lines: &mut Lines) -> Troubled<()> {
    if shared.job.sieve {
        locate(shared, place, &mut lines.local).await?;
        resume(shared, place, &mut lines.local).await?;
        filter(shared, place, &mut lines.local).await?;
    }
    let unseen = shared.state.borrow().unseen(place.folder.id)?;
    if unseen.is_empty() {
        return Ok(());
    }
    lines
        .remote
        .open(&place.pair.remote, true)
        .await
        .map_err(|error| Trouble::select(Side::Remote, error))?;
    let stored = lines.remote.store(&unseen, '+', "\\Seen").await;
    stored.map_err(|error| Trouble::change(Side::Remote, error))?;
    let uids: Vec<u32> = unseen.iter().collect();
    shared.state.borrow_mut().set_seen(place.folder.id, &uids)?;
    Ok(())
}

/// Finds messages whose UID the server did not tell.
async fn locate(shared: &Shared, place: &Place, local: &mut Session) -> Troubled<()> {
    let unlocated = shared.state.borrow().unlocated(place.folder.id)?;
    if unlocated.is_empty() {
        return Ok(());
    }
    let mut pair = place.pair.clone();
    pair.destination = Some(crate::imap::MailboxStatus::default());
    compare::learn_strangers(shared, &pair, &place.folder, local).await
}

/// Messages that a run which was cut off had handed over: those without the mark never reached the filters.
async fn resume(shared: &Shared, place: &Place, local: &mut Session) -> Troubled<()> {
    let id = place.folder.id;
    let started = shared.state.borrow().sieve(id, Chore::Started)?;
    if started.is_empty() {
        return Ok(());
    }
    local
        .open(&place.pair.local, true)
        .await
        .map_err(|error| Trouble::select(Side::Local, error))?;
    let set: UidSet = started.iter().map(|&(_, local)| local).collect();
    let unmarked = local.search(&format!("UID {set} UNKEYWORD {HANDED_OVER}")).await;
    let unmarked = unmarked.map_err(|error| Trouble::fetch(Side::Local, error))?;
    let (again, done): (Vec<_>, Vec<_>) = started.iter().partition(|(_, local)| unmarked.contains(*local));
    let uids = |list: Vec<(u32, u32)>| list.into_iter().map(|(uid, _)| uid).collect::<Vec<_>>();
    tidy(local, &done.iter().map(|&(_, local)| local).collect()).await?;
    let mut state = shared.state.borrow_mut();
    state.set_sieve(id, &uids(again), Chore::Wanted)?;
    state.set_sieve(id, &uids(done), Chore::Done)?;
    Ok(())
}

async fn filter(shared: &Shared, place: &Place, local: &mut Session) -> Troubled<()> {
    let id = place.folder.id;
    let wanted = shared.state.borrow().sieve(id, Chore::Wanted)?;
    if wanted.is_empty() {
        return Ok(());
    }
    if !local.capabilities().has("FILTER=SIEVE") {
        let reason = "Host2 does not offer Sieve filters over IMAP: mail stays in the inbox until it does";
        shared
            .recorder
            .borrow_mut()
            .problem(place.pair.local.name(), Exit::WithErrors, reason);
        return Ok(());
    }
    local
        .open(&place.pair.local, true)
        .await
        .map_err(|error| Trouble::select(Side::Local, error))?;
    for group in wanted.chunks(100) {
        let uids: Vec<u32> = group.iter().map(|&(uid, _)| uid).collect();
        let set: UidSet = group.iter().map(|&(_, local)| local).collect();
        shared.state.borrow_mut().set_sieve(id, &uids, Chore::Started)?;
        shared.state.borrow().sync()?;
        // Both commands leave in one piece: whoever sees the mark knows that the filters were asked.
        let mark = Command::new("UID STORE").text(&format!("{set} +FLAGS.SILENT ({HANDED_OVER})"));
        local
            .send(mark)
            .await
            .map_err(|error| Trouble::change(Side::Local, error))?;
        let command = Command::new("FILTER").text(&format!("SIEVE DELIVERY UID {set}"));
        let answer = local
            .call(command, |_| {})
            .await
            .map_err(|error| Trouble::change(Side::Local, error))?;
        tidy(local, &set).await?;
        shared.state.borrow_mut().set_sieve(id, &uids, Chore::Done)?;
        if !answer.is_ok() {
            let error = Error::Command {
                command: "FILTER",
                answer,
            };
            return Err(Trouble::change(Side::Local, error));
        }
    }
    Ok(())
}

/// Takes the marks away and removes what the filters moved elsewhere.
async fn tidy(local: &mut Session, set: &UidSet) -> Troubled<()> {
    local
        .store(set, '-', HANDED_OVER)
        .await
        .map_err(|error| Trouble::change(Side::Local, error))?;
    local
        .expunge(set)
        .await
        .map_err(|error| Trouble::change(Side::Local, error))
}
