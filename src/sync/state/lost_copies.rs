// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages of the inbox whose copies went with a former local mailbox. They carry our own mark at the source, so that no search
//! for unread mail finds them.

use rusqlite::{Connection, params};

use super::post_delivery::{DONE, LOOKED_AT};
use super::step::{ACCEPTED, DELIVERED, PRESENT};
use super::{Ledger, Result};
use crate::imap::UidSet;

/// Keeps what was given the mark before the messages of a folder are forgotten; also where a run of all folders has looked at
/// its flags since.
pub(super) fn keep(db: &Connection, folder: i64) -> Result<()> {
    let sql = format!(
        "INSERT OR IGNORE INTO lost_copy SELECT folder, uid FROM message
         WHERE folder = ?1 AND seen IN ({DONE}, {LOOKED_AT}) AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED})"
    );
    db.execute(&sql, [folder])?;
    Ok(())
}

/// The remote UIDs mean other messages.
pub(super) fn forget_all(db: &Connection, folder: i64) -> Result<()> {
    db.execute("DELETE FROM lost_copy WHERE folder = ?1", [folder])?;
    Ok(())
}

impl Ledger {
    /// Their remote UIDs.
    pub fn lost_copies(&self, folder: i64) -> Result<UidSet> {
        self.uids("SELECT uid FROM lost_copy WHERE folder = ?1 ORDER BY uid", folder)
    }

    /// Records that they are at their source no longer.
    pub fn forget_lost_copies(&mut self, folder: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached("DELETE FROM lost_copy WHERE folder = ?1 AND uid = ?2")?;
            for uid in uids.iter() {
                statement.execute(params![folder, uid])?;
            }
            Ok(())
        })
    }

    /// The same for all of a folder whose remote UIDs mean other messages.
    pub fn forget_all_lost_copies(&self, folder: i64) -> Result<()> {
        forget_all(&self.db, folder)
    }
}
