// SPDX-License-Identifier: GPL-3.0-or-later
//! Input of actions that the platform calls: what is not ours in there is not for us to judge.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Input of which nothing is ours.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Ignored {}

/// Where the instance comes from.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Origin {
    /// The settings of the instance that this one was.
    #[serde(default)]
    environment: Option<BTreeMap<String, Value>>,
    /// Whether the platform erases the instance that this one was, as in a move.
    #[serde(default)]
    replace: Option<bool>,
}

impl Origin {
    /// Whether this is the same instance at another place.
    pub(crate) fn is_replaced(&self) -> bool {
        self.replace.unwrap_or_default()
    }

    /// A setting of the former instance.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        let value = self.environment.as_ref()?.get(name)?.as_str()?;
        Some(value).filter(|value| !value.is_empty())
    }
}
