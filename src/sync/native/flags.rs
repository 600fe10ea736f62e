// SPDX-License-Identifier: GPL-3.0-or-later
//! Flags of mail that is there already: what changed on the remote side since the last run is applied, what changed
//! locally stays.

use std::collections::HashMap;

use super::belt::Place;
use super::trouble::{Trouble, Troubled};
use crate::imap::{Command, Flags, Session, UidSet, Untagged};
use crate::sync::account::Side;
use crate::sync::job::Shared;

/// Applies a folder's remote changes.
pub async fn carry_over(
    shared: &Shared,
    place: &Place,
    remote: &mut Session,
    local: &mut Session,
) -> Troubled<()> {
    let folder = &place.folder;
    let same_modseq =
        folder.remote_modseq != 0 && place.pair.source.highest_modseq == Some(folder.remote_modseq);
    if folder.remote_next <= 1 || same_modseq || place.pair.source.messages == Some(0) {
        return Ok(());
    }
    place.open_remote(remote, false).await?;
    let mut items = format!("1:{} (FLAGS)", folder.remote_next - 1);
    if folder.remote_modseq != 0 && remote.capabilities().has("CONDSTORE") {
        items.push_str(&format!(" (CHANGEDSINCE {})", folder.remote_modseq));
    }
    let mut current: Vec<(u32, Flags)> = vec![];
    remote
        .run(Command::new("UID FETCH").text(&items), |data| {
            if let Untagged::Fetch(fetch) = data
                && let (Some(uid), Some(flags)) = (fetch.uid, fetch.flags)
            {
                current.push((uid, flags));
            }
        })
        .await
        .map_err(|error| Trouble::fetch(Side::Remote, error))?;
    let (changes, remembered) = changes(shared, place, current)?;
    if remembered.is_empty() {
        return Ok(());
    }
    let mut count = 0;
    if !changes.is_empty() && !shared.job.dry {
        place.open_local(local, true).await?;
    }
    for ((added, removed), uids) in changes {
        count += uids.len();
        if shared.job.dry {
            continue;
        }
        for (sign, flags) in [('+', added), ('-', removed)] {
            if !flags.is_empty() {
                let stored = local.store(&uids, sign, &flags.to_string()).await;
                stored.map_err(|error| Trouble::change(Side::Local, error))?;
            }
        }
    }
    shared.state.borrow_mut().set_flags(folder.id, &remembered)?;
    let mut recorder = shared.recorder.borrow_mut();
    recorder.report.flags += count;
    if let Some(folder) = recorder.folder(place.index) {
        folder.flags += count;
    }
    Ok(())
}

/// Which flags to add and to remove, and where.
type Changes = HashMap<(Flags, Flags), UidSet>;

/// What to change locally, and what to remember of the remote side.
fn changes(
    shared: &Shared,
    place: &Place,
    current: Vec<(u32, Flags)>,
) -> Troubled<(Changes, Vec<(u32, Flags)>)> {
    let rows = shared
        .state
        .borrow()
        .rows(place.folder.id, current.iter().map(|&(uid, _)| uid))?;
    let mut known: HashMap<u32, _> = rows.into_iter().map(|row| (row.uid, row)).collect();
    let mut grouped: HashMap<(Flags, Flags), Vec<u32>> = HashMap::new();
    let mut remembered = vec![];
    for (uid, flags) in current {
        let Some(row) = known.remove(&uid) else { continue };
        let (added, removed) = (flags.minus(&row.flags), row.flags.minus(&flags));
        if added.is_empty() && removed.is_empty() {
            continue;
        }
        if let Some(local) = row.local_uid {
            grouped.entry((added, removed)).or_default().push(local);
        }
        remembered.push((uid, flags));
    }
    Ok((
        grouped
            .into_iter()
            .map(|(change, uids)| (change, uids.into_iter().collect()))
            .collect(),
        remembered,
    ))
}
