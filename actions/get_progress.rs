// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::{SystemTime, UNIX_EPOCH};

use ns8_imapsync::agent::journal;
use ns8_imapsync::error::Result;
use ns8_imapsync::task::progress::Progress;
use ns8_imapsync::task::{Store, TaskName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::outcome;
use crate::common::selection::TaskReference;
use crate::common::state::{State, States};

/// Tells where the runs stand; small and fast, for pages that ask every other second.
pub(crate) struct GetProgress;

/// Which tasks; all when this is missing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The tasks.
    #[serde(default)]
    tasks: Option<Vec<TaskReference>>,
    /// Only those that do something, and how many there are of them in all: a small answer however many tasks
    /// there are.
    #[serde(default)]
    active: bool,
}

/// Where the runs stand.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    tasks: Vec<TaskProgress>,
    /// When active tasks were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
}

/// How many tasks do something.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Counts {
    queued: usize,
    running: usize,
    stopping: usize,
}

impl Counts {
    fn of(states: impl Iterator<Item = State>) -> Self {
        let mut counts = Self::default();
        for state in states {
            match state {
                State::Idle | State::SignInNeeded => {}
                State::Queued => counts.queued += 1,
                State::Running => counts.running += 1,
                State::Stopping => counts.stopping += 1,
            }
        }
        counts
    }
}

/// Where one task's run stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TaskProgress {
    localuser: String,
    task_id: String,
    state: State,
    folder: String,
    folder_index: u64,
    folders: u64,
    messages_done: u64,
    messages_total: u64,
    bytes_done: u64,
    bytes_total: u64,
    /// Bytes a second.
    rate: u64,
    /// Null while there is no telling.
    seconds_left: Option<u64>,
    /// Since the run was last seen to move; null while there is none.
    seconds_idle: Option<i64>,
    /// How the last run ended, as a key; null before the first one.
    last_result: Option<String>,
}

impl Action for GetProgress {
    const NAME: &'static str = "get-progress";
    const ABOUT: &'static str = "Tells where the runs stand";
    type Input = Input;
    type Output = Answer;

    fn run(context: &Context, input: Input) -> Result<Answer> {
        let store = &context.store;
        let states = States::new(store, &context.sources)?;
        let wanted = |name: &TaskName| !input.active || states.of(name).is_running();
        let tasks = match &input.tasks {
            // One that was deleted meanwhile has no progress, which is no error.
            Some(tasks) => tasks
                .iter()
                .filter_map(|task| Some((task.find(store).ok()?, task)))
                .filter(|(name, _)| wanted(name))
                .map(|(name, task)| progress_of(store, &name, task.clone(), &states))
                .collect(),
            None => store
                .names()?
                .iter()
                .filter(|name| wanted(name))
                .filter_map(|name| Some(progress_of(store, name, reference(store, name)?, &states)))
                .collect(),
        };
        let counts = match input.active {
            true => Some(Counts::of(store.names()?.iter().map(|name| states.of(name)))),
            false => None,
        };
        Ok(Answer { tasks, counts })
    }
}

/// Whose task it is; a damaged one is reported by list-tasks already.
fn reference(store: &Store, name: &TaskName) -> Option<TaskReference> {
    match store.load(name) {
        Ok(task) => task.map(|task| TaskReference {
            localuser: task.local_user.to_string(),
            task_id: task.id.to_string(),
        }),
        Err(error) => {
            journal::warning(error);
            None
        }
    }
}

fn progress_of(store: &Store, name: &TaskName, task: TaskReference, states: &States<'_>) -> TaskProgress {
    let state = states.of(name);
    let progress = match state {
        state if !state.is_running() => Progress::default(),
        _ => store.progress(name).unwrap_or_default(),
    };
    TaskProgress {
        localuser: task.localuser,
        task_id: task.task_id,
        state,
        rate: progress.rate(),
        seconds_left: seconds_left(&progress),
        seconds_idle: (state == State::Running).then(|| seconds_idle(&progress, SystemTime::now())),
        folder: progress.folder,
        folder_index: progress.folder_index,
        folders: progress.folders,
        messages_done: progress.messages_done,
        messages_total: progress.messages_total,
        bytes_done: progress.bytes_done,
        bytes_total: progress.bytes_total,
        last_result: outcome::of_last_run(store, name),
    }
}

fn seconds_idle(progress: &Progress, now: SystemTime) -> i64 {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // A run that has not said anything yet has only just begun.
    match progress.updated {
        0 => 0,
        updated => (i64::try_from(now).unwrap_or(i64::MAX) - updated).max(0),
    }
}

/// By the bytes where a run knows how many there are to come, else by the messages.
fn seconds_left(progress: &Progress) -> Option<u64> {
    let (done, total) = match progress.bytes_total {
        0 => (progress.messages_done, progress.messages_total),
        total => (progress.bytes_done, total),
    };
    if total == 0 {
        return None;
    }
    total
        .saturating_sub(done)
        .checked_mul(progress.elapsed())?
        .checked_div(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_idle_since_it_last_moved() {
        let now = UNIX_EPOCH + std::time::Duration::from_secs(500);
        let mut progress = Progress::default();
        assert_eq!(seconds_idle(&progress, now), 0);
        progress.updated = 440;
        assert_eq!(seconds_idle(&progress, now), 60);
        progress.updated = 510;
        assert_eq!(seconds_idle(&progress, now), 0);
    }

    #[test]
    fn the_time_left_is_told_by_the_messages_where_the_bytes_are_unknown() {
        let mut progress = Progress {
            started: 100,
            updated: 110,
            messages_total: 400,
            ..Progress::default()
        };
        assert_eq!(seconds_left(&progress), None);
        progress.messages_done = 100;
        assert_eq!(seconds_left(&progress), Some(30));
        progress.bytes_done = 1000;
        progress.bytes_total = 11_000;
        assert_eq!(seconds_left(&progress), Some(100));
        progress.bytes_done = 12_000;
        assert_eq!(seconds_left(&progress), Some(0));
    }
}
