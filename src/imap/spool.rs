// SPDX-License-Identifier: GPL-3.0-or-later
//! Where large messages wait on their way: unnamed files in one folder, all together below a limit.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits;

/// What lies on the disk at most, in units: two of the largest messages.
const UNIT: u64 = 1024 * 1024;
const CAPACITY: usize = 2 * (limits::MESSAGE_OCTETS / UNIT) as usize;

/// The folder and what is left of its capacity. Copies share both.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: Option<PathBuf>,
    free: Arc<Semaphore>,
}

/// A file without a name, which is gone when it is dropped, and its share of the capacity.
#[derive(Debug)]
pub struct Spooled {
    /// The file.
    pub file: File,
    _share: OwnedSemaphorePermit,
}

impl Default for Spool {
    /// In the folder for temporary files.
    fn default() -> Self {
        Self {
            folder: None,
            free: Arc::new(Semaphore::new(CAPACITY)),
        }
    }
}

impl Spool {
    /// In a folder, which is made when it is needed.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self {
            folder: Some(folder),
            ..Self::default()
        }
    }

    /// A file for so many octets. Waits until others have made room.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub async fn take(&self, octets: u64) -> io::Result<Spooled> {
        let units = u32::try_from(octets.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let share = self.free.clone().acquire_many_owned(units).await;
        Ok(Spooled {
            _share: share.map_err(io::Error::other)?,
            file: self.file()?,
        })
    }

    fn file(&self) -> io::Result<File> {
        let Some(folder) = &self.folder else {
            return tempfile::tempfile();
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        tempfile::tempfile_in(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_when_it_is_full_waits() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let spool = Spool::in_folder(folder.path().join("made/on/demand"));
            let first = spool.take(limits::MESSAGE_OCTETS).await.unwrap();
            let _second = spool.take(limits::MESSAGE_OCTETS).await.unwrap();
            let mut third = std::pin::pin!(spool.take(1));
            assert!(futures_poll(third.as_mut()).await.is_pending());
            drop(first);
            assert!(third.await.is_ok());
        });
    }

    async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
        std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context))).await
    }
}
