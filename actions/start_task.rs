// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::agent::journal;
use ns8_imapsync::container::Container;
use ns8_imapsync::control::runs::{self, Started};
use ns8_imapsync::error::Result;
use ns8_imapsync::task::TaskName;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::selection::{Results, Selection};

/// Starts runs (contract section 3).
pub(crate) struct StartTask;

impl Action for StartTask {
    const NAME: &'static str = "start-task";
    const ABOUT: &'static str = "Starts a task, all tasks of a user, or a list of tasks";
    type Input = Selection;
    type Output = Option<Results>;

    fn run(context: &Context, selection: Selection) -> Result<Option<Results>> {
        let container = Container::find()?;
        selection.apply_together(&context.store, |names| {
            let started = runs::start_together(&context.store, &container, names);
            let outcomes = names.iter().zip(started);
            outcomes
                .map(|(name, started)| started.map(|started| word(name, started)))
                .collect()
        })
    }
}

fn word(name: &TaskName, started: Started) -> &'static str {
    match started {
        Started::Now => "started",
        Started::Before => {
            journal::notice(format_args!("{name} is running already"));
            "already_running"
        }
    }
}
