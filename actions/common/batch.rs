// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::error::{Refusal, Result};
use ns8_imapsync::task::BatchName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::fields::Gather;

/// Names a batch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchReference {
    /// What it is called.
    batch: String,
}

impl BatchReference {
    /// The name.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn name(&self) -> Result<BatchName> {
        named(&self.batch)
    }
}

/// The name that a text is.
///
/// # Errors
/// When it is none.
pub(crate) fn named(text: &str) -> Result<BatchName> {
    let mut gather = Gather::default();
    let name = gather.text("batch", text, BatchName::parse);
    gather.end()?;
    match name {
        Some(name) if name != BatchName::default() => Ok(name),
        _ => Err(Refusal::required("batch").into()),
    }
}
