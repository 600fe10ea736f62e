// SPDX-License-Identifier: GPL-3.0-or-later
//! Runs of one local mailbox come one after the other, whatever task they belong to: they share its ledger.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::files;
use crate::sync::state;
use crate::task::LocalUser;

/// Between two looks at a mailbox that another run works on.
const PAUSE: Duration = Duration::from_millis(100);

/// The right to work on a local mailbox; given back when it is dropped, or when the process dies.
pub struct MailboxLock {
    file: File,
}

impl MailboxLock {
    /// The lock of a local user's mailbox, not held yet. The file is never removed while the mailbox has tasks; what is no
    /// file, and no one's lock, is put aside.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn new(folder: &Path, user: &LocalUser) -> io::Result<Self> {
        let path = state::path(folder, user).with_extension("lock");
        if let Some(parent) = path.parent() {
            if parent.symlink_metadata().is_ok() && !parent.is_dir() {
                state::clear_wrong(parent, |place| place.is_dir())?;
            }
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        let file = match files::open_lock(&path) {
            Err(_) if path.symlink_metadata().is_ok() && !files::is_plain(&path) => {
                state::clear_wrong(&path, files::is_plain)?;
                files::open_lock(&path)?
            }
            opened => opened?,
        };
        Ok(Self { file })
    }

    /// Takes the lock if no one has it.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn try_take(&self) -> io::Result<bool> {
        match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Another handle on the lock: it is held until all of them are closed.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn share(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Waits until no one else works on the mailbox.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub async fn take(&self) -> io::Result<()> {
        while !self.try_take()? {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}
