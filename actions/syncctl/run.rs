// SPDX-License-Identifier: GPL-3.0-or-later
//! One run, in this process.

use ns8_imapsync::supervisor::message::RunEnd;
use ns8_imapsync::sync::reporter::Watcher;
use ns8_imapsync::sync::run::{self, Outcome, Settings};
use ns8_imapsync::task::{Store, TaskName};

use super::say::print_json;
use super::{Done, destination};

/// Runs a task for the supervisor, which tells what came of it to whom it concerns.
pub(super) fn run(store: &Store, name: &TaskName, scheduled: bool) -> Done {
    let settings = Settings {
        scheduled,
        ..Settings::of_instance()
    };
    print_json(&run_end(store, name, &settings, None))
}

/// Runs a task to its end.
pub(super) fn run_end(
    store: &Store,
    name: &TaskName,
    settings: &Settings,
    watcher: Option<Watcher>,
) -> RunEnd {
    match run::run(store, name, destination().as_ref(), settings, watcher) {
        Ok(Outcome::AlreadyRunning) => RunEnd {
            busy: true,
            // Cron says this every few minutes of a long run: the journal need not hear it.
            ..RunEnd::nothing(format!("{name}: already running"))
        },
        Ok(Outcome::Paused) => RunEnd::nothing(format!(
            "{name}: the schedule pauses, since the login was refused again and again; edit the task, or start it by hand"
        )),
        Ok(Outcome::OnHold) => RunEnd::nothing(format!(
            "{name}: its schedule is on hold; resume it, or start the task by hand"
        )),
        Ok(Outcome::Ended { exit, report }) => RunEnd::summary(name, exit, &report),
        Err(failure) => RunEnd::failure(&failure.message, failure.exit),
    }
}
