// SPDX-License-Identifier: GPL-3.0-or-later
//! A login that is refused run after run: the schedule pauses before the account is locked, and says so.

use anyhow::ensure;
use sandbox::Sandbox;
use serde_json::json;

use crate::support::{TASK, action_output};

#[test]
fn the_third_refused_run_in_a_row_pauses_the_schedule_until_one_gets_in() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let created = sandbox.action(
        "create-task",
        sandbox.task_with(json!({"cron": "5m", "start": false})),
    )?;
    ensure!(created.is_ok(), "{created:?}");
    let paused = || {
        let listing = action_output(&sandbox, "list-tasks", json!({}))?;
        anyhow::Ok(listing["user_properties"][0]["paused"] == true)
    };
    let run = |password: &str| {
        std::fs::write(sandbox.task_file(TASK, "pwd"), password)?;
        anyhow::Ok(sandbox.syncctl(&["start", TASK])?.exit_code)
    };
    let right = std::fs::read_to_string(sandbox.task_file(TASK, "pwd"))?;
    for (password, code, pauses) in [
        ("Wrong-1", 161, false),
        ("Wrong-1", 161, false),
        // One that gets in begins the count again.
        (&right, 0, false),
        ("Wrong-1", 161, false),
        ("Wrong-1", 161, false),
        ("Wrong-1", 161, true),
        ("Wrong-1", 161, true),
        (&right, 0, false),
    ] {
        ensure!(run(password)? == code, "{}", sandbox.log(TASK));
        ensure!(paused()? == pauses, "{}", sandbox.log(TASK));
        ensure!(
            sandbox.log(TASK).contains("schedule") == pauses,
            "{}",
            sandbox.log(TASK)
        );
    }
    Ok(())
}
