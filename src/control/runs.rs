// SPDX-License-Identifier: GPL-3.0-or-later
//! Starting and stopping runs, and taking a task away from them.

use std::time::{Duration, Instant, SystemTime};

use anyhow::anyhow;

use crate::container::Container;
use crate::error::{Error, ErrorKey, Result};
use crate::files;
use crate::task::lock::TaskLock;
use crate::task::{Store, TaskName};

/// How long a run may take to show itself, and how often one looks.
const APPEARANCE: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(5);
/// How long an edit waits for the task to be free.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const ATTEMPT: Duration = Duration::from_secs(1);

/// Whether a run was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// Now.
    Now,
    /// Before; it is left alone.
    Before,
}

/// Whether a run was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Now.
    Now,
    /// There was none.
    Before,
}

/// Starts a run, unless there is one, and waits until it shows: whoever lists the tasks next sees it running.
///
/// # Errors
/// `service_not_running`, or a task whose file is damaged.
pub fn start(store: &Store, container: &Container, name: &TaskName) -> Result<Started> {
    if store.is_busy(name)? {
        return Ok(Started::Before);
    }
    store.load(name)?;
    let ended_before = ended(store, name);
    container.start(name)?;
    let deadline = Instant::now() + APPEARANCE;
    while Instant::now() < deadline && !store.is_busy(name)? && ended(store, name) == ended_before {
        std::thread::sleep(GLANCE);
    }
    Ok(Started::Now)
}

/// When the last run ended: a short one may be over before anybody looks.
fn ended(store: &Store, name: &TaskName) -> Option<SystemTime> {
    std::fs::metadata(store.path(name, "status"))
        .ok()?
        .modified()
        .ok()
}

/// Stops a run and waits for its end.
///
/// # Errors
/// `service_not_running`, or a run that cannot be stopped.
pub fn stop(store: &Store, name: &TaskName) -> Result<Stopped> {
    if store.is_busy(name)? {
        Container::find()?.stop(name)?;
        return Ok(Stopped::Now);
    }
    // After a stop the next run looks at everything, whether or not there was something to stop.
    files::remove(&store.path(name, "timestamp"))?;
    Ok(Stopped::Before)
}

/// Takes a task for an edit or a deletion; a run in progress is stopped.
///
/// # Errors
/// When the task is not free in time.
pub fn take(store: &Store, name: &TaskName) -> Result<TaskLock> {
    let deadline = Instant::now() + STOP_TIMEOUT;
    loop {
        if let Some(lock) = store.acquire(name, Duration::ZERO)? {
            return Ok(lock);
        }
        match Container::find()?.stop(name) {
            // Without its container there is no run: another action has it, which is over in no time.
            Err(Error::Refused(why)) if why.iter().any(|why| why.key == ErrorKey::ServiceNotRunning) => {}
            ended => ended?,
        }
        if let Some(lock) = store.acquire(name, ATTEMPT)? {
            return Ok(lock);
        }
        if Instant::now() >= deadline {
            let seconds = STOP_TIMEOUT.as_secs();
            return Err(anyhow!("{name} was busy for {seconds} seconds; try again later").into());
        }
    }
}
