// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether a ledger is what the last run left in its place. Somebody may have put an older copy of it there, or that of
//! another user, and then it lacks what tasks brought since.
//!
//! Next to each ledger lies an empty file that every run creates again. The ledger knows that file by its inode
//! number and its time of creation, which no copy takes along. A ledger that was copied alone knows an older file;
//! where both were copied, the file is a new one or, where it was written over, the one of the last run.

use std::fs::{self, Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rusqlite::{Connection, OptionalExtension as _};

use super::{Result, database_files};
use crate::files;
use crate::task::LocalUser;

/// The local user whose mailbox the ledger is of.
const USER: &str = "local_user";
/// The file that was next to the ledger when the last run began.
const FORMER: &str = "witness_before";
/// The one that this run put in its place, or was about to.
const LATEST: &str = "witness";

/// Where a ledger comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provenance {
    /// The last run left it here, or it is new.
    Own,
    /// It was copied here.
    Copied,
    /// It is of another user's mailbox.
    OfAnother,
}

/// Where a ledger comes from that is in this place.
pub(super) fn of(db: &Connection, path: &Path, user: &LocalUser) -> Result<Provenance> {
    if fact(db, USER)?.is_some_and(|known| known != user.as_str().to_lowercase()) {
        return Ok(Provenance::OfAnother);
    }
    let found = fs::symlink_metadata(witness(path)).ok();
    let found = found.as_ref().map(identity);
    let known = [fact(db, LATEST)?, fact(db, FORMER)?];
    let is_own = match &found {
        Some(_) => known.contains(&found),
        // A former version left none.
        None => known == [None, None],
    };
    Ok(if is_own {
        Provenance::Own
    } else {
        Provenance::Copied
    })
}

/// Makes the file next to the ledger again, so that no older copy fits to it. Where that is cut off, the former file is
/// known as well.
pub(super) fn renew(db: &mut Connection, path: &Path, user: &LocalUser) -> Result<()> {
    let witness = witness(path);
    let fresh = database_files::with_ending(&witness, files::TEMPORARY_SUFFIX);
    for place in [&witness, &fresh] {
        database_files::make_room(place)?;
    }
    files::remove(&fresh)?;
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)?;
    let former = fs::symlink_metadata(&witness).ok();
    let transaction = db.transaction()?;
    for (name, value) in [
        (USER, Some(user.as_str().to_lowercase())),
        (FORMER, former.as_ref().map(identity)),
        (LATEST, Some(identity(&made.metadata()?))),
    ] {
        match value {
            Some(value) => {
                transaction.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", [name, &value])?
            }
            None => transaction.execute("DELETE FROM meta WHERE name = ?1", [name])?,
        };
    }
    transaction.commit()?;
    Ok(fs::rename(&fresh, &witness)?)
}

fn fact(db: &Connection, name: &str) -> Result<Option<String>> {
    let found = db.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0));
    Ok(found.optional()?)
}

fn witness(path: &Path) -> PathBuf {
    database_files::with_ending(path, "-witness")
}

/// What tells a file from all others that ever were in its place. A number may be given again after a while. Where the
/// file system does not tell when a file was made, it is when it was written, as that happens once.
fn identity(found: &Metadata) -> String {
    let made = found.created().or_else(|_| found.modified());
    let made = made.ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
    format!("{} {}", found.ino(), made.unwrap_or_default().as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Mailbox;
    use crate::sync::state::{AccountName, Ledger, path};
    use crate::task::{TaskId, TaskName};

    /// Opens a user's ledger as a run does, and gives what the log says of it and whether its folder counts as settled.
    fn run(folder: &Path, user: &str) -> (Vec<String>, bool) {
        let user = LocalUser::parse(user).unwrap();
        let task = TaskName::new(&user, &TaskId::parse("a").unwrap());
        let account = AccountName::new("imap.test", "me");
        let mut told = vec![];
        let mut ledger = Ledger::open(folder, &task, &user, &account, |line| {
            told.push(line.to_owned());
        })
        .unwrap();
        let mut inbox = ledger.folder(&Mailbox::inbox(), &Mailbox::inbox()).unwrap();
        let was_settled = inbox.baseline == 5 && inbox.fingerprint == "settled";
        (inbox.baseline, inbox.fingerprint) = (5, "settled".to_owned());
        ledger.save_folder(&inbox).unwrap();
        (told, was_settled)
    }

    fn ledger(folder: &Path, user: &str) -> PathBuf {
        path(folder, &LocalUser::parse(user).unwrap())
    }

    #[test]
    fn a_ledger_that_is_an_older_copy_is_known_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let aside = folder.join("aside");
        fs::create_dir(&aside).unwrap();
        let db = ledger(folder, "u1");
        let places = [db.clone(), witness(&db)];
        assert_eq!(run(folder, "u1"), (vec![], false));
        assert_eq!(run(folder, "u1"), (vec![], true), "it is its own");
        // All of it or the ledger alone, over what is there or in new files; after one run, or after two.
        for (files, in_new_files, runs) in [
            (2, true, 0),
            (2, true, 1),
            (2, true, 2),
            (2, false, 1),
            (2, false, 2),
            (1, true, 1),
            (1, false, 1),
            (1, false, 2),
        ] {
            let title = format!("{files} files, new ones: {in_new_files}, after {runs} runs");
            let places = || places.iter().take(files);
            let copy = |place: &Path| aside.join(place.file_name().unwrap());
            for place in places() {
                fs::copy(place, copy(place)).unwrap();
            }
            for _ in 0..runs {
                assert_eq!(run(folder, "u1"), (vec![], true), "{title}");
            }
            for place in places() {
                if in_new_files {
                    fs::remove_file(place).unwrap();
                }
                fs::copy(copy(place), place).unwrap();
            }
            let (told, was_settled) = run(folder, "u1");
            assert!(told.len() == 1 && told[0].contains("copied"), "{title}: {told:?}");
            assert!(!was_settled, "{title}");
            assert_eq!(run(folder, "u1"), (vec![], true), "{title}: it is its own now");
        }
    }

    #[test]
    fn a_ledger_of_another_user_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for user in ["u1", "u2"] {
            run(folder, user);
        }
        let (from, to) = (ledger(folder, "u2"), ledger(folder, "u1"));
        fs::copy(&from, &to).unwrap();
        let (told, was_settled) = run(folder, "u1");
        assert!(told[0].contains("another user"), "{told:?}");
        assert!(!was_settled && database_files::with_ending(&to, ".damaged").exists());
        assert_eq!(run(folder, "u1"), (vec![], true));
        assert_eq!(
            run(folder, "U1").0,
            Vec::<String>::new(),
            "users are the same in any case"
        );
    }

    #[test]
    fn a_run_that_was_cut_off_and_a_former_version_leave_what_is_no_copy() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        run(folder, "u1");
        let (db, user) = (ledger(folder, "u1"), LocalUser::parse("u1").unwrap());
        let former = folder.join("former");
        // The ledger knows the next file, which is not in its place yet.
        fs::rename(witness(&db), &former).unwrap();
        fs::hard_link(&former, witness(&db)).unwrap();
        renew(&mut Connection::open(&db).unwrap(), &db, &user).unwrap();
        fs::rename(&former, witness(&db)).unwrap();
        assert_eq!(run(folder, "u1"), (vec![], true));

        let forget = "DELETE FROM meta WHERE name LIKE 'witness%'";
        Connection::open(&db).unwrap().execute(forget, []).unwrap();
        fs::remove_file(witness(&db)).unwrap();
        assert_eq!(run(folder, "u1"), (vec![], true), "a former version's");
        Connection::open(&db).unwrap().execute(forget, []).unwrap();
        assert!(!run(folder, "u1").1, "it came back later");
    }
}
