// SPDX-License-Identifier: GPL-3.0-or-later
//! The ledger of a local mailbox: what every task of its user has brought there, from which account, and what this
//! program did itself. It makes a run without changes one round trip, and it remembers what the user moved or
//! deleted. Own effects are written before they happen; a ledger that is lost is rebuilt by comparing both sides, and
//! then permits less.
//!
//! [`schema`]: its form, and how former ones are taken over · [`sources`]: the accounts · [`former_tasks`] ·
//! [`folders`] · [`messages`] ([`uids`], [`completeness`], [`post_delivery`], [`left_out`], [`late_copies`], [`gone`],
//! [`sample`], [`recorded`], [`second_copies`], [`own_marks`], [`missing_keywords`]) · [`local_only`]: messages that no
//! task brought · [`local_deletion`]: those that we delete · [`unpaired`]: local folders that nothing is pulled to ·
//! [`history`]: deliveries whose remote side is gone · [`withheld`]: deletions that wait for an administrator ·
//! [`lifted_marks`]: of others, to be given back · [`imapsync_runs`]: what is on no record yet · [`replaced`]: another
//! local mailbox · [`facts`]: single flags and texts · [`copy`]: copies of databases · [`restored`]: ledgers of backups
//! · [`provenance`]: those that somebody copied into their place.

mod completeness;
mod copy;
mod database_files;
mod error;
mod facts;
mod folders;
mod former_flags;
mod former_tasks;
mod gone;
mod history;
mod imapsync_runs;
mod late_copies;
mod left_out;
mod lifted_marks;
mod local_deletion;
mod local_only;
mod lost_copies;
mod messages;
mod missing_keywords;
mod own_marks;
mod post_delivery;
mod provenance;
mod recorded;
mod replaced;
mod restored;
mod sample;
pub mod schema;
mod second_copies;
mod sources;
mod step;
mod uids;
mod unpaired;
mod withheld;

use std::path::{Path, PathBuf};

use provenance::Provenance;
use rusqlite::{Connection, Transaction};

pub use completeness::{Completeness, Unread};
pub use copy::copy_database;
pub use database_files::clear_wrong;
pub use error::LedgerError;
pub use facts::{AccountFact, Flag};
pub use folders::{FolderState, is_same_generation};
pub use late_copies::Repeated;
pub use left_out::LeftOut;
pub use local_only::{LocalOnly, Origin};
pub use messages::{Copy, Digest, Entry, Row};
pub use missing_keywords::MissingKeywords;
pub use post_delivery::PostDelivery;
pub use recorded::{Recorded, RecordedFolder};
pub use restored::note_restored;
pub use sample::Mark;
pub use second_copies::SecondCopy;
pub use sources::AccountName;
pub use unpaired::Unpaired;

use crate::imap::UidSet;
use crate::task::{LEDGERS, LocalUser, TaskName};

/// The database.
pub struct Ledger {
    db: Connection,
    /// The account that this run pulls from.
    source: i64,
}

/// Result of database operations.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// Where the ledger of a local user is, below the folder of the tasks' files. Mail servers tell users apart without
/// regard to case.
pub fn path(folder: &Path, user: &LocalUser) -> PathBuf {
    folder
        .join(LEDGERS)
        .join(format!("{}.db", user.as_str().to_lowercase()))
}

impl Ledger {
    /// Opens the ledger of a local mailbox for a run of a task that pulls from this account. A damaged one is put aside
    /// and begun again. `told` takes what the log should say of it.
    pub fn open(
        folder: &Path,
        task: &TaskName,
        user: &LocalUser,
        account: &AccountName,
        mut told: impl FnMut(&str),
    ) -> Result<Self> {
        let path = path(folder, user);
        let mut is_rebuilt = false;
        let db = match open_file(&path) {
            // What cannot be read just now is not damaged, and what it remembers must not be lost.
            Err(error) if error.is_damage() => {
                database_files::put_aside(&path)?;
                is_rebuilt = true;
                told(
                    "The ledger of the local mailbox was damaged; it is rebuilt by comparing both sides. Nothing is deleted that it cannot vouch for.",
                );
                open_file(&path)?
            }
            outcome => outcome?,
        };
        let mut db = match provenance::of(&db, &path, user)? {
            Provenance::Own => db,
            Provenance::Copied => {
                if restored::note(&db)? {
                    told(
                        "The ledger of the local mailbox is not the one that the last run left: it was copied, moved or put back. Both sides are compared again. What came meanwhile counts as older than the task.",
                    );
                }
                db
            }
            Provenance::OfAnother => {
                drop(db);
                database_files::put_aside(&path)?;
                is_rebuilt = true;
                told(
                    "In the place of the ledger was that of another user's mailbox; it is put aside, and both sides are compared again.",
                );
                open_file(&path)?
            }
        };
        provenance::renew(&mut db, &path, user)?;
        let mut ledger = Self { db, source: 0 };
        ledger.adopt(folder, task, account, is_rebuilt, &mut told)?;
        Ok(ledger)
    }

    /// A copy in memory, for a look ahead that leaves no trace; empty when there is no ledger.
    pub fn preview(folder: &Path, task: &TaskName, user: &LocalUser, account: &AccountName) -> Result<Self> {
        let mut db = Connection::open_in_memory()?;
        let path = path(folder, user);
        copy::read_aside(&path, &mut db)?;
        schema::prepare(&mut db)?;
        match provenance::of(&db, &path, user)? {
            Provenance::Own => {}
            Provenance::Copied => {
                restored::note(&db)?;
            }
            Provenance::OfAnother => {
                db = Connection::open_in_memory()?;
                schema::prepare(&mut db)?;
            }
        }
        let mut ledger = Self { db, source: 0 };
        ledger.look_up(folder, task, account)?;
        Ok(ledger)
    }

    /// Puts the ledger aside because it turned out to be damaged.
    pub fn discard(folder: &Path, user: &LocalUser) -> Result<()> {
        Ok(database_files::put_aside(&path(folder, user))?)
    }

    /// Makes what was written survive a power loss, before an effect that cannot be taken back.
    pub fn sync(&self) -> Result<()> {
        // No error tells that somebody reads an older state, or writes, so that not all could be merged.
        let is_busy: bool = self
            .db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        match is_busy {
            true => self.sync_log(),
            false => Ok(()),
        }
    }

    /// The same without merging the log: a commit that waits for the disk brings there what was committed before it.
    fn sync_log(&self) -> Result<()> {
        self.db.pragma_update(None, "synchronous", "FULL")?;
        // A row that stays the same would not be written.
        let sql =
            "INSERT INTO meta VALUES ('synced', '1') ON CONFLICT (name) DO UPDATE SET value = value + 1";
        let committed = self.db.execute(sql, []);
        self.db.pragma_update(None, "synchronous", "NORMAL")?;
        committed?;
        Ok(())
    }

    fn transaction<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let transaction = self.db.transaction()?;
        let out = work(&transaction)?;
        transaction.commit()?;
        Ok(out)
    }
}

fn open_file(path: &Path) -> Result<Connection> {
    if !database_files::holds_only_files(path) {
        return Err(LedgerError::no_file());
    }
    if !path.exists() {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        // The modes are set before the first byte.
        let made = path
            .parent()
            .map_or(Ok(()), |folder| {
                std::fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)
            })
            .and_then(|()| {
                std::fs::OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .mode(0o600)
                    .open(path)
            });
        made?;
    }
    let mut db = Connection::open(path)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "cache_size", -2000)?;
    schema::prepare(&mut db)?;
    Ok(db)
}

fn collect_set(rows: impl Iterator<Item = rusqlite::Result<u32>>) -> Result<UidSet> {
    let mut set = UidSet::default();
    for uid in rows {
        set.insert(uid?);
    }
    Ok(set)
}

fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
