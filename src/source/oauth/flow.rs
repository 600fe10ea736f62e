// SPDX-License-Identifier: GPL-3.0-or-later
//! How the owner of a mailbox signs in at the provider: what the page is told, and what it brings back.

use schemars::JsonSchema;
use serde::Serialize;

use crate::source::Kind;

/// What the owner of a mailbox has to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// `device-code` or `authorization-code`.
    pub sign_in: Kind,
    /// Names this sign-in; complete-sign-in wants it.
    pub state: String,
    /// Until when it can be completed, in seconds since 1970.
    pub expires_at: i64,
    /// device-code: what to enter at the address.
    pub user_code: Option<String>,
    /// device-code: the address.
    pub verification_uri: Option<String>,
    /// device-code: the address that has the code in it, where the provider gives one.
    pub verification_uri_complete: Option<String>,
    /// device-code: how many seconds to wait between two questions whether it is done.
    pub interval: Option<u64>,
    /// authorization-code: where to sign in.
    pub authorization_url: Option<String>,
    /// authorization-code: where the provider sends the browser afterwards.
    pub redirect_uri: Option<String>,
}

/// Where a sign-in stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Where it stands.
    pub status: Status,
    /// The mailbox.
    pub mailbox: String,
    /// The same as a sentence.
    pub message: String,
    /// What to do at the provider; empty where there is nothing to do.
    pub advice: String,
    /// The provider's own code, such as `AADSTS65001` or `access_denied`; empty where there is none.
    pub provider_code: String,
    /// pending: how many seconds to wait before the next question.
    pub interval: Option<u64>,
}

/// Where a sign-in stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The owner has not finished yet.
    Pending,
    /// Tasks can open the mailbox now.
    SignedIn,
    /// The owner or the provider said no.
    Refused,
    /// It took too long; begin again.
    Expired,
}
