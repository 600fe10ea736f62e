// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::runs::{self, Stopped};
use ns8_imapsync::error::Result;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::selection::{Results, Selection};

/// Stops runs (contract section 3).
pub(crate) struct StopTask;

impl Action for StopTask {
    const NAME: &'static str = "stop-task";
    const ABOUT: &'static str = "Stops a task, all tasks of a user, or a list of tasks";
    type Input = Selection;
    type Output = Option<Results>;

    fn run(context: &Context, selection: Selection) -> Result<Option<Results>> {
        selection.apply(&context.store, |name| {
            Ok(match runs::stop(&context.store, name)? {
                Stopped::Now => "stopped",
                Stopped::Before => "not_running",
            })
        })
    }
}
