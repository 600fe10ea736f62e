// SPDX-License-Identifier: GPL-3.0-or-later
//! Runs by imapsync, which records nothing of what it brings: until such a run is completed, local mail that nothing tells
//! of may be of its bringing.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Flag, Ledger, Result};
use crate::task::TaskName;

/// The names of the facts begin so; the task's name follows.
const PREFIX: &str = "imapsync_run/";
/// The fact of a former version, behind the number of the account.
const FORMER: &str = "imapsync";

impl Ledger {
    /// Records that a run of the task by imapsync begins.
    pub fn begin_imapsync_run(&self, task: &TaskName) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO meta VALUES (?1, '1')";
        self.db.execute(sql, [fact(task)])?;
        Ok(())
    }

    /// Records that all that runs of the task by imapsync brought is on record.
    pub fn end_imapsync_run(&self, task: &TaskName) -> Result<()> {
        let sql = "DELETE FROM meta WHERE name IN (?1, ?2)";
        self.db.execute(sql, [fact(task), self.former()])?;
        Ok(())
    }

    /// Whether a run of the task by imapsync was cut off: its log may tell what it has brought.
    pub fn is_imapsync_run_cut_off(&self, task: &TaskName) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM meta WHERE name IN (?1, ?2) AND value = '1')";
        let found = self
            .db
            .query_row(sql, [fact(task), self.former()], |row| row.get(0));
        Ok(found?)
    }

    /// A task whose run by imapsync was cut off, so that what it brought may be on no record.
    pub fn cut_off_imapsync_run(&self) -> Result<Option<String>> {
        let sql =
            "SELECT substr(name, length(?1) + 1) FROM meta WHERE substr(name, 1, length(?1)) = ?1 LIMIT 1";
        Ok(self.db.query_row(sql, [PREFIX], |row| row.get(0)).optional()?)
    }

    fn former(&self) -> String {
        self.of_account(FORMER)
    }
}

/// When a task is no more: no run completes what the last one brought, so that new local mail may be of its bringing, and
/// counts as older than the other tasks.
pub(super) fn abandon_imapsync_run(db: &Connection, task: &str) -> Result<()> {
    let ended = db.execute("DELETE FROM meta WHERE name = ?1", [format!("{PREFIX}{task}")])?;
    if ended > 0 {
        let sql = "INSERT OR REPLACE INTO meta SELECT id || '/' || ?1, '1' FROM source";
        db.execute(sql, params![Flag::NewMayBeOlder.name()])?;
    }
    Ok(())
}

fn fact(task: &TaskName) -> String {
    format!("{PREFIX}{task}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::state::AccountName;
    use crate::task::{FileKind, LocalUser, TaskId};

    #[test]
    fn what_a_deleted_task_may_have_brought_is_older_than_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let user = LocalUser::parse("u1").unwrap();
        let task = |id: &str| TaskName::new(&user, &TaskId::parse(id).unwrap());
        for id in ["a", "b"] {
            std::fs::write(folder.path().join(task(id).file(FileKind::Env)), "").unwrap();
        }
        let open = |id: &str, account: &str| {
            let account = AccountName::new("imap.test", account);
            Ledger::open(folder.path(), &task(id), &user, &account, |_| {}).unwrap()
        };
        let ledger = open("a", "me");
        ledger.begin_imapsync_run(&task("a")).unwrap();
        assert!(ledger.is_imapsync_run_cut_off(&task("a")).unwrap());
        assert!(!ledger.is_imapsync_run_cut_off(&task("b")).unwrap());
        drop(ledger);
        let other = open("b", "you");
        assert_eq!(other.cut_off_imapsync_run().unwrap().as_deref(), Some("u1_a"));
        other.end_imapsync_run(&task("a")).unwrap();
        assert_eq!(other.cut_off_imapsync_run().unwrap(), None);
        other.begin_imapsync_run(&task("a")).unwrap();
        other.set(Flag::NewMayBeOlder, false).unwrap();
        drop(other);
        Ledger::retire(folder.path(), &user, &task("a")).unwrap();
        let other = open("b", "you");
        assert_eq!(other.cut_off_imapsync_run().unwrap(), None);
        assert!(other.is_set(Flag::NewMayBeOlder).unwrap());
    }
}
