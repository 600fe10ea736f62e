// SPDX-License-Identifier: GPL-3.0-or-later

use std::num::NonZeroU32;

use super::text::{Invalid, invalid};

/// What happens on the remote side to mail that is known to be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RemoteDeletion {
    /// It stays.
    Keep,
    /// It is deleted as soon as the local side has confirmed it.
    AfterTransfer,
    /// It is deleted once it arrived more than so many days ago.
    OlderThan(NonZeroU32),
}

impl RemoteDeletion {
    /// The fields `delete_remote` and `delete_remote_older` (days); days without `delete_remote` mean nothing.
    pub fn from_fields(delete: bool, days: u32) -> Self {
        match (delete, NonZeroU32::new(days)) {
            (false, _) => Self::Keep,
            (true, None) => Self::AfterTransfer,
            (true, Some(days)) => Self::OlderThan(days),
        }
    }

    /// The field `delete_remote_older`.
    pub fn days(self) -> u32 {
        match self {
            Self::OlderThan(days) => days.get(),
            Self::Keep | Self::AfterTransfer => 0,
        }
    }

    /// Whether anything is ever deleted.
    pub fn deletes(self) -> bool {
        self != Self::Keep
    }

    /// Reads `DELETE_REMOTE` of a task file.
    ///
    /// # Errors
    /// For any text that is none of its three forms.
    pub fn from_option(text: &str) -> Result<Self, Invalid> {
        match (text, text.strip_prefix("--delete1older=")) {
            ("", _) => Ok(Self::Keep),
            ("--delete1", _) => Ok(Self::AfterTransfer),
            (_, Some(days)) => match days.parse() {
                Ok(days) => Ok(Self::from_fields(true, days)),
                Err(_) => invalid("expected a number of days after --delete1older="),
            },
            _ => invalid("expected one of --delete1, --delete1older=DAYS or empty"),
        }
    }

    /// `DELETE_REMOTE` of a task file.
    pub fn as_option(self) -> String {
        match self {
            Self::Keep => String::new(),
            Self::AfterTransfer => "--delete1".to_owned(),
            Self::OlderThan(days) => format!("--delete1older={days}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_the_option_and_come_back() {
        for (delete, days, option) in [
            (false, 0, ""),
            (false, 30, ""),
            (true, 0, "--delete1"),
            (true, 30, "--delete1older=30"),
        ] {
            let deletion = RemoteDeletion::from_fields(delete, days);
            assert_eq!(deletion.as_option(), option);
            assert_eq!(RemoteDeletion::from_option(option), Ok(deletion));
        }
        assert!(RemoteDeletion::from_option("--delete1older=-1").is_err());
        assert!(RemoteDeletion::from_option("--delete2").is_err());
    }
}
