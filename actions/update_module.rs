// SPDX-License-Identifier: GPL-3.0-or-later
//! The steps of `update-module.d`: the platform runs each in a process of its own, and goes on when one fails.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use ns8_imapsync::container::Service;

use crate::common::frame;
use crate::common::instance;

/// No arguments.
pub fn arguments(command: Command) -> Command {
    command
}

/// Grants again what create-module granted: an older version may have granted less.
pub fn grant(_: &ArgMatches) -> ExitCode {
    frame::helper(instance::grant)
}

/// Starts the new image, if the instance is configured.
pub fn restart(_: &ArgMatches) -> ExitCode {
    frame::helper(|_| {
        let service = Service::find()?;
        service.reload_units()?;
        service.try_restart()
    })
}
