// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that were sent for a second time: the first copy may arrive late.

use rusqlite::{OptionalExtension as _, params};

use super::{Digest, Ledger, PostDelivery, Result};
use crate::sync::message_key::MessageKey;

/// A message that was sent for a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The local UID of the copy on record.
    pub uid: u32,
    /// Its key.
    pub key: MessageKey,
    /// Its date of arrival at the source, in seconds since 1970; 0 when that is not known.
    pub date: i64,
}

impl Ledger {
    /// Records that planned messages are sent for a second time: the first one may arrive late.
    pub fn repeat(&mut self, id: i64, uids: impl Iterator<Item = u32>) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db
                .prepare_cached("UPDATE message SET repeated = unixepoch() WHERE folder = ?1 AND uid = ?2")?;
            for uid in uids {
                statement.execute(params![id, uid])?;
            }
            Ok(())
        })
    }

    /// Whether messages of a folder were sent for a second time not long ago, so that the first one may still arrive.
    pub fn awaits_late_copies(&self, id: i64) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM message WHERE folder = ?1 AND repeated <> 0)";
        let mut statement = self.db.prepare_cached(sql)?;
        Ok(statement.query_row([id], |row| row.get(0))?)
    }

    /// No server takes a day to carry out a command.
    pub fn stop_awaiting_late_copies(&self, id: i64) -> Result<()> {
        let sql = "UPDATE message SET repeated = 0 WHERE folder = ?1 AND repeated <> 0 AND repeated < unixepoch() - 86400";
        self.db.execute(sql, [id])?;
        Ok(())
    }

    /// The digest of a copy that went through the Sieve filters, by its local UID before that.
    pub fn filtered_digest(&self, id: i64, local: u32) -> Result<Option<Digest>> {
        let sql = "SELECT digest FROM message WHERE folder = ?1 AND local_uid = ?2 AND sieve = ?3";
        let mut statement = self.db.prepare_cached(sql)?;
        let found = statement.query_row(params![id, local, PostDelivery::Done as i64], |row| {
            row.get::<_, Option<Vec<u8>>>(0)
        });
        Ok(found
            .optional()?
            .flatten()
            .as_deref()
            .and_then(Digest::from_bytes))
    }

    /// Messages of a folder that were sent for a second time and have a local copy on record.
    pub fn repeated(&self, id: i64) -> Result<Vec<Repeated>> {
        let mut statement = self.db.prepare_cached(
            "SELECT local_uid, key, date FROM message WHERE folder = ?1 AND repeated <> 0 AND local_uid IS NOT NULL",
        )?;
        let rows = statement.query_map([id], |row| {
            Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?))
        })?;
        let mut found = vec![];
        for row in rows {
            let (uid, key, date) = row?;
            found.extend(MessageKey::from_bytes(&key).map(|key| Repeated { uid, key, date }));
        }
        Ok(found)
    }
}
