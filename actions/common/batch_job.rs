// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked about every task of a batch, and takes long.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use ns8_imapsync::agent::journal;
use ns8_imapsync::container::Container;
use ns8_imapsync::control::batches::jobs::{Job, Kind, Record};
use ns8_imapsync::control::batches::{self, by_server};
use ns8_imapsync::error::Result;
use ns8_imapsync::task::{BatchName, Store, TaskName};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::context::Context;
use ns8_imapsync::clock::now;

/// What was found about one task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Finding<T> {
    /// When, in seconds since 1970.
    pub at: i64,
    /// The answer, or why there is none.
    pub answer: Answer<T>,
}

/// How a job came to its end.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ended {
    /// `finished`, `stopped`, or `already_running`, which is left alone.
    #[schemars(extend("enum" = ["finished", "stopped", "already_running"]))]
    result: &'static str,
}

/// Where a job stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobProgress {
    /// `running`; `incomplete`, after it was stopped or cut off, or tasks came into the batch; or `finished`.
    #[schemars(extend("enum" = ["running", "incomplete", "finished"]))]
    state: &'static str,
    /// When it began, in seconds since 1970.
    started: i64,
    /// When it had been through all tasks.
    ended: Option<i64>,
    /// Whether every octet is compared.
    deep: bool,
    /// Of how many tasks something was found since.
    done: usize,
}

/// Asks about every task of a batch what was not asked yet: one that was cut off goes on, one that has ended begins again.
pub(crate) fn run<T: Serialize + DeserializeOwned>(
    context: &Context,
    batch: &BatchName,
    kind: Kind,
    deep: bool,
    words: &[&str],
) -> Result<Ended> {
    let store = &context.store;
    let names = batches::members(store, batch)?;
    let container = Container::find()?;
    let job = Job::of(store, batch, kind);
    let Some(_turn) = job.begin()? else {
        return Ok(Ended {
            result: "already_running",
        });
    };
    let mut record = match job.record() {
        Some(former) if former.deep == deep && is_incomplete(store, &former, &names, kind) => Record {
            ended: None,
            ..former
        },
        _ => Record {
            started: milliseconds(SystemTime::now()),
            ended: None,
            deep,
        },
    };
    job.save(&record)?;
    let open = names
        .iter()
        .filter(|name| !is_found(store, name, kind, record.started));
    let with_server = open.filter_map(|name| match store.load(name) {
        Ok(task) => Some((task?.remote_host.to_string(), name)),
        Err(error) => {
            journal::warning(format_args!("{name}: {error}"));
            None
        }
    });
    let failed = Mutex::new(None);
    by_server::each(
        with_server,
        || !job.is_to_stop(),
        |name| {
            let words: Vec<&str> = words.iter().copied().chain([name.as_str()]).collect();
            let found = container.answer::<Answer<T>>(&words, None).and_then(|answer| {
                let finding = Finding { at: now(), answer };
                store.save_finding(name, kind.finding(), &finding)
            });
            if let Err(error) = found {
                journal::warning(format_args!("{name}: {error}"));
                if let Ok(mut failed) = failed.lock() {
                    failed.get_or_insert(error);
                }
            }
        },
    );
    // Those that were not asked are asked when it goes on.
    if let Some(error) = failed.into_inner().unwrap_or_default() {
        return Err(error);
    }
    if job.is_to_stop() {
        return Ok(Ended { result: "stopped" });
    }
    record.ended = Some(milliseconds(SystemTime::now()));
    job.save(&record)?;
    Ok(Ended { result: "finished" })
}

/// Where the job of a batch stands; `None` before the first time.
pub(crate) fn progress_of(
    store: &Store,
    batch: &BatchName,
    names: &[TaskName],
    kind: Kind,
) -> Option<JobProgress> {
    let job = Job::of(store, batch, kind);
    let record = job.record()?;
    Some(JobProgress {
        state: match job.is_at_work() {
            true => "running",
            false if is_incomplete(store, &record, names, kind) => "incomplete",
            false => "finished",
        },
        started: record.started / 1000,
        ended: record.ended.map(|ended| ended / 1000),
        deep: record.deep,
        done: names
            .iter()
            .filter(|name| is_found(store, name, kind, record.started))
            .count(),
    })
}

/// Whether it was cut off, or there are tasks that it has not seen. One that gave no answer was asked.
fn is_incomplete(store: &Store, record: &Record, names: &[TaskName], kind: Kind) -> bool {
    record.ended.is_none()
        || names
            .iter()
            .any(|name| !is_found(store, name, kind, record.started))
}

/// Whether something was found about a task since then.
fn is_found(store: &Store, name: &TaskName, kind: Kind, since: i64) -> bool {
    let modified = std::fs::symlink_metadata(store.path(name, kind.finding()))
        .and_then(|found| found.modified())
        .ok();
    modified.is_some_and(|at| milliseconds(at) >= since)
}

fn milliseconds(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
