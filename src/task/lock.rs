// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.lock`: a task runs if, and only if, somebody holds it with flock (contract section 4).
//!
//! The lock is seen through the container's bind mount, on the host as inside. A process id found in a
//! file proves nothing; the lock does.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::files;

/// How long [`is_held`], which takes a shared lock for an instant, may keep others from the exclusive one.
const GLANCE_LIMIT: Duration = Duration::from_secs(30);
/// How long an action may hold the lock without being a run; a run waits for it.
const ACTION_LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// The exclusive lock of one task; given back when dropped or when the process ends.
#[derive(Debug)]
pub struct TaskLock {
    file: File,
    path: PathBuf,
    shared: bool,
}

impl TaskLock {
    /// Takes the lock, waiting no longer than `patience` for another holder. A process that merely looks whether the
    /// lock is held is none.
    ///
    /// # Errors
    /// When the file cannot be opened; `Ok(None)` when somebody else holds the lock.
    pub fn acquire(path: &Path, patience: Duration) -> io::Result<Option<Self>> {
        Self::acquire_unless(path, patience, || true)
    }

    /// Takes the lock for a run, unless another run holds it. Actions hold it for a moment and are waited for.
    ///
    /// # Errors
    /// When the file cannot be opened; `Ok(None)` when another run holds the lock, or an action does not end.
    pub fn acquire_for_run(path: &Path) -> io::Result<Option<Self>> {
        let deadline = Instant::now() + ACTION_LIMIT;
        Self::acquire_unless(path, Duration::ZERO, || {
            Instant::now() >= deadline || Holder::announced(path).is_some_and(Holder::is_alive)
        })
    }

    /// Takes the lock; gives up after `patience` when another process holds it and `give_up` says so.
    fn acquire_unless(
        path: &Path,
        patience: Duration,
        give_up: impl Fn() -> bool,
    ) -> io::Result<Option<Self>> {
        let started = Instant::now();
        loop {
            if let Some(lock) = Self::attempt(path)? {
                return Ok(Some(lock));
            }
            let waited = started.elapsed();
            if waited >= patience && (waited >= GLANCE_LIMIT || is_held(path)? && give_up()) {
                return Ok(None);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn attempt(path: &Path) -> io::Result<Option<Self>> {
        let file = files::open_lock(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // A deletion of the task removes the file while holding the lock: ours may be a file without a name.
        let ours = file.metadata()?;
        match fs::metadata(path) {
            Ok(named) if (named.dev(), named.ino()) == (ours.dev(), ours.ino()) => Ok(Some(Self {
                file,
                path: path.to_owned(),
                shared: false,
            })),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes who runs under the lock, for those who want to stop the run.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn announce(&mut self, holder: Holder) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file
            .write_all(format!("{} {}\n", holder.pid, holder.started).as_bytes())
    }

    /// Another handle on the same lock, which is given back when both are gone: for a child that works under it.
    ///
    /// # Errors
    /// When the process may open no more files.
    pub fn share(&mut self) -> io::Result<File> {
        self.shared = true;
        self.file.try_clone()
    }

    /// Where the lock lives.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file, which only the holder may do, and gives the lock back.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn remove(self) -> io::Result<()> {
        files::remove(&self.path)
    }
}

impl Drop for TaskLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that another thread is starting has a copy until it runs its program,
        // and would seem to hold the lock until then.
        if !self.shared {
            let _ = flock(&self.file, FlockOperation::Unlock);
        }
    }
}

/// The process that runs a task, in its own pid namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: i32,
    /// When it started, in the kernel's ticks since boot: tells it from a later process with the same id.
    pub started: u64,
}

impl Holder {
    /// The process that asks.
    ///
    /// # Errors
    /// When `/proc` does not say.
    pub fn this_process() -> io::Result<Self> {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        match Self::of(pid) {
            Some(holder) => Ok(holder),
            None => Err(io::Error::other("/proc does not tell when this process started")),
        }
    }

    /// The process with that id, when there is one.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in brackets, which may hold anything (proc(5)).
        let started = stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
        Some(Self { pid, started })
    }

    /// Whether that very process still exists.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Who announced themselves in a lock file; what is in a file that no one holds means nothing.
    pub fn announced(path: &Path) -> Option<Self> {
        let mut text = String::new();
        files::open(path).ok()?.take(64).read_to_string(&mut text).ok()?;
        let (pid, started) = text.trim_end().split_once(' ')?;
        Some(Self {
            pid: pid.parse().ok()?,
            started: started.parse().ok()?,
        })
    }
}

/// Whether somebody holds the lock. A file that is not there is held by no one.
///
/// # Errors
/// Whatever else the file system says.
pub fn is_held(path: &Path) -> io::Result<bool> {
    let file = match files::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(path: &Path) -> Option<TaskLock> {
        TaskLock::acquire(path, Duration::ZERO).unwrap()
    }

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u1_a.lock");
        assert!(!is_held(&path).unwrap());
        let first = lock(&path).unwrap();
        assert!(is_held(&path).unwrap());
        assert!(lock(&path).is_none());
        drop(first);
        assert!(!is_held(&path).unwrap());
        assert!(lock(&path).is_some());
    }

    #[test]
    fn a_lock_on_a_removed_file_locks_no_one_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u1_a.lock");
        let first = lock(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = lock(&path).unwrap();
        assert!(lock(&path).is_none());
        drop(first);
        assert!(lock(&path).is_none());
        second.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_lock_is_given_back_although_a_copy_of_the_file_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u1_a.lock");
        let mut first = lock(&path).unwrap();
        // As a child has it between its fork and its program.
        let copy = first.file.try_clone().unwrap();
        drop(first);
        assert!(!is_held(&path).unwrap());
        drop(copy);
        // What is shared on purpose stays locked until both are gone.
        first = lock(&path).unwrap();
        let child = first.share().unwrap();
        drop(first);
        assert!(is_held(&path).unwrap());
        drop(child);
        assert!(!is_held(&path).unwrap());
    }

    #[test]
    fn a_glance_keeps_no_one_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u1_a.lock");
        drop(lock(&path).unwrap());
        let glance = File::open(&path).unwrap();
        flock(&glance, FlockOperation::NonBlockingLockShared).unwrap();
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| lock(&path));
            std::thread::sleep(PAUSE * 3);
            drop(glance);
            assert!(taken.join().unwrap().is_some());
        });
    }

    #[test]
    fn a_run_waits_for_an_action_but_not_for_another_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u1_a.lock");
        let action = lock(&path).unwrap();
        std::thread::scope(|scope| {
            let run = scope.spawn(|| TaskLock::acquire_for_run(&path).unwrap());
            std::thread::sleep(PAUSE * 3);
            drop(action);
            let mut run = run.join().unwrap().unwrap();
            run.announce(Holder::this_process().unwrap()).unwrap();
            assert!(TaskLock::acquire_for_run(&path).unwrap().is_none());
        });
    }

    #[test]
    fn the_holder_is_known_by_more_than_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u1_a.lock");
        let mut held = lock(&path).unwrap();
        let me = Holder::this_process().unwrap();
        held.announce(Holder {
            pid: 1_000_000_000,
            started: 123_456_789,
        })
        .unwrap();
        held.announce(me).unwrap();
        assert_eq!(Holder::announced(&path), Some(me));
        assert!(me.is_alive());
        assert!(
            !Holder {
                started: me.started + 1,
                ..me
            }
            .is_alive()
        );
    }
}
