// SPDX-License-Identifier: GPL-3.0-or-later
//! The local mailbox is another one than before: created again, or restored from a backup.

use rusqlite::Connection;

use super::facts::RESTORED;
use super::folders::{forget_local, forget_remote};
use super::{Flag, Ledger, Result};
use crate::imap::Mailbox;

impl Ledger {
    /// Notes it for all accounts that fill the mailbox: whichever run notices it first, the next one of each account deletes
    /// nothing.
    pub fn note_replaced_mailbox(&self) -> Result<()> {
        set_for_all(&self.db, Flag::MailboxReplaced)
    }

    /// Notes that it came back from a backup, for all accounts. That takes all folders back, also those in which as much has
    /// come since as was lost: nothing that is known of any of them holds, and each is compared again.
    pub fn note_restored_mailbox(&mut self) -> Result<()> {
        self.transaction(|db| {
            set_for_all(db, Flag::MailboxReplaced)?;
            set_for_all(db, Flag::NewMayBeOlder)?;
            let mut statement = db.prepare("SELECT id FROM folder")?;
            let folders: Vec<i64> = statement
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for id in folders {
                forget_local(db, id)?;
            }
            db.execute("DELETE FROM meta WHERE name = ?1", [RESTORED])?;
            Ok(())
        })
    }

    /// Notes that UIDs of these remote folders mean other messages than those on record, for all of them at once: what
    /// shows it of one folder may be the only trace that there is of the others. `may_be_another`: the inbox is among them.
    pub fn note_renumbered_source(&mut self, folders: &[i64], may_be_another: bool) -> Result<()> {
        let settled = self.of_account(Flag::SourceRenumbered.name());
        let mut flags = vec![];
        if !folders.is_empty() {
            flags.push(self.of_account(Flag::NewMayBeOlder.name()));
        }
        if may_be_another {
            flags.push(self.of_account(Flag::SourceReplaced.name()));
        }
        self.transaction(|db| {
            for flag in flags {
                db.execute("INSERT OR REPLACE INTO meta VALUES (?1, '1')", [flag])?;
            }
            for &id in folders {
                forget_remote(db, id)?;
            }
            db.execute("DELETE FROM meta WHERE name = ?1", [settled])?;
            Ok(())
        })
    }

    /// Folders of the account that the mailbox does not have went with the former one, whichever task pulls them: no
    /// one removed them, and their mail comes again.
    pub fn forget_absent(&mut self, is_there: impl Fn(&Mailbox) -> bool) -> Result<()> {
        for (_, folder) in self.folders()? {
            if folder.local_validity != 0 && !is_there(&folder.local) {
                self.forget_local_generation(folder.id)?;
                let sql = "UPDATE folder SET local_validity = 0, deleting = 0 WHERE id = ?1";
                self.db.execute(sql, [folder.id])?;
            }
        }
        Ok(())
    }
}

pub(super) fn set_for_all(db: &Connection, flag: Flag) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO meta SELECT id || '/' || ?1, '1' FROM source";
    db.execute(sql, [flag.name()])?;
    Ok(())
}
