// SPDX-License-Identifier: GPL-3.0-or-later
//! What the agent sees and does (contract section 1): progress, descriptors, an end at any moment, many at once.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sandbox::mail::plan;
use sandbox::{Outcome, Plan, Proxy, Sandbox, Side, wait_until};
use serde_json::{Value, json};

use crate::support::USER;

/// A task that has so much to do, over such a slow line, that its runs do not end by themselves.
fn endless(sandbox: &Sandbox) -> anyhow::Result<(Proxy, Value)> {
    let mails = plan(&Plan {
        messages: 300,
        large_per_mille: 100,
        ..Plan::default()
    });
    sandbox.add_mail(Side::Remote, USER, &mails)?;
    let remote = SocketAddr::from((sandbox.remote().address(), sandbox.remote().port()));
    let line = Proxy::start(remote, Duration::ZERO)?;
    line.throttle(40_000);
    let input = sandbox.task_with(json!({"remoteport": line.port(), "start": false}));
    Ok((line, input))
}

/// Every task is whole: its files belong together, and nothing is left on its way.
fn consistent(sandbox: &Sandbox) -> anyhow::Result<()> {
    let files = sandbox.state_files()?;
    for name in files.keys() {
        ensure!(
            !name.ends_with(".tmp") && !name.ends_with(".new") && !name.ends_with(".commit"),
            "{name} is left"
        );
    }
    for (name, file) in files.iter().filter(|(name, _)| name.ends_with(".env")) {
        let stem = name.trim_start_matches("imapsync/").trim_end_matches(".env");
        ensure!(
            file.text.ends_with("\n") && file.text.contains("\nFOLDERSYNCHRONIZATION="),
            "{name}: {file:?}"
        );
        let password = files
            .get(&format!("imapsync/{stem}.pwd"))
            .with_context(|| format!("{stem} has no password"))?;
        assert_eq!((password.mode, file.mode), (0o600, 0o600));
        let minutes = file
            .text
            .lines()
            .find_map(|line| line.strip_prefix("CRON=")?.strip_suffix('m'));
        let cron = files
            .get(&format!("cron/{stem}.cron"))
            .map(|cron| cron.text.as_str());
        match minutes {
            Some(minutes) => ensure!(
                cron.is_some_and(|cron| cron.contains(&format!("*/{minutes} * * * * root"))),
                "{name} {cron:?}"
            ),
            None => ensure!(cron.is_none(), "{name} {cron:?}"),
        }
    }
    Ok(())
}

#[test]
fn progress_is_told_and_never_goes_back() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let rows: Vec<Value> = (0..20)
        .map(|number| sandbox.task_with(json!({"task_id": format!("p{number}"), "start": false})))
        .collect();
    for (action, input) in [
        ("create-task", rows[0].clone()),
        ("import-tasks", json!({"mode": "skip", "tasks": rows})),
    ] {
        let outcome = sandbox.action(action, input)?;
        ensure!(outcome.is_ok(), "{outcome:#?}");
        let told: Vec<u8> = outcome
            .commands
            .iter()
            .filter(|words| words[0] == "set-progress")
            .map(|words| words[1].parse().unwrap())
            .collect();
        ensure!(
            told.len() > 1 && told.is_sorted() && told.iter().all(|percent| *percent <= 100),
            "{action}: {told:?}"
        );
    }
    Ok(())
}

#[test]
fn a_run_that_was_started_holds_nothing_of_the_action() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let (_line, input) = endless(&sandbox)?;
    ensure!(sandbox.action("create-task", input)?.is_ok());
    let task = json!({"localuser": "u1", "task_id": "abc123"});
    for (action, input) in [
        ("start-task", task.clone()),
        ("start-task", json!({"tasks": [task]})),
        ("start-all-tasks", Value::Null),
    ] {
        // The agent waits for the end of all three: stdout, stderr and its own descriptor. If the run held one, it would
        // be over when the action is.
        let outcome = sandbox.action(action, input)?;
        ensure!(outcome.is_ok(), "{outcome:#?}");
        sandbox.wait_until_running("u1_abc123")?;
        ensure!(sandbox.action("stop-all-tasks", Value::Null)?.is_ok());
        ensure!(!sandbox.is_running("u1_abc123"));
    }
    Ok(())
}

#[test]
fn what_many_tasks_are_done_to_can_be_cancelled_at_any_moment() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let ids: Vec<String> = (0..12).map(|number| format!("c{number:02}")).collect();
    let rows = |cron: &str| -> Vec<Value> {
        ids.iter()
            .map(|id| sandbox.task_with(json!({"task_id": id, "cron": cron, "start": false})))
            .collect()
    };
    let tasks: Vec<Value> = ids
        .iter()
        .map(|id| json!({"localuser": "u1", "task_id": id}))
        .collect();
    for step in 0..6 {
        for (action, input) in [
            ("import-tasks", json!({"mode": "update", "tasks": rows("5m")})),
            (
                "update-tasks",
                json!({"tasks": tasks, "cron": format!("{}m", step + 6)}),
            ),
            ("delete-task", json!({"tasks": tasks})),
        ] {
            let running = sandbox.start_action(action, input)?;
            // The moments are spread over the action.
            std::thread::sleep(Duration::from_millis(step * 40));
            running.cancel();
            running.wait()?;
            // The next one to take the tasks finishes or drops what was left half done.
            ensure!(sandbox.action("update-tasks", json!({"tasks": tasks}))?.is_ok());
            consistent(&sandbox).with_context(|| format!("{action} cancelled at {step}"))?;
            ensure!(sandbox.action("list-tasks", json!({}))?.is_ok());
        }
    }
    ensure!(
        sandbox
            .action("import-tasks", json!({"mode": "update", "tasks": rows("9m")}))?
            .is_ok()
    );
    ensure!(sandbox.action("delete-task", json!({"tasks": tasks}))?.is_ok());
    let left = sandbox.state_files()?;
    ensure!(
        left.keys().all(|name| !name.contains("u1_c")),
        "{:?}",
        left.keys()
    );
    Ok(())
}

#[test]
fn forty_actions_of_all_kinds_on_one_task_leave_it_whole() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.add_mail(
        Side::Remote,
        USER,
        &plan(&Plan {
            messages: 20,
            ..Plan::default()
        }),
    )?;
    let task = json!({"localuser": "u1", "task_id": "abc123"});
    ensure!(sandbox.action("create-task", sandbox.task_input())?.is_ok());
    let running: Vec<_> = (0..40)
        .map(|number| {
            let (action, input) = match number % 8 {
                0 => (
                    "create-task",
                    sandbox.task_with(json!({"cron": format!("{}m", number + 1)})),
                ),
                1 => ("start-task", task.clone()),
                2 => ("stop-task", task.clone()),
                3 => ("delete-task", task.clone()),
                4 => ("list-tasks", json!({})),
                5 => ("update-tasks", json!({"tasks": [task], "cron": "7m"})),
                6 => ("get-progress", json!({})),
                _ => ("start-all-tasks", json!({})),
            };
            Ok((action, sandbox.start_action(action, input)?))
        })
        .collect::<anyhow::Result<_>>()?;
    for (action, running) in running {
        let outcome = running.wait()?;
        let refused = outcome.status == Outcome::VALIDATION_FAILED && outcome.errors() == ["task_not_found"];
        // Somebody may delete the task between an edit and the start of its run.
        let told = outcome.status == Outcome::ABORTED && outcome.exit_code == 1 && !outcome.stderr.is_empty();
        ensure!(outcome.is_ok() || refused || told, "{action}: {outcome:#?}");
        ensure!(!outcome.stderr.contains("panicked"), "{action}: {outcome:#?}");
    }
    ensure!(sandbox.action("stop-all-tasks", json!({}))?.is_ok());
    wait_until("the end of all runs", || !sandbox.is_running("u1_abc123"))?;
    // What a run was writing when it was stopped, the next one to take the task clears away.
    ensure!(sandbox.action("update-tasks", json!({"tasks": [task]}))?.is_ok());
    consistent(&sandbox)?;
    ensure!(
        sandbox
            .action(
                "create-task",
                sandbox.task_with(json!({"cron": "3m", "start": false}))
            )?
            .is_ok()
    );
    consistent(&sandbox)?;
    sandbox.sync_again("u1", "abc123")?;
    assert_eq!(
        sandbox
            .mailbox(Side::Local, "u1")?
            .values()
            .map(Vec::len)
            .sum::<usize>(),
        20,
        "nothing is lost or doubled"
    );
    Ok(())
}
