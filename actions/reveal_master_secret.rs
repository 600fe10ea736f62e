// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks the mail module for its master user's password, before the service starts.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::{Arg, ArgMatches, Command, value_parser};
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

/// How long somebody at a shell waits.
const USUAL_WAIT: &str = "60";

/// How long to ask.
pub(crate) fn arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new("wait")
                .long("wait")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64))
                .default_value(USUAL_WAIT)
                .help("How long to keep asking while the mail module is down"),
        )
        .after_help(
            "Writes state/imapsync/vmail.pwd. The service does this whenever it starts; it is needed by hand only \
             when the mail module got a new master password while the service was running.",
        )
}

/// Writes `imapsync/vmail.pwd`.
pub(crate) fn run(arguments: &ArgMatches) -> ExitCode {
    let wait = Duration::from_secs(arguments.get_one("wait").copied().unwrap_or_default());
    let deadline = Instant::now() + wait;
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
                // What cannot be written now cannot be written later either.
                Ok(password) => return context.store.save_master_password(&password),
                Err(error) if Instant::now() + pause >= deadline => {
                    let seconds = wait.as_secs();
                    return Err(anyhow!("no master password within {seconds} seconds: {error}").into());
                }
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
