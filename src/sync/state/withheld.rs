// SPDX-License-Identifier: GPL-3.0-or-later
//! Local deletions that a guard holds back until an administrator confirms exactly them, and marks of others that are
//! lifted around an EXPUNGE.

use rusqlite::params;

use super::{Ledger, Result, collect_set, number};
use crate::imap::{Mailbox, UidSet};

/// On which side a mark was lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// host1.
    Remote,
    /// host2.
    Local,
}

/// Stands for the local mailbox where others are accounts: none has this number.
const LOCAL: i64 = 0;

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

    /// Records marks `\Deleted` of others before they are lifted.
    pub fn lift_marks(&mut self, side: Side, mailbox: &Mailbox, validity: u32, uids: &UidSet) -> Result<()> {
        let owner = self.owner(side);
        self.transaction(|db| {
            let mut add =
                db.prepare_cached("INSERT OR IGNORE INTO mark_of_others VALUES (?1, ?2, ?3, ?4)")?;
            for uid in uids.iter() {
                add.execute(params![owner, mailbox.wire(), validity, uid])?;
            }
            Ok(())
        })
    }

    /// Marks of others in a mailbox that are to be given back.
    pub fn lifted_marks(&self, side: Side, mailbox: &Mailbox, validity: u32) -> Result<UidSet> {
        let mut statement = self.db.prepare_cached(
            "SELECT uid FROM mark_of_others WHERE source = ?1 AND mailbox = ?2 AND validity = ?3 ORDER BY uid",
        )?;
        let rows = statement.query_map(params![self.owner(side), mailbox.wire(), validity], |row| {
            row.get(0)
        })?;
        collect_set(rows)
    }

    /// Mailboxes of a side in which marks of others are to be given back.
    pub fn mailboxes_with_lifted_marks(&self, side: Side) -> Result<Vec<Mailbox>> {
        let mut statement = self
            .db
            .prepare_cached("SELECT DISTINCT mailbox FROM mark_of_others WHERE source = ?1")?;
        let rows = statement.query_map([self.owner(side)], |row| Ok(Mailbox::from_wire(row.get(0)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The marks of a mailbox were given back.
    pub fn forget_lifted_marks(&self, side: Side, mailbox: &Mailbox) -> Result<()> {
        self.db.execute(
            "DELETE FROM mark_of_others WHERE source = ?1 AND mailbox = ?2",
            params![self.owner(side), mailbox.wire()],
        )?;
        Ok(())
    }

    /// The account whose mailbox it is: folders of two accounts have the same names. The local mailbox is that of all.
    fn owner(&self, side: Side) -> i64 {
        match side {
            Side::Remote => self.source,
            Side::Local => LOCAL,
        }
    }
}
