// SPDX-License-Identifier: GPL-3.0-or-later
//! What was delivered and whose remote side is gone: deleted there, or of a former generation.

use std::collections::HashSet;

use rusqlite::params;

use super::{Digest, Ledger, Result, stored};
use crate::sync::message_key::MessageKey;

impl Ledger {
    /// Whether the history holds anything of a folder.
    pub fn has_history(&self, id: i64) -> Result<bool> {
        let mut statement = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM history WHERE folder = ?1)")?;
        Ok(statement.query_row([id], |row| row.get(0))?)
    }

    /// Whether a message of this key and size, of whose octets nothing is on record, was delivered from the folder and is no
    /// longer there.
    pub fn was_delivered(&self, id: i64, key: &MessageKey, size: u64) -> Result<bool> {
        let mut statement = self.db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM history WHERE folder = ?1 AND key = ?2 AND size IN (0, ?3) AND digest = x'')",
        )?;
        Ok(statement.query_row(params![id, key.as_bytes(), stored(size)], |row| row.get(0))?)
    }

    /// The digests of what was delivered from the folder under a key and is no longer there.
    pub fn delivered_digests(&self, id: i64, key: &MessageKey) -> Result<Vec<Digest>> {
        let mut statement = self
            .db
            .prepare_cached("SELECT digest FROM history WHERE folder = ?1 AND key = ?2")?;
        let rows = statement.query_map(params![id, key.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
        let mut found = vec![];
        for digest in rows {
            found.extend(Digest::from_bytes(&digest?));
        }
        Ok(found)
    }

    /// Those of the keys of which any task of this user ever delivered a message, to whatever folder, or found one that is
    /// older than the ledger: its owner may have moved it. What we deleted since counts: its owner may have copied it before.
    pub fn delivered_anywhere(&mut self, keys: &HashSet<MessageKey>) -> Result<HashSet<MessageKey>> {
        if keys.is_empty() {
            return Ok(HashSet::new());
        }
        self.transaction(|db| {
            db.execute_batch(
                "CREATE TEMP TABLE IF NOT EXISTS wanted (key BLOB PRIMARY KEY) WITHOUT ROWID; DELETE FROM wanted;",
            )?;
            let mut add = db.prepare_cached("INSERT INTO wanted VALUES (?1)")?;
            for key in keys {
                add.execute([key.as_bytes()])?;
            }
            let mut find = db.prepare_cached(
                "SELECT key FROM message WHERE key IN wanted UNION SELECT key FROM history WHERE key IN wanted
                 UNION SELECT key FROM local_only WHERE key IN wanted AND origin = 1
                 UNION SELECT key FROM delivered_once WHERE key IN wanted",
            )?;
            let rows = find.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
            let mut found = HashSet::new();
            for key in rows {
                found.extend(MessageKey::from_bytes(&key?));
            }
            Ok(found)
        })
    }
}
