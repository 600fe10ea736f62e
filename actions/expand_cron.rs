// SPDX-License-Identifier: GPL-3.0-or-later
//! Rebuilds the cron files, before the service starts: after a restore there are none, and the address of the
//! mail server may be a new one.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use ns8_imapsync::agent::journal;

use crate::common::frame;

/// No arguments.
pub fn arguments(command: Command) -> Command {
    command.after_help("Files that are nobody's task, such as *.custom, are left alone.")
}

/// Writes `cron/NAME.cron` of every task. One that is damaged is reported and keeps the file it has.
pub fn run(_: &ArgMatches) -> ExitCode {
    frame::helper(|context| {
        context.mail_host()?;
        context.store.create_folders()?;
        for name in context.store.names()? {
            if let Err(error) = context.store.rebuild_schedule(&name, &|| context.mail_host()) {
                journal::error(error);
            }
        }
        Ok(())
    })
}
