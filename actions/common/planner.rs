// SPDX-License-Identifier: GPL-3.0-or-later
//! Which task each row of an import is about.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};

use ns8_imapsync::control::settings::Request;
use ns8_imapsync::error::{Error, Result};
use ns8_imapsync::task::FileKind;
use ns8_imapsync::task::{RemoteHost, RemoteUser, SourceId, SourceLink, Task, TaskId, TaskName};
use serde_json::Value;

use super::context::Context;
use super::fields::TaskFields;
use super::fields::columns::COLUMNS;
use super::import::{Mode, Outcome, Row, RowResult};
use super::input;
use super::selection::{FieldError, field_errors};

/// A row that is sound as far as can be told without a login.
pub(crate) struct Planned {
    /// The number of the row.
    pub row: usize,
    /// What it asks for.
    pub request: Request,
    /// Whether its task was there before.
    pub existing: bool,
    /// Whether a run starts.
    pub start: bool,
}

impl Planned {
    /// The answer to a row that is not carried out.
    pub(crate) fn refused(&self, parameter: &str, error: &str) -> Outcome {
        let task = &self.request.task;
        refused(
            self.row,
            task.local_user.as_str(),
            task.id.as_str(),
            parameter,
            error,
        )
    }
}

/// What there is to do about a row.
pub(crate) enum Plan {
    /// Test it, and store it.
    Import(Box<Planned>),
    /// Leave the task as it is; this is its answer.
    LeaveAlone(TaskName, Outcome),
    /// Nothing: this is its answer.
    Done(Outcome),
}

/// Who pulls what: a local user, a remote user and a host. Neither people nor servers tell names by their case.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Account(String, String, String);

impl Account {
    fn new(local_user: &str, remote_user: &str, host: &str) -> Self {
        let host = RemoteHost::parse(host).map_or_else(|_| host.to_owned(), |host| host.as_str().to_owned());
        Self(
            local_user.to_lowercase(),
            remote_user.to_lowercase(),
            host.to_lowercase(),
        )
    }

    fn of(task: &Task, mailbox: &RemoteUser) -> Self {
        Self::new(
            task.local_user.as_str(),
            mailbox.as_str(),
            task.remote_host.as_str(),
        )
    }
}

/// A task that a row may be about.
struct Known {
    task: Task,
    /// What people call the remote user: an administrator's login name is another.
    mailbox: RemoteUser,
    /// Where its server is described, if not in the task itself.
    source: Option<SourceId>,
    /// Whether it was there before; else an earlier row is about it.
    stored: bool,
}

/// Finds for each row the task that it is about.
pub(crate) struct Planner<'a> {
    context: &'a Context,
    tasks: Vec<Known>,
    by_account: HashMap<Account, Vec<usize>>,
    by_id: HashMap<(String, String), usize>,
    names: HashSet<TaskName>,
}

impl<'a> Planner<'a> {
    /// A planner that knows the tasks of the instance.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub(crate) fn new(context: &'a Context) -> Result<Self> {
        let names = context.store.names()?;
        let mut planner = Self {
            context,
            tasks: Vec::new(),
            by_account: HashMap::new(),
            by_id: HashMap::new(),
            names: HashSet::new(),
        };
        for name in &names {
            // A damaged task is reported by list-tasks; its name is taken all the same.
            if let Some(task) = context.store.load(name).ok().flatten() {
                planner.learn(task, context.store.options(name).source, true);
            }
        }
        planner.names = names.into_iter().collect();
        Ok(planner)
    }

    fn learn(&mut self, task: Task, link: Option<SourceLink>, stored: bool) {
        let index = self.tasks.len();
        let (source, mailbox) = link.map_or_else(
            || (None, task.remote_user.clone()),
            |link| (Some(link.id), link.mailbox),
        );
        let account = Account::of(&task, &mailbox);
        self.by_account.entry(account).or_default().push(index);
        self.by_id
            .entry(id_of(task.local_user.as_str(), task.id.as_str()))
            .or_insert(index);
        self.tasks.push(Known {
            task,
            mailbox,
            source,
            stored,
        });
    }

    /// What there is to do about a row.
    pub(crate) fn plan(&mut self, mode: Mode, row: usize, fields: Result<Row>) -> Plan {
        let fields = match fields {
            Ok(fields) => fields,
            Err(error) => return refusal(row, "", "", &error),
        };
        let user = text(&fields, "localuser").to_owned();
        let known = self.known(&fields);
        let stored = known
            .filter(|known| known.stored)
            .map(|known| (known.task.clone(), known.source.clone()));
        let task_id = match (known, text(&fields, "task_id")) {
            (Some(known), _) => known.task.id.to_string(),
            (None, "") => self.free_id(&user),
            (None, given) => given.to_owned(),
        };
        // The spelling that is stored stays: names of files hang on it, and what is known of the account.
        let spelling = known.map(|known| (known.task.local_user.to_string(), known.mailbox.to_string()));
        if let Some((task, _)) = &stored
            && !mode.edits()
        {
            let outcome = Outcome {
                row,
                localuser: user,
                task_id,
                result: RowResult::Skipped,
                errors: Vec::new(),
            };
            return Plan::LeaveAlone(task.name(), outcome);
        }
        let is_new = known.is_none();
        let mut fields = completed(fields, &task_id, stored.as_ref());
        if let Some((local_user, remote_user)) = spelling {
            respell(&mut fields, "localuser", local_user);
            respell(&mut fields, "remoteusername", remote_user);
        }
        let request = input::parse::<TaskFields>(fields)
            .and_then(|fields| Ok((fields.start.unwrap_or(true), fields.parse(&self.context.sources)?)));
        let (start, request) = match request {
            Ok(request) => request,
            Err(error) => return refusal(row, &user, &task_id, &error),
        };
        if is_new {
            if !self.names.insert(request.task.name()) {
                return Plan::Done(refused(row, &user, &task_id, "task_id", "task_name_taken"));
            }
            // A later row about the same account is about the task that this one makes.
            let link = request.source.as_ref().map(|(source, mailbox)| SourceLink {
                id: source.id.clone(),
                mailbox: mailbox.clone(),
            });
            self.learn(request.task.clone(), link, false);
        }
        Plan::Import(Box::new(Planned {
            row,
            request,
            existing: stored.is_some(),
            start,
        }))
    }

    /// The task of that id, or the one that pulls from the same account; best the one that is spelled alike.
    fn known(&self, fields: &Row) -> Option<&Known> {
        let (user, remote_user) = (text(fields, "localuser"), text(fields, "remoteusername"));
        if let id @ (_, given) = &id_of(user, text(fields, "task_id"))
            && !given.is_empty()
        {
            return self.tasks.get(*self.by_id.get(id)?);
        }
        let source = SourceId::parse(text(fields, "source")).ok();
        let source = source.and_then(|id| self.context.sources.load(&id).ok());
        let host = source.as_ref().map(|source| source.host.as_str());
        let account = Account::new(user, remote_user, host.unwrap_or(text(fields, "remotehostname")));
        let candidates = || {
            self.by_account
                .get(&account)
                .into_iter()
                .flatten()
                .filter_map(|index| self.tasks.get(*index))
        };
        candidates()
            .find(|known| known.task.local_user.as_str() == user && known.mailbox.as_str() == remote_user)
            .or_else(|| candidates().next())
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
                !self.names.contains(&name) && !self.context.store.path(&name, FileKind::Env).exists()
            });
            if free && TaskId::parse(&id).is_ok() {
                return id;
            }
        }
    }
}

/// What a row leaves out stays as it is, and is off for a new task.
fn completed(mut fields: Row, task_id: &str, existing: Option<&(Task, Option<SourceId>)>) -> Row {
    if let Some((_, Some(source))) = existing
        && text(&fields, "remotehostname").is_empty()
        && text(&fields, "source").is_empty()
    {
        fields.insert("source".to_owned(), source.as_str().into());
    }
    let task = existing.map(|(task, _)| task);
    for column in COLUMNS {
        if fields.get(column.name).is_none_or(Value::is_null)
            && let Some(value) = column.default(task)
        {
            fields.insert(column.name.to_owned(), value);
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

/// Gives a name the spelling that is stored.
fn respell(fields: &mut Row, name: &str, stored: String) {
    if text(fields, name).to_lowercase() == stored.to_lowercase() {
        fields.insert(name.to_owned(), Value::from(stored));
    }
}

fn text<'a>(fields: &'a Row, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn id_of(local_user: &str, id: &str) -> (String, String) {
    (local_user.to_lowercase(), id.to_owned())
}

fn refusal(row: usize, user: &str, task_id: &str, error: &Error) -> Plan {
    Plan::Done(Outcome {
        row,
        localuser: user.to_owned(),
        task_id: task_id.to_owned(),
        result: RowResult::Refused,
        errors: field_errors(error, &format!("row {row}")),
    })
}

fn refused(row: usize, user: &str, task_id: &str, parameter: &str, error: &str) -> Outcome {
    Outcome {
        row,
        localuser: user.to_owned(),
        task_id: task_id.to_owned(),
        result: RowResult::Refused,
        errors: vec![FieldError {
            parameter: parameter.to_owned(),
            error: error.to_owned(),
        }],
    }
}
