// SPDX-License-Identifier: GPL-3.0-or-later
//! Copies of databases, which runs may be writing meanwhile.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::{Result, database_files, schema};

/// Pages copied at once; runs may write in between.
const PAGES: i32 = 1000;
const PAUSE: Duration = Duration::from_millis(1);

/// The name of a copy in its own folder.
const COPY: &str = "copy";

/// Copies a database, as it is at one moment, to a file that is there and empty.
///
/// # Errors
/// When it cannot be read, or the copy not be written; the copy is of no use then.
pub fn copy_database(path: &Path, target: &Path) -> Result<()> {
    let from = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut to = Connection::open(target)?;
    Ok(Backup::new(&from, &mut to)?.run_to_completion(PAGES, PAUSE, None)?)
}

/// Reads a ledger into a database in memory; one that is not there, or of a former version, is left out. Even a reader
/// leaves files next to a database, so that a copy elsewhere is read instead.
pub(super) fn read_aside(path: &Path, db: &mut Connection) -> Result<()> {
    if database_files::holds_only_files(path)
        && let Ok(aside) = copy_aside(path)
        && let Ok(stored) = Connection::open(aside.path().join(COPY))
        && schema::is_current(&stored)
    {
        Backup::new(&stored, db)?.run_to_completion(PAGES, Duration::ZERO, None)?;
    }
    Ok(())
}

/// Copies a database with what is not yet merged into it to another folder.
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
