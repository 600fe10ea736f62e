// SPDX-License-Identifier: GPL-3.0-or-later
//! Stopping runs, and what waits to run.

use std::process::ExitCode;

use ns8_imapsync::supervisor::client::Client;
use ns8_imapsync::supervisor::message::Request;
use ns8_imapsync::sync::account::Failure;
use ns8_imapsync::sync::run::stop;
use ns8_imapsync::task::{Store, TaskName};

use super::{Done, existing, failed};
use crate::common::parallel;

/// Stops tasks, and comes back when nothing of them runs or waits any more.
pub(super) fn stop(store: &Store, names: &[String]) -> Done {
    let (tasks, all) = existing(store, names)?;
    halt(store, &tasks)?;
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The same for tasks that there are.
pub(super) fn halt(store: &Store, tasks: &[TaskName]) -> Result<(), Failure> {
    if let Some(client) = Client::connect(store).map_err(failed)? {
        let request = Request::Stop {
            tasks: tasks.to_vec(),
        };
        client.ask(&request, drop).map_err(failed)?;
    }
    // Runs that are no one's, and what any of them has left.
    let failures: Vec<String> = parallel::map(tasks, |name| stop::stop(store, name))
        .into_iter()
        .filter_map(|stopped| stopped.err().map(|error| error.to_string()))
        .collect();
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failed(failures.join("; "))),
    }
}
