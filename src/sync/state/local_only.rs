// SPDX-License-Identifier: GPL-3.0-or-later
//! Local messages that the account of this run has not brought.

use std::collections::HashMap;

use rusqlite::params;

use super::{Ledger, Result, number, stored};
use crate::imap::{Mailbox, UidSet};
use crate::sync::message_key::MessageKey;

/// A message that only the local side has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalOnly {
    /// Its local UID.
    pub uid: u32,
    /// Its key.
    pub key: MessageKey,
    /// Octets in canonical form; 0 when they were not recorded.
    pub size: u64,
    /// Its date of arrival, in seconds since 1970; 0 when it was not recorded.
    pub date: i64,
}

/// What is known of where a message that only the local side has came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It came after the ledger was begun.
    Younger = 0,
    /// It is older than the ledger, or was filed by its owner.
    Older = 1,
    /// This account brought it, and the remote side has it no longer.
    Brought = 2,
}

impl Ledger {
    /// Local messages that the account has not brought.
    pub fn local_only(&self, id: i64) -> Result<Vec<LocalOnly>> {
        self.local_only_where("folder = ?1", id)
    }

    /// Those of one origin.
    pub fn local_only_of(&self, id: i64, origin: Origin) -> Result<Vec<LocalOnly>> {
        self.local_only_where(&format!("folder = ?1 AND origin = {}", origin as i64), id)
    }

    fn local_only_where(&self, condition: &str, id: i64) -> Result<Vec<LocalOnly>> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT local_uid, key, size, date FROM local_only WHERE {condition} ORDER BY local_uid"
        ))?;
        let mut rows = statement.query([id])?;
        let mut found = vec![];
        while let Some(row) = rows.next()? {
            if let Some(key) = MessageKey::from_bytes(&row.get::<_, Vec<u8>>(1)?) {
                found.push(LocalOnly {
                    uid: row.get(0)?,
                    key,
                    size: number(row.get(2)?),
                    date: row.get(3)?,
                });
            }
        }
        Ok(found)
    }

    /// The keys on record of local messages.
    pub fn keys_locally(&self, id: i64, uids: &UidSet) -> Result<HashMap<u32, MessageKey>> {
        let mut statement = self.db.prepare_cached(
            "SELECT key FROM message WHERE folder = ?1 AND local_uid = ?2
             UNION ALL SELECT key FROM local_only WHERE folder = ?1 AND local_uid = ?2",
        )?;
        let mut keys = HashMap::new();
        for uid in uids.iter() {
            let mut rows = statement.query(params![id, uid])?;
            if let Some(row) = rows.next()?
                && let Some(key) = MessageKey::from_bytes(&row.get::<_, Vec<u8>>(0)?)
            {
                keys.insert(uid, key);
            }
        }
        Ok(keys)
    }

    /// Records local messages that the account has not brought.
    pub fn add_local_only(&mut self, id: i64, messages: &[LocalOnly], origin: Origin) -> Result<()> {
        self.transaction(|db| {
            let mut statement =
                db.prepare_cached("INSERT OR REPLACE INTO local_only VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            for message in messages {
                statement.execute(params![
                    id,
                    message.uid,
                    message.key.as_bytes(),
                    stored(message.size),
                    message.date,
                    origin as i64
                ])?;
            }
            Ok(())
        })
    }

    /// Records that all folders of a task are on record. `next`: the next UID of each local folder. What came before
    /// counts as older than the ledger, as it may come from a folder that was not on record yet.
    pub fn all_compared(&mut self, next: &HashMap<Mailbox, u32>) -> Result<()> {
        let source = self.source;
        self.transaction(|db| {
            let sql = "UPDATE folder SET baseline = max(baseline, ?3) WHERE source = ?1 AND local = ?2 AND baseline <> 0";
            let mut raise = db.prepare_cached(sql)?;
            for (local, next) in next {
                raise.execute(params![source, local.wire(), next])?;
            }
            let (older, younger) = (Origin::Older as i64, Origin::Younger as i64);
            let sql = "UPDATE local_only SET origin = ?2 WHERE origin = ?3
                AND folder IN (SELECT id FROM folder WHERE source = ?1)";
            db.execute(sql, params![source, older, younger])?;
            Ok(())
        })
    }

    /// Local messages that this program deleted. What was once delivered of them is forgotten, so that it comes again when
    /// the source has it again.
    pub fn forget_deleted(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(
                "DELETE FROM history WHERE folder = ?1 AND (key, size) IN
                    (SELECT key, size FROM local_only WHERE folder = ?1 AND local_uid = ?2)",
            )?;
            for uid in uids.iter() {
                statement.execute(params![id, uid])?;
            }
            Ok(())
        })?;
        self.remove_local_only(id, uids)
    }

    /// Local messages that are no more.
    pub fn remove_local_only(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement =
                db.prepare_cached("DELETE FROM local_only WHERE folder = ?1 AND local_uid = ?2")?;
            for uid in uids.iter() {
                statement.execute(params![id, uid])?;
            }
            Ok(())
        })
    }
}
