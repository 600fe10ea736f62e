// SPDX-License-Identifier: GPL-3.0-or-later
//! Many tasks from a list of rows: what import-tasks and import-csv-tasks do.

use std::collections::HashMap;
use std::sync::Mutex;

use ns8_imapsync::agent::journal;
use ns8_imapsync::container::Container;
use ns8_imapsync::control::bulk_job::Kind;
use ns8_imapsync::control::runs;
use ns8_imapsync::control::settings::TaskSettings;
use ns8_imapsync::error::Result;
use ns8_imapsync::task::{BatchName, TaskName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::bulk_job::{Kept, NOT_TRIED};
use super::context::Context;
use super::planner::{Plan, Planned, Planner};
use super::selection::{FieldError, field_errors};
use super::{mail_server, parallel};

/// What becomes of rows whose task exists, and whether anything is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// Everything is tested, nothing is stored; tasks that exist are left alone.
    Check,
    /// Everything is tested, nothing is stored; rows of tasks that exist are tested as edits.
    CheckUpdate,
    /// Tasks that exist are left alone.
    Skip,
    /// Tasks that exist are edited.
    Update,
}

impl Mode {
    /// Whether anything is written.
    pub(crate) fn stores(self) -> bool {
        matches!(self, Self::Skip | Self::Update)
    }

    /// Whether rows of tasks that exist are about editing these.
    pub(crate) fn edits(self) -> bool {
        matches!(self, Self::CheckUpdate | Self::Update)
    }
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RowResult {
    /// It could be imported.
    Valid,
    /// There is a new task.
    Created,
    /// The task was edited.
    Updated,
    /// The task was there before.
    Skipped,
    /// Nothing was stored; the errors say why.
    Refused,
}

/// One row of the answer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    /// The number of the row, from 1.
    pub row: usize,
    /// Whose task.
    pub localuser: String,
    /// Which one; empty when the row was refused before it had one.
    pub task_id: String,
    /// What became of it.
    pub result: RowResult,
    /// Why it was refused.
    pub errors: Vec<FieldError>,
}

/// The answer.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Summary {
    /// Row by row.
    pub results: Vec<Outcome>,
    /// How many were created.
    pub created: usize,
    /// How many were updated.
    pub updated: usize,
    /// How many were skipped.
    pub skipped: usize,
    /// How many were refused.
    pub refused: usize,
    /// How many could be imported.
    pub valid: usize,
}

/// A row: the columns of the CSV file, and any optional field of create-task.
pub(crate) type Row = Map<String, Value>;

/// What concerns all rows.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Whether it is a job that is found again.
    pub keep: bool,
    /// The batch that the tasks of all rows join.
    pub batch: Option<BatchName>,
}

impl Options {
    /// Puts a task into the batch.
    fn join(&self, context: &Context, name: &TaskName) -> Result<()> {
        match &self.batch {
            Some(batch) => context.store.change_plan(name, |plan| plan.batch = batch.clone()),
            None => Ok(()),
        }
    }
}

/// Imports all rows; one that is refused never keeps the others from being imported.
///
/// # Errors
/// What concerns all rows: no mail server, no podman, tasks that cannot be listed.
pub(crate) fn import(
    context: &Context,
    mode: Mode,
    options: &Options,
    rows: Vec<Result<Row>>,
) -> Result<Summary> {
    context.mail_host()?;
    let container = Container::find()?;
    let mut planner = Planner::new(context)?;
    let count = rows.len();
    let kind = if mode.stores() { Kind::Import } else { Kind::Check };
    let job = Kept::begin(&context.store, options.keep.then_some(kind), count)?;
    let mut results = Vec::new();
    let mut planned: Vec<Planned> = Vec::new();
    for (index, row) in rows.into_iter().enumerate() {
        match planner.plan(mode, index + 1, row) {
            Plan::Import(row) => planned.push(*row),
            Plan::LeaveAlone(name, outcome) => {
                job.step();
                results.push(leave_alone(context, mode, options, &name, outcome));
            }
            Plan::Done(outcome) => {
                job.step();
                results.push(outcome);
            }
        }
    }
    let done = Mutex::new(results.len());
    // A plan is carried out once; the cells hand it to whichever thread comes for it.
    let cells: Vec<Mutex<Vec<Planned>>> = by_task(planned).into_iter().map(Mutex::new).collect();
    let imported = parallel::map(&cells, |cell| {
        let rows = cell
            .lock()
            .map(|mut cell| std::mem::take(&mut *cell))
            .unwrap_or_default();
        let mut outcomes: Vec<Outcome> = Vec::new();
        for row in rows {
            // A row about the same task counts when those before it were refused.
            let repeated = outcomes
                .iter()
                .any(|outcome| outcome.result != RowResult::Refused);
            outcomes.push(match repeated {
                _ if job.is_to_stop() => row.refused("(root)", NOT_TRIED),
                true => row.refused("(root)", "row_repeated"),
                false => carry_out(context, &container, mode, options, row),
            });
            job.step();
            // Told under the lock, or the smaller number of two threads could come last.
            if let Ok(mut done) = done.lock() {
                let percent = |done: usize| u8::try_from(done * 100 / count.max(1)).unwrap_or(100);
                *done += 1;
                if percent(*done - 1) != percent(*done) {
                    context.commands.progress(percent(*done));
                }
            }
        }
        outcomes
    });
    results.extend(imported.into_iter().flatten());
    results.sort_by_key(|outcome| outcome.row);
    job.finish(&results)?;
    Ok(Summary::of(results))
}

/// The rows of each task together, in their order.
fn by_task(rows: Vec<Planned>) -> Vec<Vec<Planned>> {
    let mut tasks: Vec<Vec<Planned>> = Vec::new();
    let mut known: HashMap<TaskName, usize> = HashMap::new();
    for row in rows {
        let index = *known.entry(row.request.task.name()).or_insert(tasks.len());
        match tasks.get_mut(index) {
            Some(rows) => rows.push(row),
            None => tasks.push(vec![row]),
        }
    }
    tasks
}

/// A task that stays as it is, but for its batch.
fn leave_alone(
    context: &Context,
    mode: Mode,
    options: &Options,
    name: &TaskName,
    outcome: Outcome,
) -> Outcome {
    match mode.stores().then(|| options.join(context, name)) {
        None | Some(Ok(())) => outcome,
        Some(Err(error)) => Outcome {
            errors: field_errors(&error, &format!("row {}", outcome.row)),
            result: RowResult::Refused,
            ..outcome
        },
    }
}

fn carry_out(
    context: &Context,
    container: &Container,
    mode: Mode,
    options: &Options,
    planned: Planned,
) -> Outcome {
    let Planned {
        row,
        request,
        existing,
        start,
    } = planned;
    let (user, id) = (request.task.local_user.to_string(), request.task.id.to_string());
    let name = request.task.name();
    let imported = (|| {
        let tested = TaskSettings::complete(&context.store, request)?.test(container);
        let tested = mail_server::told_apart(context, &user, tested)?;
        if !mode.stores() {
            return Ok(RowResult::Valid);
        }
        tested.store(&context.store, &|| context.schedule_host())?;
        options.join(context, &name)?;
        if start && let Err(error) = runs::launch(&context.store, container, std::slice::from_ref(&name)) {
            journal::error(format_args!(
                "{name} is stored, but its run was not started: {error}"
            ));
        }
        Ok(match existing {
            true => RowResult::Updated,
            false => RowResult::Created,
        })
    })();
    match imported {
        Ok(result) => Outcome {
            row,
            localuser: user,
            task_id: id,
            result,
            errors: Vec::new(),
        },
        Err(error) => Outcome {
            row,
            errors: field_errors(&error, &format!("row {row}")),
            localuser: user,
            task_id: id,
            result: RowResult::Refused,
        },
    }
}

impl Summary {
    fn of(results: Vec<Outcome>) -> Self {
        let count = |verdict| results.iter().filter(|outcome| outcome.result == verdict).count();
        Self {
            created: count(RowResult::Created),
            updated: count(RowResult::Updated),
            skipped: count(RowResult::Skipped),
            refused: count(RowResult::Refused),
            valid: count(RowResult::Valid),
            results,
        }
    }
}
