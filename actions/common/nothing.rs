// SPDX-License-Identifier: GPL-3.0-or-later

use schemars::JsonSchema;
use serde::Deserialize;

/// No input.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Whatever comes; nobody looks at it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Anything {}
