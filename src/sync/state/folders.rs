// SPDX-License-Identifier: GPL-3.0-or-later
//! Folders as the last run left them.

use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::imap::Mailbox;
use crate::sync::state::{Result, State, number};

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
    /// Messages of the remote folder at the end of the last run.
    pub remote_messages: u64,
    /// The remote folder's modification sequence at that time; 0 when unknown.
    pub remote_modseq: u64,
    /// Every local UID below is known.
    pub local_next: u32,
    /// What the last run looked at and found done, in words; compared as a whole.
    pub settled: String,
    /// One of the two sides replaced the folder, and no run has ended with it since: nothing is deleted locally.
    pub replaced: bool,
}

impl State {
    /// The folder's record, made when there is none.
    pub fn folder(&mut self, remote: &Mailbox, local: &Mailbox) -> Result<FolderState> {
        if let Some(found) = self.known_folder(remote)? {
            if &found.local == local {
                return Ok(found);
            }
            if found.remote_validity == 0 {
                self.forget_messages(found.id)?;
            } else {
                self.forget_replaced(found.id)?;
            }
            self.db.execute(
                "UPDATE folder SET local = ?2, local_validity = 0 WHERE id = ?1",
                params![found.id, local.wire()],
            )?;
        } else {
            self.db.execute(
                "INSERT INTO folder (remote, local) VALUES (?1, ?2)",
                params![remote.wire(), local.wire()],
            )?;
        }
        self.known_folder(remote)?
            .ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// The folder's record.
    pub fn known_folder(&self, remote: &Mailbox) -> Result<Option<FolderState>> {
        let mut statement = self.db.prepare_cached(
            "SELECT id, local, remote_validity, local_validity, remote_next, remote_messages, remote_modseq,
                    local_next, settled, replaced FROM folder WHERE remote = ?1",
        )?;
        statement
            .query_row([remote.wire()], |row| {
                Ok(FolderState {
                    id: row.get(0)?,
                    local: Mailbox::from_wire(row.get(1)?),
                    remote_validity: row.get(2)?,
                    local_validity: row.get(3)?,
                    remote_next: row.get(4)?,
                    remote_messages: number(row.get(5)?),
                    remote_modseq: number(row.get(6)?),
                    local_next: row.get(7)?,
                    settled: row.get(8)?,
                    replaced: row.get(9)?,
                })
            })
            .optional()
    }

    /// All folders ever pulled: remote and local names.
    pub fn folders(&self) -> Result<Vec<(Mailbox, Mailbox)>> {
        let mut statement = self.db.prepare_cached("SELECT remote, local FROM folder")?;
        let rows = statement.query_map([], |row| {
            Ok((Mailbox::from_wire(row.get(0)?), Mailbox::from_wire(row.get(1)?)))
        })?;
        rows.collect()
    }

    /// Writes a folder's record.
    pub fn save_folder(&self, folder: &FolderState) -> Result<()> {
        let mut statement = self.db.prepare_cached(
            "UPDATE folder SET remote_validity = ?2, local_validity = ?3, remote_next = ?4, remote_messages = ?5,
                remote_modseq = ?6, local_next = ?7, settled = ?8, replaced = ?9 WHERE id = ?1",
        )?;
        statement
            .execute(params![
                folder.id,
                folder.remote_validity,
                folder.local_validity,
                folder.remote_next,
                i64::try_from(folder.remote_messages).unwrap_or(i64::MAX),
                i64::try_from(folder.remote_modseq).unwrap_or(i64::MAX),
                folder.local_next,
                folder.settled,
                folder.replaced
            ])
            .map(|_| ())
    }

    /// Forgets a folder's messages, so that both sides are compared.
    pub fn forget_messages(&mut self, id: i64) -> Result<()> {
        self.transaction(|db| forget_messages(db, id))
    }

    /// Forgets a folder's messages because one of the two sides replaced it.
    pub fn forget_replaced(&mut self, id: i64) -> Result<()> {
        self.transaction(|db| {
            forget_messages(db, id)?;
            db.execute("UPDATE folder SET replaced = 1 WHERE id = ?1", [id])
                .map(|_| ())
        })
    }

    /// The local folder was removed: what was delivered stays delivered, wherever its owner put it.
    pub fn forget_local(&self, id: i64) -> Result<()> {
        self.db
            .execute("UPDATE message SET local_uid = NULL WHERE folder = ?1", [id])?;
        self.db.execute("DELETE FROM stranger WHERE folder = ?1", [id])?;
        self.db
            .execute(
                "UPDATE folder SET local_next = 1, settled = '' WHERE id = ?1",
                [id],
            )
            .map(|_| ())
    }

    /// Remembers that a local folder is never to be deleted.
    pub fn keep_folder(&self, local: &Mailbox) -> Result<()> {
        self.db
            .execute("INSERT OR IGNORE INTO kept_folder VALUES (?1)", [local.wire()])
            .map(|_| ())
    }

    /// Whether a local folder is never to be deleted.
    pub fn keeps_folder(&self, local: &Mailbox) -> Result<bool> {
        let mut statement = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM kept_folder WHERE local = ?1)")?;
        statement.query_row([local.wire()], |row| row.get(0))
    }

    /// Forgets all messages: the local mailbox is another one. The folders stay on record as replaced.
    pub fn forget_all(&self) -> Result<()> {
        self.db.execute_batch(
            "BEGIN;
             DELETE FROM message;
             DELETE FROM stranger;
             UPDATE folder SET local_validity = 0, remote_next = 1, remote_messages = 0, remote_modseq = 0,
                local_next = 1, settled = '', replaced = 1;
             COMMIT;",
        )
    }
}

fn forget_messages(db: &Transaction<'_>, id: i64) -> Result<()> {
    db.execute("DELETE FROM message WHERE folder = ?1", [id])?;
    db.execute("DELETE FROM stranger WHERE folder = ?1", [id])?;
    let sql = "UPDATE folder SET remote_next = 1, remote_messages = 0, remote_modseq = 0, local_next = 1,
                settled = '' WHERE id = ?1";
    db.execute(sql, [id]).map(|_| ())
}
