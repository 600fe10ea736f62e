// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Explained;
use crate::error::ErrorKey;

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenError {
    /// The provider said no.
    Denied(Denial),
    /// The provider cannot be reached, or gives no answer that could be understood.
    Unreachable(String),
    /// Something on this machine failed.
    Failed(String),
}

/// A no of the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// What it means.
    #[serde(flatten)]
    pub explained: Explained,
    /// Whether the mailbox's owner has to sign in, for the first time or again.
    pub sign_in_needed: bool,
}

impl TokenError {
    /// The key that the web page translates.
    pub fn key(&self) -> ErrorKey {
        match self {
            Self::Denied(denial) if denial.sign_in_needed => ErrorKey::SignInNeeded,
            Self::Denied(_) => ErrorKey::TokenNotIssued,
            Self::Unreachable(_) | Self::Failed(_) => ErrorKey::TokenServerUnreachable,
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denial) => write!(f, "{}", denial.explained),
            Self::Unreachable(reason) | Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for TokenError {}
