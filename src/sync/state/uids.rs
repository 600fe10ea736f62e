// SPDX-License-Identifier: GPL-3.0-or-later
//! Which UIDs are in which state.

use rusqlite::params;

use crate::imap::UidSet;
use crate::sync::state::{Result, State, collect_set};

impl State {
    /// Remote UIDs that need nothing more: delivered or present.
    pub fn done_uids(&self, id: i64) -> Result<UidSet> {
        self.uids(
            "SELECT uid FROM message WHERE folder = ?1 AND step IN (1, 2, 4) ORDER BY uid",
            id,
        )
    }

    /// Remote UIDs whose delivery is unknown or failed.
    pub fn pending_uids(&self, id: i64) -> Result<UidSet> {
        self.uids(
            "SELECT uid FROM message WHERE folder = ?1 AND step IN (0, 3) ORDER BY uid",
            id,
        )
    }

    /// Remote UIDs whose delivery is unknown.
    pub fn planned_uids(&self, id: i64) -> Result<UidSet> {
        self.uids(
            "SELECT uid FROM message WHERE folder = ?1 AND step = 0 ORDER BY uid",
            id,
        )
    }

    /// Whether the outcome of any delivery is unknown.
    pub fn is_anything_planned(&self) -> Result<bool> {
        self.db.query_row(
            "SELECT EXISTS (SELECT 1 FROM message WHERE step = 0)",
            [],
            |row| row.get(0),
        )
    }

    /// Local UIDs that are accounted for, from `from` on: delivered, present, or only there.
    pub fn local_uids(&self, id: i64, from: u32) -> Result<UidSet> {
        let mut statement = self.db.prepare_cached(
            "SELECT local_uid FROM message WHERE folder = ?1 AND local_uid >= ?2
             UNION SELECT local_uid FROM stranger WHERE folder = ?1 AND local_uid >= ?2 ORDER BY 1",
        )?;
        let rows = statement.query_map(params![id, from], |row| row.get(0))?;
        collect_set(rows)
    }

    /// The local copies of remote messages.
    pub fn copies(&self, id: i64, uids: &UidSet) -> Result<UidSet> {
        let mut copies = vec![];
        for uid in uids.iter() {
            copies.extend(self.row(id, uid)?.and_then(|row| row.local_uid));
        }
        Ok(copies.into_iter().collect())
    }

    pub(super) fn uids(&self, sql: &str, id: i64) -> Result<UidSet> {
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([id], |row| row.get(0))?;
        collect_set(rows)
    }
}
