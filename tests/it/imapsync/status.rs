// SPDX-License-Identifier: GPL-3.0-or-later
//! What is told of a run while it lasts and after it: progress, status, report.

use anyhow::ensure;
use sandbox::{Sandbox, wait_until};
use serde_json::{Value, json};

use crate::imapsync::standin::{self, StandIn};
use crate::imapsync::{create, create_again, exit_code};
use crate::support::TASK;

/// A sandbox whose task has had one run, which ended well.
fn after_one_run() -> anyhow::Result<(Sandbox, StandIn)> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let run = sandbox.mark_run(TASK);
    create(&sandbox, sandbox.task_input())?;
    standin.wait_until_started()?;
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;
    Ok((sandbox, standin))
}

#[test]
fn every_exit_code_reaches_status_and_report() -> anyhow::Result<()> {
    let (sandbox, standin) = after_one_run()?;
    for (code, key) in [
        (10, json!("Check_hostname_or_tcp_port")),
        (12, json!("SSL_encryption_error")),
        (16, json!("bad_user_credentials")),
        (101, json!("Check_hostname_or_tcp_port")),
        (102, json!("local_server_unreachable")),
        (111, Value::Null),
        (112, Value::Null),
        (113, Value::Null),
        (114, Value::Null),
        (115, Value::Null),
        (116, Value::Null),
        (117, Value::Null),
        (118, Value::Null),
        (119, Value::Null),
        (161, json!("bad_user_credentials")),
        (162, json!("local_user_unknown")),
    ] {
        let run = sandbox.mark_run(TASK);
        create_again(&sandbox)?;
        standin.wait_until_started()?;
        standin.say("Err 1/1: - msg INBOX/17 {9} could not append ( Subject:[private], Date:[x], Size:[9], Flags:[] ) to folder INBOX: 12 NO refused\n")?;
        standin.end(code)?;
        sandbox.wait_for_run(&run)?;
        ensure!(
            exit_code(&sandbox)? == code.to_string(),
            "{code}: {}",
            sandbox.log(TASK)
        );
        let report: Value = serde_json::from_slice(&std::fs::read(sandbox.task_file(TASK, "report"))?)?;
        ensure!(report["exit_code"] == code && report["error"] == key, "{report}");
        let problem = &report["problems"][0];
        ensure!(problem["uid"] == 17 && problem["folder"] == "INBOX", "{report}");
        ensure!(!report.to_string().contains("private"), "{report}");
    }
    Ok(())
}

#[test]
fn progress_is_told_and_a_stop_ends_imapsync_too() -> anyhow::Result<()> {
    let (sandbox, standin) = after_one_run()?;
    let status = std::fs::read(sandbox.task_file(TASK, "status"))?;

    create_again(&sandbox)?;
    standin.wait_until_started()?;
    standin.say(
        "Folder     1/4 [INBOX]                             -> [INBOX]\nHost1: folder [INBOX] selected 4 messages, duplicates 0\n\
         Folder     2/4 [Gel&APY-scht] = [Gelöscht]         -> [Gel&APY-scht] = [Gelöscht]\nHost1: folder [Gel&APY-scht] selected 5 messages, duplicates 0\n\
         msg Gel&APY-scht/9 {314}             copied to Gel&APY-scht/1          63.60 msgs/s\n",
    )?;
    let mut progress = Value::Null;
    wait_until("progress", || {
        let text = std::fs::read(sandbox.task_file(TASK, "progress")).unwrap_or_default();
        progress = serde_json::from_slice(&text).unwrap_or_default();
        progress["bytes_done"] == 314
    })?;
    ensure!(
        progress["state"] == "running" && progress["folder"] == "Gelöscht",
        "{progress}"
    );
    ensure!(
        progress["folder_index"] == 2 && progress["folders"] == 4,
        "{progress}"
    );
    ensure!(
        progress["messages_done"] == 5 && progress["messages_total"] == 9,
        "{progress}"
    );

    let outcome = sandbox.action("stop-task", json!({"localuser": "u1", "task_id": "abc123"}))?;
    ensure!(outcome.is_ok() && !sandbox.is_running(TASK), "{outcome:?}");
    ensure!(standin.was_terminated()?, "imapsync was not asked to end");
    ensure!(
        std::fs::read(sandbox.task_file(TASK, "status"))? == status,
        "a stop leaves the former status"
    );
    for gone in ["timestamp", "progress", "pid"] {
        ensure!(!sandbox.task_file(TASK, gone).exists(), "{gone} is still there");
    }
    Ok(())
}

#[test]
fn what_cannot_run_says_so_and_leaves_the_former_status() -> anyhow::Result<()> {
    let (sandbox, standin) = after_one_run()?;
    let status = std::fs::read(sandbox.task_file(TASK, "status"))?;

    for name in ["", "nobody_x", "u1/abc123", ".hidden"] {
        let outcome = sandbox.syncctl(&["start", name])?;
        ensure!(
            outcome.exit_code == 66 && !outcome.stderr.contains("panicked"),
            "{name:?}: {outcome:?}"
        );
    }
    // A log that cannot be written, as on a full disk.
    let log = sandbox.task_file(TASK, "log");
    std::fs::remove_file(&log)?;
    std::os::unix::fs::symlink("/dev/full", &log)?;
    let outcome = sandbox.syncctl(&["start", TASK])?;
    ensure!(
        outcome.exit_code == 1 && outcome.stderr.contains(".log"),
        "{outcome:?}"
    );
    ensure!(std::fs::read(sandbox.task_file(TASK, "status"))? == status);
    ensure!(!sandbox.is_running(TASK) && !sandbox.task_file(TASK, "progress").exists());
    std::fs::remove_file(&log)?;

    // An end without the line that tells it: the log is not complete, so neither is the run.
    let run = sandbox.mark_run(TASK);
    create_again(&sandbox)?;
    standin.wait_until_started()?;
    standin.end_silently(0)?;
    sandbox.wait_for_run(&run)?;
    ensure!(exit_code(&sandbox)? == "1" && sandbox.log(TASK).contains("not complete"));
    Ok(())
}
