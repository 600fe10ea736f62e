// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::agent::journal;
use ns8_imapsync::container::Container;
use ns8_imapsync::error::Result;
use ns8_imapsync::sync::inspect::count::Figures;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::selection::TaskReference;

/// Counts folders, messages and bytes on both sides (contract section 3).
pub(crate) struct ListInformations;

/// The counts; host1 is the remote side. With a status of false there are none.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Counts {
    /// Both sides could be counted.
    Known(Figures),
    /// They could not.
    Unknown {
        /// Always false.
        #[schemars(extend("const" = false))]
        status: bool,
    },
}

impl Action for ListInformations {
    const NAME: &'static str = "list-informations";
    const ABOUT: &'static str = "Counts folders, messages and bytes of a task on both sides";
    type Input = TaskReference;
    type Output = Counts;

    fn run(context: &Context, task: TaskReference) -> Result<Counts> {
        let counted = task
            .find(&context.store)
            .and_then(|name| Container::find()?.answer(&["list-informations", name.as_str()], None));
        // The page asks for this in passing: an error would raise an alarm there.
        Ok(counted.unwrap_or_else(|error| {
            journal::error(error);
            Counts::Unknown { status: false }
        }))
    }
}
