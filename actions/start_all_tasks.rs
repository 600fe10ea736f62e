// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::agent::journal;
use ns8_imapsync::container::Container;
use ns8_imapsync::control::runs;
use ns8_imapsync::error::Result;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::nothing::Nothing;

/// Starts all tasks (contract section 3).
pub(crate) struct StartAllTasks;

impl Action for StartAllTasks {
    const NAME: &'static str = "start-all-tasks";
    const ABOUT: &'static str = "Starts all tasks; one that is damaged is reported";
    type Input = Nothing;
    type Output = ();

    fn run(context: &Context, _: Nothing) -> Result<()> {
        runs::start_all(&context.store, Container::find, &|name, error| {
            journal::error(format_args!("{name} is not started: {error}"));
        })
    }
}
