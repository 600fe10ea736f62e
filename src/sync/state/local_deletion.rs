// SPDX-License-Identifier: GPL-3.0-or-later
//! Local messages that are about to be deleted by us. A run that is cut off must not leave that to be taken for what their
//! owner did.

use rusqlite::{Connection, params};

use super::{Ledger, Result};
use crate::imap::UidSet;

/// Keeps the keys of local messages before they are forgotten because we delete them: their owner may have put copies of them
/// into other folders. They do not tell what comes again.
pub(super) fn keep_keys(db: &Connection, id: i64, local: &UidSet) -> Result<()> {
    let mut keep = db.prepare_cached(
        "INSERT OR IGNORE INTO delivered_once
            SELECT key FROM message WHERE folder = ?1 AND local_uid = ?2 AND length(key) = 16
            UNION SELECT key FROM local_only WHERE folder = ?1 AND local_uid = ?2 AND origin <> 0",
    )?;
    for uid in local.iter() {
        keep.execute(params![id, uid])?;
    }
    Ok(())
}

/// The same for all that is known of a folder.
pub(super) fn keep_all_keys(db: &Connection, id: i64) -> Result<()> {
    db.execute(
        "INSERT OR IGNORE INTO delivered_once
            SELECT key FROM message WHERE folder = ?1 AND length(key) = 16
            UNION SELECT key FROM history WHERE folder = ?1
            UNION SELECT key FROM local_only WHERE folder = ?1 AND origin <> 0",
        [id],
    )?;
    Ok(())
}

impl Ledger {
    /// Records that local messages are about to be deleted.
    pub fn intend_local_deletion(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut add = db.prepare_cached("INSERT OR IGNORE INTO local_deletion VALUES (?1, ?2)")?;
            for uid in uids.iter() {
                add.execute(params![id, uid])?;
            }
            Ok(())
        })
    }

    /// Local messages that we deleted, or were about to, and that are not accounted for yet.
    pub fn intended_local_deletions(&self, id: i64) -> Result<UidSet> {
        self.uids(
            "SELECT local_uid FROM local_deletion WHERE folder = ?1 ORDER BY local_uid",
            id,
        )
    }

    /// Forgets messages that we deleted, by their local UIDs: they come again when the source has them again, and what was
    /// delivered of them from a former generation of the remote folder tells nothing any more. That they were delivered
    /// once stays known.
    pub fn forget_copies(&mut self, id: i64, local: &UidSet) -> Result<()> {
        self.transaction(|db| {
            keep_keys(db, id, local)?;
            let mut history = db.prepare_cached(
                "DELETE FROM history WHERE folder = ?1 AND EXISTS (
                    SELECT 1 FROM message WHERE folder = ?1 AND local_uid = ?2 AND key = history.key
                        AND history.size IN (0, size))",
            )?;
            for uid in local.iter() {
                history.execute(params![id, uid])?;
            }
            let mut forget = db.prepare_cached("DELETE FROM message WHERE folder = ?1 AND local_uid = ?2")?;
            for uid in local.iter() {
                forget.execute(params![id, uid])?;
            }
            Ok(())
        })?;
        self.forget_deleted(id, local)
    }

    /// Records that nothing is about to be deleted in a local folder.
    pub fn local_deletion_done(&self, id: i64) -> Result<()> {
        self.db
            .execute("DELETE FROM local_deletion WHERE folder = ?1", [id])?;
        Ok(())
    }
}
