// SPDX-License-Identifier: GPL-3.0-or-later
//! The steps of `update-module.d`: the platform runs each in its own process, and goes on when one fails.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use ns8_imapsync::container::Service;

use crate::common::frame;
use crate::common::instance;
use crate::common::settings;

/// No arguments.
pub(crate) fn arguments(command: Command) -> Command {
    command
}

/// Grants again what create-module granted: an older version may have granted less.
pub(crate) fn grant(_: &ArgMatches) -> ExitCode {
    frame::helper(instance::grant)
}

/// Starts the new image where the former one runs, and where it was down by its own fault: the Python module could
/// not start with some schedules. A service that somebody stopped, or an instance that is not configured, stays as it is.
pub(crate) fn restart(_: &ArgMatches) -> ExitCode {
    frame::helper(|context| {
        let service = Service::find()?;
        service.reload_units()?;
        let configured = context.environment.read()?.get(settings::MAIL_SERVER).is_some();
        match configured && service.has_failed()? {
            // The mail module may be away: the unit tries again until it is there.
            true => service.start_soon(),
            false => service.try_restart(),
        }
    })
}
