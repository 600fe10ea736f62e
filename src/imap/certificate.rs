// SPDX-License-Identifier: GPL-3.0-or-later
//! The certificate of a server, as it is shown to people.

use serde::{Deserialize, Serialize};

/// What a certificate says, for people to judge it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Certificate {
    /// Whom it names.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Start of validity.
    pub not_before: String,
    /// End of validity.
    pub not_after: String,
    /// SHA-256 of the DER form, lower-case hex.
    pub sha256: String,
    /// Whether the world's authorities vouch for it.
    pub trusted: bool,
}
