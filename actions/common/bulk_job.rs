// SPDX-License-Identifier: GPL-3.0-or-later
//! What is done to many tasks, found again later.

use ns8_imapsync::control::bulk_job::{BulkJob, Kind};
use ns8_imapsync::error::{ErrorKey, Refusal, Result};
use ns8_imapsync::task::Store;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::selection::FieldError;

/// The key of a task that was left alone.
pub(crate) const NOT_TRIED: &str = "not_tried";

/// Names a job.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobReference {
    /// What is done: check, import or password.
    #[schemars(extend("enum" = ["check", "import", "password"]))]
    pub job: String,
}

impl JobReference {
    /// The kind of job that a word names.
    ///
    /// # Errors
    /// When it names none.
    pub(crate) fn kind(job: &str) -> Result<Kind> {
        serde_json::from_value(Value::from(job)).map_err(|_| {
            Refusal::new("job", ErrorKey::Invalid("job"), "it is check, import or password").into()
        })
    }
}

/// What became of a task.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobRow {
    /// The number of the row, from 1; null where there are none.
    #[serde(default)]
    row: Option<usize>,
    /// Whose task.
    localuser: String,
    /// Which one; empty when the row was refused before it had one.
    task_id: String,
    /// What became of it.
    result: String,
    /// Why it was refused.
    errors: Vec<FieldError>,
}

/// A job that is kept, or one that no one looks for later.
pub(crate) struct Kept(Option<BulkJob>);

impl Kept {
    /// Begins one about so many tasks.
    ///
    /// # Errors
    /// As [`BulkJob::begin`].
    pub(crate) fn begin(store: &Store, kind: Option<Kind>, total: usize) -> Result<Self> {
        let job = kind.map(|kind| BulkJob::begin(store, kind, total)).transpose()?;
        Ok(Self(job))
    }

    /// Another task was seen.
    pub(crate) fn step(&self) {
        if let Some(job) = &self.0 {
            job.step();
        }
    }

    /// Whether the tasks that were not seen are left alone.
    pub(crate) fn is_to_stop(&self) -> bool {
        self.0.as_ref().is_some_and(BulkJob::is_to_stop)
    }

    /// Keeps what came of it.
    ///
    /// # Errors
    /// As [`BulkJob::finish`].
    pub(crate) fn finish(self, results: &impl Serialize) -> Result<()> {
        self.0.map_or(Ok(()), |job| job.finish(results))
    }
}
