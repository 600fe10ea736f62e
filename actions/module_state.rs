// SPDX-License-Identifier: GPL-3.0-or-later
//! What the platform runs around a backup of the instance.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use ns8_imapsync::agent::journal;
use ns8_imapsync::control::backup;

use crate::common::frame;

/// No arguments.
pub(crate) fn arguments(command: Command) -> Command {
    command
}

/// Copies the databases, of which the backup holds the copies.
pub(crate) fn dump(_: &ArgMatches) -> ExitCode {
    frame::helper(|context| {
        let tasks = context.store.folder();
        let report = |trouble| journal::error(trouble);
        Ok(backup::dump(&context.agent.state, tasks, &report)?)
    })
}

/// Removes the copies again.
pub(crate) fn clean_up(_: &ArgMatches) -> ExitCode {
    frame::helper(|context| Ok(backup::clean_up(&context.agent.state)?))
}
