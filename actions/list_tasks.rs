// SPDX-License-Identifier: GPL-3.0-or-later

use std::time::Duration;

use ns8_imapsync::agent::cluster::Cluster;
use ns8_imapsync::agent::{directory, journal};
use ns8_imapsync::error::{ErrorKey, Result};
use ns8_imapsync::files;
use ns8_imapsync::supervisor::arrivals::record::{Listening, Record};
use ns8_imapsync::task::FileKind;
use ns8_imapsync::task::{LocalUser, Store, Task, TaskName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::fields::FolderOptionsFields;
use crate::common::fields::columns::ListedTask;
use crate::common::fields::listed::ListedFields;
use crate::common::outcome;
use crate::common::parallel;
use crate::common::selection::TaskReference;
use crate::common::settings;
use crate::common::state::{State, States};
use ns8_imapsync::clock::now;

/// Somebody looks at an empty page meanwhile.
const MAILBOXES: Duration = Duration::from_secs(15);

/// Lists the tasks, and the mailboxes that can have some (contract section 3).
pub(crate) struct ListTasks;

/// Which tasks; all, and the mailboxes, when this is missing. To ask for all, nothing need be sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("type" = ["object", "null"]))]
pub(crate) struct Input {
    /// Only these tasks, as far as they exist.
    #[serde(default)]
    tasks: Option<Vec<TaskReference>>,
}

/// The tasks and the mailboxes.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listing {
    enabled_mailboxes: Vec<Mailbox>,
    user_properties: Vec<Entry>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Mailbox {
    name: String,
    label: String,
    value: String,
}

/// One task. Names and forms are those of the page and of older versions.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Its settings, as create-task takes them.
    #[serde(flatten)]
    settings: ListedFields,
    #[serde(skip)]
    user: LocalUser,
    deletefolder: &'static str,
    expunge_remote: &'static str,
    folder_inbox: &'static str,
    service_running: bool,
    last_sync_timestamp: Option<i64>,
    last_sync_exit_code: Option<i32>,
    has_log: bool,
    state: State,
    next_run: Option<i64>,
    last_sync_duration: Option<i64>,
    last_sync_messages: Option<u64>,
    /// Messages that were on both sides after the last run.
    mailbox_messages: Option<u64>,
    last_sync_error: Option<String>,
    /// The SHA-256 of the accepted certificate, where it is one that no authority vouches for.
    certificate: Option<String>,
    /// Whom the task trusts: `authorities`, `pinned`, or `unknown`.
    trust: &'static str,
    /// Whether the schedule pauses, since the login was refused in several runs in a row.
    paused: bool,
    /// Whether the schedule waits until update-tasks says otherwise.
    on_hold: bool,
    /// The batch that the task belongs to; empty for none.
    batch: String,
    /// Where mail goes and which mail that is, where that is not the usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder_options: Option<FolderOptionsFields>,
    /// How that stands, while it is asked for and the service is there.
    listening: Option<Listening>,
}

impl Action for ListTasks {
    const NAME: &'static str = "list-tasks";
    const ABOUT: &'static str = "Lists the tasks, and the mailboxes that can have some";
    type Input = Input;
    type Output = Listing;

    fn run(context: &Context, input: Input) -> Result<Listing> {
        let environment = context.environment.read()?;
        let Some(uuid) = environment.get(settings::MAIL_SERVER) else {
            return Ok(Listing::default());
        };
        let all = input.tasks.is_none();
        let names = match input.tasks {
            Some(tasks) => tasks
                .iter()
                .filter_map(|task| task.find(&context.store).ok())
                .collect(),
            None => context.store.names()?,
        };
        let mut entries = entries(context, &names)?;
        let unknown = ErrorKey::LocalUserUnknown.to_string();
        let paused = settings::schedules_paused(&environment);
        let is_unknown = |entry: &Entry| entry.last_sync_error.as_ref() == Some(&unknown);
        // For a few tasks another module is asked only where its answer counts.
        let mailboxes = match all || entries.iter().any(is_unknown) {
            true => mailboxes(context, uuid).unwrap_or_else(|error| {
                journal::error(format_args!("the mailboxes cannot be listed: {error}"));
                Vec::new()
            }),
            false => Vec::new(),
        };
        for entry in &mut entries {
            entry.next_run = entry.next_run.filter(|_| !paused);
            // The run could not tell one from the other.
            if is_unknown(entry) && mailboxes.iter().any(|mailbox| mailbox == entry.user.as_str()) {
                entry.last_sync_error = Some(ErrorKey::MasterCredentialsRefused.to_string());
            }
        }
        let mailbox = |user: String| Mailbox {
            name: user.clone(),
            label: user.clone(),
            value: user,
        };
        Ok(Listing {
            enabled_mailboxes: match all {
                true => mailboxes.into_iter().map(mailbox).collect(),
                false => Vec::new(),
            },
            user_properties: entries,
        })
    }
}

fn mailboxes(context: &Context, uuid: &str) -> Result<Vec<String>> {
    let Some(server) = directory::mail_server(&context.agent, uuid)? else {
        return Err(anyhow::anyhow!("no mail module has the uuid {uuid}; run configure-module again").into());
    };
    Cluster::new(&context.agent).enabled_mailboxes(&server.module_id, MAILBOXES)
}

/// Whatever cannot be read is reported, and the others are listed.
fn entries(context: &Context, names: &[TaskName]) -> Result<Vec<Entry>> {
    let store = &context.store;
    let states = States::new(store, &context.sources)?;
    let record = Record::of_living(store);
    let now = now();
    let entries = parallel::map(names, |name| match store.load(name) {
        Ok(task) => task.map(|task| entry(store, name, &task, now, &states, &record)),
        Err(error) => {
            journal::error(format_args!("{name} cannot be listed: {error}"));
            None
        }
    });
    // A task may be deleted meanwhile.
    Ok(entries.into_iter().flatten().collect())
}

fn entry(
    store: &Store,
    name: &TaskName,
    task: &Task,
    now: i64,
    states: &States<'_>,
    record: &Record,
) -> Entry {
    let state = states.of(name);
    let status = store.status(name);
    let report = outcome::report(store, name, status);
    let options = store.options(name);
    let paused = task.schedule.is_some() && store.refusals(name).pause();
    let plan = store.plan(name);
    let when = |condition: bool, option: &'static str| if condition { option } else { "" };
    Entry {
        settings: ListedFields::of(&ListedTask {
            task,
            options: Some(&options),
            plan: Some(&plan),
        }),
        user: task.local_user.clone(),
        deletefolder: when(task.delete_local, "--delete2folders"),
        expunge_remote: when(task.delete_remote.deletes(), "--noexpungeaftereach"),
        folder_inbox: task.folders.as_option(),
        service_running: state.is_running(),
        last_sync_timestamp: status.map(|status| status.started),
        last_sync_exit_code: status.map(|status| status.exit_code),
        has_log: files::is_plain(&store.path(name, FileKind::Log)),
        state,
        paused,
        on_hold: plan.on_hold,
        batch: plan.batch.as_str().to_owned(),
        next_run: task
            .schedule
            .filter(|_| !paused && !plan.on_hold)
            .and_then(|schedule| schedule.next_start(now)),
        last_sync_duration: report
            .as_ref()
            .map(|report| (report.ended - report.started).max(0)),
        last_sync_messages: report.as_ref().map(|report| report.messages.copied),
        mailbox_messages: report
            .as_ref()
            .map(|report| report.messages.copied + report.messages.skipped),
        last_sync_error: report.and_then(|report| report.error),
        certificate: options.trust.fingerprint().map(str::to_owned),
        trust: options.trust.state(),
        folder_options: match options.folders.is_default() {
            true => None,
            false => Some(FolderOptionsFields::from(&options.folders)),
        },
        listening: record.tasks.get(name).map(|remembered| remembered.state),
    }
}
