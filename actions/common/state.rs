// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::task::progress;
use ns8_imapsync::task::{Store, TaskName};
use schemars::JsonSchema;
use serde::Serialize;

/// What a task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing.
    Idle,
    /// Waiting for its turn.
    Queued,
    /// Moving mail.
    Running,
    /// Ending on request.
    Stopping,
}

/// The state of a task: it does something if, and only if, its lock is held.
pub fn of(store: &Store, name: &TaskName) -> State {
    match store.is_busy(name) {
        Ok(true) => match store.progress(name).map(|progress| progress.state) {
            Some(progress::State::Queued) => State::Queued,
            Some(progress::State::Stopping) => State::Stopping,
            Some(progress::State::Running) | None => State::Running,
        },
        Ok(false) | Err(_) => State::Idle,
    }
}
