// SPDX-License-Identifier: GPL-3.0-or-later
//! The local mailbox is another one than before: created again, or restored from a backup.

use rusqlite::params;

use super::{Flag, Ledger, Result};
use crate::imap::Mailbox;

impl Ledger {
    /// Notes it for all accounts that fill the mailbox: whichever run notices it first, the next one of each account deletes
    /// nothing.
    pub fn note_replaced_mailbox(&self) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO meta SELECT id || '/' || ?1, '1' FROM source";
        self.db.execute(sql, [Flag::MailboxReplaced.name()])?;
        Ok(())
    }

    /// What other accounts know of a local folder whose UIDs went back does not hold for them either; each compares it again.
    pub fn forget_higher_elsewhere(&mut self, local: &Mailbox, validity: u32, next: u32) -> Result<()> {
        let others: Vec<(i64, i64)> = {
            let mut statement = self.db.prepare_cached(
                "SELECT id, source FROM folder WHERE local = ?1 AND local_validity = ?2 AND source <> ?3
                 AND max(local_high, (SELECT ifnull(max(local_uid), 0) + 1 FROM message WHERE folder = folder.id)) > ?4",
            )?;
            let rows = statement.query_map(params![local.wire(), validity, self.source, next], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            rows.collect::<rusqlite::Result<_>>()?
        };
        for (id, source) in others {
            self.forget_local_generation_of(source, id)?;
        }
        Ok(())
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
