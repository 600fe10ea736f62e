// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.state`: what this task has moved. It makes a run without changes one round trip, and it remembers
//! what the user moved or deleted. It is written ahead of the effects that it must survive; lost, it is
//! rebuilt by comparing both sides.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::key::Key;
use crate::imap::{Flags, Mailbox, UidSet};

/// The form of the database; another one is thrown away and rebuilt.
const VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE folder (
        id INTEGER PRIMARY KEY,
        remote BLOB NOT NULL UNIQUE,
        local BLOB NOT NULL,
        remote_validity INTEGER NOT NULL DEFAULT 0,
        local_validity INTEGER NOT NULL DEFAULT 0,
        remote_next INTEGER NOT NULL DEFAULT 1,
        remote_messages INTEGER NOT NULL DEFAULT 0,
        remote_modseq INTEGER NOT NULL DEFAULT 0,
        local_next INTEGER NOT NULL DEFAULT 1,
        settled TEXT NOT NULL DEFAULT '');
    CREATE TABLE message (
        folder INTEGER NOT NULL,
        uid INTEGER NOT NULL,
        local_uid INTEGER,
        key BLOB NOT NULL,
        flags TEXT NOT NULL,
        date INTEGER NOT NULL,
        step INTEGER NOT NULL,
        sieve INTEGER NOT NULL DEFAULT 0,
        seen INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (folder, uid)) WITHOUT ROWID;
    CREATE INDEX message_local ON message (folder, local_uid);
    CREATE INDEX message_pending ON message (folder, step) WHERE step IN (0, 3);
    CREATE INDEX message_planned ON message (step) WHERE step = 0;
    CREATE TABLE stranger (
        folder INTEGER NOT NULL,
        local_uid INTEGER NOT NULL,
        key BLOB NOT NULL,
        PRIMARY KEY (folder, local_uid)) WITHOUT ROWID;
";

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
    /// Deleted on the remote side after its delivery. Its local copy is not to be taken for another message's.
    Gone = 4,
}

/// What is left to do for a delivered message, in inbox mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chore {
    /// Nothing.
    None = 0,
    /// To be done.
    Wanted = 1,
    /// Handed to the server; whether it was done is told by the mailbox.
    Started = 2,
    /// Done.
    Done = 3,
}

/// A folder as the last run left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderState {
    /// The row.
    pub id: i64,
    /// The local folder.
    pub local: Mailbox,
    /// UIDVALIDITY of the remote folder; 0 before the first comparison.
    pub remote_validity: u32,
    /// UIDVALIDITY of the local folder.
    pub local_validity: u32,
    /// Every remote UID below was dealt with.
    pub remote_next: u32,
    /// Messages of the remote folder at the end of the last run.
    pub remote_messages: u64,
    /// The remote folder's modification sequence at that time; 0 when unknown.
    pub remote_modseq: u64,
    /// Every local UID below is known.
    pub local_next: u32,
    /// What the last run looked at and found done, in words; compared as a whole.
    pub settled: String,
}

/// A message that this task knows.
#[derive(Clone, Debug)]
pub struct Row {
    /// The remote UID.
    pub uid: u32,
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
    pub key: Key,
    /// Remote flags.
    pub flags: Flags,
    /// Date of arrival, in seconds since 1970.
    pub date: i64,
}

/// The database.
pub struct State {
    db: Connection,
}

/// Result of database operations.
pub type Result<T> = rusqlite::Result<T>;

impl State {
    /// Opens the state of a task. One that is damaged, of another version or of other accounts is started anew.
    pub fn open(path: &Path, accounts: &str) -> Result<Self> {
        match Self::try_open(path) {
            Ok(state) if state.meta("accounts")?.as_deref() == Some(accounts) => Ok(state),
            // What cannot be read just now is not damaged, and what it remembers must not be lost.
            Err(error) if !is_damage(&error) => Err(error),
            _ => {
                for ending in ["", "-wal", "-shm"] {
                    let mut name = path.as_os_str().to_owned();
                    name.push(ending);
                    let _ = std::fs::remove_file(name);
                }
                let state = Self::try_open(path)?;
                state.set_meta("accounts", accounts)?;
                Ok(state)
            }
        }
    }

    /// A copy in memory, for a look ahead that leaves no trace; empty when there is no state.
    pub fn preview(path: &Path, accounts: &str) -> Result<Self> {
        let mut state = Self::prepare(Connection::open_in_memory()?)?;
        state.set_meta("accounts", accounts)?;
        // Even a reader leaves files beside the database; a copy elsewhere is read instead.
        let Ok(folder) = copy_aside(path) else {
            return Ok(state);
        };
        let Ok(stored) = Connection::open(folder.path().join(COPY)) else {
            return Ok(state);
        };
        let stored = Self { db: stored };
        if stored.version().ok() == Some(VERSION) && stored.meta("accounts")?.as_deref() == Some(accounts) {
            rusqlite::backup::Backup::new(&stored.db, &mut state.db)?.run_to_completion(
                1000,
                std::time::Duration::ZERO,
                None,
            )?;
        }
        Ok(state)
    }

    fn try_open(path: &Path) -> Result<Self> {
        if !path.exists() {
            // The mode is set before the first byte.
            use std::os::unix::fs::OpenOptionsExt as _;
            let made = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path);
            made.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        }
        let db = Connection::open(path)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        Self::prepare(db)
    }

    fn prepare(db: Connection) -> Result<Self> {
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "cache_size", -2000)?;
        let state = Self { db };
        match state.version()? {
            VERSION => {}
            0 => {
                state.db.execute_batch(&format!(
                    "BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
                ))?;
            }
            _ => return Err(rusqlite::Error::InvalidQuery),
        }
        Ok(state)
    }

    fn version(&self) -> Result<i64> {
        self.db.pragma_query_value(None, "user_version", |row| row.get(0))
    }

    /// One remembered word.
    pub fn meta(&self, name: &str) -> Result<Option<String>> {
        let mut statement = self.db.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
        statement.query_row([name], |row| row.get(0)).optional()
    }

    /// Remembers a word.
    pub fn set_meta(&self, name: &str, value: &str) -> Result<()> {
        self.db
            .execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", [name, value])
            .map(|_| ())
    }

    /// Makes what was written survive a power loss, before an effect that cannot be taken back.
    pub fn sync(&self) -> Result<()> {
        self.db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// Forgets everything: the local mailbox is another one.
    pub fn forget_all(&self) -> Result<()> {
        self.db
            .execute_batch("BEGIN; DELETE FROM folder; DELETE FROM message; DELETE FROM stranger; COMMIT;")
    }

    /// The folder's record, made when there is none.
    pub fn folder(&self, remote: &Mailbox, local: &Mailbox) -> Result<FolderState> {
        if let Some(found) = self.known_folder(remote)? {
            if &found.local == local {
                return Ok(found);
            }
            self.forget_messages(found.id)?;
            self.db.execute(
                "UPDATE folder SET local = ?2, local_validity = 0 WHERE id = ?1",
                params![found.id, local.wire()],
            )?;
        } else {
            self.db.execute(
                "INSERT INTO folder (remote, local) VALUES (?1, ?2)",
                params![remote.wire(), local.wire()],
            )?;
        }
        self.known_folder(remote)?
            .ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// The folder's record.
    pub fn known_folder(&self, remote: &Mailbox) -> Result<Option<FolderState>> {
        let mut statement = self.db.prepare_cached(
            "SELECT id, local, remote_validity, local_validity, remote_next, remote_messages, remote_modseq,
                    local_next, settled FROM folder WHERE remote = ?1",
        )?;
        statement
            .query_row([remote.wire()], |row| {
                Ok(FolderState {
                    id: row.get(0)?,
                    local: Mailbox::from_wire(row.get(1)?),
                    remote_validity: row.get(2)?,
                    local_validity: row.get(3)?,
                    remote_next: row.get(4)?,
                    remote_messages: number(row.get(5)?),
                    remote_modseq: number(row.get(6)?),
                    local_next: row.get(7)?,
                    settled: row.get(8)?,
                })
            })
            .optional()
    }

    /// All folders ever pulled: remote and local names.
    pub fn folders(&self) -> Result<Vec<(Mailbox, Mailbox)>> {
        let mut statement = self.db.prepare_cached("SELECT remote, local FROM folder")?;
        let rows = statement.query_map([], |row| {
            Ok((Mailbox::from_wire(row.get(0)?), Mailbox::from_wire(row.get(1)?)))
        })?;
        rows.collect()
    }

    /// Removes a folder's record.
    pub fn forget_folder(&self, id: i64) -> Result<()> {
        self.forget_messages(id)?;
        self.db
            .execute("DELETE FROM folder WHERE id = ?1", [id])
            .map(|_| ())
    }

    /// Writes a folder's record.
    pub fn save_folder(&self, folder: &FolderState) -> Result<()> {
        let mut statement = self.db.prepare_cached(
            "UPDATE folder SET remote_validity = ?2, local_validity = ?3, remote_next = ?4, remote_messages = ?5,
                remote_modseq = ?6, local_next = ?7, settled = ?8 WHERE id = ?1",
        )?;
        statement
            .execute(params![
                folder.id,
                folder.remote_validity,
                folder.local_validity,
                folder.remote_next,
                i64::try_from(folder.remote_messages).unwrap_or(i64::MAX),
                i64::try_from(folder.remote_modseq).unwrap_or(i64::MAX),
                folder.local_next,
                folder.settled
            ])
            .map(|_| ())
    }

    /// Forgets a folder's messages, so that both sides are compared.
    pub fn forget_messages(&self, id: i64) -> Result<()> {
        self.db.execute("DELETE FROM message WHERE folder = ?1", [id])?;
        self.db.execute("DELETE FROM stranger WHERE folder = ?1", [id])?;
        let sql = "UPDATE folder SET remote_next = 1, remote_messages = 0, remote_modseq = 0, local_next = 1,
                    settled = '' WHERE id = ?1";
        self.db.execute(sql, [id]).map(|_| ())
    }

    /// The local folder was removed: what was delivered stays delivered, wherever its owner put it.
    pub fn forget_local(&self, id: i64) -> Result<()> {
        self.db
            .execute("UPDATE message SET local_uid = NULL WHERE folder = ?1", [id])?;
        self.db.execute("DELETE FROM stranger WHERE folder = ?1", [id])?;
        self.db
            .execute(
                "UPDATE folder SET local_next = 1, settled = '' WHERE id = ?1",
                [id],
            )
            .map(|_| ())
    }

    /// Remote UIDs that need nothing more: delivered or present.
    pub fn done_uids(&self, id: i64) -> Result<UidSet> {
        self.uids(
            "SELECT uid FROM message WHERE folder = ?1 AND step IN (1, 2) ORDER BY uid",
            id,
        )
    }

    /// Remote UIDs whose delivery is unknown or failed.
    pub fn pending_uids(&self, id: i64) -> Result<UidSet> {
        self.uids(
            "SELECT uid FROM message WHERE folder = ?1 AND step IN (0, 3) ORDER BY uid",
            id,
        )
    }

    /// Remote UIDs whose delivery is unknown.
    pub fn planned_uids(&self, id: i64) -> Result<UidSet> {
        self.uids(
            "SELECT uid FROM message WHERE folder = ?1 AND step = 0 ORDER BY uid",
            id,
        )
    }

    /// Whether the outcome of any delivery is unknown.
    pub fn is_anything_planned(&self) -> Result<bool> {
        self.db.query_row(
            "SELECT EXISTS (SELECT 1 FROM message WHERE step = 0)",
            [],
            |row| row.get(0),
        )
    }

    /// Whether a message is known from `uid` on.
    pub fn knows_from(&self, id: i64, uid: u32) -> Result<bool> {
        let mut statement = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM message WHERE folder = ?1 AND uid >= ?2)")?;
        statement.query_row(params![id, uid], |row| row.get(0))
    }

    /// Local UIDs that are accounted for, from `from` on: delivered, present, or strangers.
    pub fn local_uids(&self, id: i64, from: u32) -> Result<UidSet> {
        let mut statement = self.db.prepare_cached(
            "SELECT local_uid FROM message WHERE folder = ?1 AND local_uid >= ?2
             UNION SELECT local_uid FROM stranger WHERE folder = ?1 AND local_uid >= ?2 ORDER BY 1",
        )?;
        let rows = statement.query_map(params![id, from], |row| row.get(0))?;
        collect_set(rows)
    }

    fn uids(&self, sql: &str, id: i64) -> Result<UidSet> {
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([id], |row| row.get(0))?;
        collect_set(rows)
    }

    /// Local messages that this task has not brought, by key; the smallest UID last, to be taken first.
    pub fn strangers(&self, id: i64) -> Result<HashMap<Key, Vec<u32>>> {
        let mut statement = self.db.prepare_cached(
            "SELECT key, local_uid FROM stranger WHERE folder = ?1 ORDER BY local_uid DESC",
        )?;
        let rows = statement.query_map([id], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
        let mut found: HashMap<Key, Vec<u32>> = HashMap::new();
        for row in rows {
            let (key, uid) = row?;
            if let Some(key) = Key::from_bytes(&key) {
                found.entry(key).or_default().push(uid);
            }
        }
        Ok(found)
    }

    /// Records local messages that this task has not brought.
    pub fn add_strangers(&mut self, id: i64, strangers: &[(u32, Key)]) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached("INSERT OR REPLACE INTO stranger VALUES (?1, ?2, ?3)")?;
            for (uid, key) in strangers {
                statement.execute(params![id, uid, key.as_bytes()])?;
            }
            Ok(())
        })
    }

    /// Strangers that are no more.
    pub fn drop_strangers(&mut self, id: i64, uids: &UidSet) -> Result<()> {
        self.transaction(|db| {
            let mut statement =
                db.prepare_cached("DELETE FROM stranger WHERE folder = ?1 AND local_uid = ?2")?;
            for uid in uids.iter() {
                statement.execute(params![id, uid])?;
            }
            Ok(())
        })
    }

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
    pub fn confirm(&mut self, id: i64, uids: &[(u32, Option<u32>)], sieve: Chore, seen: Chore) -> Result<()> {
        self.transaction(|db| {
            let mut conflict = db.prepare_cached(
                "UPDATE message INDEXED BY message_local SET step = 3, local_uid = NULL WHERE folder = ?1 AND local_uid = ?2 AND uid <> ?3",
            )?;
            let mut statement = db.prepare_cached(
                "UPDATE message SET local_uid = ?3, step = 1, sieve = ?4, seen = ?5 WHERE folder = ?1 AND uid = ?2",
            )?;
            for &(uid, local) in uids {
                if local.is_some() {
                    conflict.execute(params![id, local, uid])?;
                }
                statement.execute(params![id, uid, local, sieve as i64, seen as i64])?;
            }
            Ok(())
        })
    }

    /// Records messages that were found on the local side. One that an earlier run had planned was brought by it.
    pub fn found(&mut self, id: i64, found: &[(Entry, u32)], sieve: Chore, seen: Chore) -> Result<()> {
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
            let mut statement =
                db.prepare_cached("UPDATE message SET local_uid = ?3 WHERE folder = ?1 AND uid = ?2")?;
            for (uid, local) in located {
                statement.execute(params![id, uid, local])?;
            }
            Ok(())
        })
    }

    /// Delivered messages whose local UID is unknown, by key.
    pub fn unlocated(&self, id: i64) -> Result<HashMap<Key, Vec<u32>>> {
        let mut statement = self.db.prepare_cached(
            "SELECT key, uid FROM message WHERE folder = ?1 AND step IN (1, 4) AND local_uid IS NULL ORDER BY uid DESC",
        )?;
        let rows = statement.query_map([id], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
        let mut found: HashMap<Key, Vec<u32>> = HashMap::new();
        for row in rows {
            let (key, uid) = row?;
            if let Some(key) = Key::from_bytes(&key) {
                found.entry(key).or_default().push(uid);
            }
        }
        Ok(found)
    }

    /// What is known of the messages among `uids`.
    pub fn rows(&self, id: i64, uids: impl Iterator<Item = u32>) -> Result<Vec<Row>> {
        let mut statement = self.db.prepare_cached(
            "SELECT local_uid, flags FROM message WHERE folder = ?1 AND uid = ?2 AND step IN (1, 2)",
        )?;
        let mut rows = vec![];
        for uid in uids {
            let row = statement
                .query_row(params![id, uid], |row| {
                    Ok(Row {
                        uid,
                        local_uid: row.get(0)?,
                        flags: Flags::parse(&row.get::<_, String>(1)?),
                    })
                })
                .optional()?;
            rows.extend(row);
        }
        Ok(rows)
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

    /// Messages with a chore of the Sieve kind in a certain state: remote and local UID.
    pub fn sieve(&self, id: i64, chore: Chore) -> Result<Vec<(u32, u32)>> {
        let mut statement = self.db.prepare_cached(
            "SELECT uid, local_uid FROM message WHERE folder = ?1 AND sieve = ?2 AND local_uid IS NOT NULL ORDER BY local_uid",
        )?;
        let rows = statement.query_map(params![id, chore as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    /// Records how far the Sieve filters got.
    pub fn set_sieve(&mut self, id: i64, uids: &[u32], chore: Chore) -> Result<()> {
        self.set_chore(
            "UPDATE message SET sieve = ?3 WHERE folder = ?1 AND uid = ?2",
            id,
            uids,
            chore,
        )
    }

    /// Remote messages that wait for `\Seen`.
    pub fn unseen(&self, id: i64) -> Result<UidSet> {
        self.uids(
            "SELECT uid FROM message WHERE folder = ?1 AND seen = 1 ORDER BY uid",
            id,
        )
    }

    /// Records that `\Seen` was set on the remote side.
    pub fn set_seen(&mut self, id: i64, uids: &[u32]) -> Result<()> {
        self.set_chore(
            "UPDATE message SET seen = ?3 WHERE folder = ?1 AND uid = ?2",
            id,
            uids,
            Chore::Done,
        )
    }

    fn set_chore(&mut self, sql: &str, id: i64, uids: &[u32], chore: Chore) -> Result<()> {
        self.transaction(|db| {
            let mut statement = db.prepare_cached(sql)?;
            for uid in uids {
                statement.execute(params![id, uid, chore as i64])?;
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

    /// Records messages that were deleted on the remote side because they are delivered.
    pub fn bury(&mut self, id: i64, uids: &UidSet) -> Result<()> {
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
    pub fn forget_buried(&self, id: i64, local_next: u32) -> Result<()> {
        let sql = "DELETE FROM message WHERE folder = ?1 AND step = 4 AND local_uid < ?2";
        self.db.execute(sql, params![id, local_next]).map(|_| ())
    }

    /// How many messages are known that the remote side may still have.
    pub fn count(&self, id: i64) -> Result<u64> {
        let mut statement = self
            .db
            .prepare_cached("SELECT count(*) FROM message WHERE folder = ?1 AND step <> 4")?;
        statement.query_row([id], |row| row.get(0)).map(number)
    }

    fn transaction<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let transaction = self.db.transaction()?;
        let out = work(&transaction)?;
        transaction.commit()?;
        Ok(out)
    }
}

const COPY: &str = "copy";

/// Copies a database with what is not yet merged into it to a folder of its own.
fn copy_aside(path: &Path) -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    std::fs::copy(path, folder.path().join(COPY))?;
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    match std::fs::copy(wal, folder.path().join(format!("{COPY}-wal"))) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(folder),
    }
}

/// Whether the file is no state of ours: no database, a broken one, or one of another version.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error, rusqlite::Error::InvalidQuery)
        || matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

fn collect_set(rows: impl Iterator<Item = Result<u32>>) -> Result<UidSet> {
    let mut set = UidSet::default();
    for uid in rows {
        set.insert(uid?);
    }
    Ok(set)
}

fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(uid: u32, key: &str) -> Entry {
        Entry {
            uid,
            key: Key::of_message(key.as_bytes(), 1),
            flags: Flags::parse("\\Seen Junk"),
            date: 77,
        }
    }

    fn state() -> (tempfile::TempDir, State, i64) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("x.state"), "a").unwrap();
        let id = state.folder(&Mailbox::inbox(), &Mailbox::inbox()).unwrap().id;
        (folder, state, id)
    }

    #[test]
    fn planned_messages_become_delivered_or_are_found() {
        let (_folder, mut state, id) = state();
        state
            .plan(id, &[entry(1, "a"), entry(2, "b"), entry(3, "c")])
            .unwrap();
        assert_eq!(state.planned_uids(id).unwrap().to_string(), "1:3");
        state
            .confirm(id, &[(1, Some(11))], Chore::Wanted, Chore::Wanted)
            .unwrap();
        state
            .found(
                id,
                &[(entry(2, "b"), 12), (entry(9, "z"), 13)],
                Chore::Wanted,
                Chore::Wanted,
            )
            .unwrap();
        assert_eq!(state.done_uids(id).unwrap().to_string(), "1:2,9");
        assert_eq!(
            state.sieve(id, Chore::Wanted).unwrap(),
            [(1, 11), (2, 12)],
            "found without plan is not ours"
        );
        assert_eq!(state.unseen(id).unwrap().to_string(), "1:2");
        assert_eq!(
            state.deletable(id, Some(100)).unwrap().to_string(),
            "9",
            "chores come first"
        );
        assert_eq!(state.local_uids(id, 12).unwrap().to_string(), "12:13");
        let rows = state.rows(id, [1, 3].into_iter()).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].flags.to_string(), "Junk \\Seen");
    }

    #[test]
    fn a_local_uid_belongs_to_whom_the_server_named() {
        let (_folder, mut state, id) = state();
        state.plan(id, &[entry(1, "a"), entry(2, "a")]).unwrap();
        state
            .confirm(id, &[(1, Some(5))], Chore::None, Chore::None)
            .unwrap();
        state
            .confirm(id, &[(2, Some(5))], Chore::None, Chore::None)
            .unwrap();
        assert_eq!(state.pending_uids(id).unwrap().to_string(), "1");
    }

    #[test]
    fn a_state_that_cannot_be_read_just_now_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.state");
        let state = State::open(&path, "a").unwrap();
        state.folder(&Mailbox::inbox(), &Mailbox::inbox()).unwrap();
        drop(state);
        let other = Connection::open(&path).unwrap();
        other.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
        other
            .execute_batch("BEGIN EXCLUSIVE; DELETE FROM meta; ROLLBACK;")
            .unwrap();
        assert!(State::open(&path, "a").is_err());
        drop(other);
        assert_eq!(State::open(&path, "a").unwrap().folders().unwrap().len(), 1);
    }

    #[test]
    fn damaged_or_foreign_state_is_started_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.state");
        std::fs::write(
            &path,
            "this is no database, only text that is long enough to look at",
        )
        .unwrap();
        let state = State::open(&path, "a").unwrap();
        state.folder(&Mailbox::inbox(), &Mailbox::inbox()).unwrap();
        drop(state);
        assert_eq!(State::open(&path, "a").unwrap().folders().unwrap().len(), 1);
        assert_eq!(State::preview(&path, "a").unwrap().folders().unwrap().len(), 1);
        assert_eq!(State::open(&path, "b").unwrap().folders().unwrap().len(), 0);
    }
}
