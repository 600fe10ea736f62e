// SPDX-License-Identifier: GPL-3.0-or-later
//! The test of a source with one mailbox, step by step.

use serde::{Deserialize, Serialize};

use crate::imap::TlsInfo;

/// What the test of a source found.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Whether every step worked.
    pub ok: bool,
    /// The steps in their order; after one that failed the others are left out.
    pub steps: Vec<Step>,
    /// How the connection to the IMAP server is protected.
    pub tls: Option<TlsInfo>,
}

/// One step.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `token`, `login`, `list` or `inbox`.
    pub step: String,
    /// `ok`, or the key of what is wrong.
    pub status: String,
    /// The same as a sentence.
    pub message: String,
    /// What to do, at the provider most of the time; empty where there is nothing to do.
    pub advice: String,
    /// The provider's own code, such as `AADSTS7000222`; empty where there is none.
    pub provider_code: String,
    /// How long it took.
    pub seconds: f64,
}
