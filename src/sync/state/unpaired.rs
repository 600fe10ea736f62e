// SPDX-License-Identifier: GPL-3.0-or-later
//! Local folders that no remote folder goes to: how many messages they had at the end of the last run. What their owner moved
//! from there into a folder that is pulled is older than it looks.

use std::collections::HashMap;

use rusqlite::params;

use super::{Ledger, Result, number, stored};
use crate::imap::{Mailbox, MailboxStatus};

/// A folder as the last run saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpaired {
    validity: u32,
    next: u32,
    messages: u64,
}

impl Unpaired {
    /// From what a server tells, if it tells all.
    pub fn of(status: MailboxStatus) -> Option<Self> {
        Some(Self {
            validity: status.uid_validity?,
            next: status.uid_next?,
            messages: status.messages?,
        })
    }

    /// Whether messages were taken away since.
    pub fn lost_any(self, now: Option<Self>) -> bool {
        now.is_none_or(|now| {
            let came = u64::from(now.next.saturating_sub(self.next));
            now.validity != self.validity || now.messages < self.messages + came
        }) && self.messages > 0
    }
}

impl Ledger {
    /// The folders without a remote side, as the last run of the account saw them.
    pub fn unpaired(&self) -> Result<HashMap<Mailbox, Unpaired>> {
        let mut statement = self
            .db
            .prepare_cached("SELECT local, validity, next, messages FROM unpaired WHERE source = ?1")?;
        let rows = statement.query_map([self.source], |row| {
            let folder = Unpaired {
                validity: row.get(1)?,
                next: row.get(2)?,
                messages: number(row.get(3)?),
            };
            Ok((Mailbox::from_wire(row.get(0)?), folder))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Remembers them.
    pub fn set_unpaired(&mut self, folders: &HashMap<Mailbox, Unpaired>) -> Result<()> {
        let source = self.source;
        self.transaction(|db| {
            db.execute("DELETE FROM unpaired WHERE source = ?1", [source])?;
            let mut add = db.prepare_cached("INSERT INTO unpaired VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for (local, folder) in folders {
                add.execute(params![
                    source,
                    local.wire(),
                    folder.validity,
                    folder.next,
                    stored(folder.messages)
                ])?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_does_not_hide_what_went() {
        let of = |validity, next, messages| Unpaired {
            validity,
            next,
            messages,
        };
        let before = of(7, 11, 10);
        assert!(!before.lost_any(Some(before)));
        assert!(!before.lost_any(Some(of(7, 13, 12))));
        assert!(before.lost_any(Some(of(7, 13, 11))), "one went, two came");
        assert!(before.lost_any(Some(of(8, 11, 10))) && before.lost_any(None));
        assert!(!of(7, 1, 0).lost_any(None), "there was nothing in it");
    }
}
