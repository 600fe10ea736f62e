// SPDX-License-Identifier: GPL-3.0-or-later
//! Starts and stops a run from the shell.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Arg, ArgMatches, Command};
use ns8_imapsync::agent::journal;
use ns8_imapsync::container::Container;
use ns8_imapsync::control::runs::{self, Started};
use ns8_imapsync::error::Result;
use ns8_imapsync::task::FileKind;
use ns8_imapsync::task::TaskName;

use crate::common::context::Context;
use crate::common::frame;

/// What to do, and to which task.
pub(crate) fn arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new("verb")
                .required(true)
                .value_parser(["start", "stop", "restart"])
                .help("What to do"),
        )
        .arg(
            Arg::new("task")
                .required(true)
                .help("The task, <localuser>_<task_id>"),
        )
}

/// Does it.
pub(crate) fn run(arguments: &ArgMatches) -> ExitCode {
    let word = |name| {
        arguments
            .get_one::<String>(name)
            .map(String::as_str)
            .unwrap_or_default()
    };
    frame::helper(|context| {
        let name = TaskName::parse(word("task")).map_err(anyhow::Error::new)?;
        if !context.store.path(&name, FileKind::Env).exists() {
            return Err(anyhow!("there is no task {name}; list-tasks shows those there are").into());
        }
        match word("verb") {
            "start" => start(context, &name),
            "stop" => runs::stop(&context.store, &name).map(drop),
            _ => runs::stop(&context.store, &name).and_then(|_| start(context, &name)),
        }
    })
}

fn start(context: &Context, name: &TaskName) -> Result<()> {
    if runs::start(&context.store, &Container::find()?, name)? == Started::Before {
        journal::notice(format_args!("{name} is running already"));
    }
    Ok(())
}
