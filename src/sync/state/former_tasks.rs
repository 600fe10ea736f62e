// SPDX-License-Identifier: GPL-3.0-or-later
//! What is known when a task is deleted: it stays, so that another task for the same accounts does not bring again what
//! its owner filed elsewhere. What the former task brought is older than that one.

use std::path::Path;

use rusqlite::{Connection, params};

use super::imapsync_runs::abandon_imapsync_run;
use super::{Ledger, Result, open_file, path};
use crate::task::{FileKind, LocalUser, TaskName};

impl Ledger {
    /// Notes that a task is no more. Where it was the last one that pulled from its account, what is local counts as older
    /// than the next one.
    pub fn retire(folder: &Path, user: &LocalUser, task: &TaskName) -> Result<()> {
        let path = path(folder, user);
        if !path.exists() {
            return Ok(());
        }
        let mut ledger = Self {
            db: open_file(&path)?,
            source: 0,
        };
        let Some(source) = ledger.bound(task)? else {
            return Ok(());
        };
        ledger.transaction(|db| {
            db.execute("DELETE FROM task WHERE name = ?1", [task.to_string()])?;
            abandon_imapsync_run(db, task.as_str())?;
            abandon(db, source)
        })
    }

    /// The same for tasks that are no more, and whose end could not be noted: they were deleted while the ledger could not
    /// be written, or are not in a backup that it is from.
    pub(super) fn retire_missing(&mut self, folder: &Path, running: &TaskName) -> Result<()> {
        let tasks: Vec<(String, i64)> = {
            let mut statement = self.db.prepare("SELECT name, source FROM task")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<_>>()?
        };
        for (name, source) in tasks {
            let is_there = TaskName::parse(&name)
                .is_ok_and(|name| name == *running || folder.join(name.file(FileKind::Env)).exists());
            if !is_there {
                self.transaction(|db| {
                    db.execute("DELETE FROM task WHERE name = ?1", [&name])?;
                    abandon_imapsync_run(db, &name)?;
                    abandon(db, source)
                })?;
            }
        }
        Ok(())
    }

    /// Local UIDs below are older than the task, whatever brought them: a former one did.
    pub fn brought_before(&self, id: i64) -> Result<u32> {
        let mut statement = self
            .db
            .prepare_cached("SELECT brought_before FROM folder WHERE id = ?1")?;
        Ok(statement.query_row(params![id], |row| row.get(0))?)
    }
}

/// Where no task pulls from an account any more, what is local now is older than the next one that does.
pub(super) fn abandon(db: &Connection, source: i64) -> Result<()> {
    let sql = "SELECT EXISTS (SELECT 1 FROM task WHERE source = ?1)";
    if db.query_row(sql, [source], |row| row.get(0))? {
        return Ok(());
    }
    db.execute(
        "UPDATE folder SET fingerprint = '', runs_missing = 0, former = 1, baseline = 0, brought_before = max(local_high,
            (SELECT ifnull(max(local_uid), 0) + 1 FROM message WHERE folder = folder.id)) WHERE source = ?1",
        [source],
    )?;
    for change in ["UPDATE local_only SET origin = 1", "DELETE FROM withheld"] {
        let of_account = "WHERE folder IN (SELECT id FROM folder WHERE source = ?1)";
        db.execute(&format!("{change} {of_account}"), [source])?;
    }
    Ok(())
}
