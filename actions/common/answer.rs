// SPDX-License-Identifier: GPL-3.0-or-later

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to a question that takes both servers. That they cannot be asked is an answer as well: a failed
/// action raises an alarm, and the page has its own place for the reason.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Answer<T> {
    /// They could be asked.
    Known(T),
    /// They could not.
    Unknown {
        /// The key of what is wrong.
        status: String,
        /// The same as a sentence.
        message: String,
    },
}
