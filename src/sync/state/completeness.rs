// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether all of a message came.

use rusqlite::params;

use super::step::{ACCEPTED, DELIVERED, PRESENT};
use super::{Digest, Ledger, Result, number};
use crate::imap::UidSet;

/// Octets by which an estimated size of a message may be off; or a hundredth of it.
const ESTIMATE_SLACK: u64 = 64;

/// How much of a message came, of what the server says that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// A little less: some servers estimate sizes. It counts as copied, and is not deleted on the remote side.
    Short = 0,
    /// No less.
    Whole = 1,
    /// So much less that it was cut. It is copied again once more of it is given.
    Cut = 2,
}

impl Completeness {
    /// Holds the octets that came against the size that the server tells, if it does.
    pub fn of(received: u64, announced: Option<u64>) -> Self {
        match announced {
            Some(size) if received + (size / 100).max(ESTIMATE_SLACK) < size => Self::Cut,
            Some(size) if received < size => Self::Short,
            _ => Self::Whole,
        }
    }
}

/// A copy of which no octets are on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The remote UID.
    pub uid: u32,
    /// The local UID.
    pub local_uid: u32,
    /// Octets that the source announced; 0 where that is not known.
    pub size: u64,
}

impl Ledger {
    /// Copies that were brought, and of which no octets are on record.
    pub fn unread(&self, id: i64) -> Result<Vec<Unread>> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT uid, local_uid, size FROM message
             WHERE folder = ?1 AND step = {DELIVERED} AND local_uid IS NOT NULL AND digest IS NULL ORDER BY uid"
        ))?;
        let rows = statement.query_map([id], |row| {
            Ok(Unread {
                uid: row.get(0)?,
                local_uid: row.get(1)?,
                size: number(row.get(2)?),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// What was there already with the keys of these messages, and of which no octets are on record.
    pub fn unread_twins(&self, id: i64, uids: &UidSet) -> Result<Vec<Unread>> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT other.uid, other.local_uid, other.size FROM message AS own
             JOIN message AS other ON other.folder = own.folder AND other.key = own.key
             WHERE own.folder = ?1 AND own.uid = ?2 AND other.step = {PRESENT} AND other.local_uid IS NOT NULL
                AND other.digest IS NULL"
        ))?;
        let mut twins = vec![];
        for uid in uids.iter() {
            let rows = statement.query_map(params![id, uid], |row| {
                Ok(Unread {
                    uid: row.get(0)?,
                    local_uid: row.get(1)?,
                    size: number(row.get(2)?),
                })
            })?;
            twins.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
        }
        Ok(twins)
    }

    /// Records what messages hold: of copies, or of what is to be copied.
    pub fn set_contents(&mut self, id: i64, read: &[(u32, Digest, Completeness)]) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(
                "UPDATE message SET digest = ?3, complete = ?4 WHERE folder = ?1 AND uid = ?2 AND digest IS NULL",
            )?;
            for (uid, digest, completeness) in read {
                statement.execute(params![id, uid, digest.as_bytes(), *completeness as i64])?;
            }
            Ok(())
        })
    }

    /// Delivered messages that came short: they are never deleted on the remote side.
    pub fn incomplete(&self, id: i64) -> Result<UidSet> {
        self.uids(
            &format!("SELECT uid FROM message WHERE folder = ?1 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED}) AND complete <> 1 ORDER BY uid"),
            id,
        )
    }

    /// Delivered messages that were cut.
    pub fn cut(&self, id: i64) -> Result<UidSet> {
        self.uids(
            &format!("SELECT uid FROM message WHERE folder = ?1 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED}) AND complete = 2 ORDER BY uid"),
            id,
        )
    }

    /// Records how complete messages turned out to be.
    pub fn set_completeness(&mut self, id: i64, uids: &UidSet, completeness: Completeness) -> Result<()> {
        self.transaction(|db| {
            let mut statement =
                db.prepare_cached("UPDATE message SET complete = ?3 WHERE folder = ?1 AND uid = ?2")?;
            for uid in uids.iter() {
                statement.execute(params![id, uid, completeness as i64])?;
            }
            Ok(())
        })
    }
}
