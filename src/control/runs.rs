// SPDX-License-Identifier: GPL-3.0-or-later
//! Starting and stopping runs, and taking a task away from them.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant, SystemTime};

use anyhow::anyhow;

use crate::agent::journal;
use crate::clock::now;
use crate::container::Container;
use crate::error::{Error, ErrorKey, Refusal, Result};
use crate::files;
use crate::supervisor::client::Client;
use crate::supervisor::entry::{Entry, Origin};
use crate::supervisor::message::{Answer, Request};
use crate::supervisor::queue_file::{QueueFile, Snapshot};
use crate::sync::state::Ledger;
use crate::task::FileKind;
use crate::task::lock::TaskLock;
use crate::task::{Store, TaskName};

/// How long a run may take to show itself, and how often one looks.
const APPEARANCE: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(5);
/// How long the supervisor may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
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

/// Starts a run, as [`start_together`] does.
///
/// # Errors
/// `service_not_running`, or a task whose file is damaged.
pub fn start(store: &Store, container: &Container, name: &TaskName) -> Result<Started> {
    let mut answers = start_together(store, container, std::slice::from_ref(name));
    answers.pop().unwrap_or(Ok(Started::Before))
}

/// Starts those runs that there are not yet, with one call, so that the next list of tasks shows them: the supervisor
/// has them in its queue at once; without one the runs themselves have to show. The answers are in the order of the names;
/// a task that is damaged keeps no other from being started.
pub fn start_together(store: &Store, container: &Container, names: &[TaskName]) -> Vec<Result<Started>> {
    let queue = Snapshot::read(store);
    let mut seen = HashSet::new();
    let mut decide = |name| {
        let first = seen.insert(name);
        store.load(name)?;
        Ok(match first && is_free(store, &queue, name)? {
            true => Started::Now,
            false => Started::Before,
        })
    };
    let mut answers: Vec<Result<Started>> = names.iter().map(&mut decide).collect();
    let chosen = names.iter().zip(&answers);
    let chosen: Vec<TaskName> = chosen
        .filter(|(_, answer)| matches!(answer, Ok(Started::Now)))
        .map(|(name, _)| name.clone())
        .collect();
    if chosen.is_empty() {
        return answers;
    }
    let ended_before: Vec<_> = chosen.iter().map(|name| ended(store, name)).collect();
    match launch(store, container, &chosen) {
        Err(error) => {
            for answer in answers
                .iter_mut()
                .filter(|answer| matches!(answer, Ok(Started::Now)))
            {
                *answer = Err(error.repeat());
            }
        }
        Ok(()) if QueueFile::of(store).is_served() => {}
        Ok(()) => {
            let deadline = Instant::now() + APPEARANCE;
            for (name, before) in chosen.iter().zip(ended_before) {
                wait_until_seen(store, name, before, deadline);
            }
        }
    }
    answers
}

/// Waits until a run shows itself, or has ended already.
fn wait_until_seen(store: &Store, name: &TaskName, ended_before: Option<SystemTime>, deadline: Instant) {
    let is_unseen = || store.is_busy(name).is_ok_and(|busy| !busy) && ended(store, name) == ended_before;
    while Instant::now() < deadline && is_unseen() {
        std::thread::sleep(GLANCE);
    }
}

/// Starts all those runs that there are not yet, with one call. A task that is damaged is told to `report`, and keeps
/// no one from being started.
///
/// # Errors
/// `service_not_running`, or what keeps the supervisor from taking them.
pub fn start_all(
    store: &Store,
    find: impl FnOnce() -> Result<Container>,
    report: &dyn Fn(&TaskName, Error),
) -> Result<()> {
    let queue = Snapshot::read(store);
    let startable = |name: &TaskName| {
        let task = store.load(name);
        let startable = task.and_then(|task| Ok(task.is_some() && is_free(store, &queue, name)?));
        startable.unwrap_or_else(|error| {
            report(name, error);
            false
        })
    };
    let names: Vec<TaskName> = store.names()?.into_iter().filter(startable).collect();
    if names.is_empty() {
        return Ok(());
    }
    launch(store, &find()?, &names)
}

/// Whether a start by hand would change anything: no run is at work, and none waits that was started by hand.
fn is_free(store: &Store, queue: &Snapshot, name: &TaskName) -> Result<bool> {
    Ok(!store.is_busy(name)? && !queue.waits_by_hand(name, now()))
}

/// Has runs begin, and does not wait for that.
///
/// # Errors
/// `service_not_running`, or what keeps the supervisor from taking them.
pub fn launch(store: &Store, container: &Container, names: &[TaskName]) -> Result<()> {
    match QueueFile::of(store).is_served() {
        true => hand_over(store, container, names, None),
        false => container.start(names),
    }
}

/// Hands tasks over to the supervisor: over its socket, which costs nothing, or else from within its container. It takes no
/// task twice.
fn hand_over(store: &Store, container: &Container, names: &[TaskName], at: Option<i64>) -> Result<()> {
    match tell_supervisor(store, names, at) {
        true => Ok(()),
        false => container.hand_over(names, at),
    }
}

/// Whether the supervisor has taken all tasks, as far as it can be reached from here and understands this version.
fn tell_supervisor(store: &Store, names: &[TaskName], at: Option<i64>) -> bool {
    let Some(client) = Client::connect_now(store, PATIENCE) else {
        return false;
    };
    let request = Request::Start {
        tasks: names.to_vec(),
        origin: Origin::Manual,
        settings: BTreeMap::new(),
        follow: false,
        not_before: at,
    };
    let mut taken = 0;
    let asked = client.ask(&request, |answer| match answer {
        Answer::Accepted { .. } | Answer::AlreadyRunning { .. } => taken += 1,
        Answer::Ended { .. } | Answer::Stopped { .. } | Answer::Fine | Answer::Failed { .. } => {}
    });
    asked.is_ok() && taken == names.len()
}

/// When the last run ended: a short one may be over before anybody looks.
fn ended(store: &Store, name: &TaskName) -> Option<SystemTime> {
    std::fs::metadata(store.path(name, FileKind::Status))
        .ok()?
        .modified()
        .ok()
}

/// Stops a run, or one that waits, and waits for its end.
///
/// # Errors
/// `service_not_running`, or a run that cannot be stopped.
pub fn stop(store: &Store, name: &TaskName) -> Result<Stopped> {
    if is_started(store, &Snapshot::read(store), name)? {
        Container::find()?.stop(std::slice::from_ref(name))?;
        return Ok(Stopped::Now);
    }
    // After a stop the next run looks at everything, whether or not there was something to stop.
    files::remove(&store.path(name, FileKind::Timestamp))?;
    Ok(Stopped::Before)
}

/// Stops all runs there are, and what waits, with one call.
///
/// # Errors
/// As [`stop`].
pub fn stop_all(store: &Store) -> Result<()> {
    let queue = Snapshot::read(store);
    let mut started = vec![];
    for name in store.names()? {
        match is_started(store, &queue, &name)? {
            true => started.push(name),
            false => files::remove(&store.path(&name, FileKind::Timestamp))?,
        }
    }
    match started.is_empty() {
        true => Ok(()),
        false => Container::find()?.stop(&started),
    }
}

fn is_started(store: &Store, queue: &Snapshot, name: &TaskName) -> Result<bool> {
    Ok(queue.entry(name).is_some() || store.is_busy(name)?)
}

/// Whether a task runs or waits for its turn, and not for a time.
///
/// # Errors
/// Whatever the file system says.
pub fn is_running(store: &Store, name: &TaskName) -> Result<bool> {
    let queue = Snapshot::read(store);
    let is_due = |entry: &Entry| !entry.is_early(now());
    Ok(queue.entry(name).is_some_and(is_due) || store.is_busy(name)?)
}

/// Has runs begin at a time, in seconds since 1970, whatever happens until then; those that run or wait already do so.
///
/// # Errors
/// `service_not_running`, or what keeps the supervisor from taking them.
pub fn launch_at(store: &Store, container: &Container, names: &[TaskName], at: i64) -> Result<()> {
    match QueueFile::of(store).is_served() {
        true => hand_over(store, container, names, Some(at)),
        false => Err(Refusal::new(
            "(root)",
            ErrorKey::ServiceNotRunning,
            "the service imapsync is not running, so a start time cannot be kept: start it and try again",
        )
        .into()),
    }
}

/// Notes in the ledger of its user that a task is about to be deleted. The task goes in any case. Where that cannot be
/// noted, the journal says so, and the next run of the user makes up for it.
pub fn retire(store: &Store, name: &TaskName) {
    if let Ok(Some(task)) = store.load(name)
        && let Err(error) = Ledger::retire(store.folder(), &task.local_user, name)
    {
        journal::warning(format_args!(
            "{name}: its end is not noted in the ledger: {error}"
        ));
    }
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
        match Container::find()?.stop(std::slice::from_ref(name)) {
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
