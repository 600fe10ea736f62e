// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages and how far each has come.

use std::collections::HashMap;

use rusqlite::{OptionalExtension as _, params};

use crate::imap::{Flags, UidSet};
use crate::sync::message_key::MessageKey;
use crate::sync::state::post_delivery::PostDelivery;
use crate::sync::state::{Result, State, collect_set, number};

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// About to be appended; the outcome is unknown until it is recorded.
    Planned = 0,
    /// The local server confirmed it.
    Delivered = 1,
    /// It was there already, found by its key.
    Present = 2,
    /// Refused or unreadable; tried again by the next run.
    Failed = 3,
    /// The local server took it and did not say where; it counts as delivered once it is found there.
    Accepted = 4,
    /// Deleted on the remote side after its delivery. Its local copy is not to be taken for another message's.
    Gone = 5,
}

/// A message that this task knows.
#[derive(Clone, Debug)]
pub struct Row {
    /// The local UID, where it is known.
    pub local_uid: Option<u32>,
    /// The flags on the remote side when last looked at.
    pub flags: Flags,
}

/// A message about to be recorded.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The remote UID.
    pub uid: u32,
    /// The key.
    pub key: MessageKey,
    /// Remote flags.
    pub flags: Flags,
    /// Date of arrival, in seconds since 1970.
    pub date: i64,
}

impl State {
    /// Records messages before they are appended.
    pub fn plan(&mut self, id: i64, entries: &[Entry]) -> Result<()> {
        self.record(id, entries, Step::Planned)
    }

    /// Records messages that could not be moved.
    pub fn fail(&mut self, id: i64, entries: &[Entry]) -> Result<()> {
        self.record(id, entries, Step::Failed)
    }

    /// Records messages of which nothing could be read. What an earlier run may have delivered stays in question.
    pub fn withhold(&mut self, id: i64, uids: impl Iterator<Item = u32>) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(
                "INSERT OR IGNORE INTO message (folder, uid, key, flags, date, step) VALUES (?1, ?2, x'', '', 0, ?3)",
            )?;
            for uid in uids {
                statement.execute(params![id, uid, Step::Failed as i64])?;
            }
            Ok(())
        })
    }

    fn record(&mut self, id: i64, entries: &[Entry], step: Step) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(
                "INSERT OR REPLACE INTO message (folder, uid, local_uid, key, flags, date, step)
                 VALUES (?1, ?2, NULL, ?3, ?4, ?5, ?6)",
            )?;
            for entry in entries {
                let flags = entry.flags.to_string();
                statement.execute(params![
                    id,
                    entry.uid,
                    entry.key.as_bytes(),
                    flags,
                    entry.date,
                    step as i64
                ])?;
            }
            Ok(())
        })
    }

    /// Records that the local server confirmed planned messages, and what is left to do for them. A local UID that
    /// another message claimed after a lost connection is this one's: the other is tried again.
    pub fn confirm(
        &mut self,
        id: i64,
        uids: &[(u32, Option<u32>)],
        sieve: PostDelivery,
        seen: PostDelivery,
    ) -> Result<()> {
        self.transaction(|db| {
            let mut conflict = db.prepare_cached(
                "UPDATE message INDEXED BY message_local SET step = 3, local_uid = NULL, sieve = 0, seen = 0 WHERE folder = ?1 AND local_uid = ?2 AND uid <> ?3",
            )?;
            let mut statement = db.prepare_cached(
                "UPDATE message SET local_uid = ?3, step = ?6, sieve = ?4, seen = ?5 WHERE folder = ?1 AND uid = ?2",
            )?;
            for &(uid, local) in uids {
                if local.is_some() {
                    conflict.execute(params![id, local, uid])?;
                }
                let step = local.map_or(Step::Accepted, |_| Step::Delivered);
                statement.execute(params![id, uid, local, sieve as i64, seen as i64, step as i64])?;
            }
            Ok(())
        })
    }

    /// Records messages that were found on the local side. One that an earlier run had planned was brought by it.
    pub fn found(
        &mut self,
        id: i64,
        found: &[(Entry, u32)],
        sieve: PostDelivery,
        seen: PostDelivery,
    ) -> Result<()> {
        self.transaction(|db| {
            let mut planned = db.prepare_cached(
                "UPDATE message SET local_uid = ?3, step = 1, sieve = ?4, seen = ?5
                 WHERE folder = ?1 AND uid = ?2 AND step = 0",
            )?;
            let mut present = db.prepare_cached(
                "INSERT OR REPLACE INTO message (folder, uid, local_uid, key, flags, date, step)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 2)",
            )?;
            let mut stranger =
                db.prepare_cached("DELETE FROM stranger WHERE folder = ?1 AND local_uid = ?2")?;
            for (entry, local) in found {
                if planned.execute(params![id, entry.uid, local, sieve as i64, seen as i64])? == 0 {
                    let flags = entry.flags.to_string();
                    present.execute(params![
                        id,
                        entry.uid,
                        local,
                        entry.key.as_bytes(),
                        flags,
                        entry.date
                    ])?;
                }
                stranger.execute(params![id, local])?;
            }
            Ok(())
        })
    }

    /// Fills in local UIDs that the server did not tell at delivery.
    pub fn locate(&mut self, id: i64, located: &[(u32, u32)]) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(
                "UPDATE message SET local_uid = ?3, step = iif(step = 4, 1, step) WHERE folder = ?1 AND uid = ?2",
            )?;
            for (uid, local) in located {
                statement.execute(params![id, uid, local])?;
            }
            Ok(())
        })
    }

    /// Delivered messages whose local UID is unknown, by key.
    pub fn unlocated(&self, id: i64) -> Result<HashMap<MessageKey, Vec<u32>>> {
        let mut statement = self.db.prepare_cached(
            "SELECT key, uid FROM message WHERE folder = ?1 AND step IN (4, 5) AND local_uid IS NULL ORDER BY uid DESC",
        )?;
        let rows = statement.query_map([id], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
        let mut found: HashMap<MessageKey, Vec<u32>> = HashMap::new();
        for row in rows {
            let (key, uid) = row?;
            if let Some(key) = MessageKey::from_bytes(&key) {
                found.entry(key).or_default().push(uid);
            }
        }
        Ok(found)
    }

    /// What is known of a message.
    pub fn row(&self, id: i64, uid: u32) -> Result<Option<Row>> {
        let mut statement = self.db.prepare_cached(
            "SELECT local_uid, flags FROM message WHERE folder = ?1 AND uid = ?2 AND step IN (1, 2, 4)",
        )?;
        let row = statement.query_row(params![id, uid], |row| {
            Ok(Row {
                local_uid: row.get(0)?,
                flags: Flags::parse(&row.get::<_, String>(1)?),
            })
        });
        row.optional()
    }

    /// Remembers remote flags.
    pub fn set_flags(&mut self, id: i64, flags: &[(u32, Flags)]) -> Result<()> {
        self.transaction(|db| {
            let mut statement =
                db.prepare_cached("UPDATE message SET flags = ?3 WHERE folder = ?1 AND uid = ?2")?;
            for (uid, flags) in flags {
                statement.execute(params![id, uid, flags.to_string()])?;
            }
            Ok(())
        })
    }

    /// Messages known to be delivered whose Sieve filters ran and that arrived before a moment. One whose arrival is
    /// unknown is not older than anything.
    pub fn deletable(&self, id: i64, before: Option<i64>) -> Result<UidSet> {
        let mut statement = self.db.prepare_cached(
            "SELECT uid FROM message WHERE folder = ?1 AND step IN (1, 2)
                AND (?2 IS NULL OR (date < ?2 AND date <> 0)) AND sieve NOT IN (1, 2) ORDER BY uid",
        )?;
        let rows = statement.query_map(params![id, before], |row| row.get(0))?;
        collect_set(rows)
    }

    /// Forgets messages that are no longer on the remote side.
    pub fn forget(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached("DELETE FROM message WHERE folder = ?1 AND uid = ?2")?;
            for uid in uids.iter() {
                statement.execute(params![id, uid])?;
            }
            Ok(())
        })
    }

    /// Like [`State::forget`], for copies that stay: they are known as messages that only the local side has, so that
    /// one that comes back is not copied again.
    pub fn mark_local_only(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut keep = db.prepare_cached(
                "INSERT OR IGNORE INTO stranger
                 SELECT folder, local_uid, key, 0 FROM message
                 WHERE folder = ?1 AND uid = ?2 AND step IN (1, 2) AND local_uid IS NOT NULL",
            )?;
            for uid in uids.iter() {
                keep.execute(params![id, uid])?;
            }
            Ok(())
        })?;
        self.forget(id, uids)
    }

    /// Records messages that were deleted on the remote side because they are delivered.
    pub fn mark_remote_deleted(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement =
                db.prepare_cached("UPDATE message SET step = ?3 WHERE folder = ?1 AND uid = ?2")?;
            for uid in uids.iter() {
                statement.execute(params![id, uid, Step::Gone as i64])?;
            }
            Ok(())
        })
    }

    /// Forgets deleted messages whose local copies lie below `local_next`, where nothing is looked for any more.
    pub fn forget_remote_deleted(&self, id: i64, local_next: u32) -> Result<()> {
        let sql = "DELETE FROM message WHERE folder = ?1 AND step = 5 AND local_uid < ?2";
        self.db.execute(sql, params![id, local_next]).map(|_| ())
    }

    /// How many messages are known that the remote side may still have.
    pub fn count(&self, id: i64) -> Result<u64> {
        let mut statement = self
            .db
            .prepare_cached("SELECT count(*) FROM message WHERE folder = ?1 AND step <> 5")?;
        statement.query_row([id], |row| row.get(0)).map(number)
    }

    /// Whether a message is known from `uid` on.
    pub fn knows_from(&self, id: i64, uid: u32) -> Result<bool> {
        let mut statement = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM message WHERE folder = ?1 AND uid >= ?2)")?;
        statement.query_row(params![id, uid], |row| row.get(0))
    }
}
