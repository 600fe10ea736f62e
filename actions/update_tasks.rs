// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::agent::journal;
use ns8_imapsync::container::Container;
use ns8_imapsync::control::bulk_job::Kind;
use ns8_imapsync::control::runs;
use ns8_imapsync::control::settings::{Request, TaskSettings};
use ns8_imapsync::error::{ErrorKey, Refusal, Result};
use ns8_imapsync::task::options::OptionsChange;
use ns8_imapsync::task::{
    Bandwidth, BatchName, Exclusions, FolderMode, Schedule, SecretString, Store, Task, TaskName,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::common::action::Action;
use crate::common::bulk_job::{Kept, NOT_TRIED};
use crate::common::context::Context;
use crate::common::equal_refusals::EqualRefusals;
use crate::common::fields::{ChangedFields, Gather};
use crate::common::mail_server;
use crate::common::parallel;
use crate::common::selection::{FieldError, REFUSED, TaskReference, field_errors};

/// Changes the schedule, the folders, the password, the batch, the hold or the bandwidth of many tasks.
pub(crate) struct UpdateTasks;

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Results {
    results: Vec<Outcome>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Outcome {
    localuser: String,
    task_id: String,
    /// `updated` or `refused`.
    result: &'static str,
    errors: Vec<FieldError>,
}

struct Changes {
    schedule: Option<Option<Schedule>>,
    folders: Option<FolderMode>,
    exclusions: Option<Exclusions>,
    password: Option<SecretString>,
    options: OptionsChange,
    on_hold: Option<bool>,
    batch: Option<BatchName>,
    bandwidth: Option<Option<Bandwidth>>,
}

impl Action for UpdateTasks {
    const NAME: &'static str = "update-tasks";
    const ABOUT: &'static str = "Changes the schedule, the folders or the password of many tasks";
    type Input = ChangedFields;
    type Output = Results;

    fn run(context: &Context, update: ChangedFields) -> Result<Results> {
        let changes = Changes::of(&update)?;
        context.mail_host()?;
        let kept = changes.password.is_some() && update.keep == Some(true);
        let job = Kept::begin(&context.store, kept.then_some(Kind::Password), update.tasks.len())?;
        let refusals = EqualRefusals::default();
        let outcomes = parallel::map(&update.tasks, |task| {
            let outcome = match job.is_to_stop() {
                true => Outcome::not_tried(task),
                false => Outcome::of(context, task, &changes, &refusals),
            };
            job.step();
            outcome
        });
        job.finish(&outcomes)?;
        Ok(Results { results: outcomes })
    }
}

impl Outcome {
    /// Changes a task, unless its server has refused too much.
    fn of(context: &Context, task: &TaskReference, changes: &Changes, refusals: &EqualRefusals) -> Self {
        let server = changes.password.as_ref().and_then(|_| server_of(context, task));
        let update = || update_one(context, task, changes);
        let outcome = match server {
            Some(server) => refusals.ask(&server, update),
            None => Some(update()),
        };
        let Some(outcome) = outcome else {
            return Self::not_tried(task);
        };
        let (result, errors) = match outcome {
            Ok(()) => ("updated", Vec::new()),
            Err(error) => (
                REFUSED,
                field_errors(&error, &format!("{}_{}", task.localuser, task.task_id)),
            ),
        };
        Self::new(task, result, errors)
    }

    fn not_tried(task: &TaskReference) -> Self {
        let error = FieldError {
            parameter: "(root)".to_owned(),
            error: NOT_TRIED.to_owned(),
        };
        Self::new(task, REFUSED, vec![error])
    }

    fn new(task: &TaskReference, result: &'static str, errors: Vec<FieldError>) -> Self {
        Self {
            localuser: task.localuser.clone(),
            task_id: task.task_id.clone(),
            result,
            errors,
        }
    }
}

/// Where the mail of a task comes from; `None` for one that cannot be read, which is told by its update.
fn server_of(context: &Context, task: &TaskReference) -> Option<String> {
    let name = task.find(&context.store).ok()?;
    let task = context.store.load(&name).ok()??;
    Some(task.remote_host.to_string())
}

/// A run in progress is stopped by a change, and started again with the new settings.
fn update_one(context: &Context, reference: &TaskReference, changes: &Changes) -> Result<()> {
    let name = reference.find(&context.store)?;
    let Some(former) = context.store.load(&name)? else {
        return Err(Refusal::new(
            "task_id",
            ErrorKey::TaskNotFound,
            "the task was deleted meanwhile",
        )
        .into());
    };
    let task = changes.apply(former)?;
    if changes.is_decision() {
        return changes.decide(&context.store, &name);
    }
    let running = runs::is_running(&context.store, &name)?;
    match &changes.password {
        Some(password) => {
            let link = context.store.options(&name).source;
            let source = match link {
                Some(link) => Some((context.sources.load(&link.id)?, link.mailbox)),
                None => None,
            };
            let request = Request {
                task,
                password: Some(password.clone()),
                certificate: None,
                source,
                confirm_certificate: false,
                options: changes.options.clone(),
                bandwidth: None,
            };
            let settings = TaskSettings::complete(&context.store, request)?;
            let user = settings.task().local_user.clone();
            mail_server::told_apart(context, user.as_str(), settings.test(&Container::find()?))?
                .store(&context.store, &|| context.schedule_host())?;
        }
        None => {
            let lock = runs::take(&context.store, &name)?;
            // Another edit may have come in between: what this one does not change is taken from now.
            let Some(former) = context.store.load(&name)? else {
                return Err(Refusal::new(
                    "task_id",
                    ErrorKey::TaskNotFound,
                    "the task was deleted meanwhile",
                )
                .into());
            };
            let mut options = context.store.options(&name);
            changes.options.apply(&mut options);
            context
                .store
                .save(&lock, &changes.apply(former)?, None, &options, &|| {
                    context.schedule_host()
                })?;
        }
    }
    changes.decide(&context.store, &name)?;
    let names = std::slice::from_ref(&name);
    if running && let Err(error) = runs::launch(&context.store, &Container::find()?, names) {
        journal::error(format_args!(
            "{name} is changed, but its run was not started again: {error}"
        ));
    }
    Ok(())
}

impl Changes {
    /// Parses what is given.
    fn of(update: &ChangedFields) -> Result<Self> {
        let mut gather = Gather::default();
        let schedule = update
            .cron
            .as_deref()
            .and_then(|text| gather.text("cron", text, Schedule::parse));
        let folders = update
            .foldersynchronization
            .as_deref()
            .and_then(|text| gather.text("foldersynchronization", text, FolderMode::parse));
        let exclusions = update.exclude.as_deref().and_then(|text| gather.exclusions(text));
        let password = update
            .remotepassword
            .as_ref()
            .and_then(|text| gather.password(text.expose()))
            .flatten();
        let batch = update
            .batch
            .as_deref()
            .and_then(|text| gather.text("batch", text, BatchName::parse));
        let bandwidth = gather.bandwidth(update.bandwidth);
        gather.end()?;
        Ok(Self {
            schedule,
            folders,
            exclusions,
            password,
            options: update.options(),
            on_hold: update.on_hold,
            batch,
            bandwidth,
        })
    }

    /// Whether only what was decided about the task changes. An update without any change is none: it takes the task,
    /// which finishes what an interrupted edit left behind.
    fn is_decision(&self) -> bool {
        let has_settings = self.schedule.is_some()
            || self.folders.is_some()
            || self.exclusions.is_some()
            || !self.options.is_empty();
        let is_decided = self.on_hold.is_some() || self.batch.is_some() || self.bandwidth.is_some();
        !has_settings && self.password.is_none() && is_decided
    }

    /// Stores what was decided about the task.
    fn decide(&self, store: &Store, name: &TaskName) -> Result<()> {
        if self.on_hold.is_none() && self.batch.is_none() && self.bandwidth.is_none() {
            return Ok(());
        }
        store.change_plan(name, |plan| {
            if let Some(on_hold) = self.on_hold {
                plan.on_hold = on_hold;
            }
            if let Some(batch) = &self.batch {
                plan.batch = batch.clone();
            }
            plan.bandwidth = self.bandwidth.unwrap_or(plan.bandwidth);
        })
    }

    fn apply(&self, task: Task) -> Result<Task> {
        let task = Task {
            schedule: self.schedule.unwrap_or(task.schedule),
            folders: self.folders.unwrap_or(task.folders),
            exclusions: self.exclusions.clone().unwrap_or_else(|| task.exclusions.clone()),
            ..task
        };
        if task.delete_local && task.folders == FolderMode::Inbox {
            return Err(Refusal::new(
                "foldersynchronization",
                ErrorKey::DeleteLocalWithInbox,
                "the task deletes locally what is not on the remote side; change that first",
            )
            .into());
        }
        Ok(task)
    }
}
