// SPDX-License-Identifier: GPL-3.0-or-later
//! Ledgers that came back from a backup: what tasks brought since it was made is not on record.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{LedgerError, Result, open_file};
use crate::task::LEDGERS;

/// Notes in all ledgers of an instance that other instances may have gone on, or this one since it was backed up: what is
/// in the local folders when they are compared next is older than the ledger, by whatever way it came. Gives those in which it
/// could not be noted.
///
/// # Errors
/// When the ledgers cannot be listed: it is noted in none of them.
pub fn note_restored(folder: &Path) -> io::Result<Vec<(PathBuf, LedgerError)>> {
    let entries = match std::fs::read_dir(folder.join(LEDGERS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries?.collect::<io::Result<Vec<_>>>()?,
    };
    let paths = entries.into_iter().map(|entry| entry.path());
    let ledgers = paths.filter(|path| path.extension().is_some_and(|ending| ending == "db"));
    let failed = ledgers.filter_map(|path| {
        let noted = open_file(&path).and_then(|db| note(&db));
        noted.err().map(|error| (path, error))
    });
    Ok(failed.collect())
}

/// Notes it in one; whether it concerns any folder.
pub(super) fn note(db: &Connection) -> Result<bool> {
    let concerned = db.execute("UPDATE folder SET baseline = 0, fingerprint = ''", [])?;
    Ok(concerned > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledgers_that_cannot_be_listed_are_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(note_restored(folder.path()).unwrap().is_empty());
        let ledgers = folder.path().join(LEDGERS);
        std::fs::create_dir(&ledgers).unwrap();
        assert!(note_restored(folder.path()).unwrap().is_empty());
        // A folder in the place of a ledger.
        let path = ledgers.join("u1.db");
        std::fs::create_dir(&path).unwrap();
        let failed = note_restored(folder.path()).unwrap();
        assert!(failed.iter().map(|(path, _)| path).eq([&path]));
        std::fs::remove_dir_all(&ledgers).unwrap();
        std::fs::write(&ledgers, "").unwrap();
        assert!(note_restored(folder.path()).is_err());
    }
}
