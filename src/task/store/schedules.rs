// SPDX-License-Identifier: GPL-3.0-or-later
//! The cron files of tasks, which follow the tasks' own files.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;

use anyhow::Context as _;

use super::{LOCK_TIMEOUT, READABLE, SCHEDULES_PAUSED, Store};
use crate::error::Result;
use crate::files;
use crate::task::FileKind;
use crate::task::layout::MailHost;
use crate::task::{Schedule, TaskName, cron, env};
use crate::text::printable;

impl Store {
    /// Rebuilds all cron files from the tasks' files, of which only the schedules have to be sound, and removes those
    /// of tasks that are gone. While schedules are paused there is none. A task that is damaged keeps its cron file
    /// and is told to `report`; so is a name that no task may have, for crond would run it as a command line.
    ///
    /// Nothing waits for the disk: the start of the service after a crash rebuilds them.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn rebuild_schedules(&self, mail_host: MailHost<'_>, report: &dyn Fn(String)) -> Result<()> {
        let Some(folder) = &self.layout.cron else {
            return Ok(());
        };
        // Not the tasks' locks, which runs may hold for hours.
        let _schedules = self.lock_schedules()?;
        let mail_host = mail_host()?;
        self.show_paused(mail_host.is_none())?;
        let mut kept: HashSet<OsString> = HashSet::new();
        let mut unscheduled: HashSet<OsString> = HashSet::new();
        for stem in self.stems()? {
            // What is hidden is on its way to becoming a file, or was.
            if stem.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let name = stem.to_str().and_then(|stem| TaskName::parse(stem).ok());
            let Some(name) = name.filter(TaskName::is_sound) else {
                let stem = stem.to_string_lossy();
                report(format!(
                    "{}.env is skipped: no task may have that name; rename or remove the file",
                    printable(&stem)
                ));
                continue;
            };
            let file = name.file(FileKind::Cron);
            match self.rebuilt(&name, mail_host.as_deref()) {
                Ok(Some(text)) => {
                    kept.insert(file.clone().into());
                    if let Err(error) = self.put_schedule(&folder.join(&file), &text) {
                        report(format!("cannot write {file}: {error:#}"));
                    }
                }
                Ok(None) => {
                    unscheduled.insert(file.into());
                }
                Err(error) => {
                    kept.insert(file.into());
                    report(format!("{name} keeps the schedule it has: {error:#}"));
                }
            }
        }
        for entry in fs::read_dir(folder).context("cannot read the folder of the schedules")? {
            let name = entry
                .context("cannot read the folder of the schedules")?
                .file_name();
            let path = folder.join(&name);
            if !kept.contains(&name) && (unscheduled.contains(&name) || is_of_a_task(&path)) {
                files::remove(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Tells the container whether schedules are paused.
    fn show_paused(&self, paused: bool) -> anyhow::Result<()> {
        let path = self.layout.tasks.join(SCHEDULES_PAUSED);
        let shown = match paused {
            true => files::write_atomic_unsynced(&self.layout.tasks, &path, b"", READABLE),
            false => files::remove(&path),
        };
        shown.with_context(|| format!("cannot change {SCHEDULES_PAUSED}"))
    }

    /// Whether schedules are paused.
    pub fn are_schedules_paused(&self) -> bool {
        self.layout.tasks.join(SCHEDULES_PAUSED).exists()
    }

    /// The cron file that a task should have.
    fn rebuilt(&self, name: &TaskName, mail_host: Option<&str>) -> anyhow::Result<Option<String>> {
        let text = self.text(name).map_err(anyhow::Error::msg)?;
        // A task may be deleted meanwhile.
        let Some(text) = text else { return Ok(None) };
        let schedule = env::lookup(&text, "CRON").unwrap_or_default();
        let schedule = Schedule::parse(&schedule)
            .with_context(|| format!("the schedule of {} is damaged", name.file(FileKind::Env)))?;
        let (Some(schedule), Some(mail_host)) = (schedule, mail_host) else {
            return Ok(None);
        };
        cron::render(name, schedule, mail_host).map(Some)
    }

    /// Most of them are what they should be.
    fn put_schedule(&self, target: &Path, text: &str) -> anyhow::Result<()> {
        match files::read(target) {
            Ok(Some(found)) if found == text.as_bytes() => Ok(()),
            _ => Ok(files::write_atomic_unsynced(
                &self.layout.tasks,
                target,
                text.as_bytes(),
                READABLE,
            )?),
        }
    }

    /// Keeps others from writing cron files. Edits write theirs after the task's file: so one who holds this and
    /// reads the file writes what is true, or is followed by who does.
    pub(super) fn lock_schedules(&self) -> Result<Option<File>> {
        let Some(folder) = &self.layout.cron else {
            return Ok(None);
        };
        let folder = File::open(folder).context("cannot open the folder of the schedules")?;
        files::lock(&folder, LOCK_TIMEOUT).context("another process keeps the schedules locked")?;
        Ok(Some(folder))
    }

    /// The caller holds the lock of the schedules; so the address is the one of now.
    pub(super) fn write_schedule(
        &self,
        name: &TaskName,
        schedule: Option<Schedule>,
        mail_host: MailHost<'_>,
    ) -> Result<()> {
        let Some(folder) = &self.layout.cron else {
            return Ok(());
        };
        let target = folder.join(name.file(FileKind::Cron));
        let text = match schedule {
            Some(schedule) => mail_host()?
                .map(|mail_host| cron::render(name, schedule, &mail_host))
                .transpose()?,
            None => None,
        };
        match text {
            Some(text) => files::write_atomic(&self.layout.tasks, &target, text.as_bytes(), READABLE),
            None => files::remove(&target).and_then(|()| files::forget(&self.layout.tasks, &target)),
        }
        .with_context(|| format!("cannot write {}", name.file(FileKind::Cron)))?;
        Ok(())
    }
}

/// Whether a file of that folder is one of ours: named as a task's and starting a task. Everything else is the
/// administrator's.
fn is_of_a_task(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "cron")
        && files::read(path)
            .ok()
            .flatten()
            .is_some_and(|text| String::from_utf8_lossy(&text).contains(cron::COMMAND))
}
