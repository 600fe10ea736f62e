// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that are gone from the remote side, or about to be.

use rusqlite::params;

use super::messages::Entry;
use super::step::Step;
use super::step::{ACCEPTED, DELIVERED, GONE, PRESENT};
use super::{Digest, Ledger, Result};
use crate::imap::UidSet;

impl Ledger {
    /// A message that was known by another UID came back: it is as far as it was.
    pub fn came_back(&self, id: i64, former: u32, entry: &Entry) -> Result<()> {
        let mut statement = self.db.prepare_cached(
            "UPDATE OR REPLACE message SET uid = ?3, flags = ?4, date = ?5, remote_deletion = 0
             WHERE folder = ?1 AND uid = ?2",
        )?;
        statement.execute(params![
            id,
            former,
            entry.uid,
            entry.flags.to_string(),
            entry.date
        ])?;
        Ok(())
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

    /// Like [`Ledger::forget`], for copies that stay: they are known as messages that only the local side has, so that
    /// one that comes back is not copied again.
    pub fn mark_local_only(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut keep = db.prepare_cached(
                &format!("INSERT OR IGNORE INTO local_only
                 SELECT folder, local_uid, key, size, date, iif(step = {DELIVERED} AND local_uid >= (
                    SELECT brought_before FROM folder WHERE id = ?1), 2, 1) FROM message
                 WHERE folder = ?1 AND uid = ?2 AND step IN ({DELIVERED}, {PRESENT}) AND local_uid IS NOT NULL"),
            )?;
            let mut remember = db.prepare_cached(
                &format!("INSERT OR IGNORE INTO history
                 SELECT folder, key, size, ifnull(digest, x'') FROM message
                 WHERE folder = ?1 AND uid = ?2 AND step IN ({DELIVERED}, {ACCEPTED}) AND length(key) = 16"),
            )?;
            for uid in uids.iter() {
                keep.execute(params![id, uid])?;
                remember.execute(params![id, uid])?;
            }
            Ok(())
        })?;
        self.forget(id, uids)
    }

    /// Records that messages are about to be deleted on the remote side.
    pub fn intend_remote_deletion(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.set_remote_deletion(id, uids, true)
    }

    /// Records that the mark on remote messages was taken back.
    pub fn cancel_remote_deletion(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.set_remote_deletion(id, uids, false)
    }

    fn set_remote_deletion(&mut self, id: i64, uids: &UidSet, intended: bool) -> Result<()> {
        self.transaction(|db| {
            let mut statement =
                db.prepare_cached("UPDATE message SET remote_deletion = ?3 WHERE folder = ?1 AND uid = ?2")?;
            for uid in uids.iter() {
                statement.execute(params![id, uid, intended])?;
            }
            Ok(())
        })
    }

    /// Remote messages that we marked `\Deleted`, or were about to, and that are not gone yet.
    pub fn intended_remote_deletions(&self, id: i64) -> Result<UidSet> {
        self.uids(
            &format!("SELECT uid FROM message WHERE folder = ?1 AND remote_deletion = 1 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED}) ORDER BY uid"),
            id,
        )
    }

    /// Records messages that were deleted on the remote side because they are delivered. Their local copies are claimed for
    /// good: they may be all that is left, whoever brought them.
    pub fn mark_remote_deleted(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut claim = db.prepare_cached(
                "INSERT OR IGNORE INTO claim SELECT folder.local, message.key, folder.source, folder.remote
                 FROM message JOIN folder ON folder.id = message.folder
                 WHERE folder = ?1 AND uid = ?2 AND length(key) = 16",
            )?;
            let mut statement =
                db.prepare_cached("UPDATE message SET step = ?3 WHERE folder = ?1 AND uid = ?2")?;
            for uid in uids.iter() {
                claim.execute(params![id, uid])?;
                statement.execute(params![id, uid, Step::Gone as i64])?;
            }
            Ok(())
        })
    }

    /// Messages that were deleted on the remote side and are not in the history yet, with their digests.
    pub fn remote_deleted(&self, id: i64) -> Result<Vec<(u32, Digest)>> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT uid, digest FROM message WHERE folder = ?1 AND step = {GONE} AND digest IS NOT NULL ORDER BY uid"
        ))?;
        let mut rows = statement.query([id])?;
        let mut found = vec![];
        while let Some(row) = rows.next()? {
            if let Some(digest) = Digest::from_bytes(&row.get::<_, Vec<u8>>(1)?) {
                found.push((row.get(0)?, digest));
            }
        }
        Ok(found)
    }

    /// Records that such messages are there again. One whose copy its owner removed meanwhile is not deleted once more.
    pub fn delivered_again(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(
                "UPDATE message SET step = ?3, remote_deletion = 0 WHERE folder = ?1 AND uid = ?2",
            )?;
            for uid in uids.iter() {
                statement.execute(params![id, uid, Step::Present as i64])?;
            }
            Ok(())
        })
    }

    /// Moves messages to the history that the remote side has no longer, or under another UID, and whose copies this program did
    /// not delete: wherever their owner put these, they stay known by their keys.
    pub fn move_to_history(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut remember = db.prepare_cached(&format!(
                "INSERT OR IGNORE INTO history SELECT folder, key, size, ifnull(digest, x'') FROM message
                 WHERE folder = ?1 AND uid = ?2 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED}, {GONE}) AND length(key) = 16"
            ))?;
            for uid in uids.iter() {
                remember.execute(params![id, uid])?;
            }
            Ok(())
        })?;
        self.forget(id, uids)
    }

    /// Moves deleted messages whose local copies lie below `local_next`, where nothing is looked for any more, to the
    /// history; not those of which a second copy may still arrive.
    pub fn forget_remote_deleted(&mut self, id: i64, local_next: u32) -> Result<()> {
        self.transaction(|db| {
            let gone = format!(
                "folder = ?1 AND step = {GONE} AND repeated = 0 AND (local_uid IS NULL OR local_uid < ?2)"
            );
            db.execute(
                &format!(
                    "INSERT OR IGNORE INTO history SELECT folder, key, size, ifnull(digest, x'') FROM message
                     WHERE {gone} AND length(key) = 16"
                ),
                params![id, local_next],
            )?;
            db.execute(
                &format!("DELETE FROM message WHERE {gone}"),
                params![id, local_next],
            )?;
            Ok(())
        })
    }
}
