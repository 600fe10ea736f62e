// SPDX-License-Identifier: GPL-3.0-or-later
//! What is kept next to a task: options, plan, what its last run left.

use std::fs;

use anyhow::Context as _;

use super::{LOCK_TIMEOUT, PRIVATE, READABLE, Store};
use crate::error::Result;
use crate::files;
use crate::task::FileKind;
use crate::task::history::{self, PastRun};
use crate::task::options::Options;
use crate::task::progress::Progress;
use crate::task::report::Report;
use crate::task::status::Status;
use crate::task::{Plan, Refusals, TaskName};

impl Store {
    /// Our own options of a task; the defaults when there is no file. One that cannot be read is not taken for one
    /// that is not there: the task would take whichever certificate it meets next for its server's.
    pub fn options(&self, name: &TaskName) -> Options {
        match files::read(&self.path(name, FileKind::Options)) {
            Ok(None) => Options::default(),
            Ok(Some(text)) => serde_json::from_slice(&text).unwrap_or_else(|_| Options::damaged()),
            Err(_) => Options::damaged(),
        }
    }

    /// Stores our own options of a task.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save_options(&self, name: &TaskName, options: &Options) -> Result<()> {
        let text = serde_json::to_vec(options).context("cannot write the options")?;
        Ok(files::write_atomic(
            &self.layout.tasks,
            &self.path(name, FileKind::Options),
            &text,
            PRIVATE,
        )?)
    }

    /// How the last run ended; `None` before the first one.
    pub fn status(&self, name: &TaskName) -> Option<Status> {
        let text = files::read(&self.path(name, FileKind::Status)).ok()??;
        Status::parse(std::str::from_utf8(&text).ok()?)
    }

    /// When the last complete run started, as far as it is known: a stop forgets it.
    pub fn last_success(&self, name: &TaskName, last: Status) -> Option<i64> {
        if last.exit_code == 0 {
            return Some(last.started);
        }
        let changed = fs::symlink_metadata(self.path(name, FileKind::Timestamp))
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
            &self.path(name, FileKind::Status),
            text.as_bytes(),
            READABLE,
        )?)
    }

    /// Where the current run stands; `None` when there is none.
    pub fn progress(&self, name: &TaskName) -> Option<Progress> {
        self.json(name, FileKind::Progress)
    }

    /// What the last complete run did.
    pub fn report(&self, name: &TaskName) -> Option<Report> {
        self.json(name, FileKind::Report)
    }

    /// What the last runs did, the latest last; a file that is damaged is begun again.
    pub fn history(&self, name: &TaskName) -> Vec<PastRun> {
        self.json(name, FileKind::History).unwrap_or_default()
    }

    /// Adds a run to what the last ones did; the caller has the task's lock.
    ///
    /// # Errors
    /// Whatever the file system says; the former history is then still there.
    pub fn add_to_history(&self, name: &TaskName, report: &Report) -> Result<()> {
        let runs = history::with(self.history(name), PastRun::from(report));
        let text = serde_json::to_vec(&runs).context("cannot write the history of the task")?;
        Ok(files::write_atomic(
            &self.layout.tasks,
            &self.path(name, FileKind::History),
            &text,
            PRIVATE,
        )?)
    }

    /// What an administrator decided about a task in addition to its settings.
    pub fn plan(&self, name: &TaskName) -> Plan {
        self.json(name, FileKind::Plan).unwrap_or_default()
    }

    /// Changes what an administrator decided about a task; no run is disturbed. Two changes at once are both kept.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn change_plan(&self, name: &TaskName, change: impl FnOnce(&mut Plan)) -> Result<()> {
        let folder = fs::File::open(&self.layout.tasks).context("cannot open the folder of the tasks")?;
        files::lock(&folder, LOCK_TIMEOUT).context("another process keeps the plans locked")?;
        let former = self.plan(name);
        let mut plan = former.clone();
        change(&mut plan);
        if plan == former {
            return Ok(());
        }
        let path = self.path(name, FileKind::Plan);
        if plan == Plan::default() {
            return Ok(files::remove(&path)?);
        }
        let text = serde_json::to_vec(&plan).context("cannot write the plan of the task")?;
        Ok(files::write_atomic(&self.layout.tasks, &path, &text, PRIVATE)?)
    }

    /// What was found about a task when somebody asked; `None` where no one did, or in another version.
    pub fn finding<T: serde::de::DeserializeOwned>(&self, name: &TaskName, kind: FileKind) -> Option<T> {
        self.json(name, kind)
    }

    /// Stores what was found about a task, unless it was deleted meanwhile.
    ///
    /// # Errors
    /// Whatever the file system says; the former finding is then still there.
    pub fn save_finding<T: serde::Serialize>(
        &self,
        name: &TaskName,
        kind: FileKind,
        finding: &T,
    ) -> Result<()> {
        let text = serde_json::to_vec(finding).context("cannot write what was found")?;
        let path = self.path(name, kind);
        files::write_atomic(&self.layout.tasks, &path, &text, PRIVATE)?;
        // A deletion comes in between without asking: it waits for runs only.
        match files::is_plain(&self.path(name, FileKind::Env)) {
            true => Ok(()),
            false => Ok(files::remove(&path)?),
        }
    }

    /// How often in a row the remote server refused the login.
    pub fn refusals(&self, name: &TaskName) -> Refusals {
        self.json(name, FileKind::Refused).unwrap_or_default()
    }

    /// Stores how often in a row the remote server refused the login.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save_refusals(&self, name: &TaskName, refusals: Refusals) -> Result<()> {
        let path = self.path(name, FileKind::Refused);
        if refusals == Refusals::default() {
            return Ok(files::remove(&path)?);
        }
        let text = serde_json::to_vec(&refusals).context("cannot write the refused logins")?;
        Ok(files::write_atomic(&self.layout.tasks, &path, &text, PRIVATE)?)
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &TaskName, kind: FileKind) -> Option<T> {
        serde_json::from_slice(&files::read(&self.path(name, kind)).ok()??).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Layout;

    #[test]
    fn options_that_cannot_be_read_are_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Layout::in_state(folder.path()));
        store.create_folders().unwrap();
        let name = TaskName::parse("u1_abc123").unwrap();
        assert_eq!(store.options(&name), Options::default());
        let path = store.path(&name, FileKind::Options);
        for text in [
            "",
            "\0\0\0\0",
            "null",
            "[]",
            r#"{"certificate":"ab"#,
            r#"{"certificate":5}"#,
            r#"{"as_it_arrives":"yes"}"#,
            "{}\0",
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(store.options(&name), Options::damaged(), "{text:?}");
        }
        fs::write(&path, "{}").unwrap();
        assert_eq!(store.options(&name), Options::default());
        files::remove(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(store.options(&name), Options::damaged());
    }
}
