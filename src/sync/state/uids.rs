// SPDX-License-Identifier: GPL-3.0-or-later
//! Which UIDs are in which state.

use rusqlite::params;

use super::step::{ACCEPTED, DELIVERED, ELSEWHERE, FAILED, LEFT_OUT, PLANNED, PRESENT};
use super::{Ledger, Result, collect_set, number};
use crate::imap::UidSet;

impl Ledger {
    /// Remote UIDs that need nothing more: delivered, present, or left out.
    pub fn done_uids(&self, id: i64) -> Result<UidSet> {
        self.uids(
            &format!("SELECT uid FROM message WHERE folder = ?1 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED}, {LEFT_OUT}, {ELSEWHERE}) ORDER BY uid"),
            id,
        )
    }

    /// Remote UIDs whose delivery is unknown or failed.
    pub fn pending_uids(&self, id: i64) -> Result<UidSet> {
        self.uids(
            &format!(
                "SELECT uid FROM message WHERE folder = ?1 AND step IN ({PLANNED}, {FAILED}) ORDER BY uid"
            ),
            id,
        )
    }

    /// Remote UIDs whose delivery is unknown.
    pub fn planned_uids(&self, id: i64) -> Result<UidSet> {
        self.uids(
            &format!("SELECT uid FROM message WHERE folder = ?1 AND step = {PLANNED} ORDER BY uid"),
            id,
        )
    }

    /// Records that messages were not delivered although that was planned. Gives those of which no equal one was, either.
    pub fn passed_over(&mut self, id: i64, uids: &UidSet) -> Result<UidSet> {
        let mut missing = UidSet::default();
        self.transaction(|db| {
            let mut fail = db.prepare_cached(&format!(
                "UPDATE message SET step = {FAILED} WHERE folder = ?1 AND uid = ?2 AND step = {PLANNED}"
            ))?;
            let mut has_equal = db.prepare_cached(&format!(
                "SELECT EXISTS (SELECT 1 FROM message AS own JOIN message AS other
                    ON other.folder = own.folder AND other.key = own.key AND other.size = own.size
                    AND own.digest = other.digest
                 WHERE own.folder = ?1 AND own.uid = ?2 AND other.step IN ({DELIVERED}, {PRESENT}, {ACCEPTED}))"
            ))?;
            for uid in uids.iter() {
                if fail.execute(params![id, uid])? > 0
                    && !has_equal.query_row(params![id, uid], |row| row.get(0))?
                {
                    missing.insert(uid);
                }
            }
            Ok(())
        })?;
        Ok(missing)
    }

    /// Remote UIDs that were once there without a record of them.
    pub fn unexplained_uids(&self, id: i64) -> Result<UidSet> {
        self.uids(
            &format!("SELECT uid FROM message WHERE folder = ?1 AND step = {FAILED} AND length(key) = 0 ORDER BY uid"),
            id,
        )
    }

    /// Whether the outcome of any delivery is unknown.
    pub fn is_anything_planned(&self) -> Result<bool> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM message WHERE step = {PLANNED})");
        Ok(self.db.query_row(&sql, [], |row| row.get(0))?)
    }

    /// Local UIDs that are accounted for, from `from` on: delivered, present, or only there.
    pub fn local_uids(&self, id: i64, from: u32) -> Result<UidSet> {
        let mut statement = self.db.prepare_cached(
            "SELECT local_uid FROM message WHERE folder = ?1 AND local_uid >= ?2
             UNION SELECT local_uid FROM local_only WHERE folder = ?1 AND local_uid >= ?2 ORDER BY 1",
        )?;
        let rows = statement.query_map(params![id, from], |row| row.get(0))?;
        collect_set(rows)
    }

    /// How many local messages are accounted for.
    pub fn count_local(&self, id: i64) -> Result<u64> {
        let mut statement = self.db.prepare_cached(
            "SELECT (SELECT count(local_uid) FROM message WHERE folder = ?1)
                + (SELECT count(*) FROM local_only WHERE folder = ?1)",
        )?;
        Ok(statement.query_row([id], |row| row.get(0)).map(number)?)
    }

    pub(super) fn uids(&self, sql: &str, id: i64) -> Result<UidSet> {
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([id], |row| row.get(0))?;
        collect_set(rows)
    }
}
