// SPDX-License-Identifier: GPL-3.0-or-later

use anyhow::anyhow;
use ns8_imapsync::container::Container;
use ns8_imapsync::error::{Error, Result};

use crate::common::candidate::Candidate;
use crate::common::context::Context;
use crate::common::fields::TaskFields;
use crate::common::frame::Action;
use crate::common::runs;

/// Creates a task, or edits the one with that id (contract section 3).
pub struct CreateTask;

impl Action for CreateTask {
    const NAME: &'static str = "create-task";
    const ABOUT: &'static str = "Creates or edits a task, once the login works on both sides, and starts it";
    type Input = TaskFields;
    type Output = ();

    fn run(context: &Context, fields: TaskFields) -> Result<()> {
        let request = fields.parse()?;
        let start = request.start;
        let mail_host = context.mail_host()?;
        let candidate = Candidate::complete(context, request)?;
        let name = candidate.task().name();
        context.commands.progress(10);
        let container = Container::find()?;
        let tested = candidate.test(&container)?;
        context.commands.progress(70);
        tested.store(context, &mail_host)?;
        if start {
            runs::start(&context.store, &container, &name).map_err(|error| {
                Error::Failed(anyhow!("the task {name} is stored, but not started: {error}"))
            })?;
        }
        Ok(())
    }
}
