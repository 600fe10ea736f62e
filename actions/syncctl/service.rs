// SPDX-License-Identifier: GPL-3.0-or-later
//! The supervisor, and what is asked of it as a whole.

use std::ffi::OsString;
use std::process::ExitCode;

use ns8_imapsync::supervisor::capacity::Capacity;
use ns8_imapsync::supervisor::client::Client;
use ns8_imapsync::supervisor::message::{Answer, Request};
use ns8_imapsync::supervisor::serve;
use ns8_imapsync::sync::run::Settings;
use ns8_imapsync::task::Store;

use super::{Done, failed};

/// Is the supervisor, until the command ends or somebody ends this process.
pub(super) fn serve(store: &Store, command: &[OsString]) -> Done {
    let settings = Settings::of_instance();
    let capacity = Capacity::of_instance(settings.at_once.as_deref(), settings.engine.as_deref());
    let code = serve::serve(store, command, capacity).map_err(|error| failed(format!("{error:#}")))?;
    Ok(ExitCode::from(code))
}

/// Asks the supervisor for something that it does or does not do.
pub(super) fn ask(store: &Store, request: &Request) -> Done {
    let Some(client) = Client::connect(store).map_err(failed)? else {
        return Err(failed("there is no supervisor; imapsync.service starts it"));
    };
    let mut said = None;
    client
        .ask(request, |answer| said = Some(answer))
        .map_err(failed)?;
    match said {
        Some(Answer::Fine) => Ok(ExitCode::SUCCESS),
        Some(Answer::Failed { why }) => Err(failed(why)),
        _ => Err(failed("the supervisor does not answer")),
    }
}
