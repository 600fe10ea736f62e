// SPDX-License-Identifier: GPL-3.0-or-later
//! What actions ask of the container: looking costs nothing, a login one `podman exec`.

use anyhow::ensure;
use sandbox::{NewMail, wait_until};
use serde_json::{Value, json};

use crate::node::Node;
use crate::{TASK, USER};

/// Those that only look.
fn questions() -> Vec<(&'static str, Value)> {
    let task = json!({"localuser": "u1", "task_id": "abc123"});
    vec![
        ("list-tasks", json!({})),
        ("list-tasks", json!({"tasks": [task]})),
        ("get-progress", json!({})),
        ("get-facts", json!({})),
        ("get-log", task.clone()),
        ("get-history", task),
        ("list-sources", json!({})),
    ]
}

#[test]
fn whoever_only_looks_needs_no_container() -> anyhow::Result<()> {
    let node = Node::start()?;
    let sandbox = &node.sandbox;
    sandbox.remote().deliver(USER, &[NewMail::new("first@x")])?;
    sandbox.sync(sandbox.task_input())?;
    let answers = || {
        let mut answers = vec![];
        for (action, input) in questions() {
            let (outcome, calls) = node.calls_of(|| sandbox.action(action, input))?;
            ensure!(outcome.is_ok(), "{action}: {outcome:?}\n{}", node.journal());
            ensure!(calls.is_empty(), "{action}: {calls:?}");
            answers.push((action, outcome.output));
        }
        Ok(answers)
    };
    // The supervisor hears of the end of a run a moment later than its files tell.
    wait_until("the task to be idle", || {
        let listed = sandbox.action("list-tasks", json!({}));
        listed.is_ok_and(|listed| listed.output["user_properties"][0]["state"] == "idle")
    })?;
    let before = answers()?;
    let stopped = sandbox.helper("systemctl", &["--user", "stop", "imapsync.service"])?;
    ensure!(stopped.exit_code == 0, "{stopped:?}");
    ensure!(
        sandbox.syncctl(&["status", TASK])?.exit_code == 125,
        "the container is there"
    );
    let after = answers()?;
    for (before, after) in before.iter().zip(&after) {
        ensure!(before == after, "{before:?}\n{after:?}");
    }
    Ok(())
}

#[test]
fn a_task_is_created_by_one_login_on_each_side_and_one_call_of_the_container() -> anyhow::Result<()> {
    let node = Node::start()?;
    let sandbox = &node.sandbox;
    let logins =
        || [sandbox.remote(), sandbox.local()].map(|server| server.log().matches("Login: user=").count());
    let before = logins();
    let input = sandbox.task_with(json!({"start": false}));
    let (created, calls) = node.calls_of(|| sandbox.action("create-task", input))?;
    ensure!(created.is_ok(), "{created:?}");
    ensure!(
        calls.len() == 1 && calls[0].contains("syncctl validation -"),
        "{calls:?}"
    );
    // Servers may log a little later than they answer.
    let after = before.map(|count| count + 1);
    wait_until("the logins", || logins() >= after)?;
    ensure!(logins() == after, "{before:?} {:?}", logins());
    if node.real {
        // The supervisor is the container's main process, and is told over its socket.
        for (action, input, expected) in [
            ("create-task", sandbox.task_input(), 1),
            ("start-task", json!({"localuser": "u1"}), 0),
            ("start-all-tasks", json!({}), 0),
        ] {
            let mark = sandbox.mark_run(TASK);
            let (started, calls) = node.calls_of(|| sandbox.action(action, input))?;
            ensure!(started.is_ok(), "{action}: {started:?}");
            ensure!(calls.len() == expected, "{action}: {calls:?}");
            sandbox.wait_for_run(&mark)?;
        }
    }
    Ok(())
}
