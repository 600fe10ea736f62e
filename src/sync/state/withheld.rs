// SPDX-License-Identifier: GPL-3.0-or-later
//! Local deletions that a guard holds back until an administrator confirms exactly them.

use rusqlite::params;

use super::{Ledger, Result, number};
use crate::imap::UidSet;

impl Ledger {
    /// Records what would have been deleted locally in a folder. What was withheld before is forgotten, as only what the
    /// last run showed can be confirmed.
    pub fn withhold_local(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            db.execute("DELETE FROM withheld WHERE folder = ?1 AND confirmed = 0", [id])?;
            let mut add =
                db.prepare_cached("INSERT OR IGNORE INTO withheld (folder, local_uid) VALUES (?1, ?2)")?;
            for uid in uids.iter() {
                add.execute(params![id, uid])?;
            }
            Ok(())
        })
    }

    /// Records more of what would have been deleted locally in a folder.
    pub fn withhold_local_too(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut add =
                db.prepare_cached("INSERT OR IGNORE INTO withheld (folder, local_uid) VALUES (?1, ?2)")?;
            for uid in uids.iter() {
                add.execute(params![id, uid])?;
            }
            Ok(())
        })
    }

    /// How many local messages of a folder wait for an administrator.
    pub fn count_withheld(&self, id: i64) -> Result<u64> {
        let sql = "SELECT count(*) FROM withheld WHERE folder = ?1 AND confirmed = 0";
        let mut statement = self.db.prepare_cached(sql)?;
        Ok(statement.query_row([id], |row| row.get(0)).map(number)?)
    }

    /// Confirms all that was withheld of the account of this run. The next run looks at these folders.
    pub fn confirm_withheld(&self) -> Result<()> {
        self.db.execute(
            "UPDATE folder SET fingerprint = '' WHERE source = ?1 AND id IN (SELECT folder FROM withheld)",
            [self.source],
        )?;
        self.db.execute(
            "UPDATE withheld SET confirmed = 1 WHERE folder IN (SELECT id FROM folder WHERE source = ?1)",
            [self.source],
        )?;
        Ok(())
    }

    /// Whether an administrator has confirmed anything of the account of this run.
    pub fn is_anything_confirmed(&self) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM withheld WHERE confirmed = 1
            AND folder IN (SELECT id FROM folder WHERE source = ?1))";
        Ok(self.db.query_row(sql, [self.source], |row| row.get(0))?)
    }

    /// What was confirmed holds for one run.
    pub fn forget_confirmations(&self) -> Result<()> {
        self.db.execute(
            "DELETE FROM withheld WHERE confirmed = 1 AND folder IN (SELECT id FROM folder WHERE source = ?1)",
            [self.source],
        )?;
        Ok(())
    }

    /// Local UIDs of a folder whose deletion was confirmed.
    pub fn confirmed(&self, id: i64) -> Result<UidSet> {
        self.uids(
            "SELECT local_uid FROM withheld WHERE folder = ?1 AND confirmed = 1 ORDER BY local_uid",
            id,
        )
    }
}
