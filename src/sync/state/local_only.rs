// SPDX-License-Identifier: GPL-3.0-or-later
//! Local messages that the task has not brought.

use rusqlite::params;

use crate::imap::UidSet;
use crate::sync::message_key::MessageKey;
use crate::sync::state::{Result, State};

impl State {
    /// Local messages that this task has not brought.
    pub fn local_only(&self, id: i64) -> Result<Vec<(MessageKey, u32)>> {
        let mut statement = self
            .db
            .prepare_cached("SELECT key, local_uid FROM stranger WHERE folder = ?1")?;
        let rows = statement.query_map([id], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
        rows.filter_map(|row| match row {
            Ok((key, uid)) => MessageKey::from_bytes(&key).map(|key| Ok((key, uid))),
            Err(error) => Some(Err(error)),
        })
        .collect()
    }

    /// Those of them that may be deleted where only what the remote side has is to stay.
    pub fn deletable_local_only(&self, id: i64) -> Result<UidSet> {
        self.uids(
            "SELECT local_uid FROM stranger WHERE folder = ?1 AND kept = 0 ORDER BY local_uid",
            id,
        )
    }

    /// Records local messages that this task has not brought. What was found in a folder that was replaced is `kept`: it
    /// is never deleted.
    pub fn add_local_only(&mut self, id: i64, local_only: &[(u32, MessageKey)], kept: bool) -> Result<()> {
        self.transaction(|db| {
            let mut statement =
                db.prepare_cached("INSERT OR REPLACE INTO stranger VALUES (?1, ?2, ?3, ?4)")?;
            for (uid, key) in local_only {
                statement.execute(params![id, uid, key.as_bytes(), kept])?;
            }
            Ok(())
        })
    }

    /// Strangers that are no more.
    pub fn remove_local_only(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement =
                db.prepare_cached("DELETE FROM stranger WHERE folder = ?1 AND local_uid = ?2")?;
            for uid in uids.iter() {
                statement.execute(params![id, uid])?;
            }
            Ok(())
        })
    }
}
