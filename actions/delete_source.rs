// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::sources;
use ns8_imapsync::error::Result;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::fields::source_id;

/// Deletes a source that no task uses.
pub(crate) struct DeleteSource;

/// Which source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// Its id.
    source_id: String,
}

impl Action for DeleteSource {
    const NAME: &'static str = "delete-source";
    const ABOUT: &'static str = "Deletes a source that no task uses";
    type Input = Which;
    type Output = ();

    fn run(context: &Context, which: Which) -> Result<()> {
        sources::delete(&context.sources, &source_id(&which.source_id)?)
    }
}
