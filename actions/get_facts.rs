// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::agent::journal;
use ns8_imapsync::error::Result;
use ns8_imapsync::sync::exit_code::Exit;
use ns8_imapsync::task::status::Status;
use ns8_imapsync::task::{FolderMode, RemoteDeletion, Task};
use schemars::JsonSchema;
use serde::Serialize;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::nothing::Nothing;

/// Counts kinds of tasks, for the statistics of the platform (contract section 3).
pub(crate) struct GetFacts;

/// The counts.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    tasks_total_count: u64,
    tasks_delete_count: u64,
    tasks_delete_older_count: u64,
    tasks_inbox_count: u64,
    tasks_inbox_and_delete_count: u64,
    tasks_cron_enabled_count: u64,
    tasks_sieve_enabled_count: u64,
    /// Tasks whose last run failed.
    tasks_failing_count: u64,
    /// Those of them whose login the remote server refused.
    tasks_login_refused_count: u64,
    /// Tasks whose files cannot be read.
    tasks_unreadable_count: u64,
}

impl Action for GetFacts {
    const NAME: &'static str = "get-facts";
    const ABOUT: &'static str = "Counts kinds of tasks";
    type Input = Nothing;
    type Output = Facts;

    fn run(context: &Context, _: Nothing) -> Result<Facts> {
        let mut facts = Facts::default();
        for name in context.store.names()? {
            match context.store.load(&name) {
                Ok(Some(task)) => {
                    facts.count(&task);
                    facts.count_result(context.store.status(&name));
                }
                Ok(None) => {}
                // It is a task all the same.
                Err(error) => {
                    facts.tasks_total_count += 1;
                    facts.tasks_unreadable_count += 1;
                    journal::error(error);
                }
            }
        }
        Ok(facts)
    }
}

impl Facts {
    fn count(&mut self, task: &Task) {
        let inbox = task.folders == FolderMode::Inbox;
        let deletes = task.delete_remote.deletes();
        let older = matches!(task.delete_remote, RemoteDeletion::OlderThan(_));
        self.tasks_total_count += 1;
        self.tasks_delete_count += u64::from(deletes);
        self.tasks_delete_older_count += u64::from(older);
        self.tasks_inbox_count += u64::from(inbox);
        self.tasks_inbox_and_delete_count += u64::from(inbox && deletes);
        self.tasks_cron_enabled_count += u64::from(task.schedule.is_some());
        self.tasks_sieve_enabled_count += u64::from(task.sieve);
    }

    /// Counts what the last run ended with; a task that has not run yet fails at nothing.
    fn count_result(&mut self, last: Option<Status>) {
        let refusals = [Exit::Authentication, Exit::AuthenticationUser1].map(|exit| i32::from(exit.code()));
        if let Some(last) = last.filter(|last| last.exit_code != 0) {
            self.tasks_failing_count += 1;
            self.tasks_login_refused_count += u64::from(refusals.contains(&last.exit_code));
        }
    }
}
