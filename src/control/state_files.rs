// SPDX-License-Identifier: GPL-3.0-or-later
//! Where is kept what concerns no single task: `imapsync/FOLDER/STEM.*`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::agent::journal;
use crate::error::Result;
use crate::files;
use crate::task::Store;

const PRIVATE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// Somebody else's glance at the lock takes no longer.
const LOCK_WAIT: Duration = Duration::from_millis(200);
/// The ending of the file that is there when somebody wants the end.
const STOP: &str = "stop";

/// The right to work on some files; others may look meanwhile.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held, never read")] File);

/// Files that belong together.
#[derive(Debug)]
pub(super) struct StateFiles {
    folder: PathBuf,
    stem: String,
}

impl StateFiles {
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

    /// What is stored; `None` where nothing is.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        self.read_as("json")
    }

    /// What is stored, for those who only show it: what cannot be read counts as nothing, and the journal tells why.
    pub(super) fn show<T: DeserializeOwned>(&self) -> Option<T> {
        self.show_as("json")
    }

    /// The same of another file.
    pub(super) fn show_as<T: DeserializeOwned>(&self, ending: &str) -> Option<T> {
        self.read_as(ending).unwrap_or_else(|error| {
            journal::warning(error);
            None
        })
    }

    fn read_as<T: DeserializeOwned>(&self, ending: &str) -> Result<Option<T>> {
        let file = self.file(ending);
        let stored = files::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let content = stored.map(|text| serde_json::from_slice(&text)).transpose();
        Ok(content.with_context(|| format!("{} is damaged; remove it", file.display()))?)
    }

    /// Stores it.
    pub(super) fn write(&self, content: &impl Serialize) -> Result<()> {
        self.write_as("json", content)
    }

    /// The same in another file.
    pub(super) fn write_as(&self, ending: &str, content: &impl Serialize) -> Result<()> {
        let file = self.file(ending);
        let text =
            serde_json::to_vec(content).with_context(|| format!("cannot encode {}", file.display()))?;
        self.put(&file, &text)
    }

    /// Takes the right to work on them, and forgets that somebody wanted the end of who worked before; `None` while another
    /// process has it.
    pub(super) fn take_turn(&self) -> Result<Option<Turn>> {
        let lock = self.open_lock()?;
        match files::lock(&lock, LOCK_WAIT) {
            Ok(()) => {
                files::remove(&self.file(STOP))?;
                Ok(Some(Turn(lock)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks the process that works on them to end after what is under way.
    pub(super) fn ask_to_stop(&self) -> Result<()> {
        match self.is_at_work() {
            true => self.put(&self.file(STOP), b""),
            false => Ok(()),
        }
    }

    /// Whether somebody asked for the end.
    pub(super) fn is_to_stop(&self) -> bool {
        files::is_plain(&self.file(STOP))
    }

    /// Whether somebody works on them now.
    pub(super) fn is_at_work(&self) -> bool {
        let Ok(lock) = files::open(&self.file("lock")) else {
            return false;
        };
        files::lock_shared(&lock, Duration::ZERO).is_err()
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
        Ok(files::open_lock(&self.file("lock"))?)
    }
}
