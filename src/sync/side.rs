// SPDX-License-Identifier: GPL-3.0-or-later
//! The two sides of a task.

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// host1, where the mail comes from.
    Remote,
    /// host2, where it goes.
    Local,
}

impl Side {
    /// The name at the beginning of a line of the log.
    pub fn host(self) -> &'static str {
        match self {
            Self::Remote => "Host1",
            Self::Local => "Host2",
        }
    }

    /// The name inside a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Remote => "host1",
            Self::Local => "host2",
        }
    }
}
