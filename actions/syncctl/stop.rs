// SPDX-License-Identifier: GPL-3.0-or-later
//! Stopping runs, and what waits to run.

use std::process::ExitCode;

use ns8_imapsync::supervisor::client::Client;
use ns8_imapsync::supervisor::message::{Request, Stream};
use ns8_imapsync::sync::account::Failure;
use ns8_imapsync::sync::run::stop;
use ns8_imapsync::task::{Store, TaskName};

use super::say::tell;
use super::{Done, failed, known, named};
use crate::common::parallel;

/// Stops tasks, and comes back when nothing of them runs or waits any more.
pub fn stop(store: &Store, names: &[String]) -> Done {
    let mut code = ExitCode::SUCCESS;
    let mut tasks = vec![];
    for text in names {
        match named(text).and_then(|name| known(store, &name).map(|()| name)) {
            Ok(name) => tasks.push(name),
            Err(failure) if names.len() == 1 => return Err(failure),
            Err(failure) => {
                tell(&format!("syncctl: {}", failure.message), Stream::Errors);
                code = ExitCode::FAILURE;
            }
        }
    }
    halt(store, &tasks)?;
    Ok(code)
}

/// The same for tasks that there are.
pub fn halt(store: &Store, tasks: &[TaskName]) -> Result<(), Failure> {
    if let Some(client) = Client::connect(store).map_err(failed)? {
        let request = Request::Stop {
            tasks: tasks.to_vec(),
        };
        client.ask(&request, drop).map_err(failed)?;
    }
    // Runs that are nobody's, and what any of them has left.
    let failures: Vec<String> = parallel::map(tasks, |name| stop::stop(store, name))
        .into_iter()
        .filter_map(|stopped| stopped.err().map(|error| error.to_string()))
        .collect();
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failed(failures.join("; "))),
    }
}
