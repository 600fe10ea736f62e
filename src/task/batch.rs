// SPDX-License-Identifier: GPL-3.0-or-later
//! Many tasks that change together, whatever happens in between: what an edit of their source needs.
//!
//! Each task's new files are staged next to the old ones, marked with the name of the batch; so is the one file written with
//! them. When all of that is on disk, `.batch` appears, which names the batch: from then on all of it counts, before
//! that nothing does. The one who takes a task's lock, or wants to read the file written with them, finishes what a crash has left.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::commit::{self, Staged};
use super::options::Options;
use super::{Store, Task, TaskName};
use crate::error::Result;
use crate::files;

const PRIVATE: u32 = 0o600;
/// Renaming the files of thousands of tasks takes seconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// New content of one task; its lock is held.
#[derive(Debug)]
pub struct Rewrite<'a> {
    /// What `NAME.env` will say.
    pub task: &'a Task,
    /// The password; `None` leaves it.
    pub password: Option<&'a SecretString>,
    /// Our own options.
    pub options: &'a Options,
}

/// New content of the one file next to the tasks.
#[derive(Debug)]
pub struct OtherFile<'a> {
    /// The file, in a folder of the store's.
    pub target: &'a Path,
    /// What it will hold.
    pub content: &'a [u8],
}

/// What `.batch` says.
#[derive(Serialize, Deserialize)]
struct Journal {
    id: String,
    /// Relative to the folder of the tasks.
    #[serde(rename = "beside")]
    other: PathBuf,
    tasks: Vec<String>,
}

fn journal(folder: &Path) -> PathBuf {
    folder.join(".batch")
}

fn read_journal(folder: &Path) -> io::Result<Option<Journal>> {
    let Some(text) = files::read(&journal(folder))? else {
        return Ok(None);
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|_| io::Error::other("the file .batch is damaged; delete it, then save the source again"))
}

/// Whether the batch of that id counts.
pub(super) fn exists(folder: &Path, id: &[u8]) -> io::Result<bool> {
    Ok(read_journal(folder)?.is_some_and(|journal| journal.id.as_bytes() == id))
}

fn staged_other(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.new"))
}

/// One batch at a time, from its first staged file to its end.
fn lock(folder: &Path) -> Result<File> {
    let file = files::open_lock(&folder.join(".batch.lock")).context("cannot open .batch.lock")?;
    files::lock(&file, LOCK_TIMEOUT).context("another edit of many tasks takes too long")?;
    Ok(file)
}

/// Replaces everything or nothing. The caller holds the locks of all the tasks.
pub(super) fn replace(store: &Store, tasks: &[(TaskName, Vec<Staged>)], other: &OtherFile<'_>) -> Result<()> {
    let folder = store.folder();
    let _lock = lock(folder)?;
    finish(store)?;
    let id = format!("{:016x}", RandomState::new().build_hasher().finish());
    let committed = (|| {
        for (name, staged) in tasks {
            commit::stage(folder, name, staged, &id)?;
        }
        files::write_atomic(folder, &staged_other(other.target), other.content, PRIVATE)?;
        let journal_text = serde_json::to_vec(&Journal {
            id,
            other: other
                .target
                .strip_prefix(folder)
                .unwrap_or(other.target)
                .to_owned(),
            tasks: tasks.iter().map(|(name, _)| name.to_string()).collect(),
        })?;
        files::write_atomic(folder, &journal(folder), &journal_text, PRIVATE)
    })();
    if let Err(error) = committed {
        for (name, _) in tasks {
            commit::discard(folder, name)?;
        }
        files::remove(&staged_other(other.target))?;
        return Err(anyhow::Error::new(error)
            .context("cannot write the tasks of the source")
            .into());
    }
    for (name, _) in tasks {
        commit::finish(folder, name).with_context(|| format!("cannot finish the edit of {name}"))?;
    }
    finish(store)
}

/// Finishes a batch that a crash has left; waits for one that is under way.
///
/// # Errors
/// Whatever the file system says.
pub fn recover(store: &Store) -> Result<()> {
    let folder = store.folder();
    if !journal(folder).exists() {
        return Ok(());
    }
    let _lock = lock(folder)?;
    finish(store)
}

/// The caller has the lock of the batches.
fn finish(store: &Store) -> Result<()> {
    let folder = store.folder();
    let Some(batch) = read_journal(folder)? else {
        return Ok(());
    };
    let target = folder.join(&batch.other);
    match fs::rename(staged_other(&target), &target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(anyhow::Error::new(error)
                .context("cannot finish the edit of a source")
                .into());
        }
        _ => files::sync_folder_of(&target)?,
    }
    let deadline = Instant::now() + LOCK_TIMEOUT;
    for name in &batch.tasks {
        let name = TaskName::parse(name).context("the file .batch is damaged")?;
        // The one who takes the lock of a task finishes it: we, or a run that came first.
        while commit::is_pending(folder, &name) {
            if store.acquire(&name, Duration::ZERO)?.is_some() {
                break;
            }
            if Instant::now() >= deadline {
                return Err(anyhow!(
                    "{name} is busy, so the last edit of its source cannot be finished; try again"
                )
                .into());
            }
            std::thread::sleep(PAUSE);
        }
    }
    files::remove(&journal(folder))?;
    Ok(files::sync_folder_of(&journal(folder))?)
}

#[cfg(test)]
mod tests;
