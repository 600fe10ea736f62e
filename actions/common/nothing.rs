// SPDX-License-Identifier: GPL-3.0-or-later

use schemars::JsonSchema;
use serde::Deserialize;

/// No input.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Whatever comes; no one looks at it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Anything {}
