// SPDX-License-Identifier: GPL-3.0-or-later

use std::collections::HashMap;

use ns8_imapsync::control::batches::{self, forecast};
use ns8_imapsync::error::Result;
use ns8_imapsync::task::Task;
use ns8_imapsync::task::history::PastRun;
use schemars::JsonSchema;
use serde::Serialize;

use crate::common::action::Action;
use crate::common::batch::BatchReference;
use crate::common::batch_report::{self, Assessed, Verified};
use crate::common::context::Context;
use crate::common::parallel;

/// Tells what was found about the tasks of a batch, from what is stored.
pub(crate) struct GetBatchReport;

/// The tasks, sorted by their names.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    tasks: Vec<Row>,
}

/// What was found about one task.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Row {
    localuser: String,
    task_id: String,
    remoteusername: String,
    remotehostname: String,
    /// Before the move; null where no one looked.
    assessment: Option<Assessed>,
    /// After it; null where nothing was compared.
    verification: Option<Verified>,
}

impl Action for GetBatchReport {
    const NAME: &'static str = "get-batch-report";
    const ABOUT: &'static str = "Tells what was found about the tasks of a batch";
    type Input = BatchReference;
    type Output = Report;

    fn run(context: &Context, batch: BatchReference) -> Result<Report> {
        let store = &context.store;
        let names = batches::members(store, &batch.name()?)?;
        let loaded = parallel::map(&names, |name| {
            let task = store.load(name).ok()??;
            Some((name.clone(), task, store.history(name)))
        });
        // A damaged one is reported by list-tasks.
        let tasks: Vec<_> = loaded.into_iter().flatten().collect();
        let rates = rates(tasks.iter().map(|(_, task, history)| (task, history.as_slice())));
        let rows = parallel::map(&tasks, |(name, task, _)| {
            let host = task.remote_host.to_string();
            let rate = rates.get(&host).copied().flatten();
            let mailbox = store.options(name).source.map(|link| link.mailbox.to_string());
            Row {
                localuser: task.local_user.to_string(),
                task_id: task.id.to_string(),
                remoteusername: mailbox.unwrap_or_else(|| task.remote_user.to_string()),
                assessment: batch_report::assessed(store, name).map(|look| look.judged(&host, rate)),
                verification: batch_report::verification(store, name).as_ref().map(Verified::of),
                remotehostname: host,
            }
        });
        Ok(Report { tasks: rows })
    }
}

/// The speed of each server, by the runs of all tasks that pull from it.
fn rates<'a>(tasks: impl Iterator<Item = (&'a Task, &'a [PastRun])>) -> HashMap<String, Option<u64>> {
    let mut runs: HashMap<String, Vec<&PastRun>> = HashMap::new();
    for (task, history) in tasks {
        runs.entry(task.remote_host.to_string())
            .or_default()
            .extend(history);
    }
    runs.into_iter()
        .map(|(host, runs)| (host, forecast::rate(runs.into_iter())))
        .collect()
}
