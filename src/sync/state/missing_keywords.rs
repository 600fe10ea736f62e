// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages that were sent to the local side without their keywords, as the server had refused one of them: the others are
//! set one by one, by this run or a later one.

use rusqlite::{Connection, params};

use super::step::{ACCEPTED, DELIVERED, GONE, PRESENT};
use super::{Ledger, Result};
use crate::imap::{Flags, UidSet};

/// What the local copy of a message lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingKeywords {
    /// The remote UID.
    pub uid: u32,
    /// The local UID, where it is known.
    pub local_uid: Option<u32>,
    /// Its keywords on the remote side when last looked at.
    pub keywords: Flags,
}

/// The folder gets another generation: what the copies lack counts as set since.
pub(super) fn count_as_new(db: &Connection, folder: i64) -> Result<()> {
    let mut lacking =
        db.prepare_cached("SELECT uid, flags FROM message WHERE folder = ?1 AND keywords_missing <> 0")?;
    let mut known = db.prepare_cached("UPDATE message SET flags = ?3 WHERE folder = ?1 AND uid = ?2")?;
    let rows = lacking.query_map([folder], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (uid, flags) in rows.collect::<rusqlite::Result<Vec<(u32, String)>>>()? {
        let flags = Flags::parse(&flags).system_only();
        known.execute(params![folder, uid, flags.to_string()])?;
    }
    Ok(())
}

impl Ledger {
    /// Records messages before they are sent without their keywords. One that is sent with them later on may be there all the
    /// same, so that it stays on record.
    pub fn send_without_keywords(&mut self, id: i64, uids: impl Iterator<Item = u32>) -> Result<()> {
        self.transaction(|db| {
            let mut statement =
                db.prepare_cached("UPDATE message SET keywords_missing = 1 WHERE folder = ?1 AND uid = ?2")?;
            for uid in uids {
                statement.execute(params![id, uid])?;
            }
            Ok(())
        })
    }

    /// Delivered messages that came without their keywords. One that is not found yet waits until it is.
    pub fn missing_keywords(&self, id: i64) -> Result<Vec<MissingKeywords>> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT uid, local_uid, flags FROM message WHERE folder = ?1 AND keywords_missing <> 0
                AND step IN ({DELIVERED}, {PRESENT}, {GONE}) ORDER BY uid"
        ))?;
        let rows = statement.query_map([id], |row| {
            let flags = Flags::parse(&row.get::<_, String>(2)?);
            Ok(MissingKeywords {
                uid: row.get(0)?,
                local_uid: row.get(1)?,
                keywords: flags.minus(&flags.system_only()),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether keywords of delivered messages are still to be set.
    pub fn lacks_keywords(&self, id: i64) -> Result<bool> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT EXISTS (SELECT 1 FROM message WHERE folder = ?1 AND keywords_missing <> 0
                AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED}))"
        ))?;
        Ok(statement.query_row([id], |row| row.get(0))?)
    }

    /// Records that the keywords of messages are set, or refused for good.
    pub fn keywords_settled(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement =
                db.prepare_cached("UPDATE message SET keywords_missing = 0 WHERE folder = ?1 AND uid = ?2")?;
            for uid in uids.iter() {
                statement.execute(params![id, uid])?;
            }
            Ok(())
        })
    }
}
