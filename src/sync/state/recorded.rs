// SPDX-License-Identifier: GPL-3.0-or-later
//! All that was delivered from a folder, for a comparison of both sides with the ledger.

use rusqlite::params;

use super::step::{ACCEPTED, DELIVERED, GONE, PRESENT};
use super::{Digest, FolderState, Ledger, PostDelivery, Result};
use crate::imap::Mailbox;
use crate::sync::message_key::MessageKey;

/// A folder of the account, and what the ledger says of its messages.
pub struct RecordedFolder {
    /// The remote folder.
    pub remote: Mailbox,
    /// Its record.
    pub state: FolderState,
    /// Messages that this program brought or found in the local folder, and that nothing but their owner takes away.
    pub messages: Vec<Recorded>,
}

/// A message on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The remote UID, unless the remote side has it no longer.
    pub remote_uid: Option<u32>,
    /// The local UID, where it is known.
    pub local_uid: Option<u32>,
    /// The key.
    pub key: MessageKey,
    /// The digest, where the octets were read.
    pub digest: Option<Digest>,
}

impl Ledger {
    /// Every folder of the account with what is on record of it. What went through Sieve filters is left out: they may
    /// have discarded it. So is what a task brought that is deleted: no one watches over it any more.
    pub fn recorded(&self) -> Result<Vec<RecordedFolder>> {
        let mut folders = vec![];
        for (remote, state) in self.folders()? {
            let messages = self.recorded_in(state.id)?;
            folders.push(RecordedFolder {
                remote,
                state,
                messages,
            });
        }
        Ok(folders)
    }

    fn recorded_in(&self, id: i64) -> Result<Vec<Recorded>> {
        // One that is present without a copy was removed by its owner.
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT iif(step = {GONE}, NULL, uid), local_uid, key, digest FROM message
             WHERE folder = ?1 AND sieve = ?2 AND ifnull(local_uid, 0) >= ?3
                AND (step IN ({DELIVERED}, {ACCEPTED}, {GONE}) OR (step = {PRESENT} AND local_uid IS NOT NULL))
             UNION ALL SELECT NULL, NULL, key, digest FROM history WHERE folder = ?1 AND ?3 = 0"
        ))?;
        let former = self.brought_before(id)?;
        let mut rows = statement.query(params![id, PostDelivery::None as i64, former])?;
        let mut found = vec![];
        while let Some(row) = rows.next()? {
            let digest = row.get::<_, Option<Vec<u8>>>(3)?;
            if let Some(key) = MessageKey::from_bytes(&row.get::<_, Vec<u8>>(2)?) {
                found.push(Recorded {
                    remote_uid: row.get(0)?,
                    local_uid: row.get(1)?,
                    key,
                    digest: digest.as_deref().and_then(Digest::from_bytes),
                });
            }
        }
        Ok(found)
    }
}
