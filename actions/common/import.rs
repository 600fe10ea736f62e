// SPDX-License-Identifier: GPL-3.0-or-later
//! Many tasks from a list of rows: what import-tasks and import-csv-tasks do.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Mutex;

use ns8_imapsync::agent::journal;
use ns8_imapsync::container::Container;
use ns8_imapsync::control::candidate::{Candidate, Request};
use ns8_imapsync::error::Result;
use ns8_imapsync::task::{Task, TaskId, TaskName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::context::Context;
use super::fields::TaskFields;
use super::selection::{FieldError, field_errors};
use super::{input, parallel};

/// What becomes of rows whose task exists, and whether anything is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Everything is tested, nothing is stored.
    Check,
    /// Tasks that exist are left alone.
    Skip,
    /// Tasks that exist are edited.
    Update,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyReport {
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
pub struct Outcome {
    /// The number of the row, from 1.
    pub row: usize,
    /// Whose task.
    pub localuser: String,
    /// Which one; empty when the row was refused before it had one.
    pub task_id: String,
    /// What became of it.
    pub result: VerifyReport,
    /// Why it was refused.
    pub errors: Vec<FieldError>,
}

/// The answer.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
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
pub type Row = Map<String, Value>;

/// A row that is sound as far as can be told without a login.
struct Planned {
    request: Request,
    existing: bool,
    start: bool,
}

enum Plan {
    Import(Box<Planned>),
    Done(Outcome),
}

/// Imports all rows; one that is refused never keeps the others from being imported.
///
/// # Errors
/// What concerns all rows: no mail server, no podman, tasks that cannot be listed.
pub fn import(context: &Context, mode: Mode, rows: Vec<Result<Row>>) -> Result<Summary> {
    context.mail_host()?;
    let container = Container::find()?;
    let mut planner = Planner::new(context)?;
    let count = rows.len();
    let plans: Vec<(usize, Plan)> = rows
        .into_iter()
        .enumerate()
        .map(|(index, row)| (index + 1, planner.plan(mode, index + 1, row)))
        .collect();
    // A plan is carried out once; the cells hand it to whichever thread comes for it.
    let cells: Vec<Mutex<Option<(usize, Plan)>>> =
        plans.into_iter().map(|plan| Mutex::new(Some(plan))).collect();
    let done = Mutex::new(0);
    let results = parallel::map(&cells, |cell| {
        let plan = cell.lock().ok().and_then(|mut cell| cell.take());
        let outcome = plan.map(|(row, plan)| match plan {
            Plan::Done(outcome) => outcome,
            Plan::Import(planned) => carry_out(context, &container, mode, row, *planned),
        });
        // Told under the lock, or the smaller number of two threads could come last.
        if let Ok(mut done) = done.lock() {
            let percent = |done: usize| u8::try_from(done * 100 / count.max(1)).unwrap_or(100);
            *done += 1;
            if percent(*done - 1) != percent(*done) {
                context.commands.progress(percent(*done));
            }
        }
        outcome
    });
    Ok(Summary::of(results.into_iter().flatten().collect()))
}

fn carry_out(context: &Context, container: &Container, mode: Mode, row: usize, planned: Planned) -> Outcome {
    let Planned {
        request,
        existing,
        start,
    } = planned;
    let (user, id) = (request.task.local_user.to_string(), request.task.id.to_string());
    let name = request.task.name();
    let imported = (|| {
        let tested = Candidate::complete(&context.store, request)?.test(container)?;
        if mode == Mode::Check {
            return Ok(VerifyReport::Valid);
        }
        tested.store(&context.store, &|| context.mail_host())?;
        if start && let Err(error) = container.start(&name) {
            journal::error(format_args!(
                "{name} is stored, but its run was not started: {error}"
            ));
        }
        Ok(match existing {
            true => VerifyReport::Updated,
            false => VerifyReport::Created,
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
            result: VerifyReport::Refused,
        },
    }
}

/// Finds for each row the task that it is about.
struct Planner<'a> {
    context: &'a Context,
    tasks: Vec<Task>,
    names: HashSet<TaskName>,
    planned: HashSet<TaskName>,
}

impl<'a> Planner<'a> {
    fn new(context: &'a Context) -> Result<Self> {
        let names = context.store.names()?;
        Ok(Self {
            context,
            // A damaged task is reported by list-tasks; its name is taken all the same.
            tasks: names
                .iter()
                .filter_map(|name| context.store.load(name).ok().flatten())
                .collect(),
            names: names.into_iter().collect(),
            planned: HashSet::new(),
        })
    }

    fn plan(&mut self, mode: Mode, row: usize, fields: Result<Row>) -> Plan {
        let text = |fields: &Row, name: &str| {
            fields
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let user = fields
            .as_ref()
            .map(|fields| text(fields, "localuser"))
            .unwrap_or_default();
        let outcome = |task_id: String, result, errors| {
            Plan::Done(Outcome {
                row,
                localuser: user.clone(),
                task_id,
                result,
                errors,
            })
        };
        let fields = match fields {
            Ok(fields) => fields,
            Err(error) => {
                return outcome(
                    String::new(),
                    VerifyReport::Refused,
                    field_errors(&error, &format!("row {row}")),
                );
            }
        };
        let given_id = text(&fields, "task_id");
        let existing = self.existing(&fields).cloned();
        let task_id = match (&existing, given_id.is_empty()) {
            (Some(task), _) => task.id.to_string(),
            (None, false) => given_id,
            (None, true) => self.free_id(&user),
        };
        let refused = |parameter: &str, error: &str| {
            let error = FieldError {
                parameter: parameter.to_owned(),
                error: error.to_owned(),
            };
            outcome(task_id.clone(), VerifyReport::Refused, vec![error])
        };
        if existing
            .as_ref()
            .is_some_and(|task| self.planned.contains(&task.name()))
        {
            return refused("(root)", "row_repeated");
        }
        if existing.is_some() && mode != Mode::Update {
            return outcome(task_id.clone(), VerifyReport::Skipped, Vec::new());
        }
        let request = input::parse::<TaskFields>(self.completed(fields, &task_id, existing.as_ref()))
            .and_then(|fields| Ok((fields.start.unwrap_or(true), fields.parse()?)));
        match request {
            Ok((start, request)) => {
                let name = request.task.name();
                self.planned.insert(name.clone());
                if !self.names.insert(name) && existing.is_none() {
                    return refused("task_id", "task_name_taken");
                }
                // A second row about the same account is about the task that the first one makes.
                self.tasks
                    .extend(existing.is_none().then(|| request.task.clone()));
                Plan::Import(Box::new(Planned {
                    request,
                    existing: existing.is_some(),
                    start,
                }))
            }
            Err(error) => outcome(
                task_id.clone(),
                VerifyReport::Refused,
                field_errors(&error, &format!("row {row}")),
            ),
        }
    }

    /// The task of that id, or the one that pulls from the same account.
    fn existing(&self, fields: &Row) -> Option<&Task> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let id = text("task_id");
        self.tasks.iter().find(|task| {
            task.local_user.as_str() == text("localuser")
                && match id.is_empty() {
                    false => task.id.as_str() == id,
                    true => {
                        task.remote_user.as_str() == text("remoteusername")
                            && task
                                .remote_host
                                .as_str()
                                .eq_ignore_ascii_case(text("remotehostname"))
                    }
                }
        })
    }

    /// What a row leaves out stays as it is, and is off for a new task.
    fn completed(&self, mut fields: Row, task_id: &str, existing: Option<&Task>) -> Row {
        let defaults = match existing {
            Some(task) => json!({
                "delete_local": task.delete_local,
                "delete_remote": task.delete_remote.deletes(),
                "delete_remote_older": task.delete_remote.days(),
                "exclude": task.exclusions.as_stored(),
                "cron": task.schedule.map(|schedule| schedule.to_string()).unwrap_or_default(),
                "foldersynchronization": task.folders.as_str(),
                "sieve_enabled": task.sieve,
            }),
            None => json!({
                "delete_local": false,
                "delete_remote": false,
                "exclude": "",
                "cron": "",
                "foldersynchronization": "all",
            }),
        };
        if let Value::Object(defaults) = defaults {
            for (name, value) in defaults {
                if fields.get(&name).is_none_or(Value::is_null) {
                    fields.insert(name, value);
                }
            }
        }
        // What is no text is no id: it stays, to be refused.
        if fields
            .get("task_id")
            .is_none_or(|id| id.is_null() || id.is_string())
        {
            fields.insert("task_id".to_owned(), task_id.into());
        }
        fields
    }

    /// An id in the form of those that the page makes.
    fn free_id(&self, user: &str) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        loop {
            let mut random = RandomState::new().build_hasher().finish();
            let id: String = std::iter::repeat_with(|| {
                let letter = LETTERS[(random % LETTERS.len() as u64) as usize];
                random /= LETTERS.len() as u64;
                char::from(letter)
            })
            .take(6)
            .collect();
            let free = TaskName::parse(&format!("{user}_{id}")).map_or(true, |name| {
                !self.names.contains(&name) && !self.context.store.path(&name, "env").exists()
            });
            if free && TaskId::parse(&id).is_ok() {
                return id;
            }
        }
    }
}

impl Summary {
    fn of(results: Vec<Outcome>) -> Self {
        let count = |verdict| results.iter().filter(|outcome| outcome.result == verdict).count();
        Self {
            created: count(VerifyReport::Created),
            updated: count(VerifyReport::Updated),
            skipped: count(VerifyReport::Skipped),
            refused: count(VerifyReport::Refused),
            valid: count(VerifyReport::Valid),
            results,
        }
    }
}
