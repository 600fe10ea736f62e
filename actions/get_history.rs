// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::error::Result;
use ns8_imapsync::task::history::PastRun;
use schemars::JsonSchema;
use serde::Serialize;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::selection::TaskReference;

/// Tells what the last runs of a task did, from what is stored.
pub(crate) struct GetHistory;

/// The last runs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct History {
    /// At most 100, the latest first.
    runs: Vec<PastRun>,
}

impl Action for GetHistory {
    const NAME: &'static str = "get-history";
    const ABOUT: &'static str = "Tells what the last 100 runs of a task did";
    type Input = TaskReference;
    type Output = History;

    fn run(context: &Context, task: TaskReference) -> Result<History> {
        let name = task.find_if_there(&context.store)?;
        let mut runs = name.map_or_else(Vec::new, |name| context.store.history(&name));
        runs.reverse();
        Ok(History { runs })
    }
}
