// SPDX-License-Identifier: GPL-3.0-or-later
//! All tasks of an instance, as files.
//!
//! [`edit`]: writing and deleting tasks · [`passwords`] · [`records`]: what is kept next to a task · [`schedules`] ·
//! [`bandwidth`]: of the instance · [`original`]: the instance that this one is a copy of.

mod bandwidth;
mod edit;
mod original;
mod passwords;
mod records;
mod schedules;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::FileKind;
use super::commit;
use super::layout::Layout;
use super::lock::{self, TaskLock};
use super::{LocalUser, Task, TaskId, TaskName, env};
use crate::error::{Error, ErrorKey, Refusal, Result};
use crate::files;

/// What only the module itself may read.
const PRIVATE: u32 = 0o600;
/// What crond and monitoring read.
const READABLE: u32 = 0o644;

/// How long another process may write schedules.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// How often an edit under way is waited for; each takes as long as somebody's glance at the lock.
const EDIT_ATTEMPTS: u32 = 10;

/// The folder of the ledgers, one for each local mailbox, below that of the tasks' files.
pub const LEDGERS: &str = ".ledger";

/// The file that is there while schedules are paused, for the container, which does not know the settings of the instance.
pub const SCHEDULES_PAUSED: &str = ".schedules-paused";

/// All tasks of an instance, as files (contract section 4).
#[derive(Debug, Clone)]
pub struct Store {
    layout: Layout,
}

impl Store {
    /// The store with that layout; nothing is touched yet.
    pub fn new(layout: Layout) -> Self {
        Self { layout }
    }

    /// The folder of the tasks' files.
    pub fn folder(&self) -> &Path {
        &self.layout.tasks
    }

    /// One of a task's files.
    pub fn path(&self, name: &TaskName, kind: FileKind) -> PathBuf {
        self.layout.tasks.join(name.file(kind))
    }

    /// Makes the folders, as on a fresh installation.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn create_folders(&self) -> Result<()> {
        for folder in std::iter::once(&self.layout.tasks).chain(&self.layout.cron) {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        Ok(())
    }

    /// The names of all tasks, sorted. What does not look like a task's file is somebody else's.
    ///
    /// # Errors
    /// When the folder cannot be read; one that is not there holds no task.
    pub fn names(&self) -> Result<Vec<TaskName>> {
        let mut names: Vec<TaskName> = self
            .stems()?
            .iter()
            .filter_map(|stem| TaskName::parse(stem.to_str()?).ok())
            .collect();
        names.sort();
        Ok(names)
    }

    /// What is in front of `.env` in names of files, whatever it is.
    fn stems(&self) -> Result<Vec<OsString>> {
        let entries = match fs::read_dir(&self.layout.tasks) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(Error::Failed(
                    anyhow::Error::new(error).context("cannot read the folder of the tasks"),
                ));
            }
        };
        Ok(entries
            .filter_map(|entry| {
                let path = PathBuf::from(entry.ok()?.file_name());
                let stem = path
                    .file_stem()
                    .filter(|_| path.extension() == Some("env".as_ref()))?;
                Some(stem.to_owned())
            })
            .collect())
    }

    /// The tasks of a user: the one with that id, or all of them.
    ///
    /// # Errors
    /// `task_not_found` when there is none.
    pub fn find(&self, user: &LocalUser, id: Option<&TaskId>) -> Result<Vec<TaskName>> {
        let found = match id {
            Some(id) => {
                let name = TaskName::new(user, id);
                if !self.path(&name, FileKind::Env).exists() {
                    self.clear_remains(&name)?;
                }
                let owned = match self.text(&name) {
                    Ok(text) => text.is_some_and(|text| !belongs_to_another(&text, user, id)),
                    // What is no text has lost its owner's lines too: it can be mended or deleted.
                    Err(_) => self.path(&name, FileKind::Env).is_file(),
                };
                if owned { vec![name] } else { Vec::new() }
            }
            None => {
                let mut of_user = Vec::new();
                for name in self.names()? {
                    // A file that vanished or cannot be read is no one's; list-tasks reports it.
                    if self
                        .text(&name)
                        .ok()
                        .flatten()
                        .is_some_and(|text| owner(&text).as_deref() == Some(user.as_str()))
                    {
                        of_user.push(name);
                    }
                }
                of_user
            }
        };
        if found.is_empty() {
            let (parameter, value, advice) = match id {
                Some(id) => (
                    "task_id",
                    id.to_string(),
                    format!("{user} has no task {id}; list-tasks shows those there are"),
                ),
                None => (
                    "localuser",
                    user.to_string(),
                    format!("{user} has no task; list-tasks shows those there are"),
                ),
            };
            return Err(Refusal::new(parameter, ErrorKey::TaskNotFound, advice)
                .with_value(value)
                .into());
        }
        Ok(found)
    }

    /// Reads a task; `None` when there is none of that name.
    ///
    /// # Errors
    /// When the file cannot be read or is not a task.
    pub fn load(&self, name: &TaskName) -> Result<Option<Task>> {
        Ok(self.load_with_kept(name)?.map(|(task, _)| task))
    }

    fn load_with_kept(&self, name: &TaskName) -> Result<Option<(Task, env::Kept)>> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let read = env::parse(&text).with_context(|| format!("{} is damaged", name.file(FileKind::Env)))?;
        Ok(Some(read))
    }

    fn text(&self, name: &TaskName) -> Result<Option<String>> {
        let path = self.path(name, FileKind::Env);
        let read = files::read(&path).with_context(|| format!("cannot read {}", name.file(FileKind::Env)))?;
        Ok(match read {
            Some(bytes) => Some(
                String::from_utf8(bytes)
                    .with_context(|| format!("{} is not UTF-8", name.file(FileKind::Env)))?,
            ),
            None => None,
        })
    }

    /// Whether a run, an edit or a deletion of the task is under way.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn is_busy(&self, name: &TaskName) -> Result<bool> {
        Ok(lock::is_held(&self.path(name, FileKind::Lock))?)
    }

    /// Takes the task for a run, an edit or a deletion, and finishes an edit that was cut off.
    ///
    /// # Errors
    /// Whatever the file system says; `Ok(None)` when somebody else has it beyond `patience`.
    pub fn acquire(&self, name: &TaskName, patience: Duration) -> Result<Option<TaskLock>> {
        self.acquired(
            name,
            TaskLock::acquire(&self.path(name, FileKind::Lock), patience),
        )
    }

    /// Takes the task for a run, which waits for an edit but not for another run.
    ///
    /// # Errors
    /// Whatever the file system says; `Ok(None)` when the task is running.
    pub fn acquire_for_run(&self, name: &TaskName) -> Result<Option<TaskLock>> {
        self.acquired(name, TaskLock::acquire_for_run(&self.path(name, FileKind::Lock)))
    }

    fn acquired(&self, name: &TaskName, taken: io::Result<Option<TaskLock>>) -> Result<Option<TaskLock>> {
        let taken = taken.with_context(|| format!("cannot lock {name}"))?;
        if taken.is_some() {
            commit::finish(&self.layout.tasks, name)
                .with_context(|| format!("cannot finish the last edit of {name}"))?;
            // The former holder of the lock may have been killed while it wrote.
            for kind in FileKind::of_task() {
                files::forget(&self.layout.tasks, &self.path(name, kind))
                    .with_context(|| format!("cannot clean up after {name}"))?;
            }
        }
        Ok(taken)
    }
}

fn owner(text: &str) -> Option<String> {
    env::lookup(text, "LOCALUSER")
}

/// A file that lost its owner's lines is taken for the task's own, so that it can be mended or deleted.
fn belongs_to_another(text: &str, user: &LocalUser, id: &TaskId) -> bool {
    owner(text).is_some_and(|theirs| theirs != user.as_str())
        || env::lookup(text, "TASK_ID").is_some_and(|theirs| theirs != id.as_str())
}

#[cfg(test)]
mod tests;
