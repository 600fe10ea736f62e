// SPDX-License-Identifier: GPL-3.0-or-later
//! The youngest messages on record, which show whether UIDs still mean what they meant.

use std::collections::HashMap;

use rusqlite::{OptionalExtension as _, params};

use super::step::{ACCEPTED, DELIVERED, GONE, PRESENT};
use super::{Digest, FolderState, Ledger, Result, number};
use crate::imap::Mailbox;
use crate::sync::message_key::MessageKey;

/// What is on record of a message, by which it is known again.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// The key.
    pub key: MessageKey,
    /// Octets, in canonical form or as a server claimed them; 0 when they were not recorded.
    pub size: u64,
    /// Its date of arrival, in seconds since 1970; 0 when it was not recorded.
    pub date: i64,
    /// The digest, where the octets were read.
    pub digest: Option<Digest>,
}

impl Ledger {
    /// The youngest messages on record, so many, by remote UID. What is known of one that was cut is not what the server has.
    pub fn youngest(&self, id: i64, count: u32) -> Result<HashMap<u32, Mark>> {
        self.sample(
            &format!("SELECT uid, key, size, date, digest FROM message WHERE folder = ?1 AND step IN ({DELIVERED}, {PRESENT}, {ACCEPTED}) AND length(key) = 16
                AND complete <> 2
             ORDER BY uid DESC LIMIT ?2"),
            id,
            count,
        )
    }

    /// The same on the local side, by local UID, with what no one brought.
    pub fn youngest_locally(&self, id: i64, count: u32) -> Result<HashMap<u32, Mark>> {
        self.sample(
            &format!("SELECT * FROM (SELECT local_uid, key, size, date, digest FROM message WHERE folder = ?1 AND local_uid IS NOT NULL
                AND step IN ({DELIVERED}, {PRESENT}, {GONE}) AND length(key) = 16 ORDER BY local_uid DESC LIMIT ?2)
             UNION SELECT * FROM (SELECT local_uid, key, size, date, NULL FROM local_only WHERE folder = ?1
                ORDER BY local_uid DESC LIMIT ?2)
             ORDER BY 1 DESC LIMIT ?2"),
            id,
            count,
        )
    }

    fn sample(&self, sql: &str, id: i64, count: u32) -> Result<HashMap<u32, Mark>> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params![id, count])?;
        let mut found = HashMap::new();
        while let Some(row) = rows.next()? {
            if let Some(key) = MessageKey::from_bytes(&row.get::<_, Vec<u8>>(1)?) {
                let digest = row.get::<_, Option<Vec<u8>>>(4)?;
                let mark = Mark {
                    key,
                    size: number(row.get(2)?),
                    date: row.get(3)?,
                    digest: digest.as_deref().and_then(Digest::from_bytes),
                };
                found.insert(row.get(0)?, mark);
            }
        }
        Ok(found)
    }

    /// So many folders of the account: the inbox, and those that mail came to last. Remote names and records.
    pub fn newest_folders(&self, count: usize) -> Result<Vec<(Mailbox, FolderState)>> {
        let mut last = self
            .db
            .prepare_cached("SELECT date FROM message WHERE folder = ?1 ORDER BY uid DESC LIMIT 1")?;
        let mut folders = vec![];
        for (remote, folder) in self.folders()? {
            let date: Option<i64> = last.query_row([folder.id], |row| row.get(0)).optional()?;
            folders.push((remote.is_inbox(), date.unwrap_or(0), remote, folder));
        }
        folders.sort_by_key(|(is_inbox, date, ..)| std::cmp::Reverse((*is_inbox, *date)));
        folders.truncate(count);
        let folders = folders.into_iter();
        Ok(folders.map(|(_, _, remote, folder)| (remote, folder)).collect())
    }

    /// The highest UIDNEXT that a local mailbox ever showed to any task under this UIDVALIDITY.
    pub fn local_high(&self, local: &Mailbox, validity: u32) -> Result<Option<u32>> {
        let mut statement = self.db.prepare_cached(
            "SELECT max(min(max(local_high, (SELECT ifnull(max(local_uid), 0) + 1 FROM message WHERE folder = folder.id)),
                4294967295)) FROM folder WHERE local = ?1 AND local_validity = ?2",
        )?;
        Ok(statement.query_row(params![local.wire(), validity], |row| row.get(0))?)
    }
}
