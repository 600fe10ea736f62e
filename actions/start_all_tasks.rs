// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::agent::journal;
use ns8_imapsync::container::Container;
use ns8_imapsync::error::Result;
use ns8_imapsync::task::{Store, TaskName};

use crate::common::context::Context;
use crate::common::frame::Action;
use crate::common::nothing::Nothing;
use crate::common::parallel;
use crate::common::selection::merged;

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
        let container = Container::find()?;
        let failed = parallel::map(&names, |name| match context.store.is_busy(name)? {
            true => Ok(()),
            false => container.start(name),
        });
        merged(failed.into_iter().filter_map(Result::err).collect()).map_or(Ok(()), Err)
    }
}

fn startable(store: &Store) -> Result<Vec<TaskName>> {
    let readable = |name: &TaskName| match store.load(name) {
        Ok(task) => task.is_some(),
        Err(error) => {
            journal::error(format_args!("{name} is not started: {error}"));
            false
        }
    };
    Ok(store.names()?.into_iter().filter(readable).collect())
}
