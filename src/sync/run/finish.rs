// SPDX-License-Identifier: GPL-3.0-or-later
//! What a run leaves behind: the end of its log, report, status, timestamp.

use std::time::Duration;

use crate::files;
use crate::sync::account::Failure;
use crate::sync::exit_code::Exit;
use crate::sync::reporter::Reporter;
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
    reporter.report.ended = jiff::Timestamp::now().as_second();
    reporter.report.exit_code = i32::from(exit.code());
    reporter.report.exit_name = exit.name().to_owned();
    let elapsed = reporter.elapsed();
    statistics(reporter, elapsed, exit);
    let report = reporter.report.clone();
    let mut failures = vec![];
    let mut keep = |what: &str, written: crate::error::Result<()>| {
        failures.extend(
            written
                .err()
                .map(|error| format!("cannot write {}: {error}", name.file(what))),
        );
    };
    if let Some(error) = reporter.log_failure() {
        keep("log", Err(anyhow::anyhow!("{error}").into()));
    }
    if exit == Exit::Stopped {
        keep(
            "timestamp",
            files::remove(&store.path(name, "timestamp")).map_err(Into::into),
        );
    } else {
        keep("report", save_report(store, name, &report));
        let status = Status {
            started: report.started,
            exit_code: report.exit_code,
        };
        keep("status", store.save_status(name, status));
        if exit == Exit::Ok {
            keep("timestamp", complete(store, name, task, report.started));
        }
    }
    match failures.is_empty() {
        true => Ok((exit, report)),
        false => Err(Failure::local(failures.join("; "))),
    }
}

fn save_report(store: &Store, name: &TaskName, report: &Report) -> crate::error::Result<()> {
    let text = serde_json::to_vec(report).map_err(anyhow::Error::from)?;
    Ok(files::write_atomic(
        store.folder(),
        &store.path(name, "report"),
        &text,
        0o600,
    )?)
}

/// `NAME.timestamp`: the folder mode of the last complete run, dated at its start, for the engine that reads it.
fn complete(store: &Store, name: &TaskName, task: &Task, started: i64) -> crate::error::Result<()> {
    let path = store.path(name, "timestamp");
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

fn statistics(reporter: &mut Reporter, elapsed: Duration, exit: Exit) {
    let report = reporter.report.clone();
    let seconds = elapsed.as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let (rate, octets) = (
        report.messages.copied as f64 / seconds,
        report.bytes as f64 / seconds / 1024.0,
    );
    for line in [
        "++++ Statistics".to_owned(),
        format!("Transfer time                           : {seconds:.1} sec"),
        format!(
            "Folders synced                          : {}",
            report.folders.len()
        ),
        format!(
            "Messages transferred                    : {}",
            report.messages.copied
        ),
        format!(
            "Messages skipped                        : {}",
            report.messages.skipped
        ),
        format!(
            "Messages failed                         : {}",
            report.messages.failed
        ),
        format!(
            "Messages deleted on host1               : {}",
            report.deleted_remote
        ),
        format!(
            "Messages deleted on host2               : {}",
            report.deleted_local
        ),
        format!("Flags changed on host2                  : {}", report.flags),
        format!("Total bytes transferred                 : {}", report.bytes),
        format!("Message rate                            : {rate:.1} messages/s"),
        format!("Average bandwidth rate                  : {octets:.1} KiB/s"),
        format!("Detected {} errors", reporter.problems()),
        format!("Exiting with return value {} ({})", exit.code(), exit.name()),
    ] {
        reporter.line(&line);
    }
}

/// The line that sums up a run.
pub fn summary(name: &TaskName, report: &Report) -> String {
    format!(
        "{name}: {} messages transferred, exit code {}",
        report.messages.copied, report.exit_code
    )
}
