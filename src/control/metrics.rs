// SPDX-License-Identifier: GPL-3.0-or-later
//! The state of the instance for Prometheus, in its text format (OpenMetrics 1.0).
//!
//! Everything is read from the files of tasks and sources when somebody asks: no process has to remember anything,
//! and what happened while no one looked is told all the same.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::error::{ErrorKey, Result};
use crate::source::Sources;
use crate::supervisor::entry;
use crate::supervisor::queue_file::Snapshot;
use crate::task::progress::State;
use crate::task::{Store, TaskName};

/// What the names of all metrics begin with.
const PREFIX: &str = "imapsync";
/// The states of tasks, each told also when no task is in it.
const STATES: [&str; 4] = ["idle", "queued", "running", "stopping"];

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge>;

/// The text that Prometheus reads.
///
/// # Errors
/// When the folder of the tasks cannot be read.
pub fn exposition(store: &Store) -> Result<String> {
    let mut registry = Registry::with_prefix(PREFIX);
    let mut gauges = |name: &str, help: &str| {
        let gauges = Gauges::default();
        registry.register(name, help, gauges.clone());
        gauges
    };
    let collected = Collected {
        tasks: gauges("tasks", "Tasks by what they are doing"),
        results: gauges("tasks_last_result", "Tasks by what their last run ended with"),
        refused: gauges(
            "tasks_login_refused",
            "Tasks whose last run was refused by the remote server, by server",
        ),
        failed: gauges("task_last_run_failed", "Whether the last run of a task failed"),
        ended: gauges(
            "task_last_run_timestamp_seconds",
            "When the last run of a task started",
        ),
        success: gauges(
            "task_last_success_timestamp_seconds",
            "When the last complete run of a task started, as far as known",
        ),
        messages: gauges(
            "task_last_run_messages",
            "Messages of the last run, by what became of them",
        ),
        bytes: gauges("task_last_run_bytes", "Bytes that the last run of a task copied"),
        queue: gauges("queue_length", "Runs that wait for their turn"),
        waiting: gauges(
            "queue_oldest_seconds",
            "How long the run that waits longest has been waiting",
        ),
        expiry: gauges(
            "source_secret_expires_in_days",
            "Days until the secret of a source expires; negative when it has",
        ),
        unreadable: gauges("tasks_unreadable", "Tasks whose files are damaged"),
        version: gauges("build_info", "The version of the program"),
    };
    collected.collect(store)?;
    let mut text = String::new();
    encode(&mut text, &registry).map_err(anyhow::Error::new)?;
    Ok(text)
}

struct Collected {
    tasks: Gauges,
    results: Gauges,
    refused: Gauges,
    failed: Gauges,
    ended: Gauges,
    success: Gauges,
    messages: Gauges,
    bytes: Gauges,
    queue: Gauges,
    waiting: Gauges,
    expiry: Gauges,
    unreadable: Gauges,
    version: Gauges,
}

impl Collected {
    fn collect(&self, store: &Store) -> Result<()> {
        for state in STATES {
            self.tasks.get_or_create(&label("state", state)).set(0);
        }
        let nothing = Labels::new();
        for gauges in [&self.queue, &self.waiting, &self.unreadable] {
            gauges.get_or_create(&nothing).set(0);
        }
        self.version
            .get_or_create(&label("version", env!("CARGO_PKG_VERSION")))
            .set(1);
        let queue = Snapshot::read(store);
        for name in store.names()? {
            self.task(store, &queue, &name);
        }
        let sources = Sources::of(store);
        // Sources that cannot be listed are for those who edit them to mend.
        for id in sources.ids().unwrap_or_default() {
            let days = sources
                .load(&id)
                .ok()
                .and_then(|source| source.describe(now()).secret_expires_in_days);
            if let Some(days) = days {
                self.expiry.get_or_create(&label("source", id.as_str())).set(days);
            }
        }
        Ok(())
    }

    fn task(&self, store: &Store, queue: &Snapshot, name: &TaskName) {
        let task = match store.load(name) {
            Ok(Some(task)) => task,
            // It was deleted meanwhile.
            Ok(None) => return,
            Err(_) => {
                self.unreadable.get_or_create(&Labels::new()).inc();
                return;
            }
        };
        let busy = store.is_busy(name).unwrap_or_default();
        let progress = store.progress(name).filter(|_| busy);
        let waiting = match progress
            .as_ref()
            .map(|progress| (progress.state, progress.started))
        {
            Some((State::Queued, since)) => Some(since),
            Some(_) => None,
            None => queue
                .entry(name)
                .filter(|entry| entry.state != entry::State::Running)
                .map(entry::Entry::ready_since),
        };
        let state = match (busy, progress.as_ref().map(|progress| progress.state)) {
            (false, _) if waiting.is_some() => "queued",
            (false, _) => "idle",
            (true, Some(State::Queued)) => "queued",
            (true, Some(State::Stopping)) => "stopping",
            (true, Some(State::Running) | None) => "running",
        };
        self.tasks.get_or_create(&label("state", state)).inc();
        if let Some(since) = waiting {
            self.queue.get_or_create(&Labels::new()).inc();
            let longest = self.waiting.get_or_create(&Labels::new());
            longest.set(longest.get().max((now() - since).max(0)));
        }
        let about = label("task", name.as_str());
        let Some(status) = store.status(name) else { return };
        let report = store
            .report(name)
            .filter(|report| report.started == status.started);
        let result = match (&report, status.exit_code) {
            (Some(report), _) if report.error.is_some() => report.error.clone().unwrap_or_default(),
            (_, 0) => "ok".to_owned(),
            (_, 16 | 161) => ErrorKey::BadUserCredentials.to_string(),
            (_, code) => format!("exit_code_{code}"),
        };
        let refused = [ErrorKey::BadUserCredentials, ErrorKey::TokenRefused]
            .iter()
            .any(|key| key.to_string() == result);
        if refused {
            let host = label("host", task.remote_host.as_str());
            self.refused.get_or_create(&host).inc();
        }
        self.results.get_or_create(&label("result", &result)).inc();
        self.failed
            .get_or_create(&about)
            .set(i64::from(status.exit_code != 0));
        self.ended.get_or_create(&about).set(status.started);
        if let Some(success) = store.last_success(name, status) {
            self.success.get_or_create(&about).set(success);
        }
        if let Some(report) = report {
            for (became, count) in [
                ("copied", report.messages.copied),
                ("failed", report.messages.failed),
                ("deleted_remote", report.deleted_remote),
                ("deleted_local", report.deleted_local),
            ] {
                let mut labels = about.clone();
                labels.push(("became", became.to_owned()));
                self.messages.get_or_create(&labels).set(signed(count));
            }
            self.bytes.get_or_create(&about).set(signed(report.bytes));
        }
    }
}

fn label(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned())]
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    signed(since.as_secs())
}
