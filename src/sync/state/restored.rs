// SPDX-License-Identifier: GPL-3.0-or-later
//! Ledgers that came back from a backup: what tasks brought since it was made is not on record.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{LedgerError, Result, open_file};
use crate::task::LEDGERS;

/// Notes in all ledgers of an instance that other instances may have gone on, or this one since it was backed up: what is
/// in the local folders when they are compared next is older than the ledger, by whatever way it came. Gives those in which it
/// could not be noted.
pub fn note_restored(folder: &Path) -> Vec<(PathBuf, LedgerError)> {
    let entries = std::fs::read_dir(folder.join(LEDGERS)).into_iter().flatten();
    let paths = entries.flatten().map(|entry| entry.path());
    let ledgers = paths.filter(|path| path.extension().is_some_and(|ending| ending == "db"));
    ledgers
        .filter_map(|path| {
            let noted = open_file(&path).and_then(|db| note(&db));
            noted.err().map(|error| (path, error))
        })
        .collect()
}

/// Notes it in one; whether it concerns any folder.
pub(super) fn note(db: &Connection) -> Result<bool> {
    let concerned = db.execute("UPDATE folder SET baseline = 0, fingerprint = ''", [])?;
    Ok(concerned > 0)
}
