// SPDX-License-Identifier: GPL-3.0-or-later
//! Folders as the last run left them.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::replaced::set_for_all;
use super::step::{ACCEPTED, DELIVERED, GONE, PRESENT};
use super::{
    Flag, Ledger, Result, former_flags, local_deletion, lost_copies, missing_keywords, number, own_marks,
    stored,
};
use crate::imap::{Mailbox, MailboxId, MailboxStatus};

/// A folder as the last run left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderState {
    /// The row.
    pub id: i64,
    /// The local folder.
    pub local: Mailbox,
    /// UIDVALIDITY of the remote folder; 0 before the first comparison.
    pub remote_validity: u32,
    /// UIDVALIDITY of the local folder.
    pub local_validity: u32,
    /// Every remote UID below was dealt with.
    pub remote_next: u32,
    /// The highest UIDNEXT that the remote folder ever showed.
    pub remote_high: u32,
    /// Messages of the remote folder at the end of the last run.
    pub remote_messages: u64,
    /// The remote folder's modification sequence at that time; 0 when unknown.
    pub remote_modseq: u64,
    /// Every local UID below is known.
    pub local_next: u32,
    /// The highest UIDNEXT that the local folder ever showed.
    pub local_high: u32,
    /// Local UIDs below are older than the ledger; 0 before the first comparison.
    pub baseline: u32,
    /// What the last run looked at and found done, in words; compared as a whole.
    pub fingerprint: String,
    /// One of the two sides replaced the folder, and no run has ended with it since: nothing is deleted locally.
    pub replaced: bool,
    /// The identity of the remote folder (RFC 8474), where the server tells.
    pub remote_id: Option<MailboxId>,
    /// The identity of the local folder.
    pub local_id: Option<MailboxId>,
    /// A task pulled it that is deleted, and none has met it since.
    pub is_former: bool,
    /// The last run that came to its end here saw all remote UIDs below; 1 when none has since their generation began.
    pub looked_below: u32,
}

impl FolderState {
    /// Whether the remote folder is still of the generation whose UIDs are known.
    pub fn is_same_remote(&self, now: MailboxStatus) -> bool {
        is_same_generation(self.remote_validity, self.remote_high, now)
            && MailboxId::may_be_same(self.remote_id, now.id)
    }

    /// Whether the local folder is still of the generation whose UIDs are known.
    pub fn is_same_local(&self, now: MailboxStatus) -> bool {
        is_same_generation(self.local_validity, self.local_high, now)
            && MailboxId::may_be_same(self.local_id, now.id)
    }
}

/// RFC 3501, 2.3.1.1: UIDs mean the same as long as UIDVALIDITY does, and within it UIDNEXT never goes back. A server
/// that was restored from a backup keeps the one and breaks the other.
pub fn is_same_generation(validity: u32, highest_next: u32, now: MailboxStatus) -> bool {
    now.uid_validity == Some(validity) && now.uid_next.is_none_or(|next| next >= highest_next)
}

/// A UID that is on record was below UIDNEXT, whatever the last run saw at its start; UIDNEXT has 32 bits.
const COLUMNS: &str = "id, local, remote_validity, local_validity, remote_next,
    min(max(remote_high, (SELECT ifnull(max(uid), 0) + 1 FROM message WHERE folder = folder.id)), 4294967295),
    remote_messages, remote_modseq, local_next,
    min(max(local_high, (SELECT ifnull(max(local_uid), 0) + 1 FROM message WHERE folder = folder.id)), 4294967295),
    fingerprint,
    replaced, baseline, remote_mailbox, local_mailbox, former, looked_below";

fn id(stored: Option<Vec<u8>>) -> Option<MailboxId> {
    stored.as_deref().and_then(MailboxId::from_bytes)
}

fn state(row: &Row<'_>) -> rusqlite::Result<FolderState> {
    Ok(FolderState {
        id: row.get(0)?,
        local: Mailbox::from_wire(row.get(1)?),
        remote_validity: row.get(2)?,
        local_validity: row.get(3)?,
        remote_next: row.get(4)?,
        remote_high: row.get(5)?,
        remote_messages: number(row.get(6)?),
        remote_modseq: number(row.get(7)?),
        local_next: row.get(8)?,
        local_high: row.get(9)?,
        fingerprint: row.get(10)?,
        replaced: row.get(11)?,
        baseline: row.get(12)?,
        remote_id: id(row.get(13)?),
        local_id: id(row.get(14)?),
        is_former: row.get(15)?,
        looked_below: row.get(16)?,
    })
}

impl Ledger {
    /// The folder's record, made when there is none.
    pub fn folder(&mut self, remote: &Mailbox, local: &Mailbox) -> Result<FolderState> {
        if let Some(mut found) = self.known_folder(remote)? {
            if found.is_former {
                let mut statement = self
                    .db
                    .prepare_cached("UPDATE folder SET former = 0 WHERE id = ?1")?;
                statement.execute([found.id])?;
                found.is_former = false;
            }
            if &found.local == local {
                return Ok(found);
            }
            self.forget_local_generation(found.id)?;
            self.db.execute(
                "UPDATE folder SET local = ?2, local_validity = 0, local_mailbox = NULL WHERE id = ?1",
                params![found.id, local.wire()],
            )?;
        } else {
            self.db.execute(
                "INSERT INTO folder (source, remote, local) VALUES (?1, ?2, ?3)",
                params![self.source, remote.wire(), local.wire()],
            )?;
        }
        Ok(self
            .known_folder(remote)?
            .ok_or(rusqlite::Error::QueryReturnedNoRows)?)
    }

    /// The folder's record.
    pub fn known_folder(&self, remote: &Mailbox) -> Result<Option<FolderState>> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM folder WHERE source = ?1 AND remote = ?2"
        ))?;
        Ok(statement
            .query_row(params![self.source, remote.wire()], state)
            .optional()?)
    }

    /// All folders ever pulled from the account: remote names and records.
    pub fn folders(&self) -> Result<Vec<(Mailbox, FolderState)>> {
        self.folders_of(self.source)
    }

    /// The same for an account of [`Ledger::former_accounts`].
    pub fn folders_of(&self, source: i64) -> Result<Vec<(Mailbox, FolderState)>> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS}, remote FROM folder WHERE source = ?1 ORDER BY remote"
        ))?;
        let rows = statement.query_map([source], |row| {
            Ok((Mailbox::from_wire(row.get(17)?), state(row)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Writes a folder's record. Its baseline only grows here: [`Ledger::all_compared`] raises it while folders are at work.
    pub fn save_folder(&self, folder: &FolderState) -> Result<()> {
        let mut statement = self.db.prepare_cached(
            "UPDATE folder SET remote_validity = ?2, local_validity = ?3, remote_next = ?4, remote_high = ?5,
                remote_messages = ?6, remote_modseq = ?7, local_next = ?8, local_high = ?9, fingerprint = ?10,
                replaced = ?11, baseline = max(baseline, ?12), remote_mailbox = ?13, local_mailbox = ?14,
                looked_below = ?15 WHERE id = ?1",
        )?;
        statement.execute(params![
            folder.id,
            folder.remote_validity,
            folder.local_validity,
            folder.remote_next,
            folder.remote_high,
            stored(folder.remote_messages),
            stored(folder.remote_modseq),
            folder.local_next,
            folder.local_high,
            folder.fingerprint,
            folder.replaced,
            folder.baseline,
            folder.remote_id.as_ref().map(MailboxId::as_bytes),
            folder.local_id.as_ref().map(MailboxId::as_bytes),
            folder.looked_below
        ])?;
        Ok(())
    }

    /// Remote folders have other names; their rows and the new names. None of these may be the name of a folder that keeps
    /// its own.
    pub fn rename_remote(&mut self, renamed: &[(i64, Mailbox)]) -> Result<()> {
        self.transaction(|db| {
            let mut rename = db.prepare_cached("UPDATE folder SET remote = ?2 WHERE id = ?1")?;
            // Two may have changed names: no name of a folder begins with NUL.
            for (id, _) in renamed {
                rename.execute(params![id, format!("\0{id}").as_bytes()])?;
            }
            for (id, remote) in renamed {
                rename.execute(params![id, remote.wire()])?;
            }
            Ok(())
        })
    }

    /// Forgets the UIDs of a remote folder of a former generation. What was delivered from it stays known by its key.
    pub fn forget_remote_generation(&mut self, id: i64) -> Result<()> {
        self.set(Flag::NewMayBeOlder, true)?;
        self.transaction(|db| forget_remote(db, id))
    }

    /// Forgets what is known of a folder whose local side is of another generation: what is not there is copied again.
    pub fn forget_local_generation(&mut self, id: i64) -> Result<()> {
        self.set(Flag::NewMayBeOlder, true)?;
        self.transaction(|db| forget_local(db, id))
    }

    /// The local folder is no more, and nothing tells whether its owner wanted that: what was delivered does not come
    /// again, and is not deleted on the remote side either.
    pub fn forget_local_folder(&mut self, id: i64) -> Result<()> {
        self.transaction(|db| {
            remember_delivered(db, id)?;
            leave_to_its_owner(db, id)
        })?;
        self.forget_local_uids(id)
    }

    /// The local folder was renamed by its owner: what was delivered stays delivered, wherever its owner put it.
    pub fn forget_local_uids(&self, id: i64) -> Result<()> {
        self.set(Flag::NewMayBeOlder, true)?;
        self.db
            .execute("UPDATE message SET local_uid = NULL WHERE folder = ?1", [id])?;
        self.db
            .execute("DELETE FROM local_only WHERE folder = ?1", [id])?;
        self.db.execute("DELETE FROM withheld WHERE folder = ?1", [id])?;
        self.local_deletion_done(id)?;
        self.second_copies_stay(id)?;
        self.db.execute(
            "UPDATE folder SET local_validity = 0, local_next = 1, local_high = 1, local_mailbox = NULL, baseline = 0,
                brought_before = 0, fingerprint = '' WHERE id = ?1",
            [id],
        )?;
        Ok(())
    }

    /// The next run looks at a folder again, whatever its numbers are.
    pub fn unsettle(&self, id: i64) -> Result<()> {
        self.db
            .execute("UPDATE folder SET fingerprint = '' WHERE id = ?1", [id])?;
        Ok(())
    }

    /// Forgets all that is known of the account's mail, so that both sides are compared; what is local then counts as
    /// older than the ledger, for other accounts too: they do not know any more that it was delivered.
    pub fn compare_again(&mut self) -> Result<()> {
        set_for_all(&self.db, Flag::NewMayBeOlder)?;
        let ids: Vec<i64> = self.folders()?.into_iter().map(|(_, folder)| folder.id).collect();
        for id in ids {
            self.forget_local_generation(id)?;
            // That a copy is not there is no sign of a loss here.
            self.forget_all_lost_copies(id)?;
        }
        Ok(())
    }

    /// Remembers that a local folder is never to be deleted.
    pub fn keep_folder(&self, local: &Mailbox) -> Result<()> {
        self.db
            .execute("INSERT OR IGNORE INTO kept_folder VALUES (?1)", [local.wire()])?;
        Ok(())
    }

    /// Whether a local folder is never to be deleted.
    pub fn keeps_folder(&self, local: &Mailbox) -> Result<bool> {
        let mut statement = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM kept_folder WHERE local = ?1)")?;
        Ok(statement.query_row([local.wire()], |row| row.get(0))?)
    }

    /// Counts in how many runs in a row a remote folder was not listed; 0 when it is there.
    pub fn count_missing(&self, id: i64, is_missing: bool) -> Result<u32> {
        let sql = "UPDATE folder SET runs_missing = iif(?2, runs_missing + 1, 0) WHERE id = ?1 RETURNING runs_missing";
        let mut statement = self.db.prepare_cached(sql)?;
        Ok(statement.query_row(params![id, is_missing], |row| row.get(0))?)
    }

    /// Whether another account fills the same local folder.
    pub fn is_filled_by_others(&self, folder: &FolderState) -> Result<bool> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM folder WHERE local = ?1 AND id <> ?2 AND remote_validity <> 0)";
        let mut statement = self.db.prepare_cached(sql)?;
        Ok(statement.query_row(params![folder.local.wire(), folder.id], |row| row.get(0))?)
    }

    /// Records that a local folder is about to be deleted by us, or no longer.
    pub fn set_deleting(&self, id: i64, deleting: bool) -> Result<()> {
        self.db.execute(
            "UPDATE folder SET deleting = ?2 WHERE id = ?1",
            params![id, deleting],
        )?;
        Ok(())
    }

    /// Whether the local folder is missing because we deleted it, or tried to.
    pub fn is_deleting(&self, id: i64) -> Result<bool> {
        let mut statement = self
            .db
            .prepare_cached("SELECT deleting FROM folder WHERE id = ?1")?;
        Ok(statement.query_row([id], |row| row.get(0))?)
    }

    /// Records that a folder is not known to be this account's: what is in it locally stays.
    pub fn disown(&self, id: i64) -> Result<()> {
        leave_to_its_owner(&self.db, id)
    }

    /// Forgets a folder that we deleted locally: it comes again when the source has it again.
    pub fn forget_folder(&mut self, id: i64) -> Result<()> {
        self.transaction(|db| {
            local_deletion::keep_all_keys(db, id)?;
            for table in [
                "message",
                "local_only",
                "history",
                "withheld",
                "local_deletion",
                "second_copy",
                "former_flags",
                "lost_copy",
            ] {
                db.execute(&format!("DELETE FROM {table} WHERE folder = ?1"), [id])?;
            }
            db.execute("DELETE FROM folder WHERE id = ?1", [id])?;
            Ok(())
        })
    }
}

fn remember_delivered(db: &Transaction<'_>, id: i64) -> Result<()> {
    db.execute(
        &format!(
            "INSERT OR IGNORE INTO history
         SELECT folder, key, size, ifnull(digest, x'') FROM message
         WHERE folder = ?1 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED}, {GONE}) AND length(key) = 16"
        ),
        [id],
    )?;
    Ok(())
}

/// What is on record of a folder's messages is delivered, and no more than that: no copy of them is ours to delete.
fn leave_to_its_owner(db: &Connection, id: i64) -> Result<()> {
    db.execute(
        &format!(
            "UPDATE message SET step = {PRESENT} WHERE folder = ?1 AND step IN ({DELIVERED}, {ACCEPTED})"
        ),
        [id],
    )?;
    Ok(())
}

pub(super) fn forget_local(db: &Transaction<'_>, id: i64) -> Result<()> {
    db.execute("DELETE FROM history WHERE folder = ?1", [id])?;
    db.execute("DELETE FROM former_flags WHERE folder = ?1", [id])?;
    lost_copies::keep(db, id)?;
    forget_messages(db, id)
}

pub(super) fn forget_remote(db: &Transaction<'_>, id: i64) -> Result<()> {
    remember_delivered(db, id)?;
    missing_keywords::count_as_new(db, id)?;
    former_flags::keep(db, id)?;
    // The local UIDs still mean what they meant.
    let sql = "SELECT brought_before FROM folder WHERE id = ?1";
    let former: u32 = db.query_row(sql, [id], |row| row.get(0))?;
    lost_copies::forget_all(db, id)?;
    forget_messages(db, id)?;
    let sql = "UPDATE folder SET brought_before = ?2 WHERE id = ?1";
    db.execute(sql, params![id, former])?;
    Ok(())
}

fn forget_messages(db: &Transaction<'_>, id: i64) -> Result<()> {
    own_marks::keep(db, id)?;
    db.execute("DELETE FROM message WHERE folder = ?1", [id])?;
    db.execute("DELETE FROM local_only WHERE folder = ?1", [id])?;
    db.execute("DELETE FROM local_deletion WHERE folder = ?1", [id])?;
    db.execute("DELETE FROM second_copy WHERE folder = ?1", [id])?;
    // What was confirmed are UIDs, and they may mean other messages from now on.
    db.execute("DELETE FROM withheld WHERE folder = ?1", [id])?;
    db.execute(
        "UPDATE folder SET remote_next = 1, looked_below = 1, remote_high = 1, remote_messages = 0, remote_modseq = 0,
            local_next = 1, local_high = 1, remote_mailbox = NULL, local_mailbox = NULL, baseline = 0, brought_before = 0,
            fingerprint = '', replaced = remote_validity <> 0 WHERE id = ?1",
        [id],
    )?;
    Ok(())
}
