// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages and how far each has come.

use std::collections::HashMap;

use rusqlite::{OptionalExtension as _, params};

use super::completeness::Completeness;
use super::post_delivery::{DONE, LOOKED_AT, PostDelivery};
use super::step::Step;
use super::step::{ACCEPTED, DELIVERED, FAILED, GONE, PLANNED, PRESENT};
use super::{Ledger, Result, collect_set, former_flags, number, stored};
use crate::imap::{Flags, UidSet};
use crate::sync::message_key::MessageKey;

pub use crate::sync::message_key::Digest;

/// A message that is known.
#[derive(Clone, Debug)]
pub struct Row {
    /// The local UID, where it is known.
    pub local_uid: Option<u32>,
    /// The flags on the remote side when last looked at.
    pub flags: Flags,
    /// We marked it `\Deleted` on the remote side, or were about to.
    pub remote_deletion: bool,
    /// Whether we marked it `\Seen` on the remote side since its flags were last looked at, or are about to.
    pub seen: PostDelivery,
}

/// A message about to be recorded.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The remote UID.
    pub uid: u32,
    /// The key.
    pub key: MessageKey,
    /// Octets in canonical form.
    pub size: u64,
    /// The digest of the octets, where they were read.
    pub digest: Option<Digest>,
    /// Remote flags.
    pub flags: Flags,
    /// Date of arrival, in seconds since 1970.
    pub date: i64,
    /// Whether as many octets came as the server had announced for the message.
    pub completeness: Completeness,
}

/// A recorded message and its local copy.
#[derive(Clone, Debug)]
pub struct Copy {
    /// The remote UID.
    pub uid: u32,
    /// The local UID, where it is known.
    pub local_uid: Option<u32>,
    /// The key.
    pub key: MessageKey,
    /// Octets in canonical form; 0 when they were not recorded.
    pub size: u64,
    /// The digest, where the octets were read.
    pub digest: Option<Digest>,
    /// Whether this program delivered it; `false` where it was there already.
    pub is_delivered: bool,
}

impl Ledger {
    /// Records messages before they are appended.
    pub fn plan(&mut self, id: i64, entries: &[Entry]) -> Result<()> {
        self.record(id, entries, Step::Planned)
    }

    /// Records messages that could not be moved.
    pub fn fail(&mut self, id: i64, entries: &[Entry]) -> Result<()> {
        self.record(id, entries, Step::Failed)
    }

    /// Records messages of which nothing could be read. What an earlier run may have delivered stays in question.
    pub fn record_unreadable(&mut self, id: i64, uids: impl Iterator<Item = u32>) -> Result<()> {
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
                // One whose outcome is still unknown is now sent for a second time.
                &format!("INSERT INTO message (folder, uid, key, size, digest, flags, date, step, complete)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (folder, uid) DO UPDATE SET
                    repeated = iif(step = {PLANNED} AND excluded.step = {PLANNED}, unixepoch(), repeated),
                    local_uid = NULL, key = excluded.key, size = excluded.size, digest = excluded.digest,
                    flags = excluded.flags, date = excluded.date, step = excluded.step, complete = excluded.complete,
                    remote_deletion = 0, distrusted = 0, sieve = 0, seen = 0"),
            )?;
            for entry in entries {
                statement.execute(params![
                    id,
                    entry.uid,
                    entry.key.as_bytes(),
                    stored(entry.size),
                    entry.digest.as_ref().map(Digest::as_bytes),
                    entry.flags.to_string(),
                    entry.date,
                    step as i64,
                    entry.completeness as i64
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
                &format!("UPDATE message INDEXED BY message_local SET step = {FAILED}, local_uid = NULL, sieve = 0, seen = 0 WHERE folder = ?1 AND local_uid = ?2 AND uid <> ?3"),
            )?;
            let mut lost = db.prepare_cached(&format!(
                "INSERT OR IGNORE INTO lost_copy SELECT folder, uid FROM message INDEXED BY message_local
                 WHERE folder = ?1 AND local_uid = ?2 AND uid <> ?3 AND seen IN ({DONE}, {LOOKED_AT})"
            ))?;
            let mut statement = db.prepare_cached(
                "UPDATE message SET local_uid = ?3, step = ?6, sieve = ?4, seen = ?5 WHERE folder = ?1 AND uid = ?2",
            )?;
            for &(uid, local) in uids {
                if local.is_some() {
                    lost.execute(params![id, local, uid])?;
                    conflict.execute(params![id, local, uid])?;
                }
                let step = local.map_or(Step::Accepted, |_| Step::Delivered);
                statement.execute(params![id, uid, local, sieve as i64, seen as i64, step as i64])?;
            }
            Ok(())
        })
    }

    /// Records messages that were found on the local side. One that an earlier run had planned was brought by it, and so was
    /// one that the server refused and stored all the same. Gives whether any got flags on the remote side since it was known
    /// last, in a former generation of the folder.
    pub fn found(
        &mut self,
        id: i64,
        found: &[(Entry, u32)],
        sieve: PostDelivery,
        seen: PostDelivery,
    ) -> Result<bool> {
        self.transaction(|db| {
            let mut planned = db.prepare_cached(&format!(
                "UPDATE message SET local_uid = ?3, step = {DELIVERED}, sieve = ?4, seen = ?5,
                    complete = iif(digest IS NULL AND ?7 IS NOT NULL, ?8, complete), digest = ifnull(digest, ?7)
                 WHERE folder = ?1 AND uid = ?2
                    AND (step = {PLANNED} OR (step = {FAILED} AND distrusted = 0 AND key = ?6))"
            ))?;
            let mut present = db.prepare_cached(
                // One that was delivered from a former generation of the remote folder stays delivered.
                "INSERT OR REPLACE INTO message (folder, uid, local_uid, key, size, digest, flags, date, complete, step)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, iif(EXISTS (
                    SELECT 1 FROM history WHERE folder = ?1 AND key = ?4 AND size IN (0, ?5)), 1, 2))",
            )?;
            let mut local_only =
                db.prepare_cached("DELETE FROM local_only WHERE folder = ?1 AND local_uid = ?2")?;
            let mut any_flags = false;
            for (entry, local) in found {
                let sent = params![
                    id,
                    entry.uid,
                    local,
                    sieve as i64,
                    seen as i64,
                    entry.key.as_bytes(),
                    entry.digest.as_ref().map(Digest::as_bytes),
                    entry.completeness as i64
                ];
                if planned.execute(sent)? == 0 {
                    let flags = former_flags::take(db, id, *local, &entry.flags)?;
                    any_flags |= flags != entry.flags;
                    present.execute(params![
                        id,
                        entry.uid,
                        local,
                        entry.key.as_bytes(),
                        stored(entry.size),
                        entry.digest.as_ref().map(Digest::as_bytes),
                        flags.to_string(),
                        entry.date,
                        entry.completeness as i64
                    ])?;
                }
                local_only.execute(params![id, local])?;
            }
            Ok(any_flags)
        })
    }

    /// Records that messages are not what was held to be their local copies: they are copied, and no likeness of headers
    /// counts for them any more. Until they are, those copies stay on record.
    pub fn copy_again(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(
                "UPDATE message SET step = ?3, distrusted = 1 WHERE folder = ?1 AND uid = ?2",
            )?;
            for uid in uids.iter() {
                statement.execute(params![id, uid, Step::Failed as i64])?;
            }
            Ok(())
        })
    }

    /// Of messages that came again, those whose octets are what their copies on record have: these copies stay. From now on
    /// they count as found there, so that they are not deleted on the grounds that this program brought them.
    pub fn keep_copies(&mut self, id: i64, came: &[(u32, Digest)]) -> Result<UidSet> {
        let mut kept = vec![];
        self.transaction(|db| {
            let mut statement = db.prepare_cached(&format!(
                "UPDATE message SET step = {PRESENT}, distrusted = 0
                 WHERE folder = ?1 AND uid = ?2 AND digest = ?3
                    AND step = {FAILED} AND distrusted = 1 AND local_uid IS NOT NULL"
            ))?;
            for (uid, digest) in came {
                if statement.execute(params![id, uid, digest.as_bytes()])? > 0 {
                    kept.push(*uid);
                }
            }
            Ok(())
        })?;
        Ok(kept.into_iter().collect())
    }

    /// Records that the local copies of messages are not there, although the server had confirmed them.
    pub fn deny_delivery(&mut self, id: i64, local: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(&format!(
                "UPDATE message SET step = {FAILED}, local_uid = NULL, distrusted = 1
                 WHERE folder = ?1 AND local_uid = ?2 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED})"
            ))?;
            for uid in local.iter() {
                statement.execute(params![id, uid])?;
            }
            db.execute("UPDATE folder SET fingerprint = '' WHERE id = ?1", [id])?;
            Ok(())
        })
    }

    /// Messages whose likeness of headers proved wrong.
    pub fn distrusted(&self, id: i64) -> Result<UidSet> {
        self.uids(
            &format!("SELECT uid FROM message WHERE folder = ?1 AND step = {FAILED} AND distrusted = 1 ORDER BY uid"),
            id,
        )
    }

    /// Records messages that were delivered from a former generation of the remote folder and that their owner has
    /// moved or deleted since: they are not brought again.
    pub fn removed_by_owner(&mut self, id: i64, entries: &[Entry]) -> Result<()> {
        // Not as delivered: a twin of what was delivered must not be deleted on the remote side.
        self.record(id, entries, Step::Present)
    }

    /// Fills in local UIDs that the server did not tell at delivery.
    pub fn locate(&mut self, id: i64, located: &[(u32, u32)]) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(
                &format!("UPDATE message SET local_uid = ?3, step = iif(step = {ACCEPTED}, {DELIVERED}, step) WHERE folder = ?1 AND uid = ?2"),
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
            &format!("SELECT key, uid FROM message WHERE folder = ?1 AND step IN ({ACCEPTED}, {GONE}) AND local_uid IS NULL ORDER BY uid DESC"),
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
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT local_uid, flags, remote_deletion, seen FROM message
             WHERE folder = ?1 AND uid = ?2 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED})"
        ))?;
        let row = statement.query_row(params![id, uid], |row| {
            Ok(Row {
                local_uid: row.get(0)?,
                flags: Flags::parse(&row.get::<_, String>(1)?),
                remote_deletion: row.get::<_, i64>(2)? != 0,
                seen: PostDelivery::from_stored(row.get(3)?),
            })
        });
        Ok(row.optional()?)
    }

    /// Remembers remote flags. What we set before is among them, or was taken back by the owner.
    pub fn set_flags(&mut self, id: i64, flags: &[(u32, Flags)]) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(&format!(
                "UPDATE message SET flags = ?3, seen = iif(seen = {DONE}, {LOOKED_AT}, seen)
                 WHERE folder = ?1 AND uid = ?2"
            ))?;
            for (uid, flags) in flags {
                statement.execute(params![id, uid, flags.to_string()])?;
            }
            Ok(())
        })
    }

    /// Messages known to be delivered whole, with their keywords, whose Sieve filters ran and that arrived before a moment.
    /// One whose arrival is unknown is not older than anything.
    pub fn deletable(&self, id: i64, before: Option<i64>) -> Result<UidSet> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT uid FROM message WHERE folder = ?1 AND step IN ({DELIVERED}, {PRESENT}) AND complete = 1
                AND (?2 IS NULL OR (date < ?2 AND date <> 0)) AND sieve NOT IN (1, 2) AND keywords_missing = 0 ORDER BY uid"
        ))?;
        let rows = statement.query_map(params![id, before], |row| row.get(0))?;
        collect_set(rows)
    }

    /// Recorded messages and their local copies.
    pub fn copies(&self, id: i64, uids: &UidSet) -> Result<Vec<Copy>> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT local_uid, key, size, digest, step FROM message
             WHERE folder = ?1 AND uid = ?2 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED})"
        ))?;
        let mut copies = vec![];
        for uid in uids.iter() {
            let copy = statement.query_row(params![id, uid], |row| {
                let key = MessageKey::from_bytes(&row.get::<_, Vec<u8>>(1)?);
                let digest = row.get::<_, Option<Vec<u8>>>(3)?;
                Ok(key.map(|key| -> rusqlite::Result<Copy> {
                    Ok(Copy {
                        uid,
                        local_uid: row.get(0)?,
                        key,
                        size: number(row.get(2)?),
                        digest: digest.as_deref().and_then(Digest::from_bytes),
                        is_delivered: row.get::<_, i64>(4)? != Step::Present as i64,
                    })
                }))
            });
            if let Some(Some(copy)) = copy.optional()? {
                copies.push(copy?);
            }
        }
        Ok(copies)
    }

    /// How many messages are known that the remote side may still have.
    pub fn count(&self, id: i64) -> Result<u64> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT count(*) FROM message WHERE folder = ?1 AND step <> {GONE}"
        ))?;
        Ok(statement.query_row([id], |row| row.get(0)).map(number)?)
    }

    /// Whether a message is known from `uid` on.
    pub fn knows_from(&self, id: i64, uid: u32) -> Result<bool> {
        let mut statement = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM message WHERE folder = ?1 AND uid >= ?2)")?;
        Ok(statement.query_row(params![id, uid], |row| row.get(0))?)
    }

    /// The highest remote UID on record, 0 where there is none.
    pub fn last_uid(&self, id: i64) -> Result<u32> {
        let sql = "SELECT ifnull(max(uid), 0) FROM message WHERE folder = ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        Ok(statement.query_row([id], |row| row.get(0))?)
    }

    /// Whether a message with this key is planned or failed in any folder of the account.
    pub fn is_waiting(&self, key: &MessageKey) -> Result<bool> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT EXISTS (SELECT 1 FROM message JOIN folder ON folder.id = message.folder
             WHERE folder.source = ?1 AND message.step IN ({PLANNED}, {FAILED}) AND message.key = ?2)"
        ))?;
        Ok(statement.query_row(params![self.source, key.as_bytes()], |row| row.get(0))?)
    }

    /// Whether the local UID is the copy of a message that another account, or another folder, brought or has as well.
    pub fn belongs_to_others(&self, id: i64, local_uid: u32) -> Result<bool> {
        let mut statement = self.db.prepare_cached(
            &format!("SELECT EXISTS (SELECT 1 FROM folder AS own JOIN folder AS other ON other.local = own.local AND other.id <> own.id
                JOIN message ON message.folder = other.id
             WHERE own.id = ?1 AND message.local_uid = ?2
                AND message.step IN ({DELIVERED}, {PRESENT}, {ACCEPTED}, {GONE}))"),
        )?;
        Ok(statement.query_row(params![id, local_uid], |row| row.get(0))?)
    }

    /// Whether another account, or another folder, had a message of this key, which was deleted there because its copy was in
    /// the same local folder.
    pub fn is_claimed_by_others(&self, id: i64, key: &MessageKey) -> Result<bool> {
        let mut statement = self.db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM folder AS own JOIN claim ON claim.local = own.local AND claim.key = ?2
             WHERE own.id = ?1 AND (claim.source <> own.source OR claim.remote <> own.remote))",
        )?;
        Ok(statement.query_row(params![id, key.as_bytes()], |row| row.get(0))?)
    }
}
