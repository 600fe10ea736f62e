// SPDX-License-Identifier: GPL-3.0-or-later
//! The form of the database, and how former ones are taken over.

use std::path::Path;

use rusqlite::{Connection, params};

use super::{LedgerError, Result, database_files};

/// The form of the database.
pub(super) const VERSION: i64 = 5;

/// The form that a task's own `NAME.state` had before there was a ledger.
const TASK_STATE_VERSION: i64 = 4;

const SCHEMA: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE source (
        id INTEGER PRIMARY KEY,
        host TEXT NOT NULL,
        user TEXT NOT NULL,
        UNIQUE (host, user));
    CREATE TABLE task (name TEXT PRIMARY KEY, source INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE folder (
        id INTEGER PRIMARY KEY,
        source INTEGER NOT NULL,
        remote BLOB NOT NULL,
        local BLOB NOT NULL,
        remote_validity INTEGER NOT NULL DEFAULT 0,
        local_validity INTEGER NOT NULL DEFAULT 0,
        remote_next INTEGER NOT NULL DEFAULT 1,
        remote_high INTEGER NOT NULL DEFAULT 1,
        remote_messages INTEGER NOT NULL DEFAULT 0,
        remote_modseq INTEGER NOT NULL DEFAULT 0,
        local_next INTEGER NOT NULL DEFAULT 1,
        local_high INTEGER NOT NULL DEFAULT 1,
        baseline INTEGER NOT NULL DEFAULT 0,
        fingerprint TEXT NOT NULL DEFAULT '',
        replaced INTEGER NOT NULL DEFAULT 0,
        runs_missing INTEGER NOT NULL DEFAULT 0,
        deleting INTEGER NOT NULL DEFAULT 0,
        UNIQUE (source, remote));
    CREATE INDEX folder_local ON folder (local);
    CREATE TABLE message (
        folder INTEGER NOT NULL,
        uid INTEGER NOT NULL,
        local_uid INTEGER,
        key BLOB NOT NULL,
        size INTEGER NOT NULL DEFAULT 0,
        digest BLOB,
        flags TEXT NOT NULL,
        date INTEGER NOT NULL,
        step INTEGER NOT NULL,
        complete INTEGER NOT NULL DEFAULT 1,
        repeated INTEGER NOT NULL DEFAULT 0,
        remote_deletion INTEGER NOT NULL DEFAULT 0,
        distrusted INTEGER NOT NULL DEFAULT 0,
        sieve INTEGER NOT NULL DEFAULT 0,
        seen INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (folder, uid)) WITHOUT ROWID;
    CREATE INDEX message_local ON message (folder, local_uid);
    CREATE INDEX message_pending ON message (folder, step) WHERE step IN (0, 3);
    CREATE INDEX message_accepted ON message (folder) WHERE step IN (4, 5);
    CREATE INDEX message_planned ON message (step) WHERE step = 0;
    CREATE INDEX message_repeated ON message (folder) WHERE repeated <> 0;
    CREATE TABLE history (
        folder INTEGER NOT NULL,
        key BLOB NOT NULL,
        size INTEGER NOT NULL,
        digest BLOB NOT NULL,
        PRIMARY KEY (folder, key, size, digest)) WITHOUT ROWID;
    CREATE TABLE local_only (
        folder INTEGER NOT NULL,
        local_uid INTEGER NOT NULL,
        key BLOB NOT NULL,
        size INTEGER NOT NULL DEFAULT 0,
        date INTEGER NOT NULL DEFAULT 0,
        origin INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (folder, local_uid)) WITHOUT ROWID;
    CREATE TABLE kept_folder (local BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE withheld (
        folder INTEGER NOT NULL,
        local_uid INTEGER NOT NULL,
        confirmed INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (folder, local_uid)) WITHOUT ROWID;
    CREATE TABLE lifted_mark (
        side INTEGER NOT NULL,
        mailbox BLOB NOT NULL,
        validity INTEGER NOT NULL,
        uid INTEGER NOT NULL,
        PRIMARY KEY (side, mailbox, validity, uid)) WITHOUT ROWID;
";

/// Makes the tables where there are none.
pub(super) fn prepare(db: &mut Connection) -> Result<()> {
    match version(db)? {
        VERSION => {}
        0 => db.execute_batch(&format!(
            "BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
        ))?,
        _ => return Err(LedgerError::later()),
    }
    // What came later than the tables, and changes nothing that a former version reads.
    db.execute_batch(
        "CREATE INDEX IF NOT EXISTS message_left_out ON message (folder) WHERE step IN (6, 7);
         CREATE TABLE IF NOT EXISTS local_deletion (
            folder INTEGER NOT NULL,
            local_uid INTEGER NOT NULL,
            PRIMARY KEY (folder, local_uid)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS second_copy (
            folder INTEGER NOT NULL,
            local_uid INTEGER NOT NULL,
            stays INTEGER NOT NULL,
            PRIMARY KEY (folder, local_uid)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS former_flags (
            folder INTEGER NOT NULL,
            local_uid INTEGER NOT NULL,
            flags TEXT NOT NULL,
            PRIMARY KEY (folder, local_uid)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS lost_copy (
            folder INTEGER NOT NULL,
            uid INTEGER NOT NULL,
            PRIMARY KEY (folder, uid)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS unpaired (
            source INTEGER NOT NULL,
            local BLOB NOT NULL,
            validity INTEGER NOT NULL,
            next INTEGER NOT NULL,
            messages INTEGER NOT NULL,
            PRIMARY KEY (source, local)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS other_name (
            host TEXT NOT NULL,
            user TEXT NOT NULL,
            source INTEGER NOT NULL,
            PRIMARY KEY (host, user)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS mark_of_others (
            source INTEGER NOT NULL,
            mailbox BLOB NOT NULL,
            validity INTEGER NOT NULL,
            uid INTEGER NOT NULL,
            PRIMARY KEY (source, mailbox, validity, uid)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS own_mark (
            source INTEGER NOT NULL,
            mailbox BLOB NOT NULL,
            key BLOB NOT NULL,
            PRIMARY KEY (source, mailbox, key)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS claim (
            local BLOB NOT NULL,
            key BLOB NOT NULL,
            source INTEGER NOT NULL,
            remote BLOB NOT NULL,
            PRIMARY KEY (local, key, source, remote)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS delivered_once (key BLOB PRIMARY KEY) WITHOUT ROWID;",
    )?;
    take_over_lifted_marks(db)?;
    for (table, column, kind) in [
        ("folder", "remote_mailbox", "BLOB"),
        ("folder", "local_mailbox", "BLOB"),
        ("folder", "brought_before", "INTEGER NOT NULL DEFAULT 0"),
        ("folder", "former", "INTEGER NOT NULL DEFAULT 0"),
        ("folder", "looked_below", "INTEGER NOT NULL DEFAULT 1"),
        ("message", "keywords_missing", "INTEGER NOT NULL DEFAULT 0"),
    ] {
        let is_there: bool = db.query_row(
            "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2)",
            [table, column],
            |row| row.get(0),
        )?;
        if !is_there {
            db.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {column} {kind}"))?;
            if column == "looked_below" {
                // The last run found everything there done.
                db.execute(
                    "UPDATE folder SET looked_below = remote_high WHERE fingerprint <> ''",
                    [],
                )?;
            }
        }
    }
    db.execute_batch(
        "CREATE INDEX IF NOT EXISTS message_keywords ON message (folder) WHERE keywords_missing <> 0;",
    )?;
    Ok(())
}

/// A former version's table does not tell accounts apart: what it says of remote mailboxes is right where there is one
/// account. It stays, for a version that reads it.
fn take_over_lifted_marks(db: &mut Connection) -> Result<()> {
    let sql = "SELECT EXISTS (SELECT 1 FROM lifted_mark)";
    if db.query_row(sql, [], |row| row.get(0))? {
        db.execute_batch(
            "BEGIN;
             INSERT OR IGNORE INTO mark_of_others SELECT 0, mailbox, validity, uid FROM lifted_mark WHERE side = 2;
             INSERT OR IGNORE INTO mark_of_others SELECT source.id, mailbox, validity, uid FROM lifted_mark, source
                WHERE side = 1 AND (SELECT count(*) FROM source) = 1;
             DELETE FROM lifted_mark;
             COMMIT;",
        )?;
    }
    Ok(())
}

/// Whether a database has the form of today, which one that is damaged has not.
///
/// # Errors
/// When it cannot be read just now, or is of a later version.
pub(super) fn is_current(db: &Connection) -> Result<bool> {
    match version(db).map_err(LedgerError::from) {
        Ok(found) if found > VERSION => Err(LedgerError::later()),
        Ok(found) => Ok(found == VERSION),
        Err(error) if error.is_damage() => Ok(false),
        Err(error) => Err(error),
    }
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Takes over what a task's own `NAME.state` knows; its account as `host:port user -> local` when it is one that was
/// written by a former version, else `None`.
pub(super) fn read_task_state(path: &Path) -> Option<(Connection, String)> {
    if !database_files::holds_only_files(path) {
        return None;
    }
    let db = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
    if version(&db).ok()? != TASK_STATE_VERSION {
        return None;
    }
    let accounts = db.query_row("SELECT value FROM meta WHERE name = 'accounts'", [], |row| {
        row.get(0)
    });
    Some((db, accounts.ok()?))
}

/// Copies the tables of a former task state to a source of the ledger. Folders that the ledger knows already are left
/// as they are.
pub(super) fn take_over(ledger: &mut Connection, source: i64, former: &Connection) -> Result<()> {
    let ledger = ledger.transaction()?;
    let mut folders = former.prepare(
        "SELECT id, remote, local, remote_validity, local_validity, remote_next, remote_messages, remote_modseq,
            local_next, replaced FROM folder",
    )?;
    let mut rows = folders.query([])?;
    while let Some(row) = rows.next()? {
        let added = ledger.execute(
            "INSERT OR IGNORE INTO folder (source, remote, local, remote_validity, local_validity, remote_next,
                remote_high, remote_messages, remote_modseq, local_next, local_high, replaced)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?9, ?10)",
            params![
                source,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, Vec<u8>>(2)?,
                row.get::<_, i64>(3)?,
                row.get::<_, i64>(4)?,
                row.get::<_, i64>(5)?,
                row.get::<_, i64>(6)?,
                row.get::<_, i64>(7)?,
                row.get::<_, i64>(8)?,
                row.get::<_, i64>(9)?,
            ],
        )?;
        if added == 0 {
            continue;
        }
        let (old, new) = (row.get::<_, i64>(0)?, ledger.last_insert_rowid());
        take_over_messages(&ledger, former, old, new)?;
    }
    let mut kept = former.prepare("SELECT local FROM kept_folder")?;
    let mut rows = kept.query([])?;
    while let Some(row) = rows.next()? {
        ledger.execute(
            "INSERT OR IGNORE INTO kept_folder VALUES (?1)",
            [row.get::<_, Vec<u8>>(0)?],
        )?;
    }
    drop(rows);
    Ok(ledger.commit()?)
}

fn take_over_messages(ledger: &Connection, former: &Connection, old: i64, new: i64) -> Result<()> {
    let mut messages = former.prepare_cached(
        "SELECT uid, local_uid, key, flags, date, step, sieve, seen FROM message WHERE folder = ?1",
    )?;
    let mut add = ledger.prepare_cached(
        "INSERT OR IGNORE INTO message (folder, uid, local_uid, key, flags, date, step, sieve, seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut rows = messages.query([old])?;
    while let Some(row) = rows.next()? {
        add.execute(params![
            new,
            row.get::<_, i64>(0)?,
            row.get::<_, Option<i64>>(1)?,
            row.get::<_, Vec<u8>>(2)?,
            row.get::<_, String>(3)?,
            row.get::<_, i64>(4)?,
            row.get::<_, i64>(5)?,
            row.get::<_, i64>(6)?,
            row.get::<_, i64>(7)?,
        ])?;
    }
    // Whether they are older than the task is no longer known: they stay.
    let mut local_only = former.prepare_cached("SELECT local_uid, key FROM stranger WHERE folder = ?1")?;
    let mut rows = local_only.query([old])?;
    while let Some(row) = rows.next()? {
        ledger.execute(
            "INSERT OR IGNORE INTO local_only (folder, local_uid, key, origin) VALUES (?1, ?2, ?3, 1)",
            params![new, row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?],
        )?;
    }
    Ok(())
}
