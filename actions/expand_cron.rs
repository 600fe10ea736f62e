// SPDX-License-Identifier: GPL-3.0-or-later
//! Rebuilds the cron files, before the service starts: after a restore there are none, and the address of the
//! mail server may be a new one.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use ns8_imapsync::agent::journal;

use crate::common::frame;
use crate::common::instance;

/// No arguments.
pub(crate) fn arguments(command: Command) -> Command {
    command.after_help("Files that are no one's task, such as *.custom, are left alone.")
}

/// Writes `cron/NAME.cron` of every task and removes those of tasks that are gone. A task that is damaged is
/// reported and keeps the file it has.
pub(crate) fn run(_: &ArgMatches) -> ExitCode {
    frame::helper(|context| {
        context.store.create_folders()?;
        instance::look_for_original(context)?;
        context
            .store
            .rebuild_schedules(&|| context.schedule_host(), &|trouble| journal::error(trouble))
    })
}
