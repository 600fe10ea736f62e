// SPDX-License-Identifier: GPL-3.0-or-later
//! The remote flags of messages whose folder got another generation: what was set since is carried over once they are found
//! again. What is missing since is not: a server that was set up anew may have lost all flags.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::post_delivery::LOOKED_AT;
use super::step::{DELIVERED, PRESENT};
use super::{Ledger, Result};
use crate::imap::Flags;

/// Keeps them by the local copies, which stay what they are. Where our own mark may be among the flags, nothing tells who set
/// it.
pub(super) fn keep(db: &Connection, folder: i64) -> Result<()> {
    let sql = format!(
        "INSERT OR REPLACE INTO former_flags SELECT folder, local_uid, flags FROM message
         WHERE folder = ?1 AND local_uid IS NOT NULL AND seen IN (0, {LOOKED_AT})
            AND step IN ({DELIVERED}, {PRESENT})"
    );
    db.execute(&sql, [folder])?;
    Ok(())
}

/// The flags that count as known of a message that is found again.
pub(super) fn take(db: &Connection, folder: i64, local: u32, now: &Flags) -> Result<Flags> {
    let mut known =
        db.prepare_cached("SELECT flags FROM former_flags WHERE folder = ?1 AND local_uid = ?2")?;
    let known: Option<String> = known
        .query_row(params![folder, local], |row| row.get(0))
        .optional()?;
    let Some(known) = known else {
        return Ok(now.clone());
    };
    let mut taken = db.prepare_cached("DELETE FROM former_flags WHERE folder = ?1 AND local_uid = ?2")?;
    taken.execute(params![folder, local])?;
    Ok(now.minus(&now.minus(&Flags::parse(&known))))
}

impl Ledger {
    /// A folder is compared: what was not found again has no flags to carry over.
    pub fn forget_former_flags(&self, folder: i64) -> Result<()> {
        self.db
            .execute("DELETE FROM former_flags WHERE folder = ?1", [folder])?;
        Ok(())
    }
}
