// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::agent::journal;
use ns8_imapsync::container::Container;
use ns8_imapsync::error::Result;
use ns8_imapsync::task::{Store, TaskName};

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::nothing::Nothing;

/// Starts all tasks (contract section 3).
pub struct StartAllTasks;

impl Action for StartAllTasks {
    const NAME: &'static str = "start-all-tasks";
    const ABOUT: &'static str = "Starts all tasks; one that is damaged is reported";
    type Input = Nothing;
    type Output = ();

    fn run(context: &Context, _: Nothing) -> Result<()> {
        let names = startable(&context.store)?;
        if names.is_empty() {
            return Ok(());
        }
        // One call for all of them, however many there are; the runs themselves wait for each other.
        Container::find()?.start_all(&names)
    }
}

fn startable(store: &Store) -> Result<Vec<TaskName>> {
    let readable = |name: &TaskName| match store.load(name).and_then(|task| Ok((task, store.is_busy(name)?)))
    {
        Ok((task, busy)) => task.is_some() && !busy,
        Err(error) => {
            journal::error(format_args!("{name} is not started: {error}"));
            false
        }
    };
    Ok(store.names()?.into_iter().filter(readable).collect())
}
