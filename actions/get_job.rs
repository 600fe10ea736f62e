// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::bulk_job;
use ns8_imapsync::error::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::action::Action;
use crate::common::bulk_job::{JobReference, JobRow};
use crate::common::context::Context;

/// Tells how far the last job of a kind is, and what came of it.
pub(crate) struct GetJob;

/// Which job, and how much of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// What is done: check, import or password.
    #[schemars(extend("enum" = ["check", "import", "password"]))]
    job: String,
    /// Whether the tasks are told one by one.
    #[serde(default)]
    results: Option<bool>,
}

/// How far it is.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobProgress {
    /// `none` before the first; `running`; `incomplete`, when it was cut off; `stopped`, or `finished`.
    #[schemars(extend("enum" = ["none", "running", "incomplete", "stopped", "finished"]))]
    state: &'static str,
    /// When it began, in seconds since 1970.
    started: Option<i64>,
    /// When it ended.
    ended: Option<i64>,
    /// How many tasks it is about.
    total: usize,
    /// How many it has seen.
    done: usize,
    /// What became of each, when it has ended and that is asked for.
    results: Option<Vec<JobRow>>,
}

impl Action for GetJob {
    const NAME: &'static str = "get-job";
    const ABOUT: &'static str = "Tells how far an import or another change of many tasks is";
    type Input = Input;
    type Output = JobProgress;

    fn run(context: &Context, input: Input) -> Result<JobProgress> {
        let kind = JobReference::kind(&input.job)?;
        let store = &context.store;
        let at_work = bulk_job::is_at_work(store, kind);
        let record = bulk_job::record(store, kind);
        let state = match record {
            None => "none",
            Some(_) if at_work => "running",
            Some(record) if record.ended.is_none() => "incomplete",
            Some(record) if record.stopped => "stopped",
            Some(_) => "finished",
        };
        let wanted = input.results == Some(true) && !at_work;
        Ok(JobProgress {
            state,
            started: record.map(|record| record.started),
            ended: record.and_then(|record| record.ended),
            total: record.map_or(0, |record| record.total),
            done: record.map_or(0, |record| record.done),
            results: wanted.then(|| bulk_job::result(store, kind)).flatten(),
        })
    }
}
