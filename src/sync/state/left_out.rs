// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that the task does not copy from a folder: they are out of its period, or come with another folder.

use rusqlite::params;

use super::step::Step;
use super::step::{ACCEPTED, DELIVERED, ELSEWHERE, GONE, LEFT_OUT, PRESENT};
use super::{Ledger, Result};
use crate::imap::UidSet;

/// What tells a message in the whole account; empty for one that is out of the task's period.
pub(super) type Identity = Vec<u8>;

/// A message that was not copied from a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its UID.
    pub uid: u32,
    /// What tells it in the whole account; empty when its age was the reason.
    pub identity: Identity,
    /// It was delivered from another folder.
    pub delivered: bool,
}

impl Ledger {
    /// Records messages that are not copied.
    pub fn leave_out(&mut self, id: i64, messages: impl Iterator<Item = (u32, Identity)>) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(
                "INSERT OR REPLACE INTO message (folder, uid, key, flags, date, step) VALUES (?1, ?2, ?3, '', 0, ?4)",
            )?;
            for (uid, identity) in messages {
                statement.execute(params![id, uid, identity, Step::LeftOut as i64])?;
            }
            Ok(())
        })
    }

    /// What was not copied from a folder.
    pub fn left_out(&self, id: i64) -> Result<Vec<LeftOut>> {
        let mut statement = self.db.prepare_cached(
            &format!("SELECT uid, key, step FROM message WHERE folder = ?1 AND step IN ({LEFT_OUT}, {ELSEWHERE}) ORDER BY uid"),
        )?;
        let rows = statement.query_map([id], |row| {
            Ok(LeftOut {
                uid: row.get(0)?,
                identity: row.get(1)?,
                delivered: row.get::<_, i64>(2)? == Step::Elsewhere as i64,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Records that messages which were left out are to be copied after all.
    pub fn take_up(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(
                &format!("UPDATE message SET step = ?3, key = x'' WHERE folder = ?1 AND uid = ?2 AND step IN ({LEFT_OUT}, {ELSEWHERE})"),
            )?;
            for uid in uids.iter() {
                statement.execute(params![id, uid, Step::Failed as i64])?;
            }
            Ok(())
        })
    }

    /// Records that messages which were not copied from a folder were delivered from others.
    pub fn delivered_elsewhere(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(&format!(
                "UPDATE message SET step = {ELSEWHERE} WHERE folder = ?1 AND uid = ?2 AND step = {LEFT_OUT}"
            ))?;
            for uid in uids.iter() {
                statement.execute(params![id, uid])?;
            }
            Ok(())
        })
    }

    /// Remote UIDs whose messages are or were on the local side.
    pub fn delivered_uids(&self, id: i64) -> Result<UidSet> {
        self.uids(
            &format!("SELECT uid FROM message WHERE folder = ?1 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED}, {GONE}) ORDER BY uid"),
            id,
        )
    }
}
