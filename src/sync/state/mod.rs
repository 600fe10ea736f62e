// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.state`: what this task has moved. It makes a run without changes one round trip, and it remembers
//! what the user moved or deleted. It is written ahead of the effects that it must survive; lost, it is
//! rebuilt by comparing both sides.

mod folders;
mod local_only;
mod messages;
mod post_delivery;
mod uids;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction};

pub use folders::FolderState;
pub use messages::{Entry, Row, Step};
pub use post_delivery::PostDelivery;

use crate::imap::UidSet;

/// The form of the database; another one is thrown away and rebuilt.
const VERSION: i64 = 4;

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
        settled TEXT NOT NULL DEFAULT '',
        replaced INTEGER NOT NULL DEFAULT 0);
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
    CREATE INDEX message_accepted ON message (folder) WHERE step IN (4, 5);
    CREATE INDEX message_planned ON message (step) WHERE step = 0;
    CREATE TABLE stranger (
        folder INTEGER NOT NULL,
        local_uid INTEGER NOT NULL,
        key BLOB NOT NULL,
        kept INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (folder, local_uid)) WITHOUT ROWID;
    CREATE TABLE kept_folder (local BLOB PRIMARY KEY) WITHOUT ROWID;
";

/// The database.
pub struct State {
    db: Connection,
}

/// Result of database operations.
pub type Result<T> = rusqlite::Result<T>;

impl State {
    /// Opens the state of a task. One that is damaged, of another version or of other accounts is started anew.
    pub fn open(path: &Path, accounts: &str) -> Result<Self> {
        match Self::try_open(path).and_then(|state| Ok((state.meta("accounts")?, state))) {
            Ok((known, state)) if known.as_deref() == Some(accounts) => Ok(state),
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
mod tests;
