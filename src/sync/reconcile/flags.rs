// SPDX-License-Identifier: GPL-3.0-or-later
//! Flags of mail that is there already: what changed on the remote side since the last run is applied, what changed
//! locally stays.

use std::collections::{BTreeMap, HashMap};

use crate::imap::{Capability, Command, Error, Flags, UidSet, Untagged};
use crate::sync::account::Side;
use crate::sync::event::Event;
use crate::sync::job::Shared;
use crate::sync::reconcile::connections::session::SideSession;
use crate::sync::reconcile::error::FolderResult;
use crate::sync::reconcile::folder::open;
use crate::sync::reconcile::folder::{self, FolderSync};
use crate::sync::reconcile::headers;
use crate::sync::state::{Ledger, LedgerError, Row};

/// Messages whose keys are looked at along with the flags.
const SAMPLE: u32 = 8;

/// Applies a folder's remote changes.
pub async fn carry_over(
    shared: &Shared,
    sync: &FolderSync,
    remote: &mut SideSession,
    local: &mut SideSession,
) -> FolderResult<()> {
    let folder = &sync.folder;
    let modseq = sync.pair.source.highest_modseq.unwrap_or(0);
    let same_modseq = folder.remote_modseq != 0 && modseq == folder.remote_modseq;
    if folder.remote_next <= 1 || same_modseq || sync.pair.source.messages == Some(0) {
        return Ok(());
    }
    let mut items = format!("1:{} (UID FLAGS)", folder.remote_next - 1);
    // One that went back belongs to another count, as after a server was set up again: all flags are looked at.
    if folder.remote_modseq != 0
        && modseq > folder.remote_modseq
        && remote.capabilities().has(Capability::Condstore)
    {
        items.push_str(&format!(" (CHANGEDSINCE {})", folder.remote_modseq));
    }
    let mut questions = vec![Command::new("UID FETCH").text(&items)];
    // Numbers alone do not show that a server was restored and gave a UID for a second time.
    let youngest = shared.state.borrow().youngest(folder.id, SAMPLE)?;
    let sample: UidSet = youngest.keys().copied().collect();
    if !sample.is_empty() {
        questions.push(headers::key_question(&sample));
    }
    let mut renumbered = false;
    let mut found = Ok(Found::default());
    let selected = remote
        .open_and_ask(&sync.pair.remote, false, questions, |data| {
            if let Untagged::Fetch(fetch) = &data
                && let Some((uid, key)) = headers::answered_key(fetch)
            {
                renumbered |= youngest.get(&uid).is_some_and(|known| known.key != key);
            }
            if let Untagged::Fetch(fetch) = data
                && let (Some(uid), Some(flags)) = (fetch.uid, fetch.flags)
                && let Ok(found_so_far) = &mut found
                && let Err(error) = found_so_far.note(&shared.state.borrow(), folder.id, uid, flags)
            {
                found = Err(error);
            }
        })
        .await?;
    open::check(Side::Remote, selected, folder)?;
    if renumbered && !shared.job.dry {
        return folder::renumbered(shared, sync, Side::Remote);
    }
    let (changes, remembered) = found?.changes();
    if remembered.is_empty() {
        return Ok(());
    }
    let mut count = 0;
    if !changes.is_empty() && !shared.job.dry {
        sync.open(local, true).await?;
    }
    for ((added, removed), uids) in changes {
        count += uids.len();
        if shared.job.dry {
            continue;
        }
        for (sign, flags) in [('+', added), ('-', removed)] {
            if !flags.is_empty() {
                store(shared, sync, local, &uids, sign, &flags).await?;
            }
        }
    }
    shared.state.borrow_mut().set_flags(folder.id, &remembered)?;
    let mut reporter = shared.reporter.borrow_mut();
    reporter.report.flags += count;
    if let Some(folder) = reporter.folder(sync.index) {
        folder.flags += count;
    }
    Ok(())
}

/// Sets flags; those that the server refuses together are tried one by one, and one that it refuses alone is named.
async fn store(
    shared: &Shared,
    sync: &FolderSync,
    local: &mut SideSession,
    uids: &UidSet,
    sign: char,
    flags: &Flags,
) -> FolderResult<()> {
    match local.imap.store(uids, sign, &flags.to_string()).await {
        Err(Error::Command { .. }) => {}
        stored => return local.changed(stored),
    }
    for flag in flags.iter() {
        match local.imap.store(uids, sign, flag).await {
            Err(Error::Command { answer, .. }) => {
                let mut reporter = shared.reporter.borrow_mut();
                reporter.tell(&Event::FlagRefused {
                    folder: &sync.pair.local,
                    flag: &flag,
                    messages: uids.len(),
                    answer: &answer,
                });
                reporter.flags_dropped(sync.index, uids.len());
            }
            stored => local.changed(stored)?,
        }
    }
    Ok(())
}

/// The remote flags that changed and what was known of these messages, by UID.
#[derive(Default)]
struct Found(BTreeMap<u32, (Flags, Row)>);

/// Which flags to add and to remove, and where locally.
type Changes = HashMap<(Flags, Flags), UidSet>;

impl Found {
    /// Takes in the flags of one remote message; of those that did not change, a large folder has many. What a server
    /// says last holds.
    fn note(&mut self, state: &Ledger, folder: i64, uid: u32, flags: Flags) -> Result<(), LedgerError> {
        // `\Deleted` that we set ourselves, or tried to, is not the owner's wish; that of others is never carried over either,
        // only taken back.
        let deleted = Flags::parse("\\Deleted");
        let row = state.row(folder, uid)?;
        let was_marked = row
            .as_ref()
            .is_some_and(|row| row.flags.contains("\\Deleted") && !row.remote_deletion);
        let flags = if was_marked { flags } else { flags.minus(&deleted) };
        match row {
            Some(row) if row.flags != flags => {
                self.0.insert(uid, (flags, row));
            }
            _ => {
                self.0.remove(&uid);
            }
        }
        Ok(())
    }

    /// What to change locally, and what to remember of the remote side.
    fn changes(self) -> (Changes, Vec<(u32, Flags)>) {
        let (mut changes, mut remembered) = (Changes::new(), vec![]);
        for (uid, (flags, row)) in self.0 {
            let (added, removed) = (flags.minus(&row.flags), row.flags.minus(&flags));
            if added.is_empty() && removed.is_empty() {
                continue;
            }
            if let Some(local) = row.local_uid {
                changes.entry((added, removed)).or_default().insert(local);
            }
            remembered.push((uid, flags));
        }
        (changes, remembered)
    }
}
