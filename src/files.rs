// SPDX-License-Identifier: GPL-3.0-or-later
//! Files that are either there as a whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, OFlags, flock};

/// Marks our temporary files; they always live outside the cron folder, where crond would run them.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

/// How long a writer waits for another one of the same file.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);

/// Whether a write waits for the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    Synced,
    Unsynced,
}

/// Replaces `target` with `content`: temporary file in `staging`, fsync, rename, fsync of the folder.
///
/// The mode is set before the first byte. `staging` has to be on the file system of `target`.
///
/// # Errors
/// Whatever the file system says; `target` is then as it was.
pub fn write_atomic(staging: &Path, target: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    put(staging, target, content, mode, None, Durability::Synced)
}

/// The same without waiting for the disk: for files that are made again after a crash.
///
/// # Errors
/// Whatever the file system says; `target` is then as it was.
pub fn write_atomic_unsynced(staging: &Path, target: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    put(staging, target, content, mode, None, Durability::Unsynced)
}

/// The same for a file whose time of modification means something: it never has another one.
///
/// # Errors
/// Whatever the file system says; `target` is then as it was.
pub fn write_atomic_dated(
    staging: &Path,
    target: &Path,
    content: &[u8],
    mode: u32,
    modified: SystemTime,
) -> io::Result<()> {
    put(staging, target, content, mode, Some(modified), Durability::Synced)
}

fn put(
    staging: &Path,
    target: &Path,
    content: &[u8],
    mode: u32,
    modified: Option<SystemTime>,
    durability: Durability,
) -> io::Result<()> {
    let synced = durability == Durability::Synced;
    let path = temporary(staging, target);
    let mut file = take(&path, mode)?;
    let written = (|| {
        // What a killed process left may have another mode, and so may what our umask has made.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.set_len(0)?;
        file.write_all(content)?;
        if let Some(modified) = modified {
            file.set_modified(modified)?;
        }
        if synced {
            file.sync_all()?;
        }
        fs::rename(&path, target)
    })();
    match written {
        Ok(()) if synced => sync_folder_of(target),
        Ok(()) => Ok(()),
        Err(error) => {
            // No one else writes it as long as we hold its lock; that it could not be written is the news.
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

/// One per target, so that what a killed process leaves is found by its name, and used up by the next writer.
fn temporary(staging: &Path, target: &Path) -> PathBuf {
    let stem = target
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("file");
    staging.join(format!(".{stem}{TEMPORARY_SUFFIX}"))
}

/// Opens a temporary file that is no one else's: a process that writes the same target has renamed it before we
/// get the lock, and then it is no temporary file any more.
fn take(path: &Path, mode: u32) -> io::Result<File> {
    loop {
        let opened = open_with(
            path,
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(mode),
        );
        let file = match opened {
            // Nothing but what we wrote ourselves belongs under that name.
            Err(_) if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) => {
                fs::remove_file(path)?;
                continue;
            }
            opened => opened?,
        };
        lock(&file, LOCK_TIMEOUT)?;
        let ours = file.metadata()?;
        match fs::symlink_metadata(path) {
            Ok(named) if (named.dev(), named.ino()) == (ours.dev(), ours.ino()) => return Ok(file),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
}

/// Takes the exclusive lock of a file or folder; it is given back when `file` is dropped.
///
/// # Errors
/// When somebody else has it beyond `patience`; else whatever the file system says.
pub fn lock(file: &File, patience: Duration) -> io::Result<()> {
    wait_for(file, FlockOperation::NonBlockingLockExclusive, patience)
}

/// The same for a lock that several may have at once, unless somebody has it exclusively.
///
/// # Errors
/// As [`lock`].
pub fn lock_shared(file: &File, patience: Duration) -> io::Result<()> {
    wait_for(file, FlockOperation::NonBlockingLockShared, patience)
}

fn wait_for(file: &File, operation: FlockOperation, patience: Duration) -> io::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        match flock(file, operation) {
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if Instant::now() < deadline => {
                std::thread::sleep(PAUSE);
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// Removes what a killed process left on its way to `target`. The caller keeps others from writing it meanwhile.
///
/// # Errors
/// Whatever the file system says.
pub fn forget(staging: &Path, target: &Path) -> io::Result<()> {
    remove(&temporary(staging, target))
}

/// Whether something is on its way to `target`, or was when its writer was killed.
pub fn is_begun(staging: &Path, target: &Path) -> bool {
    fs::symlink_metadata(temporary(staging, target)).is_ok()
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

/// Opens `target` for reading, as [`open_with`] does.
///
/// # Errors
/// As [`open_with`].
pub fn open(target: &Path) -> io::Result<File> {
    open_with(target, OpenOptions::new().read(true))
}

/// Opens `target` if it is a file of ours: neither a link, which could lead anywhere, nor a pipe, which could keep us
/// waiting, nor somebody else's.
///
/// # Errors
/// When it is none; else whatever the file system says.
pub fn open_with(target: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let opened = options
        .custom_flags(i32::try_from(flags).unwrap_or_default())
        .open(target);
    let refuse = |what: &str| Err(io::Error::other(format!("{} is {what}", target.display())));
    let file = match opened {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return refuse("a link, which is not followed");
        }
        opened => opened?,
    };
    let found = file.metadata()?;
    if !found.is_file() {
        return refuse("no plain file");
    }
    // The folder's owner is who the module runs as, no matter who looks.
    let ours = found.uid() == rustix::process::geteuid().as_raw()
        || target
            .parent()
            .and_then(|folder| fs::metadata(folder).ok())
            .is_some_and(|folder| folder.uid() == found.uid());
    match ours {
        true => Ok(file),
        false => refuse("another user's file"),
    }
}

/// Opens the file that a lock is taken on, and makes it where it is missing; only its owner may read it.
///
/// # Errors
/// As [`open_with`].
pub fn open_lock(target: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    open_with(target, &mut options)
}

/// Whether `target` is a plain file.
pub fn is_plain(target: &Path) -> bool {
    fs::symlink_metadata(target).is_ok_and(|found| found.is_file())
}

/// Reads `target`; `None` when it is not there.
///
/// # Errors
/// Whatever else the file system says.
pub fn read(target: &Path) -> io::Result<Option<Vec<u8>>> {
    let read = |mut file: File| {
        let mut content = Vec::new();
        file.read_to_end(&mut content).map(|_| content)
    };
    match open(target).and_then(read) {
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
        write_atomic(folder.path(), &target, b"old", 0o644).unwrap();
        write_atomic(folder.path(), &target, b"new", 0o600).unwrap();
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
        write_atomic(folder.path(), &target, b"old", 0o600).unwrap();
        assert!(write_atomic(&folder.path().join("gone"), &target, b"new", 0o600).is_err());
        assert_eq!(fs::read(&target).unwrap(), b"old");
    }

    #[test]
    fn what_a_killed_process_left_is_used_up_or_removed_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, target) = (folder.path(), folder.path().join("u1_a.pwd"));
        let left = folder.join(".u1_a.pwd.tmp");
        fs::write(&left, "half a password, and more of it").unwrap();
        fs::set_permissions(&left, Permissions::from_mode(0o644)).unwrap();
        write_atomic(folder, &target, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&target).unwrap().permissions().mode() & 0o7777,
            0o600
        );
        fs::write(&left, "half").unwrap();
        forget(folder, &target).unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn many_writers_of_one_file_leave_one_whole_text() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, target) = (folder.path(), folder.path().join("vmail.pwd"));
        std::thread::scope(|scope| {
            for number in 0..8 {
                let target = &target;
                scope.spawn(move || {
                    for _ in 0..10 {
                        let text = number.to_string().repeat(10_000 + number);
                        write_atomic(folder, target, text.as_bytes(), 0o600).unwrap();
                        let found = fs::read_to_string(target).unwrap();
                        assert!(
                            found.len() >= 10_000 && found.starts_with(&found[9_999..]),
                            "torn"
                        );
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn links_and_pipes_are_neither_read_nor_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, foreign) = (folder.path(), folder.path().join("foreign"));
        fs::write(&foreign, "foreign").unwrap();
        let (link, pipe) = (folder.join("u1_a.log"), folder.join("u1_b.log"));
        std::os::unix::fs::symlink(&foreign, &link).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        for path in [&link, &pipe, &folder.to_owned()] {
            assert!(read(path).is_err() && !is_plain(path), "{}", path.display());
            assert!(open_lock(path).is_err(), "{}", path.display());
        }
        // What stands in the way of a temporary file is removed, and never written through.
        for (target, way) in [(&link, ".u1_a.log.tmp"), (&pipe, ".u1_b.log.tmp")] {
            fs::rename(target, folder.join(way)).unwrap();
            write_atomic(folder, target, b"new", 0o600).unwrap();
            assert_eq!(fs::read(target).unwrap(), b"new");
        }
        assert_eq!(fs::read(&foreign).unwrap(), b"foreign");
    }

    #[test]
    fn what_belongs_to_somebody_else_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("file");
        fs::write(&target, "theirs").unwrap();
        if std::os::unix::fs::chown(&target, Some(12_345), None).is_err() {
            eprintln!("only root can give a file away, so this shows nothing here");
            return;
        }
        let error = read(&target).unwrap_err().to_string();
        assert!(error.contains("another user's file"), "{error}");
        // The owner of the folder is who the module runs as, no matter who looks.
        std::os::unix::fs::chown(folder.path(), Some(12_345), None).unwrap();
        assert_eq!(read(&target).unwrap().as_deref(), Some(&b"theirs"[..]));
    }

    #[test]
    fn a_dated_file_has_its_date() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("u1_a.timestamp");
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
        write_atomic_dated(folder.path(), &target, b"all", 0o644, moment).unwrap();
        assert_eq!(fs::metadata(&target).unwrap().modified().unwrap(), moment);
    }

    #[test]
    fn a_lock_that_is_held_is_waited_for_and_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (
            File::open(folder.path()).unwrap(),
            File::open(folder.path()).unwrap(),
        );
        lock(&first, Duration::ZERO).unwrap();
        assert!(lock(&second, Duration::from_millis(20)).is_err());
        drop(first);
        // A child that another test is starting may have a copy of the first one for a moment.
        lock(&second, LOCK_TIMEOUT).unwrap();
    }

    #[test]
    fn removing_what_is_not_there_is_fine() {
        let folder = tempfile::tempdir().unwrap();
        remove(&folder.path().join("nothing")).unwrap();
        assert_eq!(read(&folder.path().join("nothing")).unwrap(), None);
    }
}
