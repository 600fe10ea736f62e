// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run leaves behind: the end of its log, report, history, status, timestamp.

use std::time::Duration;

use crate::files;
use crate::sync::account::Failure;
use crate::sync::event::Event;
use crate::sync::exit_code::Exit;
use crate::sync::reporter::Reporter;
use crate::task::FileKind;
use crate::task::report::Report;
use crate::task::status::Status;
use crate::task::{Store, Task, TaskName};

/// Writes how a run ended. A stop leaves the former status (contract section 4).
///
/// # Errors
/// What of it could not be written; the rest is.
pub fn conclude(
    store: &Store,
    name: &TaskName,
    task: &Task,
    reporter: &mut Reporter,
    outcome: Result<(), Failure>,
) -> Result<(Exit, Report), Failure> {
    let exit = match outcome {
        Ok(()) => reporter.exit(),
        Err(failure) => {
            reporter.report.error = failure.key.map(|key| key.to_string());
            reporter.problem("", failure.exit, &failure.message);
            failure.exit
        }
    };
    let exit = match reporter.log_failure() {
        Some(_) if exit == Exit::Ok => Exit::CatchAll,
        _ => exit,
    };
    reporter.report.ended = crate::clock::now();
    reporter.report.exit_code = i32::from(exit.code());
    reporter.report.exit_name = exit.name().to_owned();
    let report = reporter.report.clone();
    reporter.tell(&Event::Ended {
        report: &report,
        seconds: reporter.elapsed().as_secs_f64(),
        problems: reporter.problems(),
        exit,
    });
    let mut failures = vec![];
    let mut keep = |what: FileKind, written: crate::error::Result<()>| {
        failures.extend(
            written
                .err()
                .map(|error| format!("cannot write {}: {error}", name.file(what))),
        );
    };
    if let Some(error) = reporter.log_failure() {
        keep(FileKind::Log, Err(anyhow::anyhow!("{error}").into()));
    }
    keep(FileKind::History, store.add_to_history(name, &report));
    if exit == Exit::Stopped {
        keep(
            FileKind::Timestamp,
            files::remove(&store.path(name, FileKind::Timestamp)).map_err(Into::into),
        );
    } else {
        keep(FileKind::Report, save_report(store, name, &report));
        let status = Status {
            started: report.started,
            exit_code: report.exit_code,
        };
        keep(FileKind::Status, store.save_status(name, status));
        if exit == Exit::Ok {
            keep(FileKind::Timestamp, complete(store, name, task, report.started));
        }
    }
    match failures.is_empty() {
        true => Ok((exit, report)),
        false => Err(Failure::local(failures.join("; "))),
    }
}

/// Writes `NAME.report`.
///
/// # Errors
/// Whatever the file system says.
pub fn save_report(store: &Store, name: &TaskName, report: &Report) -> crate::error::Result<()> {
    let text = serde_json::to_vec(report).map_err(anyhow::Error::from)?;
    Ok(files::write_atomic(
        store.folder(),
        &store.path(name, FileKind::Report),
        &text,
        0o600,
    )?)
}

/// `NAME.timestamp`: the folder mode of the last complete run, dated at its start, for the engine that reads it.
fn complete(store: &Store, name: &TaskName, task: &Task, started: i64) -> crate::error::Result<()> {
    let path = store.path(name, FileKind::Timestamp);
    let moment = std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(started).unwrap_or(0));
    let mode = task.folders.as_str().as_bytes();
    Ok(files::write_atomic_dated(
        store.folder(),
        &path,
        mode,
        0o644,
        moment,
    )?)
}

/// The line that sums up a run.
pub fn summary(name: &TaskName, report: &Report) -> String {
    format!(
        "{name}: {} messages transferred, exit code {}",
        report.messages.copied, report.exit_code
    )
}
