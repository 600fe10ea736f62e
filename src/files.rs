// SPDX-License-Identifier: GPL-3.0-or-later
//! Files that are either there as a whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Marks our temporary files; they always live outside the cron folder, where crond would run them.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

/// Replaces `target` with `content`: temporary file in `workshop`, fsync, rename, fsync of the folder.
///
/// The mode is set when the temporary file is created, before the first byte. `workshop` has to be on
/// the file system of `target`.
///
/// # Errors
/// Whatever the file system says; `target` is then as it was.
pub fn replace(workshop: &Path, target: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let stem = target
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("file");
    let mut file = tempfile::Builder::new()
        .prefix(&format!(".{stem}."))
        .suffix(TEMPORARY_SUFFIX)
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(workshop)?;
    // The process' umask may have taken bits away from the mode asked for.
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(target)?;
    sync_folder_of(target)
}

/// Removes the temporary files of killed processes, of those targets in `workshop` that `ours` tells by name.
/// Whoever calls keeps others from replacing these targets meanwhile.
///
/// # Errors
/// Whatever the file system says.
pub fn sweep(workshop: &Path, ours: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(workshop)? {
        let entry = entry?;
        if entry
            .file_name()
            .to_str()
            .and_then(target_of_temporary)
            .is_some_and(&ours)
        {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// `.u1_a.env.Xf83kd.tmp` is on its way to `u1_a.env`.
fn target_of_temporary(name: &str) -> Option<&str> {
    let (target, random) = name
        .strip_prefix('.')?
        .strip_suffix(TEMPORARY_SUFFIX)?
        .rsplit_once('.')?;
    (random.len() == 6).then_some(target)
}

/// Removes `target`; one that is not there is fine.
///
/// # Errors
/// Whatever else the file system says.
pub fn remove(target: &Path) -> io::Result<()> {
    match fs::remove_file(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads `target`; `None` when it is not there.
///
/// # Errors
/// Whatever else the file system says.
pub fn read(target: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(target) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a rename or removal in the folder of `target` survive a power loss.
///
/// # Errors
/// Whatever the file system says.
pub fn sync_folder_of(target: &Path) -> io::Result<()> {
    match target.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_has_its_content_and_mode_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("u1_a.env");
        replace(folder.path(), &target, b"old", 0o644).unwrap();
        replace(folder.path(), &target, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&target).unwrap().permissions().mode() & 0o7777,
            0o600
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_replacement_leaves_the_former_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("u1_a.env");
        replace(folder.path(), &target, b"old", 0o600).unwrap();
        assert!(replace(&folder.path().join("gone"), &target, b"new", 0o600).is_err());
        assert_eq!(fs::read(&target).unwrap(), b"old");
    }

    #[test]
    fn only_the_temporary_files_of_the_named_targets_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            ".u1_a.env.Xf83kd.tmp",
            ".u1_a.env.bak.tmp",
            ".u1_b.env.Xf83kd.tmp",
            "u1_a.env",
        ] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        sweep(folder.path(), |target| target == "u1_a.env").unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, [".u1_a.env.bak.tmp", ".u1_b.env.Xf83kd.tmp", "u1_a.env"]);
    }

    #[test]
    fn removing_what_is_not_there_is_fine() {
        let folder = tempfile::tempdir().unwrap();
        remove(&folder.path().join("nothing")).unwrap();
        assert_eq!(read(&folder.path().join("nothing")).unwrap(), None);
    }
}
