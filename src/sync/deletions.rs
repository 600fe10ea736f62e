// SPDX-License-Identifier: GPL-3.0-or-later
//! What is deleted, on either side, and what never is.

use std::collections::HashSet;

use super::account::{Failure, Side};
use super::copy::{Lines, Place};
use super::exit::Exit;
use super::folders::{self, Pair};
use super::job::Shared;
use super::native::{self, Trouble, Troubled};
use crate::imap::{Command, Session, UidSet};
use crate::task::RemoteDeletion;

/// A mailbox of more messages than this never loses more than half of them in one run.
const SMALL: u64 = 20;

/// Compares what is recorded with what the remote folder still has: records of what is gone are dropped (and, with
/// `delete_local`, the local copies too), and a message that the server silently did not hand out is reported.
pub async fn reconcile(
    shared: &Shared,
    place: &Place,
    lines: &mut Lines,
    remote_empty: bool,
) -> Troubled<()> {
    let id = place.folder.id;
    let Some(messages) = place.pair.source.messages else {
        return Ok(());
    };
    report_missing(shared, place, lines).await?;
    let known = shared.state.borrow().count(id)?;
    let inbox_only = shared.job.inbox_only();
    let deletes = shared.job.delete_local && !place.pair.joined;
    let strangers = if deletes {
        shared.state.borrow().strangers(id)?
    } else {
        Default::default()
    };
    let differs = if inbox_only {
        known > messages
    } else {
        known != messages
    };
    if !differs && strangers.is_empty() {
        return Ok(());
    }
    let selected = lines
        .remote
        .open(&place.pair.remote, false)
        .await
        .map_err(|error| Trouble::select(Side::Remote, error))?;
    let there = lines
        .remote
        .search("ALL")
        .await
        .map_err(|error| Trouble::fetch(Side::Remote, error))?;
    // What a cut answer lacks is not gone.
    if (there.iter().count() as u64) < u64::from(selected.messages) {
        let reason = "Host1 did not list all its messages: nothing is deleted locally";
        let folder = place.pair.remote.name();
        shared
            .recorder
            .borrow_mut()
            .problem(folder, Exit::WithErrors, reason);
        return Ok(());
    }
    let recorded = {
        let state = shared.state.borrow();
        state
            .done_uids(id)?
            .iter()
            .chain(state.pending_uids(id)?.iter())
            .collect::<UidSet>()
    };
    if !inbox_only
        && !shared.job.dry
        && let Some(next) = place.pair.source.uid_next
    {
        for uid in there.minus(&recorded).iter().filter(|&uid| uid < next) {
            withheld(shared, place, uid)?;
        }
    }
    let gone = recorded.minus(&there);
    if deletes {
        let copies = shared
            .state
            .borrow()
            .rows(id, gone.iter())?
            .into_iter()
            .filter_map(|row| row.local_uid);
        let doomed: UidSet = copies.chain(strangers.into_values().flatten()).collect();
        if !delete_local(shared, place, &mut lines.local, &doomed, remote_empty).await? {
            return Ok(());
        }
    }
    shared.state.borrow_mut().forget(id, &gone)?;
    Ok(())
}

/// Reports unread messages that the remote side did not hand out, unless they have gone meanwhile.
async fn report_missing(shared: &Shared, place: &Place, lines: &mut Lines) -> Troubled<()> {
    let missing = place.missing.take();
    if missing.is_empty() {
        return Ok(());
    }
    lines
        .remote
        .open(&place.pair.remote, false)
        .await
        .map_err(|error| Trouble::select(Side::Remote, error))?;
    for uid in among(&missing, &mut lines.remote).await?.iter() {
        withheld(shared, place, uid)?;
    }
    Ok(())
}

/// Notes a message that the remote side has and did not give.
fn withheld(shared: &Shared, place: &Place, uid: u32) -> Troubled<()> {
    let reason = "the remote server did not hand it out";
    shared
        .recorder
        .borrow_mut()
        .message_problem(place.index, Exit::FetchErrors, uid, None, reason);
    shared
        .state
        .borrow_mut()
        .withhold(place.folder.id, std::iter::once(uid))?;
    Ok(())
}

/// Deletes local messages unless a guard forbids it; `false` when it does.
async fn delete_local(
    shared: &Shared,
    place: &Place,
    local: &mut Session,
    doomed: &UidSet,
    remote_empty: bool,
) -> Troubled<bool> {
    if doomed.is_empty() {
        return Ok(true);
    }
    let selected = local
        .open(&place.pair.local, !shared.job.dry)
        .await
        .map_err(|error| Trouble::select(Side::Local, error))?;
    let mut alive = UidSet::default();
    for chunk in doomed.chunks(usize::MAX) {
        let found = local.search(&format!("UID {chunk}")).await;
        alive = alive
            .iter()
            .chain(found.map_err(|error| Trouble::fetch(Side::Local, error))?.iter())
            .collect();
    }
    let messages = u64::from(selected.messages);
    let guard = if remote_empty {
        Some("the remote server listed no folder".to_owned())
    } else if place.replaced {
        Some("one of the two sides replaced the folder".to_owned())
    } else if messages > SMALL && alive.len() * 2 > messages {
        Some(format!("{} of its {messages} messages would go", alive.len()))
    } else {
        None
    };
    if let Some(reason) = guard {
        let reason = format!("nothing was deleted locally: {reason}");
        shared
            .recorder
            .borrow_mut()
            .problem(place.pair.remote.name(), Exit::WithErrors, &reason);
        return Ok(false);
    }
    if !shared.job.dry {
        local
            .store(&alive, '+', "\\Deleted")
            .await
            .map_err(|error| Trouble::change(Side::Local, error))?;
        local
            .expunge(&alive)
            .await
            .map_err(|error| Trouble::change(Side::Local, error))?;
        shared
            .state
            .borrow_mut()
            .drop_strangers(place.folder.id, doomed)?;
    }
    let mut recorder = shared.recorder.borrow_mut();
    recorder.report.deleted_local += alive.len();
    if let Some(folder) = recorder.folder(place.index) {
        folder.deleted_local += alive.len();
    }
    Ok(true)
}

/// Deletes from the remote side what is known to be delivered.
pub async fn remote(shared: &Shared, place: &Place, remote: &mut Session) -> Troubled<()> {
    let before = match shared.job.delete_remote {
        RemoteDeletion::Keep => return Ok(()),
        RemoteDeletion::AfterTransfer => None,
        RemoteDeletion::OlderThan(days) => Some(native::days_ago(days.get())),
    };
    let id = place.folder.id;
    let delivered = shared.state.borrow().deletable(id, before)?;
    if delivered.is_empty() {
        return Ok(());
    }
    let selected = remote
        .open(&place.pair.remote, !shared.job.dry)
        .await
        .map_err(|error| Trouble::select(Side::Remote, error))?;
    if selected
        .uid_validity
        .is_some_and(|validity| validity != place.folder.remote_validity)
    {
        return Ok(());
    }
    let alive = among(&delivered, remote).await?;
    let mut left = UidSet::default();
    if !alive.is_empty() && !shared.job.dry {
        remote
            .store(&alive, '+', "\\Deleted")
            .await
            .map_err(|error| Trouble::change(Side::Remote, error))?;
        remote
            .expunge(&alive)
            .await
            .map_err(|error| Trouble::change(Side::Remote, error))?;
        // A server without the right to delete may say OK all the same (RFC 4314, 4). What was forgotten and is still
        // there would be copied again.
        left = among(&alive, remote).await?;
    }
    shared.state.borrow_mut().bury(id, &delivered.minus(&left))?;
    let mut recorder = shared.recorder.borrow_mut();
    if !left.is_empty() {
        let reason = format!("{} messages were not deleted although host1 said so", left.len());
        recorder.problem(place.pair.remote.name(), Exit::WithErrors, &reason);
    }
    let deleted = alive.len() - left.len();
    recorder.report.deleted_remote += deleted;
    if let Some(folder) = recorder.folder(place.index) {
        folder.deleted_remote += deleted;
    }
    Ok(())
}

/// Which of these the open remote folder still has.
async fn among(uids: &UidSet, remote: &mut Session) -> Troubled<UidSet> {
    let mut alive = UidSet::default();
    for chunk in uids.chunks(usize::MAX) {
        let found = remote.search(&format!("UID {chunk}")).await;
        let found = found.map_err(|error| Trouble::fetch(Side::Remote, error))?;
        alive = alive.iter().chain(found.iter()).collect();
    }
    Ok(alive)
}

/// Deletes local folders that are not on the remote side: never the inbox, special-use, excluded, Shared or Public
/// ones, nor one with folders below that stay, nor one whose mail the guard protects.
pub async fn folders(
    shared: &Shared,
    pairs: &[Pair],
    listing: &folders::Side,
    remote_names: &HashSet<String>,
    local: &mut Session,
) -> Result<(), Failure> {
    let mut kept: HashSet<String> = pairs.iter().map(|pair| pair.local.name().to_owned()).collect();
    kept.extend(remote_names.iter().cloned());
    let mut doomed = vec![];
    for (listed, status) in &listing.folders {
        let messages = status.and_then(|status| status.messages).unwrap_or(0);
        let name = listed.mailbox.name();
        let protected = listed.mailbox.is_inbox()
            || listed.has("\\Noselect")
            || folders::is_special(listed)
            || kept.contains(name)
            || shared.job.selection.leaves_out(listing, listed);
        if protected {
            kept.insert(name.to_owned());
        } else if messages > SMALL {
            kept.insert(name.to_owned());
            let reason = format!("the local folder was not deleted: all of its {messages} messages would go");
            shared
                .recorder
                .borrow_mut()
                .problem(name, Exit::WithErrors, &reason);
        } else {
            doomed.push((listed, messages));
        }
    }
    // Children before their parents.
    doomed.sort_by(|a, b| b.0.mailbox.cmp(&a.0.mailbox));
    for (listed, messages) in doomed {
        let name = listed.mailbox.name();
        let below = listed.separator.map(|separator| format!("{name}{separator}"));
        if below.is_some_and(|prefix| kept.iter().any(|kept| kept.starts_with(&prefix))) {
            continue;
        }
        if !shared.job.dry {
            let deleted = async {
                local
                    .run(Command::new("DELETE").mailbox(&listed.mailbox), |_| {})
                    .await?;
                local
                    .call(Command::new("UNSUBSCRIBE").mailbox(&listed.mailbox), |_| {})
                    .await
            };
            let outcome = deleted.await.map_err(|error| Trouble::change(Side::Local, error));
            if native::contain(shared, name, outcome)?.is_none() {
                continue;
            }
        }
        let mut recorder = shared.recorder.borrow_mut();
        recorder.line(&format!(
            "Host2: deleted folder [{name}] with {messages} messages"
        ));
        recorder.report.deleted_local += messages;
    }
    Ok(())
}
