// SPDX-License-Identifier: GPL-3.0-or-later

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret, SecretString};

use super::batch::{self, Beside, Rewrite};
use super::commit::{self, Staged};
use super::history::{self, PastRun};
use super::layout::{Layout, MailHost};
use super::lock::{self, TaskLock};
use super::options::Options;
use super::progress::Progress;
use super::report::Report;
use super::status::Status;
use super::{LocalUser, Plan, Refusals, Task, TaskId, TaskName, env};
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

/// The endings of a task's files beside the lock, in the order in which a deletion removes them: without
/// `env` there is no task any more.
const ENDINGS: [&str; 19] = [
    "env",
    "pwd",
    "token",
    "json",
    "plan",
    "timestamp",
    "status",
    "log",
    "pid",
    "progress",
    "progress.tmp",
    "report",
    "history",
    "trace",
    "refused",
    "confirm",
    "state",
    "state-wal",
    "state-shm",
];

/// The folder of the ledgers, one for each local mailbox, below that of the tasks' files.
pub const LEDGERS: &str = ".ledger";

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
    pub fn path(&self, name: &TaskName, ending: &str) -> PathBuf {
        self.layout.tasks.join(name.file(ending))
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
                if !self.path(&name, "env").exists() {
                    self.clear_remains(&name)?;
                }
                let owned = match self.text(&name) {
                    Ok(text) => text.is_some_and(|text| !belongs_to_another(&text, user, id)),
                    // What is no text has lost its owner's lines too: it can be mended or deleted.
                    Err(_) => self.path(&name, "env").is_file(),
                };
                if owned { vec![name] } else { Vec::new() }
            }
            None => {
                let mut of_user = Vec::new();
                for name in self.names()? {
                    // A file that vanished or cannot be read is nobody's; list-tasks reports it.
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
        let read = env::parse(&text).with_context(|| format!("{} is damaged", name.file("env")))?;
        Ok(Some(read))
    }

    fn text(&self, name: &TaskName) -> Result<Option<String>> {
        let path = self.path(name, "env");
        let read = files::read(&path).with_context(|| format!("cannot read {}", name.file("env")))?;
        Ok(match read {
            Some(bytes) => {
                Some(String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", name.file("env")))?)
            }
            None => None,
        })
    }

    /// The remote password that belongs to a task as it was read; `None` when there is none.
    ///
    /// Password and file change together: without that check, whoever reads both during an edit could send
    /// the new password to the old server.
    ///
    /// # Errors
    /// When the file cannot be read, or the task was changed meanwhile.
    pub fn password(&self, task: &Task) -> Result<Option<SecretString>> {
        let name = task.name();
        for _ in 0..EDIT_ATTEMPTS {
            let password = self.secret(&name.file("pwd"))?;
            if !commit::is_pending(&self.layout.tasks, &name) {
                return match self.load(&name)? {
                    Some(current) if !current.same_account(task) => {
                        Err(anyhow::anyhow!("{name} was changed meanwhile; try again").into())
                    }
                    _ => Ok(password),
                };
            }
            // An edit is under way, or was cut off: whoever gets the lock finishes it.
            self.acquire(&name, Duration::ZERO)?;
        }
        Err(anyhow::anyhow!("{name} is being edited; try again").into())
    }

    /// The password of the local server's master user; `None` before the service has started once.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn master_password(&self) -> Result<Option<SecretString>> {
        self.secret("vmail.pwd")
    }

    /// Stores the password of the local server's master user.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save_master_password(&self, password: &SecretString) -> Result<()> {
        let target = self.layout.tasks.join("vmail.pwd");
        files::write_atomic(
            &self.layout.tasks,
            &target,
            password.expose_secret().as_bytes(),
            PRIVATE,
        )
        .context("cannot write vmail.pwd")?;
        Ok(())
    }

    /// The first line of a password file, which is what imapsync takes.
    fn secret(&self, file: &str) -> Result<Option<SecretString>> {
        let read =
            files::read(&self.layout.tasks.join(file)).with_context(|| format!("cannot read {file}"))?;
        let Some(bytes) = read else { return Ok(None) };
        let text =
            SecretString::from(String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{file} is not UTF-8"))?);
        let line = text.expose_secret().lines().next().unwrap_or_default();
        Ok(Some(SecretString::from(line)))
    }

    /// Our own options of a task; the defaults when there is no file or a damaged one.
    pub fn options(&self, name: &TaskName) -> Options {
        self.json(name, "json").unwrap_or_default()
    }

    /// Stores our own options of a task.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save_options(&self, name: &TaskName, options: &Options) -> Result<()> {
        let text = serde_json::to_vec(options).context("cannot write the options")?;
        Ok(files::write_atomic(
            &self.layout.tasks,
            &self.path(name, "json"),
            &text,
            PRIVATE,
        )?)
    }

    /// How the last run ended; `None` before the first one.
    pub fn status(&self, name: &TaskName) -> Option<Status> {
        let text = files::read(&self.path(name, "status")).ok()??;
        Status::parse(std::str::from_utf8(&text).ok()?)
    }

    /// When the last complete run started, as far as it is known: a stop forgets it.
    pub fn last_success(&self, name: &TaskName, last: Status) -> Option<i64> {
        if last.exit_code == 0 {
            return Some(last.started);
        }
        let changed = fs::symlink_metadata(self.path(name, "timestamp"))
            .ok()?
            .modified()
            .ok()?;
        let since = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    }

    /// Stores how a run ended.
    ///
    /// # Errors
    /// Whatever the file system says; the former status is then still there.
    pub fn save_status(&self, name: &TaskName, status: Status) -> Result<()> {
        let text = status.render();
        Ok(files::write_atomic(
            &self.layout.tasks,
            &self.path(name, "status"),
            text.as_bytes(),
            READABLE,
        )?)
    }

    /// Where the current run stands; `None` when there is none.
    pub fn progress(&self, name: &TaskName) -> Option<Progress> {
        self.json(name, "progress")
    }

    /// What the last complete run did.
    pub fn report(&self, name: &TaskName) -> Option<Report> {
        self.json(name, "report")
    }

    /// What the last runs did, the latest last; a file that is damaged is begun again.
    pub fn history(&self, name: &TaskName) -> Vec<PastRun> {
        self.json(name, "history").unwrap_or_default()
    }

    /// Adds a run to what the last ones did; whoever does it has the task's lock.
    ///
    /// # Errors
    /// Whatever the file system says; the former history is then still there.
    pub fn add_to_history(&self, name: &TaskName, report: &Report) -> Result<()> {
        let runs = history::with(self.history(name), PastRun::from(report));
        let text = serde_json::to_vec(&runs).context("cannot write the history of the task")?;
        Ok(files::write_atomic(
            &self.layout.tasks,
            &self.path(name, "history"),
            &text,
            PRIVATE,
        )?)
    }

    /// What an administrator decided about a task beside its settings.
    pub fn plan(&self, name: &TaskName) -> Plan {
        self.json(name, "plan").unwrap_or_default()
    }

    /// Stores what an administrator decided about a task; no run is disturbed.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save_plan(&self, name: &TaskName, plan: &Plan) -> Result<()> {
        let path = self.path(name, "plan");
        if *plan == Plan::default() {
            return Ok(files::remove(&path)?);
        }
        let text = serde_json::to_vec(plan).context("cannot write the plan of the task")?;
        Ok(files::write_atomic(&self.layout.tasks, &path, &text, PRIVATE)?)
    }

    /// How often in a row the remote server refused the login.
    pub fn refusals(&self, name: &TaskName) -> Refusals {
        self.json(name, "refused").unwrap_or_default()
    }

    /// Stores how often in a row the remote server refused the login.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save_refusals(&self, name: &TaskName, refusals: Refusals) -> Result<()> {
        let path = self.path(name, "refused");
        if refusals == Refusals::default() {
            return Ok(files::remove(&path)?);
        }
        let text = serde_json::to_vec(&refusals).context("cannot write the refused logins")?;
        Ok(files::write_atomic(&self.layout.tasks, &path, &text, PRIVATE)?)
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &TaskName, ending: &str) -> Option<T> {
        serde_json::from_slice(&files::read(&self.path(name, ending)).ok()??).ok()
    }

    /// Whether a run, an edit or a deletion of the task is under way.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn is_busy(&self, name: &TaskName) -> Result<bool> {
        Ok(lock::is_held(&self.path(name, "lock"))?)
    }

    /// Takes the task for a run, an edit or a deletion, and finishes an edit that was cut off.
    ///
    /// # Errors
    /// Whatever the file system says; `Ok(None)` when somebody else has it beyond `patience`.
    pub fn acquire(&self, name: &TaskName, patience: Duration) -> Result<Option<TaskLock>> {
        self.acquired(name, TaskLock::acquire(&self.path(name, "lock"), patience))
    }

    /// Takes the task for a run, which waits for an edit but not for another run.
    ///
    /// # Errors
    /// Whatever the file system says; `Ok(None)` when the task is running.
    pub fn acquire_for_run(&self, name: &TaskName) -> Result<Option<TaskLock>> {
        self.acquired(name, TaskLock::acquire_for_run(&self.path(name, "lock")))
    }

    fn acquired(&self, name: &TaskName, taken: io::Result<Option<TaskLock>>) -> Result<Option<TaskLock>> {
        let taken = taken.with_context(|| format!("cannot lock {name}"))?;
        if taken.is_some() {
            commit::finish(&self.layout.tasks, name)
                .with_context(|| format!("cannot finish the last edit of {name}"))?;
            // Whoever held the lock before may have been killed while it wrote.
            for ending in ENDINGS {
                files::forget(&self.layout.tasks, &self.path(name, ending))
                    .with_context(|| format!("cannot clean up after {name}"))?;
            }
        }
        Ok(taken)
    }

    /// Writes a task, new or edited: its file, its password if one is given, its options, its schedule.
    ///
    /// File, password and options change together or not at all. Whoever calls holds the lock.
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
        // Whoever edits a task wants it tried again.
        files::remove(&self.path(&name, "refused"))?;
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
                for ending in ENDINGS {
                    files::remove(&self.path(&name, ending))?;
                }
                (None, env::Kept::new())
            }
            Err(_) => (None, env::Kept::new()),
        };
        // What the last run knew holds for its account only.
        if !former.as_ref().is_some_and(|former| former.same_source(task)) {
            files::remove(&self.path(&name, "timestamp"))?;
        }
        let env = env::render(task, &kept)?;
        let mut staged = Vec::new();
        let mut add = |ending, content: Vec<u8>| {
            let content = content.into();
            staged.push(Staged { ending, content });
        };
        if let Some(password) = password {
            add("pwd", password.expose_secret().as_bytes().to_vec());
        }
        if *options != self.options(&name) {
            let json = serde_json::to_vec(options).context("cannot write the options")?;
            add("json", json);
        }
        add("env", env.into_bytes());
        Ok(staged)
    }

    /// Writes many tasks and one file beside them: all of it or nothing, whatever happens in between. Schedules stay as
    /// they are. Whoever calls holds the locks of all the tasks.
    ///
    /// # Errors
    /// Whatever the file system says; everything is then as it was, or becomes new when it is next asked for.
    pub fn save_batch(&self, rewrites: &[Rewrite<'_>], beside: &Beside<'_>) -> Result<()> {
        let staged: Vec<_> = rewrites
            .iter()
            .map(|rewrite| {
                let staged = self.stage(rewrite.task, rewrite.password, rewrite.options)?;
                Ok((rewrite.task.name(), staged))
            })
            .collect::<Result<_>>()?;
        batch::replace(self, &staged, beside)
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
    fn clear_remains(&self, name: &TaskName) -> Result<()> {
        let left = ENDINGS.iter().any(|ending| self.path(name, ending).exists());
        if !left && !commit::is_begun(&self.layout.tasks, name) {
            return Ok(());
        }
        match self.acquire(name, Duration::ZERO)? {
            Some(lock) if !self.path(name, "env").exists() => self.remove(lock, name),
            _ => Ok(()),
        }
    }

    /// Deletes a task with all its files. Whoever calls holds the lock, which ends here.
    ///
    /// # Errors
    /// Whatever the file system says; the rest goes when somebody asks for the task again.
    pub fn remove(&self, lock: TaskLock, name: &TaskName) -> Result<()> {
        {
            let _schedules = self.lock_schedules()?;
            self.write_schedule(name, None, &|| Ok(None))?;
            for ending in ENDINGS {
                let path = self.path(name, ending);
                files::remove(&path).with_context(|| format!("cannot delete {}", path.display()))?;
            }
        }
        commit::discard(&self.layout.tasks, name)?;
        Ok(lock.remove()?)
    }

    /// Removes the ledgers of users who have no task any more.
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
            let Some((user, _)) = file.split_once(".db") else {
                continue;
            };
            let prefix = format!("{user}_");
            let at = names.partition_point(|name| *name < prefix);
            if names.get(at).is_none_or(|name| !name.starts_with(&prefix)) {
                files::remove(&ledgers.join(&file))?;
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

fn owner(text: &str) -> Option<String> {
    env::lookup(text, "LOCALUSER")
}

/// A file that lost its owner's lines is taken for the task's own, so that it can be mended or deleted.
fn belongs_to_another(text: &str, user: &LocalUser, id: &TaskId) -> bool {
    owner(text).is_some_and(|theirs| theirs != user.as_str())
        || env::lookup(text, "TASK_ID").is_some_and(|theirs| theirs != id.as_str())
}

mod schedules;
#[cfg(test)]
mod tests;
