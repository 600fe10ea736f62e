// SPDX-License-Identifier: GPL-3.0-or-later
//! Where is kept what concerns no single task: `imapsync/FOLDER/STEM.*`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::files;
use crate::task::Store;

const PRIVATE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// Files that belong together.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    stem: String,
}

impl Place {
    /// Those in a folder next to the tasks whose names begin so; nothing is touched yet.
    pub(super) fn new(store: &Store, folder: &str, stem: String) -> Self {
        Self {
            folder: store.folder().join(folder),
            stem,
        }
    }

    /// One of the files.
    pub(super) fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.stem))
    }

    /// What is stored; `None` where nothing is that can be read.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        self.read_as("json")
    }

    /// The same of another file.
    pub(super) fn read_as<T: DeserializeOwned>(&self, ending: &str) -> Option<T> {
        serde_json::from_slice(&files::read(&self.file(ending)).ok()??).ok()
    }

    /// Stores it.
    pub(super) fn write(&self, content: &impl Serialize) -> Result<()> {
        self.write_as("json", content)
    }

    /// The same in another file.
    pub(super) fn write_as(&self, ending: &str, content: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec(content).context("cannot write what is to be kept")?;
        self.put(&self.file(ending), &text)
    }

    /// Whether somebody holds the lock.
    pub(super) fn is_locked(&self) -> bool {
        let Ok(lock) = files::open(&self.file("lock")) else {
            return false;
        };
        files::lock_shared(&lock, Duration::ZERO).is_err()
    }

    /// Makes a file that only has to be there.
    pub(super) fn mark(&self, ending: &str) -> Result<()> {
        self.put(&self.file(ending), b"")
    }

    fn put(&self, target: &Path, text: &[u8]) -> Result<()> {
        Ok(files::write_atomic(&self.folder, target, text, PRIVATE)?)
    }

    /// The file that is locked, and the folder if there is none.
    pub(super) fn open_lock(&self) -> Result<File> {
        match fs::DirBuilder::new().mode(PRIVATE_FOLDER).create(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(anyhow::Error::new(error)
                    .context(format!("cannot make {}", self.folder.display()))
                    .into());
            }
            _ => {}
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(self.file("lock"))?;
        Ok(lock)
    }
}
