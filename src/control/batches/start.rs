// SPDX-License-Identifier: GPL-3.0-or-later
//! When the first copy of a batch begins: the supervisor's queue remembers it, task by task.

use crate::error::Result;
use crate::supervisor::entry::{Entry, Origin};
use crate::supervisor::queue_file::Snapshot;
use crate::task::{Store, TaskName};

fn is_planned(entry: &Entry, now: i64) -> bool {
    entry.origin == Origin::Manual && entry.is_early(now)
}

/// When the first task begins for which somebody chose a time, in seconds since 1970; `None` when there is none.
pub fn earliest(queue: &Snapshot, names: &[TaskName], now: i64) -> Option<i64> {
    let entries = names.iter().filter_map(|name| queue.entry(name));
    let planned = entries.filter(|entry| is_planned(entry, now));
    planned.filter_map(|entry| entry.not_before).min()
}

/// Those that wait for a time.
pub fn planned(queue: &Snapshot, mut names: Vec<TaskName>, now: i64) -> Vec<TaskName> {
    names.retain(|name| queue.entry(name).is_some_and(|entry| is_planned(entry, now)));
    names
}

/// Those that neither run nor wait for their turn; a damaged one would not start.
///
/// # Errors
/// When it cannot be told whether a task runs.
pub fn startable(store: &Store, queue: &Snapshot, names: Vec<TaskName>, now: i64) -> Result<Vec<TaskName>> {
    let mut startable = vec![];
    for name in names {
        let waits = queue.entry(&name).is_some_and(|entry| !entry.is_early(now));
        if !waits && !store.is_busy(&name)? && store.load(&name).is_ok_and(|task| task.is_some()) {
            startable.push(name);
        }
    }
    Ok(startable)
}
