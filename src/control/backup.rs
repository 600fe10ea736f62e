// SPDX-License-Identifier: GPL-3.0-or-later
//! What the backup holds of databases: consistent copies, since runs may be writing while it is made.
//!
//! The platform runs `module-dump-state` before a backup and `module-cleanup-state` after it. The copies lie in a
//! folder of their own, under the paths that they have below the folder of the tasks; a restored instance puts them
//! back before anything runs.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::files;
use crate::sync::state;

/// The folder of the copies, in the state folder.
const COPIES: &str = "backup";
/// What every database begins with (sqlite.org/fileformat.html).
const MAGIC: &[u8] = b"SQLite format 3\0";
/// How far below the folder of the tasks databases are looked for.
const DEPTH: usize = 2;

/// Copies all databases below `tasks`. One that cannot be copied is told to `report`, as is a folder that cannot be
/// read: the backup holds the rest, and a restored instance compares both sides of these mailboxes again.
///
/// # Errors
/// When the folder of the copies cannot be made.
pub fn dump(state: &Path, tasks: &Path, report: &dyn Fn(String)) -> anyhow::Result<()> {
    clean_up(state)?;
    let copies = state.join(COPIES);
    make_folder(&copies).context("cannot make the folder of the copies")?;
    let unreadable = &mut |folder: &Path, error: io::Error| {
        report(format!(
            "{} cannot be read: its databases are not in the backup: {error}",
            folder.display()
        ));
    };
    for path in databases(tasks, DEPTH, unreadable) {
        let Ok(place) = path.strip_prefix(tasks) else {
            continue;
        };
        if let Err(error) = copy(&path, &copies.join(place)) {
            report(format!("{} is not in the backup: {error:#}", path.display()));
        }
    }
    Ok(())
}

/// Removes the copies.
///
/// # Errors
/// Whatever the file system says.
pub fn clean_up(state: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(state.join(COPIES)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).context("cannot remove the copies of databases")
        }
        _ => Ok(()),
    }
}

/// Puts the copies of a backup in their places. The caller knows that nothing runs.
///
/// # Errors
/// Whatever the file system says; what is not in its place yet is still among the copies.
pub fn put_back(state: &Path, tasks: &Path) -> anyhow::Result<()> {
    let copies = state.join(COPIES);
    let mut unreadable = None;
    let found = databases(&copies, DEPTH, &mut |folder: &Path, error: io::Error| {
        unreadable.get_or_insert((folder.to_owned(), error));
    });
    if let Some((folder, error)) = unreadable {
        return Err(error).with_context(|| format!("cannot read {}", folder.display()));
    }
    for path in found {
        let Ok(place) = path.strip_prefix(&copies) else {
            continue;
        };
        let target = tasks.join(place);
        if let Some(folder) = target.parent() {
            make_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        // They belong to the database that was in the backup before.
        for ending in ["-wal", "-shm"] {
            files::remove(&with_ending(&target, ending))?;
        }
        fs::rename(&path, &target).with_context(|| format!("cannot put {} back", target.display()))?;
        files::sync_folder_of(&target)?;
    }
    clean_up(state)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The databases in a folder, and in folders in it. `unreadable` is told what cannot be read of them, unless it is not
/// there.
fn databases(folder: &Path, depth: usize, unreadable: &mut dyn FnMut(&Path, io::Error)) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.unwrap_or_else(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            unreadable(folder, error);
        }
        vec![]
    });
    for entry in entries {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 1 => found.extend(databases(&path, depth - 1, unreadable)),
            Ok(kind) if kind.is_file() && is_database(&path) => found.push(path),
            Err(error) if error.kind() != io::ErrorKind::NotFound => unreadable(folder, error),
            _ => {}
        }
    }
    found
}

fn is_database(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    files::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok()) && start == MAGIC
}

fn copy(path: &Path, target: &Path) -> anyhow::Result<()> {
    if let Some(folder) = target.parent() {
        make_folder(folder)?;
    }
    // The mode is set before the first byte.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)?;
    if let Err(error) = state::copy_database(path, target) {
        files::remove(target)?;
        return Err(error.into());
    }
    Ok(fs::set_permissions(target, Permissions::from_mode(0o600))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::state::{AccountName, Ledger};
    use crate::task::{LocalUser, TaskId, TaskName};

    fn user() -> LocalUser {
        LocalUser::parse("u1").unwrap()
    }

    fn ledger(tasks: &Path) -> Ledger {
        let task = TaskName::new(&user(), &TaskId::parse("a").unwrap());
        let account = AccountName::new("imap.test", "u1");
        Ledger::open(tasks, &task, &user(), &account, |line| panic!("{line}")).unwrap()
    }

    #[test]
    fn a_database_that_is_written_meanwhile_is_copied_whole_and_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path();
        let tasks = state.join("imapsync");
        make_folder(&tasks).unwrap();
        let live = state::path(&tasks, &user());
        // As long as it is open, this stands in the log next to the database.
        let open = ledger(&tasks);
        open.set_test_folder("made").unwrap();
        fs::write(tasks.join("u1_a.env"), "CRON=\n").unwrap();
        fs::write(tasks.join("u1_b.state"), [MAGIC, b"and nothing more"].concat()).unwrap();
        let reports = std::cell::RefCell::new(Vec::new());
        dump(state, &tasks, &|report| reports.borrow_mut().push(report)).unwrap();
        assert_eq!(reports.borrow().len(), 1, "{reports:?}");
        let copied = state.join("backup/.ledger/u1.db");
        assert_eq!(fs::metadata(&copied).unwrap().permissions().mode() & 0o777, 0o600);
        let unreadable = &mut |folder: &Path, error: io::Error| panic!("{}: {error}", folder.display());
        assert_eq!(databases(&state.join(COPIES), DEPTH, unreadable).len(), 1);

        // As the backup was: without what belongs to the live database.
        drop(open);
        fs::write(with_ending(&live, "-wal"), "of another time").unwrap();
        fs::write(&live, "torn").unwrap();
        put_back(state, &tasks).unwrap();
        let fact = ledger(&tasks).test_folder().unwrap();
        assert_eq!(fact.as_deref(), Some("made"));
        assert!(!state.join(COPIES).exists());
        put_back(state, &tasks).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_told_and_ends_a_restore() {
        let folder = tempfile::tempdir().unwrap();
        let (state, tasks) = (folder.path().join("state"), folder.path().join("tasks"));
        fs::create_dir(&state).unwrap();
        let reports = std::cell::RefCell::new(Vec::new());
        let report = |report: String| reports.borrow_mut().push(report);
        dump(&state, &tasks, &report).unwrap();
        assert!(reports.borrow().is_empty(), "there is no task yet");
        // No folder, and so not even root can list it.
        fs::write(&tasks, "").unwrap();
        dump(&state, &tasks, &report).unwrap();
        let told = reports.borrow().concat();
        assert!(told.contains("its databases are not in the backup"), "{told}");
        clean_up(&state).unwrap();
        fs::write(state.join(COPIES), "").unwrap();
        assert!(put_back(&state, &tasks).is_err());
    }
}
