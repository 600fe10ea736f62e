// SPDX-License-Identifier: GPL-3.0-or-later
//! A bucket that all runs of a source, or of the instance, read from: a small file that each run locks for a moment.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::bucket::Bucket;
use crate::files;

/// Where a bucket is.
#[derive(Debug)]
pub(super) enum Place {
    /// Here: no other run has a part in it.
    Own(Option<Bucket>),
    /// In a file, which is made when it is needed.
    Shared { path: PathBuf, file: Option<File> },
}

impl Place {
    /// Does something with the bucket; `None` while another run has it.
    pub(super) fn with<T>(&mut self, now: u64, act: impl FnOnce(&mut Bucket) -> T) -> Option<T> {
        match self {
            Self::Own(bucket) => Some(act(bucket.get_or_insert_with(|| Bucket::new(now)))),
            Self::Shared { path, file } => match locked(path, file) {
                Ok(Some(file)) => {
                    let mut bucket = read(file).unwrap_or_else(|| Bucket::new(now));
                    let done = act(&mut bucket);
                    // One that cannot be written is as it was, and counts what comes next.
                    let _ = file.write_all_at(&bucket.encode(), 0);
                    let _ = flock(file, FlockOperation::Unlock);
                    Some(done)
                }
                Ok(None) => None,
                // Where no file can be, each run keeps the limit for itself.
                Err(_) => {
                    let mut bucket = Bucket::new(now);
                    let done = act(&mut bucket);
                    *self = Self::Own(Some(bucket));
                    Some(done)
                }
            },
        }
    }
}

/// The file, locked; `None` while another run has it: whoever has it is done at once, unless it was stopped there.
fn locked<'a>(path: &Path, file: &'a mut Option<File>) -> io::Result<Option<&'a File>> {
    let file = match file {
        Some(file) => file,
        None => file.insert(open(path)?),
    };
    match flock(&*file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    files::open_lock(path)
}

fn read(file: &File) -> Option<Bucket> {
    let mut octets = [0; Bucket::SIZE];
    file.read_exact_at(&mut octets, 0).ok()?;
    Bucket::decode(&octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(path: &Path) -> Place {
        Place::Shared {
            path: path.to_owned(),
            file: None,
        }
    }

    #[test]
    fn runs_stand_behind_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue/bandwidth");
        let (mut one, mut other) = (shared(&path), shared(&path));
        assert_eq!(one.with(0, |bucket| bucket.take(1000)), Some(1000));
        assert_eq!(other.with(0, |bucket| bucket.take(500)), Some(1500));
        assert_eq!(one.with(0, |bucket| bucket.wait(1000, 1000)), Some(1_000_000_000));
        // A file with anything else in it starts again.
        std::fs::write(&path, "anything else").unwrap();
        assert_eq!(one.with(0, |bucket| bucket.take(1)), Some(1));
    }

    #[test]
    fn one_that_another_run_has_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bandwidth");
        let held = open(&path).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        let mut place = shared(&path);
        assert_eq!(place.with(0, |bucket| bucket.take(1)), None);
        drop(held);
        assert_eq!(place.with(0, |bucket| bucket.take(1)), Some(1));
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("bandwidth"), folder.path().join("other"));
        std::fs::write(&other, "somebody's").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert_eq!(shared(&path).with(0, |bucket| bucket.take(10)), Some(10));
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "somebody's");
    }

    #[test]
    fn without_a_file_each_keeps_the_limit_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let mut place = shared(&folder.path().join("file/bandwidth"));
        assert_eq!(place.with(0, |bucket| bucket.take(10)), Some(10));
        assert_eq!(place.with(0, |bucket| bucket.take(10)), Some(20));
    }
}
