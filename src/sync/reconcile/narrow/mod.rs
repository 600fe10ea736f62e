// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail that a folder lacks locally and that the task does not copy: mail outside its period ([`period`]), and mail
//! that comes with another folder ([`elsewhere`]). Both are recorded, and looked at again whenever the folder is.

pub mod elsewhere;
pub mod period;

use crate::imap::{UidSet, among};
use crate::sync::folder_mapping::Pair;
use crate::sync::job::Shared;
use crate::sync::reconcile::compare::{BATCH, Comparison};
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::{FolderSync, open};
use crate::sync::state::{FolderState, LeftOut};

/// Before the comparison: what was left out and is wanted now is looked at as if it were new. The period may have moved
/// on, an option may have changed, or the other folder no longer has the message: it has not given it, or a mirror is
/// about to delete what it gave.
pub async fn reopen(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    remote: &mut SideSession,
) -> FolderResult<()> {
    let left = shared.state.borrow().left_out(folder.id)?;
    if left.is_empty() {
        return Ok(());
    }
    let (by_age, by_label): (Vec<_>, Vec<_>) = left.into_iter().partition(|one| one.identity.is_empty());
    let uids = |list: &[LeftOut]| list.iter().map(|one| one.uid).collect::<UidSet>();
    let limits = period::criteria(shared.job.selection.options.period);
    let mut again = uids(&by_age);
    if !limits.is_empty() && !again.is_empty() {
        again = within(pair, folder, &again, &limits, remote).await?;
    }
    if shared.elsewhere.applies(shared, pair, remote) {
        let (delivered, waiting): (Vec<_>, Vec<_>) = by_label.into_iter().partition(|one| one.delivered);
        again = again.union(&shared.elsewhere.missing(pair, &waiting, remote).await?);
        if shared.elsewhere.has_lost() {
            again = again.union(&shared.elsewhere.left_behind(pair, &delivered, remote).await?);
        }
    } else {
        again = again.union(&uids(&by_label));
    }
    Ok(shared.state.borrow_mut().take_up(folder.id, &again)?)
}

/// After the comparison: takes out what is not copied.
pub async fn narrow(
    shared: &Shared,
    pair: &Pair,
    folder: &FolderState,
    comparison: Comparison,
    remote: &mut SideSession,
) -> FolderResult<Comparison> {
    let limits = period::criteria(shared.job.selection.options.period);
    let once = shared.elsewhere.applies(shared, pair, remote);
    if (limits.is_empty() && !once) || comparison.wanted.is_empty() {
        return Ok(comparison);
    }
    let candidates = UidSet::union_of(&comparison.wanted);
    let existing = match comparison.exact {
        true => candidates,
        false => within(pair, folder, &candidates, "", remote).await?,
    };
    let mut wanted = existing;
    if !limits.is_empty() {
        let inside = within(pair, folder, &wanted, &limits, remote).await?;
        let outside = wanted.minus(&inside);
        let mut state = shared.state.borrow_mut();
        state.leave_out(folder.id, outside.iter().map(|uid| (uid, vec![])))?;
        wanted = inside;
    }
    if once {
        let found = shared
            .elsewhere
            .among(shared, pair, folder, &wanted, remote)
            .await?;
        let elsewhere: UidSet = found.iter().map(|(uid, _)| *uid).collect();
        shared
            .state
            .borrow_mut()
            .leave_out(folder.id, found.into_iter())?;
        wanted = wanted.minus(&elsewhere);
    }
    Ok(Comparison {
        count: wanted.len(),
        exact: true,
        wanted: wanted
            .chunks(usize::try_from(BATCH).unwrap_or(usize::MAX))
            .collect(),
        present: comparison.present,
        has_new_flags: comparison.has_new_flags,
    })
}

/// Which of these messages exist and match.
async fn within(
    pair: &Pair,
    folder: &FolderState,
    uids: &UidSet,
    criteria: &str,
    remote: &mut SideSession,
) -> FolderResult<UidSet> {
    let questions = among(uids)
        .into_iter()
        .map(|one| format!("{one} {criteria}").trim_end().to_owned());
    let (_, found) = open::search(remote, &pair.remote, folder, false, questions).await?;
    Ok(found)
}

/// After the copying: records which of the messages that were left to other folders were delivered from there.
pub fn settle(shared: &Shared, sync: &FolderSync) -> FolderResult<()> {
    if shared.job.dry {
        return Ok(());
    }
    shared.elsewhere.settle(shared, sync)
}

/// Whether messages were left to other folders that have not delivered them.
pub fn is_waiting(shared: &Shared, folder: &FolderState) -> FolderResult<bool> {
    let left = shared.state.borrow().left_out(folder.id)?;
    Ok(left
        .iter()
        .any(|message| !message.identity.is_empty() && !message.delivered))
}
