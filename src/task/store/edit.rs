// SPDX-License-Identifier: GPL-3.0-or-later
//! Writing and deleting tasks: whole, or not at all.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::{LEDGERS, Store, belongs_to_another};
use crate::error::{ErrorKey, Refusal, Result};
use crate::files;
use crate::task::FileKind;
use crate::task::batch::{self, OtherFile, Rewrite};
use crate::task::commit::{self, Staged};
use crate::task::layout::MailHost;
use crate::task::lock::TaskLock;
use crate::task::options::Options;
use crate::task::{Task, TaskName, env};

impl Store {
    /// Writes a task, new or edited: its file, its password if one is given, its options, its schedule.
    ///
    /// File, password and options change together or not at all. The caller holds the lock.
    ///
    /// # Errors
    /// `task_name_taken` when the name belongs to another user's task; else whatever the file system says.
    pub fn save(
        &self,
        _lock: &TaskLock,
        task: &Task,
        password: Option<&SecretString>,
        options: &Options,
        mail_host: MailHost<'_>,
    ) -> Result<()> {
        let name = task.name();
        let staged = self.stage(task, password, options)?;
        commit::replace_together(&self.layout.tasks, &name, &staged)
            .with_context(|| format!("cannot write the task {name}"))?;
        // An edited task is tried again.
        files::remove(&self.path(&name, FileKind::Refused))?;
        let _schedules = self.lock_schedules()?;
        self.write_schedule(&name, task.schedule, mail_host)
    }

    /// What the files of a task will hold. What the last runs knew is forgotten where it does not hold any more.
    fn stage(&self, task: &Task, password: Option<&SecretString>, options: &Options) -> Result<Vec<Staged>> {
        let name = task.name();
        self.refuse_taken_name(task)?;
        // A file that cannot be read any more is replaced: editing is how an administrator mends it.
        let (former, kept) = match self.load_with_kept(&name) {
            Ok(Some((former, kept))) => (Some(former), kept),
            Ok(None) => {
                // What is there is of a task of that name whose deletion was cut off.
                for kind in FileKind::of_task() {
                    files::remove(&self.path(&name, kind))?;
                }
                (None, env::Kept::new())
            }
            Err(_) => (None, env::Kept::new()),
        };
        // What the last run knew holds for its account only.
        if !former.as_ref().is_some_and(|former| former.same_source(task)) {
            files::remove(&self.path(&name, FileKind::Timestamp))?;
        }
        let env = env::render(task, &kept)?;
        let mut staged = Vec::new();
        let mut add = |kind, content: Vec<u8>| {
            let content = content.into();
            staged.push(Staged { kind, content });
        };
        if let Some(password) = password {
            add(FileKind::Password, password.expose_secret().as_bytes().to_vec());
        }
        if *options != self.options(&name) {
            let json = serde_json::to_vec(options).context("cannot write the options")?;
            add(FileKind::Options, json);
        }
        add(FileKind::Env, env.into_bytes());
        Ok(staged)
    }

    /// Writes many tasks and one file with them: all of it or nothing, whatever happens in between. Schedules stay as
    /// they are. The caller holds the locks of all the tasks.
    ///
    /// # Errors
    /// Whatever the file system says; everything is then as it was, or becomes new when it is next asked for.
    pub fn save_batch(&self, rewrites: &[Rewrite<'_>], other: &OtherFile<'_>) -> Result<()> {
        let staged: Vec<_> = rewrites
            .iter()
            .map(|rewrite| {
                let staged = self.stage(rewrite.task, rewrite.password, rewrite.options)?;
                Ok((rewrite.task.name(), staged))
            })
            .collect::<Result<_>>()?;
        batch::replace(self, &staged, other)
    }

    /// Refuses a task whose files would be those of another user's task.
    ///
    /// # Errors
    /// `task_name_taken`.
    pub fn refuse_taken_name(&self, task: &Task) -> Result<()> {
        let name = task.name();
        match self.text(&name) {
            Ok(Some(text)) if belongs_to_another(&text, &task.local_user, &task.id) => Err(Refusal::new(
                "task_id",
                ErrorKey::TaskNameTaken,
                format!("the files of {name} belong to a task of another user; choose another id"),
            )
            .with_value(task.id.as_str())
            .into()),
            _ => Ok(()),
        }
    }

    /// Clears away what a creation or a deletion that was cut off has left of a task that is not there.
    pub(super) fn clear_remains(&self, name: &TaskName) -> Result<()> {
        let left = FileKind::of_task().any(|kind| self.path(name, kind).exists());
        if !left && !commit::is_begun(&self.layout.tasks, name) {
            return Ok(());
        }
        match self.acquire(name, Duration::ZERO)? {
            Some(lock) if !self.path(name, FileKind::Env).exists() => self.remove(lock, name),
            _ => Ok(()),
        }
    }

    /// Deletes a task with all its files. The caller holds the lock, which ends here.
    ///
    /// # Errors
    /// Whatever the file system says; the rest goes when somebody asks for the task again.
    pub fn remove(&self, lock: TaskLock, name: &TaskName) -> Result<()> {
        {
            let _schedules = self.lock_schedules()?;
            self.write_schedule(name, None, &|| Ok(None))?;
            for kind in FileKind::of_task() {
                let path = self.path(name, kind);
                files::remove(&path).with_context(|| format!("cannot delete {}", path.display()))?;
            }
        }
        commit::discard(&self.layout.tasks, name)?;
        Ok(lock.remove()?)
    }

    /// Removes the ledgers of users who have had no task for a year.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn remove_idle_ledgers(&self) -> Result<()> {
        let ledgers = self.layout.tasks.join(LEDGERS);
        let Ok(entries) = fs::read_dir(&ledgers) else {
            return Ok(());
        };
        let mut names: Vec<String> = self
            .file_names()?
            .iter()
            .map(|name| name.to_lowercase())
            .collect();
        names.sort_unstable();
        for entry in entries {
            let file = entry
                .context("cannot read the folder of the ledgers")?
                .file_name();
            let file = file.to_string_lossy().into_owned();
            // Locks stay: somebody may wait for them.
            let Some((user, _)) = file.rsplit_once(".db") else {
                continue;
            };
            let prefix = format!("{user}_");
            let at = names.partition_point(|name| *name < prefix);
            let path = ledgers.join(&file);
            let is_used = names.get(at).is_some_and(|name| name.starts_with(&prefix));
            if !is_used && files::is_plain(&path) && is_idle(&path)? {
                files::remove(&path)?;
            }
        }
        Ok(())
    }

    /// The names of all files of tasks.
    fn file_names(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(&self.layout.tasks)?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names: io::Result<Vec<String>> = names.collect();
        Ok(names?.into_iter().filter(|name| name.ends_with(".env")).collect())
    }
}

/// How long a ledger is kept that no task uses: who comes back after that compares both sides.
const LEDGER_KEPT: Duration = Duration::from_secs(365 * 86_400);

fn is_idle(path: &Path) -> Result<bool> {
    let written = fs::metadata(path)?.modified()?;
    Ok(written.elapsed().is_ok_and(|age| age > LEDGER_KEPT))
}
