// SPDX-License-Identifier: GPL-3.0-or-later

use anyhow::anyhow;
use ns8_imapsync::container::Container;
use ns8_imapsync::control::runs;
use ns8_imapsync::control::settings::TaskSettings;
use ns8_imapsync::error::{Error, Result};

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::fields::TaskFields;
use crate::common::mail_server;

/// Creates a task, or edits the one with that id (contract section 3).
pub(crate) struct CreateTask;

impl Action for CreateTask {
    const NAME: &'static str = "create-task";
    const ABOUT: &'static str = "Creates or edits a task, once the login works on both sides, and starts it";
    type Input = TaskFields;
    type Output = ();

    fn run(context: &Context, fields: TaskFields) -> Result<()> {
        let start = fields.start.unwrap_or(true);
        let request = fields.parse(&context.sources)?;
        // Asked again when it is written: the logins take their time.
        context.mail_host()?;
        let settings = TaskSettings::complete(&context.store, request)?;
        let name = settings.task().name();
        context.commands.progress(10);
        let container = Container::find()?;
        let user = settings.task().local_user.clone();
        let tested = mail_server::told_apart(context, user.as_str(), settings.test_if_changed(&container))?;
        context.commands.progress(70);
        tested.store(&context.store, &|| context.schedule_host())?;
        if start {
            runs::start(&context.store, &container, &name).map_err(|error| {
                Error::Failed(anyhow!("the task {name} is stored, but not started: {error}"))
            })?;
        }
        Ok(())
    }
}
