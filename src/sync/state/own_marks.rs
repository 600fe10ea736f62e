// SPDX-License-Identifier: GPL-3.0-or-later
//! Remote messages that carry, or may carry, a mark `\\Deleted` of ours, and of which nothing else is on record any
//! more: a run was cut off between the mark and the EXPUNGE, and then both sides were compared again. The mark is not
//! their owner's wish.

use std::collections::HashSet;

use rusqlite::{Transaction, params};

use super::step::{ACCEPTED, DELIVERED, PRESENT};
use super::{Ledger, Result};
use crate::imap::Mailbox;
use crate::sync::message_key::MessageKey;

impl Ledger {
    /// Their keys in a remote folder.
    pub fn own_marks(&self, remote: &Mailbox) -> Result<HashSet<MessageKey>> {
        let sql = "SELECT key FROM own_mark WHERE source = ?1 AND mailbox = ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params![self.source, remote.wire()], |row| {
            row.get::<_, Vec<u8>>(0)
        })?;
        let mut keys = HashSet::new();
        for key in rows {
            keys.extend(MessageKey::from_bytes(&key?));
        }
        Ok(keys)
    }

    /// The marks of a remote folder are taken back.
    pub fn forget_own_marks(&self, remote: &Mailbox) -> Result<()> {
        let sql = "DELETE FROM own_mark WHERE source = ?1 AND mailbox = ?2";
        self.db.execute(sql, params![self.source, remote.wire()])?;
        Ok(())
    }
}

/// Keeps what is known of them before the messages of a folder are forgotten.
pub(super) fn keep(db: &Transaction<'_>, id: i64) -> Result<()> {
    db.execute(
        &format!(
            "INSERT OR IGNORE INTO own_mark
             SELECT folder.source, folder.remote, message.key FROM message JOIN folder ON folder.id = message.folder
             WHERE folder.id = ?1 AND remote_deletion = 1 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED})"
        ),
        [id],
    )?;
    Ok(())
}
