// SPDX-License-Identifier: GPL-3.0-or-later
//! What an action is: a name, an input, an output, and what it does.

use ns8_imapsync::error::Result;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Context;

/// One action of the module.
pub(crate) trait Action {
    /// Its name, `create-task`.
    const NAME: &'static str;
    /// What it does, in a line.
    const ABOUT: &'static str;
    /// Its input, as it comes: right types, values still unchecked.
    type Input: DeserializeOwned + JsonSchema;
    /// Its output; what serializes to null prints nothing.
    type Output: Serialize + JsonSchema;

    /// Does it.
    ///
    /// # Errors
    /// Refusals for what the administrator can mend, failures for the rest.
    fn run(context: &Context, input: Self::Input) -> Result<Self::Output>;
}
