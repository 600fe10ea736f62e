// SPDX-License-Identifier: GPL-3.0-or-later
//! Which tasks an action is about: one, all of a user, or a list.

use ns8_imapsync::agent::journal;
use ns8_imapsync::error::{Error, ErrorKey, Refusal, Result};
use ns8_imapsync::task::{LocalUser, Store, TaskId, TaskName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::Gather;
use super::parallel;

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskReference {
    /// Whose it is.
    pub localuser: String,
    /// Which one.
    pub task_id: String,
}

impl TaskReference {
    /// The name of an existing task's files.
    ///
    /// # Errors
    /// Refusals, among them `task_not_found`.
    pub(crate) fn find(&self, store: &Store) -> Result<TaskName> {
        let (user, id) = parse(&self.localuser, Some(&self.task_id))?;
        let mut found = store.find(&user, id.as_ref())?;
        found
            .pop()
            .ok_or_else(|| anyhow::anyhow!("no task was found").into())
    }

    /// The same for a mere look: a task that is gone is no fault then.
    ///
    /// # Errors
    /// Refusals of names that are none.
    pub(crate) fn find_if_there(&self, store: &Store) -> Result<Option<TaskName>> {
        match self.find(store) {
            Err(Error::Refused(refusals))
                if refusals
                    .iter()
                    .all(|refusal| refusal.key == ErrorKey::TaskNotFound) =>
            {
                Ok(None)
            }
            found => found.map(Some),
        }
    }
}

/// A user's task, or all of them, or a list of tasks.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Selection {
    /// Whose tasks.
    #[serde(default)]
    pub localuser: Option<String>,
    /// Which one; all of the user's when this is missing.
    #[serde(default)]
    pub task_id: Option<String>,
    /// Several tasks at once, instead of the other two.
    #[serde(default)]
    pub tasks: Option<Vec<TaskReference>>,
}

/// The answer about several tasks.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Results {
    /// Task by task, in the order asked.
    pub results: Vec<TaskResult>,
}

/// What became of one task.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskResult {
    /// Whose it is.
    pub localuser: String,
    /// Which one.
    pub task_id: String,
    /// What was done.
    pub result: &'static str,
    /// Why it was refused: a key, or null.
    pub error: Option<String>,
}

/// What became of a task that was not handled.
pub(crate) const REFUSED: &str = "refused";

impl Selection {
    /// Does something to every task selected, several at once. One that fails never keeps the others from being handled.
    ///
    /// A list is answered with a list. The other form has no answer, and fails when one of the tasks did.
    ///
    /// # Errors
    /// Refusals of the selection; without a list, also what went wrong with the tasks.
    pub(crate) fn apply(
        &self,
        store: &Store,
        act: impl Fn(&TaskName) -> Result<&'static str> + Sync,
    ) -> Result<Option<Results>> {
        self.apply_together(store, |names| parallel::map(names, act))
    }

    /// The same with one call for all tasks that there are, which answers each of them.
    ///
    /// # Errors
    /// As [`Selection::apply`].
    pub(crate) fn apply_together(
        &self,
        store: &Store,
        act: impl FnOnce(&[TaskName]) -> Vec<Result<&'static str>>,
    ) -> Result<Option<Results>> {
        let Some(tasks) = &self.tasks else {
            let failed = act(&self.names(store)?)
                .into_iter()
                .filter_map(Result::err)
                .collect();
            return match merged(failed) {
                Some(error) => Err(error),
                None => Ok(None),
            };
        };
        if self.localuser.is_some() || self.task_id.is_some() {
            return Err(Refusal::new(
                "tasks",
                ErrorKey::Invalid("tasks"),
                "give either tasks, or localuser and task_id",
            )
            .into());
        }
        let found: Vec<Result<TaskName>> = tasks.iter().map(|task| task.find(store)).collect();
        let names: Vec<TaskName> = found.iter().flatten().cloned().collect();
        let mut outcomes = act(&names).into_iter();
        let mut outcome = |found: Result<TaskName>| match found {
            Ok(_) => outcomes
                .next()
                .unwrap_or_else(|| Err(anyhow::anyhow!("nothing was done").into())),
            Err(error) => Err(error),
        };
        let results = tasks
            .iter()
            .zip(found)
            .map(|(task, found)| TaskResult::new(task, outcome(found)))
            .collect();
        Ok(Some(Results { results }))
    }

    fn names(&self, store: &Store) -> Result<Vec<TaskName>> {
        let Some(user) = &self.localuser else {
            return Err(Refusal::required("localuser").into());
        };
        let (user, id) = parse(user, self.task_id.as_deref())?;
        store.find(&user, id.as_ref())
    }
}

impl TaskResult {
    /// The result of one task; failures go to stderr with their reason.
    pub(crate) fn new(task: &TaskReference, outcome: Result<&'static str>) -> Self {
        let (result, error) = match outcome {
            Ok(result) => (result, None),
            Err(error) => {
                let errors = field_errors(&error, &format!("{}_{}", task.localuser, task.task_id));
                (REFUSED, errors.into_iter().next().map(|first| first.error))
            }
        };
        Self {
            localuser: task.localuser.clone(),
            task_id: task.task_id.clone(),
            result,
            error,
        }
    }
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldError {
    /// The field.
    pub parameter: String,
    /// The key.
    pub error: String,
}

/// The key of what is no fault of the input; its reason goes to the journal.
const FAILED: &str = "failed";

/// An error as keys for the page; as sentences it goes to the journal.
pub(crate) fn field_errors(error: &Error, about: &str) -> Vec<FieldError> {
    journal::warning(format_args!("{about}: {error}"));
    match error {
        Error::Refused(refusals) => refusals
            .iter()
            .map(|refusal| FieldError {
                parameter: refusal.parameter.to_string(),
                error: refusal.key.to_string(),
            })
            .collect(),
        Error::Failed(_) => vec![FieldError {
            parameter: "(root)".to_owned(),
            error: FAILED.to_owned(),
        }],
    }
}

/// Several errors as one: failures weigh more than refusals.
pub(crate) fn merged(errors: Vec<Error>) -> Option<Error> {
    let mut refused = Vec::new();
    let mut failed: Option<String> = None;
    for error in errors {
        match error {
            Error::Refused(refusals) => refused.extend(refusals),
            Error::Failed(cause) => {
                let text = format!("{cause:#}");
                failed = Some(match failed {
                    Some(before) => format!("{before}; {text}"),
                    None => text,
                });
            }
        }
    }
    match failed {
        Some(text) => Some(Error::Failed(anyhow::anyhow!(text))),
        None if refused.is_empty() => None,
        None => Some(Error::Refused(refused)),
    }
}

fn parse(user: &str, id: Option<&str>) -> Result<(LocalUser, Option<TaskId>)> {
    let mut gather = Gather::default();
    let user = gather.text("localuser", user, LocalUser::parse);
    let id = id.map(|id| gather.text("task_id", id, TaskId::parse));
    gather.end()?;
    match (user, id) {
        (Some(user), Some(Some(id))) => Ok((user, Some(id))),
        (Some(user), None) => Ok((user, None)),
        _ => Err(Refusal::required("localuser").into()),
    }
}
