// SPDX-License-Identifier: GPL-3.0-or-later
//! Marks `\Deleted` of others, which are lifted around an EXPUNGE and given back.

use rusqlite::params;

use super::{Ledger, Result, collect_set};
use crate::imap::{Mailbox, UidSet};
use crate::sync::side::Side;

/// Stands for the local mailbox where others are accounts: none has this number.
const LOCAL: i64 = 0;

impl Ledger {
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
