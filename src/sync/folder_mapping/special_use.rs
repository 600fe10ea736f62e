// SPDX-License-Identifier: GPL-3.0-or-later
//! What folders are for (RFC 6154, RFC 8457).

use crate::imap::Listed;

/// The use of a folder that mail programs rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpecialUse {
    /// All messages of the account.
    All,
    /// Kept messages.
    Archive,
    /// Messages being written.
    Drafts,
    /// Messages with the flag `\Flagged`.
    Flagged,
    /// Spam.
    Junk,
    /// Sent messages.
    Sent,
    /// Deleted messages.
    Trash,
    /// Messages that the server deems important.
    Important,
}

impl SpecialUse {
    const ALL: [(Self, &'static str); 8] = [
        (Self::All, "\\All"),
        (Self::Archive, "\\Archive"),
        (Self::Drafts, "\\Drafts"),
        (Self::Flagged, "\\Flagged"),
        (Self::Junk, "\\Junk"),
        (Self::Sent, "\\Sent"),
        (Self::Trash, "\\Trash"),
        (Self::Important, "\\Important"),
    ];

    /// Those that have a counterpart on every mail server, with the name of a folder that is made for it.
    pub const MAPPED: [(Self, &'static str); 5] = [
        (Self::Sent, "Sent"),
        (Self::Drafts, "Drafts"),
        (Self::Trash, "Trash"),
        (Self::Junk, "Junk"),
        (Self::Archive, "Archive"),
    ];

    /// The use that a server tells of a folder.
    pub fn of(listed: &Listed) -> Option<Self> {
        // Twisted lists the flags that messages may have, of which one is called like a use.
        let are_flags = listed.has("\\Seen");
        let special = |attribute: &String| {
            let mut all = Self::ALL.iter();
            let found = all.find(|(_, name)| name.eq_ignore_ascii_case(attribute));
            found.map(|&(special, _)| special)
        };
        let mut told = listed.attributes.iter().filter_map(special);
        told.find(|&special| special != Self::Flagged || !are_flags)
    }

    /// The attribute.
    pub fn attribute(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(special, _)| *special == self)
            .map_or("", |&(_, name)| name)
    }

    /// Whether such a folder shows mail that is in other folders as well.
    pub fn is_view(self) -> bool {
        matches!(self, Self::All | Self::Flagged | Self::Important)
    }
}
