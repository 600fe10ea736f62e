// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::runs;
use ns8_imapsync::error::Result;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::nothing::Nothing;

/// Stops all tasks (contract section 3).
pub(crate) struct StopAllTasks;

impl Action for StopAllTasks {
    const NAME: &'static str = "stop-all-tasks";
    const ABOUT: &'static str = "Stops all tasks";
    type Input = Nothing;
    type Output = ();

    fn run(context: &Context, _: Nothing) -> Result<()> {
        runs::stop_all(&context.store)
    }
}
