// SPDX-License-Identifier: GPL-3.0-or-later
//! Where is kept what concerns a batch and none of its tasks: `imapsync/.batches/ID.*`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::error::Result;
use crate::files;
use crate::task::{BatchName, Store};

const PRIVATE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;
/// So many octets of a digest tell batches apart.
const ID_OCTETS: usize = 16;

/// The files of one kind of a batch.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    stem: String,
}

impl Place {
    /// Those of that kind; nothing is touched yet.
    pub(super) fn of(store: &Store, batch: &BatchName, kind: &str) -> Self {
        let digest = Sha256::digest(batch.as_str());
        let id: String = digest
            .iter()
            .take(ID_OCTETS)
            .map(|octet| format!("{octet:02x}"))
            .collect();
        Self {
            folder: store.folder().join(".batches"),
            stem: format!("{id}.{kind}"),
        }
    }

    /// One of the files.
    pub(super) fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.stem))
    }

    /// What is stored; `None` where nothing is that can be read.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&files::read(&self.file("json")).ok()??).ok()
    }

    /// Stores it.
    pub(super) fn write(&self, content: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec(content).context("cannot write what concerns the batch")?;
        self.put(&self.file("json"), &text)
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
                    .context("cannot make the folder of the batches")
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
