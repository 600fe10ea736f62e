// SPDX-License-Identifier: GPL-3.0-or-later
//! How much bandwidth runs may use: a task, all runs of its source, all runs of the instance. Everything that is read
//! from the source counts.
//!
//! [`bucket`]: the reckoning · [`shared`]: between runs · [`limit`]: where a limit is set. No process hands out
//! shares of the line: each run takes from the same buckets, so it works without a supervisor, and nothing is left to
//! give back when a run dies. Each looks at the files itself, so a change reaches runs at work.

mod bucket;
mod limit;
mod shared;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use self::limit::Limit;
use self::shared::Place;
use crate::imap::throttle::{Governor, Throttle, Turn};
use crate::source::Sources;
use crate::sync::run::queue;
use crate::task::{Bandwidth, FileKind, SourceId, Store, TaskName};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A longer wait is looked at again: meanwhile the limit may be another one.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// The file of the bucket that all runs share, and how those begin that the runs of a source share.
const BUCKET: &str = "bandwidth";

/// The limits of a run.
#[derive(Debug)]
struct RunLimits(Mutex<Limits>);

#[derive(Debug)]
struct Limits {
    /// When the files were looked at last, by [`now`].
    looked: Option<u64>,
    all: Vec<Limit>,
}

/// Where limits are said.
#[derive(Debug, Clone)]
struct Said {
    store: Store,
    task: TaskName,
    source: Option<SourceId>,
}

impl Said {
    fn of_task(&self) -> Option<Bandwidth> {
        self.store.plan(&self.task).bandwidth
    }

    /// A source that cannot be read keeps a run from logging in; it is no limit.
    fn of_source(&self) -> Option<Bandwidth> {
        let source = Sources::of(&self.store).read(self.source.as_ref()?);
        source.ok().flatten()?.bandwidth
    }

    fn of_instance(&self) -> Option<Bandwidth> {
        self.store.bandwidth()
    }

    /// A limit, and a name for its bucket where runs share it.
    fn limit(&self, path: PathBuf, read: fn(&Self) -> Option<Bandwidth>, shared: Option<&str>) -> Limit {
        let said = self.clone();
        let place = shared.map_or(Place::Own(None), |name| Place::Shared {
            path: queue::folder(&self.store).join(name),
            file: None,
        });
        Limit::new(path, Box::new(move || read(&said)), place)
    }
}

/// Holds the connections of a run to its source back, as the limits of task, source and instance say at the moment.
pub fn throttle(store: &Store, task: &TaskName, source: Option<&SourceId>) -> Throttle {
    Throttle::by(Arc::new(RunLimits(Mutex::new(limits(store, task, source)))))
}

fn limits(store: &Store, task: &TaskName, source: Option<&SourceId>) -> Limits {
    let said = Said {
        store: store.clone(),
        task: task.clone(),
        source: source.cloned(),
    };
    let mut all = vec![
        said.limit(store.path(task, FileKind::Plan), Said::of_task, None),
        said.limit(store.bandwidth_file(), Said::of_instance, Some(BUCKET)),
    ];
    if let Some(id) = source {
        let bucket = format!("{BUCKET}-{id}");
        all.push(said.limit(Sources::of(store).path(id), Said::of_source, Some(&bucket)));
    }
    Limits { looked: None, all }
}

/// The bytes a second of a run that cannot share with others while it works, as by stock imapsync: no more than its part when
/// as many runs work as may.
pub fn fixed_share(
    store: &Store,
    task: &TaskName,
    source: Option<&SourceId>,
    at_once: NonZeroUsize,
) -> Option<u64> {
    let said = Said {
        store: store.clone(),
        task: task.clone(),
        source: source.cloned(),
    };
    let at_once = u64::try_from(at_once.get()).unwrap_or(u64::MAX);
    let part = |limit: Option<Bandwidth>, runs: u64| limit.map(|limit| (limit.bytes() / runs).max(1));
    let shares = [
        part(said.of_task(), 1),
        part(said.of_source(), at_once),
        // Half as many more work for servers that none of the others pulls from.
        part(said.of_instance(), at_once.saturating_add(at_once / 2)),
    ];
    shares.into_iter().flatten().min()
}

impl RunLimits {
    fn turn_at(&self, now: u64) -> Turn {
        let Ok(mut limits) = self.0.lock() else {
            return Turn::Read(u64::MAX);
        };
        limits.look(now);
        if !limits.all.iter().any(Limit::is_set) {
            return Turn::Read(u64::MAX);
        }
        let turns = limits.all.iter_mut().map(|limit| limit.turn(now));
        let (wait, octets) = turns.fold((Duration::ZERO, u64::MAX), |(wait, octets), turn| {
            (wait.max(turn.0), octets.min(turn.1))
        });
        match wait.is_zero() {
            true => Turn::Read(octets),
            false => Turn::Wait(wait.min(LONGEST_WAIT)),
        }
    }
}

impl Governor for RunLimits {
    fn turn(&self) -> Turn {
        self.turn_at(now())
    }

    fn spend(&self, octets: usize) {
        if let Ok(mut limits) = self.0.lock() {
            let octets = u64::try_from(octets).unwrap_or(u64::MAX);
            limits.all.iter_mut().for_each(|limit| limit.spend(octets));
        }
    }
}

impl Limits {
    /// Looks at the files when it is time.
    fn look(&mut self, now: u64) {
        let is_recent = |looked: u64| Duration::from_nanos(now.saturating_sub(looked)) < LOOK;
        if !self.looked.is_some_and(is_recent) {
            self.all.iter_mut().for_each(Limit::look);
            self.looked = Some(now);
        }
    }
}

/// Nanoseconds since the machine was started, the same for all processes.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let part = |number: i64| u64::try_from(number).unwrap_or_default();
    part(time.tv_sec)
        .saturating_mul(1_000_000_000)
        .saturating_add(part(time.tv_nsec))
}

#[cfg(test)]
mod tests;
