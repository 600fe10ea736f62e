// SPDX-License-Identifier: GPL-3.0-or-later
//! The accounts that mail comes from. A ledger belongs to the accounts and not to how they are reached.

use std::path::Path;

use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::{Flag, Ledger, Result, database_files, former_tasks, schema};
use crate::files;
use crate::task::FileKind;
use crate::task::TaskName;

/// A remote account, as the ledger tells accounts apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName {
    /// The server's name or address, in lower case.
    pub host: String,
    /// The login name.
    pub user: String,
}

impl AccountName {
    /// An account on a server; the port and the protection of the connection make no difference.
    pub fn new(host: &str, user: &str) -> Self {
        Self {
            host: host.to_ascii_lowercase(),
            user: user.to_owned(),
        }
    }

    /// From `host:port user -> local`, as former versions wrote it.
    fn from_task_state(text: &str) -> Option<Self> {
        let (remote, _) = text.rsplit_once(" -> ")?;
        let (endpoint, user) = remote.split_once(' ')?;
        let (host, _) = endpoint.rsplit_once(':')?;
        Some(Self::new(host, user))
    }
}

/// `NAME.state`: that this task has taken part in the ledger. Without it both sides are compared again.
#[derive(Serialize, Deserialize)]
struct Marker {
    version: i64,
}

impl Ledger {
    /// Takes over what the task knew by itself, and turns to its account. A task without its `NAME.state`, or with a
    /// damaged one, compares both sides again. `is_rebuilt`: it was told that the ledger was damaged.
    pub(super) fn adopt(
        &mut self,
        folder: &Path,
        task: &TaskName,
        account: &AccountName,
        is_rebuilt: bool,
        told: &mut impl FnMut(&str),
    ) -> Result<()> {
        let path = folder.join(task.file(FileKind::State));
        let has_former = match self.take_over(task, &path) {
            // A damaged ledger would be put aside with all that it knows of other accounts.
            Err(error) if error.is_damage() && self.is_sound() => {
                told("The former state of the task is damaged: both sides are compared.");
                false
            }
            taken => taken?,
        };
        if has_former {
            told("What the task knew is now in the ledger of the local mailbox.");
        }
        self.retire_missing(folder, task)?;
        let (is_known, is_marked) = (self.bound(task)?.is_some(), has_marker(&path) || has_former);
        if !is_known && !is_marked {
            // Cut off after it is known, a task without its mark would count as one that lost it.
            write_marker(folder, &path)?;
        }
        self.turn_to(task, account)?;
        if is_known && !is_marked {
            told("The state file of the task is gone or damaged: both sides are compared again.");
            self.compare_again()?;
        } else if !is_known && is_marked && !is_rebuilt {
            told(
                "The ledger of the local mailbox has lost what it knew of this task: both sides are compared again.",
            );
        }
        if !has_marker(&path) {
            write_marker(folder, &path)?;
        }
        Ok(())
    }

    /// Takes over what a task knew by itself; whether there is such a state.
    fn take_over(&mut self, task: &TaskName, path: &Path) -> Result<bool> {
        let Some((state, accounts)) = schema::read_task_state(path) else {
            return Ok(false);
        };
        if let Some(former) = AccountName::from_task_state(&accounts) {
            let source = self.source_of(&former)?;
            schema::take_over(&mut self.db, source, &state)?;
            self.bind(task, source)?;
        }
        Ok(true)
    }

    /// Whether the database itself is in order.
    fn is_sound(&self) -> bool {
        let found = self
            .db
            .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        found.is_ok_and(|found| found == "ok")
    }

    /// The same for a look ahead, which writes nothing.
    pub(super) fn look_up(&mut self, folder: &Path, task: &TaskName, account: &AccountName) -> Result<()> {
        match self.take_over(task, &folder.join(task.file(FileKind::State))) {
            Err(error) if error.is_damage() && self.is_sound() => {}
            taken => drop(taken?),
        }
        self.turn_to(task, account)
    }

    /// Turns to the account of a task. The same user under another host name is the same account that moved, and one whose
    /// name is written in another case is the same, unless the ledger knows an account of that very name already.
    fn turn_to(&mut self, task: &TaskName, account: &AccountName) -> Result<()> {
        if self.known_source(account)?.is_none()
            && let Some(source) = self.same_account(task, account)?
        {
            self.db.execute(
                "UPDATE source SET host = ?2, user = ?3 WHERE id = ?1",
                params![source, account.host, account.user],
            )?;
        }
        let source = self.source_of(account)?;
        self.bind(task, source)?;
        self.source = source;
        Ok(())
    }

    fn known_source(&self, account: &AccountName) -> Result<Option<i64>> {
        let sql = "SELECT id FROM source WHERE host = ?1 AND user = ?2
             UNION ALL SELECT source FROM other_name WHERE host = ?1 AND user = ?2 LIMIT 1";
        let found = self
            .db
            .query_row(sql, [&account.host, &account.user], |row| row.get(0));
        Ok(found.optional()?)
    }

    fn source_of(&self, account: &AccountName) -> Result<i64> {
        if let Some(known) = self.known_source(account)? {
            return Ok(known);
        }
        self.db.execute(
            "INSERT INTO source (host, user) VALUES (?1, ?2)",
            [&account.host, &account.user],
        )?;
        Ok(self.db.last_insert_rowid())
    }

    /// The accounts of which folders are on record and from which no task pulls any more, with their names, where nothing is
    /// of the account of this run. What they brought is older than its task, so that a mistake deletes nothing.
    pub fn former_accounts(&self) -> Result<Vec<(i64, String)>> {
        let mut statement = self.db.prepare(
            "SELECT id, user || ' at ' || host FROM source WHERE id IN (SELECT source FROM folder)
                AND id NOT IN (SELECT source FROM task) AND NOT EXISTS (SELECT 1 FROM folder WHERE source = ?1) ORDER BY id",
        )?;
        let rows = statement.query_map([self.source], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The account of this run, of which nothing is on record, is one of [`Ledger::former_accounts`].
    pub fn is_other_name_of(&mut self, known: i64) -> Result<()> {
        let own = self.source;
        self.transaction(|db| {
            db.execute(
                "INSERT OR REPLACE INTO other_name SELECT host, user, ?2 FROM source WHERE id = ?1",
                [own, known],
            )?;
            db.execute("UPDATE task SET source = ?2 WHERE source = ?1", [own, known])?;
            // Another account may get the number.
            db.execute("DELETE FROM unpaired WHERE source = ?1", [own])?;
            db.execute("DELETE FROM mark_of_others WHERE source = ?1", [own])?;
            db.execute("DELETE FROM meta WHERE name LIKE ?1 || '/%'", [own])?;
            db.execute("DELETE FROM source WHERE id = ?1", [own])?;
            Ok(())
        })?;
        self.source = known;
        self.set(Flag::Running, true)
    }

    /// The account that the task pulled from until now, or else the one of that host, if its user is the same but for case.
    fn same_account(&self, task: &TaskName, account: &AccountName) -> Result<Option<i64>> {
        let bound = self.bound(task)?;
        let mut statement = self.db.prepare("SELECT id, host, user FROM source")?;
        let mut rows = statement.query([])?;
        let (mut own, mut at_host) = (None, None);
        while let Some(row) = rows.next()? {
            let (id, host, user): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if user.to_lowercase() == account.user.to_lowercase() {
                own = own.or(Some(id).filter(|_| bound == Some(id)));
                at_host = at_host.or(Some(id).filter(|_| host == account.host));
            }
        }
        Ok(own.or(at_host))
    }

    pub(super) fn bound(&self, task: &TaskName) -> Result<Option<i64>> {
        let sql = "SELECT source FROM task WHERE name = ?1";
        let found = self.db.query_row(sql, [task.to_string()], |row| row.get(0));
        Ok(found.optional()?)
    }

    fn bind(&self, task: &TaskName, source: i64) -> Result<()> {
        let former = self.bound(task)?.filter(|&former| former != source);
        self.db.execute(
            "INSERT OR REPLACE INTO task VALUES (?1, ?2)",
            params![task.to_string(), source],
        )?;
        // It pulls from another account now.
        former.map_or(Ok(()), |former| former_tasks::abandon(&self.db, former))
    }
}

fn has_marker(path: &Path) -> bool {
    let read = files::read(path).ok().flatten();
    read.and_then(|text| serde_json::from_slice::<Marker>(&text).ok())
        .is_some_and(|marker| marker.version == schema::VERSION)
}

fn write_marker(folder: &Path, path: &Path) -> Result<()> {
    // A former state with the files that SQLite kept next to it; what is no file is in the way.
    database_files::make_room(path)?;
    let marker = Marker {
        version: schema::VERSION,
    };
    let text = serde_json::to_vec(&marker).map_err(std::io::Error::from)?;
    Ok(files::write_atomic(folder, path, &text, 0o600)?)
}
