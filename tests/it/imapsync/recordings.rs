// SPDX-License-Identifier: GPL-3.0-or-later
//! The logs that real imapsync wrote, played back.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use sandbox::wait_until;
use serde_json::{Value, json};

use crate::imapsync::{create, create_again, exit_code, standin};
use crate::support::TASK;

/// What each recording comes to.
fn expected(name: &str) -> anyhow::Result<Value> {
    match name {
        "ok.log" => Ok(json!({
            "exit_code": 0, "exit_name": "EX_OK", "error": null,
            "messages": {"copied": 11, "skipped": 0, "failed": 0}, "bytes": 3449, "problems": 0,
            "folders": [["INBOX", "INBOX", 4], ["Spam", "Spam", 2], ["Work", "Work", 3], ["Work.Sub", "Work/Sub", 2]],
        })),
        "connection-refused.log" => Ok(json!({
            "exit_code": 101, "exit_name": "EXIT_CONNECTION_FAILURE_HOST1", "error": "Check_hostname_or_tcp_port",
            "messages": {"copied": 0, "skipped": 0, "failed": 0}, "bytes": 0, "problems": 3,
            "folders": [["INBOX", "INBOX", 0]],
        })),
        _ => anyhow::bail!("no one has said what {name} comes to"),
    }
}

#[test]
fn every_recorded_log_becomes_status_report_and_summary() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sync/imapsync/fixtures");
    let mut created = false;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .context("no name")?;
        let expected = expected(name)?;
        let run = sandbox.mark_run(TASK);
        match created {
            true => drop(create_again(&sandbox)?),
            false => create(&sandbox, sandbox.task_input())?,
        }
        created = true;
        standin.wait_until_started()?;
        standin.say(&fs::read_to_string(&path)?)?;
        let code = expected["exit_code"].as_i64().context("no code")?;
        standin.end_silently(i32::try_from(code)?)?;
        sandbox.wait_for_run(&run)?;

        ensure!(exit_code(&sandbox)? == code.to_string(), "{}", sandbox.log(TASK));
        let mut report: Value = serde_json::from_slice(&fs::read(sandbox.task_file(TASK, "report"))?)?;
        report["problems"] = json!(report["problems"].as_array().map(Vec::len));
        report["folders"] = report["folders"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|folder| json!([folder["remote"], folder["local"], folder["copied"]]))
            .collect();
        for (field, value) in expected.as_object().into_iter().flatten() {
            ensure!(report[field] == *value, "{name}: {field} of {report}");
        }
        let summary = format!(
            "{TASK}: {} messages transferred, exit code {code}\n",
            expected["messages"]["copied"]
        );
        wait_until("the summary", || sandbox.journal().contains(&summary))?;
    }
    ensure!(created);
    Ok(())
}
