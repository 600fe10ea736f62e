// SPDX-License-Identifier: GPL-3.0-or-later
//! What is left to do for a delivered message.

use rusqlite::params;

use super::step::{ACCEPTED, DELIVERED, FAILED, GONE, PRESENT};
use crate::imap::UidSet;
use crate::sync::state::{Ledger, Result};

/// What is left to do for a delivered message, in inbox mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostDelivery {
    /// Nothing.
    None = 0,
    /// To be done.
    Wanted = 1,
    /// Handed to the server; whether it was done is told by the mailbox.
    Started = 2,
    /// Done.
    Done = 3,
}

/// [`PostDelivery::Done`], in a query.
pub(super) const DONE: i64 = PostDelivery::Done as i64;

/// The same of `\Seen`, and the flags of the remote side were looked at since: whatever is among them counts as its owner's,
/// as where nothing was to be done. It still tells that the message was brought in inbox mode.
pub(super) const LOOKED_AT: i64 = 4;

impl PostDelivery {
    /// As it was stored.
    pub(super) fn from_stored(number: i64) -> Self {
        match number {
            1 => Self::Wanted,
            2 => Self::Started,
            3 => Self::Done,
            // `LOOKED_AT` too.
            _ => Self::None,
        }
    }
}

impl Ledger {
    /// Messages whose Sieve filters are in this state: remote and local UID.
    pub fn sieve(&self, id: i64, step: PostDelivery) -> Result<Vec<(u32, u32)>> {
        // What is to be copied again is not filtered before.
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT uid, local_uid FROM message
             WHERE folder = ?1 AND sieve = ?2 AND local_uid IS NOT NULL AND step <> {FAILED} ORDER BY local_uid"
        ))?;
        let rows = statement.query_map(params![id, step as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Records how far the Sieve filters got.
    pub fn set_sieve(&mut self, id: i64, uids: &[u32], step: PostDelivery) -> Result<()> {
        self.set_post_delivery(
            "UPDATE message SET sieve = ?3 WHERE folder = ?1 AND uid = ?2",
            id,
            uids,
            step,
        )
    }

    /// Gives up filters that are owed, when the task no longer asks for them; how many messages stay as they are.
    pub fn cancel_sieve(&mut self, id: i64) -> Result<u64> {
        let sql = "UPDATE message SET sieve = 0 WHERE folder = ?1 AND sieve IN (1, 2)";
        Ok(self.db.execute(sql, [id])? as u64)
    }

    /// Remote messages that wait for `\Seen`: what was cut is to come again.
    pub fn unseen(&self, id: i64) -> Result<UidSet> {
        self.uids(
            &format!("SELECT uid FROM message WHERE folder = ?1 AND seen = 1 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED}, {GONE}) AND complete <> 2 ORDER BY uid"),
            id,
        )
    }

    /// Records that `\Seen` was set on the remote side.
    pub fn set_seen(&mut self, id: i64, uids: &[u32]) -> Result<()> {
        self.set_post_delivery(
            "UPDATE message SET seen = ?3 WHERE folder = ?1 AND uid = ?2",
            id,
            uids,
            PostDelivery::Done,
        )
    }

    fn set_post_delivery(&mut self, sql: &str, id: i64, uids: &[u32], step: PostDelivery) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(sql)?;
            for uid in uids {
                statement.execute(params![id, uid, step as i64])?;
            }
            Ok(())
        })
    }
}
