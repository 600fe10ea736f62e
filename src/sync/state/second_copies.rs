// SPDX-License-Identifier: GPL-3.0-or-later
//! Copies of this program that are about to be removed, because another one brought the same messages at the same time.

use std::collections::HashMap;

use rusqlite::params;

use super::step::{DELIVERED, GONE};
use super::{Ledger, Result, collect_set};
use crate::imap::UidSet;
use crate::sync::message_key::MessageKey;

/// A copy that is one too many, by local UIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondCopy {
    /// The one that goes.
    pub goes: u32,
    /// The other one, which stays; 0 when filters have filed it in another folder.
    pub stays: u32,
}

impl Ledger {
    /// Local copies that this account brought, from a local UID on, with their keys.
    pub fn brought_from(&self, id: i64, from: u32) -> Result<HashMap<u32, MessageKey>> {
        let mut statement = self.db.prepare_cached(
            &format!("SELECT local_uid, key FROM message WHERE folder = ?1 AND local_uid >= ?2 AND step IN ({DELIVERED}, {GONE})"),
        )?;
        let rows = statement.query_map(params![id, from], |row| {
            Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        let mut found = HashMap::new();
        for row in rows {
            let (uid, key) = row?;
            found.extend(MessageKey::from_bytes(&key).map(|key| (uid, key)));
        }
        Ok(found)
    }

    /// Local UIDs from one on that are on record as copies of messages, whichever account and folder these came from.
    pub fn claimed_from(&self, id: i64, from: u32) -> Result<UidSet> {
        let mut statement = self.db.prepare_cached(
            "SELECT DISTINCT message.local_uid FROM folder AS own JOIN folder AS one ON one.local = own.local
                JOIN message ON message.folder = one.id AND message.local_uid >= ?2
             WHERE own.id = ?1 ORDER BY 1",
        )?;
        let rows = statement.query_map(params![id, from], |row| row.get(0))?;
        collect_set(rows)
    }

    /// Records second copies before they are removed.
    pub fn intend_to_remove(&mut self, id: i64, copies: &[SecondCopy]) -> Result<()> {
        self.transaction(|db| {
            let mut add = db.prepare_cached("INSERT OR REPLACE INTO second_copy VALUES (?1, ?2, ?3)")?;
            for SecondCopy { goes, stays } in copies {
                add.execute(params![id, goes, stays])?;
            }
            Ok(())
        })
    }

    /// Second copies that are about to be removed, or were.
    pub fn second_copies(&self, id: i64) -> Result<Vec<SecondCopy>> {
        let mut statement = self.db.prepare_cached(
            "SELECT local_uid, stays FROM second_copy WHERE folder = ?1 ORDER BY local_uid",
        )?;
        let rows = statement.query_map([id], |row| {
            Ok(SecondCopy {
                goes: row.get(0)?,
                stays: row.get(1)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Second copies are no more: the other ones are those of the messages from now on. The task that brought these has them
    /// filtered, unless it is this one, which had sent the message twice.
    pub fn second_copies_removed(&mut self, id: i64, copies: &[SecondCopy]) -> Result<()> {
        self.transaction(|db| {
            let mut turn = db.prepare_cached(
                "UPDATE message SET local_uid = iif(?3 = 0, local_uid, ?3), 
                    sieve = iif(sieve IN (1, 2) AND repeated = 0, 3, sieve)
                 WHERE folder = ?1 AND local_uid = ?2",
            )?;
            // What was sent twice has come twice.
            let mut came =
                db.prepare_cached("UPDATE message SET repeated = 0 WHERE folder = ?1 AND local_uid = ?2")?;
            let mut local_only =
                db.prepare_cached("DELETE FROM local_only WHERE folder = ?1 AND local_uid IN (?2, ?3)")?;
            let mut forget =
                db.prepare_cached("DELETE FROM second_copy WHERE folder = ?1 AND local_uid = ?2")?;
            for SecondCopy { goes, stays } in copies {
                turn.execute(params![id, goes, stays])?;
                came.execute(params![id, stays])?;
                local_only.execute(params![id, goes, stays])?;
                forget.execute(params![id, goes])?;
            }
            Ok(())
        })
    }

    /// Second copies that stayed are looked at again.
    pub fn second_copies_stay(&self, id: i64) -> Result<()> {
        self.db
            .execute("DELETE FROM second_copy WHERE folder = ?1", [id])?;
        Ok(())
    }
}
