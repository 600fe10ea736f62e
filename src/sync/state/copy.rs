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

/// How often a copy of a ledger is made that runs may be writing.
const ATTEMPTS: u32 = 4;

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

/// Reads a ledger into a database in memory. Left out is one that a run begins again, as it is not there, damaged, or
/// of a former version. Even a reader leaves files next to a database, so that a copy elsewhere is read instead; a run may
/// write while it is made, and then it is made again.
pub(super) fn read_aside(path: &Path, db: &mut Connection) -> Result<()> {
    if !database_files::holds_only_files(path) || !path.try_exists()? {
        return Ok(());
    }
    let mut attempts = ATTEMPTS;
    loop {
        attempts -= 1;
        match read_copy(path, db) {
            Err(_) if attempts > 0 => std::thread::sleep(PAUSE),
            outcome => return outcome,
        }
    }
}

fn read_copy(path: &Path, db: &mut Connection) -> Result<()> {
    let aside = copy_aside(path)?;
    let stored = Connection::open(aside.path().join(COPY))?;
    if schema::is_current(&stored)? {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_counts_as_none_only_where_a_run_begins_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u1.db");
        let read = || read_aside(&path, &mut Connection::open_in_memory().unwrap());
        read().unwrap();
        std::fs::write(
            &path,
            "this is no database, only text that is long enough to look at",
        )
        .unwrap();
        read().unwrap();
        std::fs::remove_file(&path).unwrap();
        let later = Connection::open(&path).unwrap();
        later
            .pragma_update(None, "user_version", schema::VERSION + 1)
            .unwrap();
        drop(later);
        assert!(read().is_err(), "a run ends, and leaves it alone");
        std::fs::remove_file(&path).unwrap();
        // A file whose first octet cannot be read, not even by root.
        std::os::unix::fs::symlink("/proc/self/mem", &path).unwrap();
        assert!(read().is_err(), "it cannot be read just now");
    }
}
