// SPDX-License-Identifier: GPL-3.0-or-later
//! What the comparison found, as it is printed.

use serde::{Deserialize, Serialize};

use crate::sync::state::RecordedFolder;

/// A message that only the local side has.
pub(super) const EXTRA: &str = "extra";
/// A UID that stands for another message than the one on record.
pub(super) const NOT_AS_RECORDED: &str = "not_as_recorded";

/// Differences listed one by one; beyond, they are counted.
const LISTED: usize = 1000;

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VerifyReport {
    /// Nothing is missing, extra, different, gone or not as recorded, and every folder could be compared.
    pub agree: bool,
    /// Folder by folder.
    pub folders: Vec<FolderComparison>,
    /// Message by message.
    pub differences: Vec<Difference>,
    /// There are more differences than listed.
    pub truncated: bool,
}

/// What the comparison found in one folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FolderComparison {
    /// The remote folder.
    pub remote: String,
    /// The local folder.
    pub local: String,
    /// Messages there.
    pub remote_messages: u64,
    /// Messages here.
    pub local_messages: u64,
    /// Remote messages that are not here.
    pub missing: u64,
    /// Local messages that are not there.
    pub extra: u64,
    /// Messages that are on both sides and differ.
    pub different: u64,
    /// Messages that were delivered, that the remote side has no longer, and that are nowhere in the local mailbox: deleted
    /// by their owner, or lost.
    pub gone: u64,
    /// Messages that are others than those that the ledger has under their numbers, as after a restored backup.
    pub not_as_recorded: u64,
    /// Messages that are on both sides and the same but for what the local server changes when it stores a message: line
    /// ends, NULs, a date in the future. They are no difference.
    #[serde(default)]
    pub changed_by_destination: u64,
    /// Why the folder could not be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// One message that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Difference {
    /// The remote folder.
    pub folder: String,
    /// The UID, of the local side for a message that was found or recorded there alone, else of the remote side.
    pub uid: u32,
    /// The Message-Id.
    pub message_id: Option<String>,
    /// `missing`, `extra`, `size`, `flags`, `date`, `content`, `gone` or `not_as_recorded`.
    #[schemars(extend("enum" = [
        "missing", "extra", "size", "flags", "date", "content", "gone", "not_as_recorded"
    ]))]
    pub kind: String,
    /// What the remote side has.
    pub remote: Option<String>,
    /// What the local side has.
    pub local: Option<String>,
}

impl VerifyReport {
    /// Lists a difference, if there is room.
    pub(super) fn note(&mut self, difference: Difference) {
        if self.differences.len() >= LISTED {
            self.truncated = true;
            return;
        }
        self.differences.push(difference);
    }

    /// What was found in the folder of a record.
    pub(super) fn folder(&mut self, record: &RecordedFolder) -> Option<&mut FolderComparison> {
        let at = self
            .folders
            .iter()
            .position(|one| one.remote == record.remote.name());
        if at.is_none() {
            self.folders.push(FolderComparison {
                remote: record.remote.name().to_owned(),
                local: record.state.local.name().to_owned(),
                ..FolderComparison::default()
            });
        }
        match at {
            Some(at) => self.folders.get_mut(at),
            None => self.folders.last_mut(),
        }
    }
}

impl Difference {
    /// Whether its UID is one of the local side.
    pub(super) fn is_local(&self) -> bool {
        self.kind == EXTRA || (self.kind == NOT_AS_RECORDED && self.local.is_some())
    }
}
