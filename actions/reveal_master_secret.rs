// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks the mail module for its master user's password, before the service starts.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use clap::{ArgMatches, Command};
use ns8_imapsync::agent::cluster::Cluster;
use ns8_imapsync::agent::{directory, journal};
use ns8_imapsync::error::Result;
use ns8_imapsync::task::SecretString;

use crate::common::context::Context;
use crate::common::frame;
use crate::common::settings;

const ATTEMPT: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// No arguments.
pub fn arguments(command: Command) -> Command {
    command.after_help("Keeps asking while the mail module is down; the unit's start timeout is the bound.")
}

/// Writes `imapsync/vmail.pwd`.
pub fn run(_: &ArgMatches) -> ExitCode {
    frame::helper(|context| {
        let environment = context.environment.read()?;
        let uuid = environment
            .get(settings::MAIL_SERVER)
            .ok_or_else(|| anyhow!("no mail server is chosen yet; run configure-module first"))?;
        context.store.create_folders()?;
        let cluster = Cluster::new(&context.agent);
        let mut pause = FIRST_PAUSE;
        loop {
            match ask(context, &cluster, uuid) {
                Ok(password) => return context.store.save_master_password(&password),
                Err(error) => journal::warning(format_args!("no master password yet, asking again: {error}")),
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    })
}

fn ask(context: &Context, cluster: &Cluster, uuid: &str) -> Result<SecretString> {
    match directory::mail_server(&context.agent, uuid)? {
        Some(server) => cluster.master_password(&server.module_id, ATTEMPT),
        None => Err(anyhow!("no mail module has the uuid {uuid}").into()),
    }
}
