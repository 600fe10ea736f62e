// SPDX-License-Identifier: GPL-3.0-or-later
//! Changes of many tasks that go on when no one waits for them, and are found again.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::ensure;
use sandbox::{Sandbox, wait_until};
use serde_json::{Value, json};

use crate::support::action_output;

const TASKS: usize = 6;

fn job(sandbox: &Sandbox, job: &str) -> anyhow::Result<Value> {
    action_output(sandbox, "get-job", json!({"job": job, "results": true}))
}

fn rows(sandbox: &Sandbox, users: &[String]) -> Value {
    let row = |user: &String| {
        json!({
            "localuser": user,
            "remoteusername": format!("{user}@example.com"),
            "remotepassword": format!("Pw-{user}"),
            "remotehostname": sandbox.remote().address().to_string(),
            "remoteport": sandbox.remote().port(),
            "security": "tls",
            "start": false,
        })
    };
    users.iter().map(row).collect()
}

/// The reasons of an answer's rows; empty for those that were taken.
fn reasons(results: &Value) -> Vec<&str> {
    let rows = results.as_array().into_iter().flatten();
    rows.map(|row| row["errors"][0]["error"].as_str().unwrap_or_default())
        .collect()
}

#[test]
fn an_import_is_found_again_and_a_password_that_is_refused_is_not_tried_everywhere() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let users: Vec<String> = (0..TASKS).map(|number| format!("w{number}")).collect();
    sandbox.add_accounts(&users)?;
    ensure!(job(&sandbox, "import")?["state"] == "none");
    let input = json!({"mode": "skip", "keep": true, "tasks": rows(&sandbox, &users)});
    let answer = action_output(&sandbox, "import-tasks", input)?;
    ensure!(answer["created"] == TASKS, "{answer}");
    let found = job(&sandbox, "import")?;
    ensure!(
        found["state"] == "finished" && found["done"] == TASKS && found["total"] == TASKS,
        "{found}"
    );
    ensure!(found["results"] == answer["results"], "{found}");
    ensure!(job(&sandbox, "check")?["state"] == "none");
    for (path, file) in sandbox.state_files()? {
        if path.starts_with("imapsync/.jobs/") {
            ensure!(
                file.mode == 0o600 && !file.text.contains("Pw-"),
                "{path}: {}",
                file.text
            );
        }
    }

    // The same wrong password for all: the server is spared after three refusals.
    let tasks: Vec<Value> = answer["results"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| json!({"localuser": row["localuser"], "task_id": row["task_id"]}))
        .collect();
    let before = sandbox.state_files()?;
    let change = json!({"tasks": tasks, "remotepassword": "Not-the-one"});
    let answer = action_output(&sandbox, "update-tasks", change.clone())?;
    let mut found = reasons(&answer["results"]);
    found.sort_unstable();
    ensure!(
        found == [["bad_user_credentials"; 3], ["not_tried"; 3]].concat(),
        "{answer}"
    );
    ensure!(
        sandbox.state_files()? == before,
        "what was refused changes nothing"
    );

    let mut kept = change;
    kept["keep"] = json!(true);
    let answer = action_output(&sandbox, "update-tasks", kept)?;
    let found = job(&sandbox, "password")?;
    ensure!(
        found["state"] == "finished" && reasons(&found["results"]) == reasons(&answer["results"]),
        "{found}"
    );
    Ok(())
}

#[test]
fn a_job_at_work_is_seen_keeps_another_from_beginning_and_is_stopped() -> anyhow::Result<()> {
    const ROWS: usize = 20;
    let sandbox = Sandbox::start()?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let row = |number: usize| {
        json!({
            "localuser": "u1", "remoteusername": format!("r{number}"), "remotepassword": "x",
            "remotehostname": "127.0.0.1", "remoteport": silent.local_addr().map_or(0, |own| own.port()),
            "security": "tls", "start": false,
        })
    };
    let rows: Vec<Value> = (0..ROWS).map(row).collect();
    let input = json!({"mode": "check", "keep": true, "tasks": rows});
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let first = scope.spawn(|| sandbox.action("import-tasks", input.clone()));
        let seen = wait_until("the job", || {
            job(&sandbox, "check").is_ok_and(|job| job["state"] == "running")
        });
        let again = sandbox.action("import-tasks", input.clone());
        let stopped = action_output(&sandbox, "stop-job", json!({"job": "check"}));
        // One who waits for the server hears that it is not there.
        silent.set_nonblocking(true)?;
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                drop(silent.accept());
                std::thread::yield_now();
            }
        });
        let first = first.join();
        over.store(true, Ordering::Relaxed);
        seen?;
        stopped?;
        let again = again?;
        ensure!(
            again.exit_code != 0 && again.stdout.contains("job_running"),
            "{again:#?}"
        );
        let first = first.map_err(|_| anyhow::anyhow!("the import broke off"))??;
        let reasons = reasons(&first.output["results"]);
        ensure!(
            reasons.len() == ROWS && reasons.contains(&"not_tried"),
            "{first:#?}"
        );
        Ok(())
    })?;
    let found = job(&sandbox, "check")?;
    ensure!(found["state"] == "stopped" && found["done"] == ROWS, "{found}");
    action_output(&sandbox, "stop-job", json!({"job": "import"}))?;
    let wrong = sandbox.action("get-job", json!({"job": "everything"}))?;
    ensure!(wrong.exit_code != 0);
    Ok(())
}
