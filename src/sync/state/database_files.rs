// SPDX-License-Identifier: GPL-3.0-or-later
//! The places of a database and of what SQLite keeps next to it. Something else may stand there: a folder, a pipe, a link to
//! a device or to nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::files;

/// How long another process may take to clear a place.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// What SQLite keeps next to a database.
const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Whether nothing but files is in the places of a database: what is no file is neither opened nor waited for.
pub(super) fn holds_only_files(path: &Path) -> bool {
    let side_files = SIDE_FILES.iter().map(|ending| with_ending(path, ending));
    side_files.chain([path.to_owned()]).all(|place| {
        let is_there = fs::symlink_metadata(&place).is_ok();
        !is_there || fs::metadata(&place).is_ok_and(|found| found.is_file())
    })
}

/// Renames a database, or what is in its place, and removes what is next to it. What a former damage left is written over.
pub(super) fn put_aside(path: &Path) -> io::Result<()> {
    clear_side_files(path)?;
    rename(path)
}

/// Removes what is next to a file that is about to be written over. A folder in its place is renamed.
pub(super) fn make_room(path: &Path) -> io::Result<()> {
    clear_side_files(path)?;
    match is_folder(path) {
        true => rename(path),
        false => Ok(()),
    }
}

/// Renames what is in a place and not what `is_right` there. Of several processes that find it only one does: what is right
/// may be in use at once.
///
/// # Errors
/// Whatever the file system says.
pub fn clear_wrong(path: &Path, is_right: impl Fn(&Path) -> bool) -> io::Result<()> {
    let folder = path.parent().map(fs::File::open).transpose()?;
    if let Some(folder) = &folder {
        files::lock(folder, LOCK_WAIT)?;
    }
    match fs::symlink_metadata(path) {
        Ok(_) if !is_right(path) => rename(path),
        _ => Ok(()),
    }
}

fn clear_side_files(path: &Path) -> io::Result<()> {
    for ending in SIDE_FILES {
        let place = with_ending(path, ending);
        match is_folder(&place) {
            true => rename(&place)?,
            false => files::remove(&place)?,
        }
    }
    Ok(())
}

/// A link is renamed, and not what it leads to.
fn rename(path: &Path) -> io::Result<()> {
    match fs::rename(path, damaged(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The name of what was damaged. No folder is written over, as its files may be somebody's.
fn damaged(path: &Path) -> PathBuf {
    let usual = with_ending(path, ".damaged");
    if fs::symlink_metadata(&usual).is_err() || !(is_folder(path) || is_folder(&usual)) {
        return usual;
    }
    let mut numbered = (2_u32..).map(|number| with_ending(path, &format!(".damaged-{number}")));
    let free = numbered.find(|name| fs::symlink_metadata(name).is_err());
    free.unwrap_or(usual)
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

/// The path of something next to a file.
pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_put_aside_and_no_folder_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u1.db");
        assert!(holds_only_files(&path), "there is nothing");
        for round in 0..3 {
            fs::create_dir(&path).unwrap();
            fs::write(path.join("somebody's"), round.to_string()).unwrap();
            assert!(!holds_only_files(&path));
            put_aside(&path).unwrap();
        }
        for name in ["u1.db.damaged", "u1.db.damaged-2", "u1.db.damaged-3"] {
            assert!(folder.path().join(name).join("somebody's").exists(), "{name}");
        }
        for target in ["/dev/null", "nothing"] {
            std::os::unix::fs::symlink(target, &path).unwrap();
            fs::create_dir(with_ending(&path, "-wal")).unwrap();
            assert!(!holds_only_files(&path));
            put_aside(&path).unwrap();
            assert!(fs::symlink_metadata(&path).is_err() && holds_only_files(&path));
        }
        fs::write(folder.path().join("elsewhere"), "").unwrap();
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
        assert!(holds_only_files(&path), "a link to a file leads to one");
        std::os::unix::fs::symlink("/dev/null", with_ending(&path, "-wal")).unwrap();
        assert!(!holds_only_files(&path));
    }
}
