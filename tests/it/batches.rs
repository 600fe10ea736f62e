// SPDX-License-Identifier: GPL-3.0-or-later
//! Tasks that are moved together.

use anyhow::ensure;
use sandbox::{NewMail, Sandbox, Side};
use serde_json::{Value, json};

use crate::support::{TASK, USER, action_output};

fn batch(sandbox: &Sandbox, name: &str) -> anyhow::Result<Value> {
    action_output(sandbox, "get-batch", json!({"batch": name}))
}

fn join(sandbox: &Sandbox, name: &str) -> anyhow::Result<()> {
    let task = json!({"localuser": "u1", "task_id": "abc123"});
    action_output(sandbox, "update-tasks", json!({"tasks": [task], "batch": name}))?;
    Ok(())
}

fn deliver(sandbox: &Sandbox, messages: usize) -> anyhow::Result<()> {
    let mails: Vec<NewMail> = (0..messages)
        .map(|number| NewMail::new(&format!("{number}.{messages}@batch")))
        .collect();
    sandbox.add_mail(Side::Remote, USER, &mails)
}

#[test]
fn a_batch_tells_how_much_of_its_mail_is_moved_and_how_fast() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    deliver(&sandbox, 5)?;
    sandbox.sync(sandbox.task_input())?;
    ensure!(batch(&sandbox, "Week 12")?["tasks"] == 0, "nothing is in it yet");
    join(&sandbox, "Week 12")?;

    let told = batch(&sandbox, " Week 12 ")?;
    ensure!(told["tasks"] == 1 && told["uncounted"] == 0, "{told}");
    ensure!(
        told["messages_done"] == 5 && told["messages_total"] == 5,
        "{told}"
    );
    let bytes = told["bytes_done"].as_u64().unwrap_or(0);
    ensure!(bytes > 0 && told["bytes_total"] == bytes, "{told}");
    let moved = told["throughput"]["bytes"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let moved: u64 = moved.iter().filter_map(Value::as_u64).sum();
    ensure!(moved == bytes, "{told}");
    ensure!(told["rate"] == 0 && told["seconds_left"].is_null(), "{told}");

    // A run that failed has not counted anything; what was moved before was moved.
    std::fs::write(sandbox.task_file(TASK, "pwd"), "wrong")?;
    sandbox.sync_again("u1", "abc123")?;
    let told = batch(&sandbox, "Week 12")?;
    ensure!(told["uncounted"] == 1 && told["bytes_done"] == bytes, "{told}");

    // What is stored is told, no matter what is not there.
    sandbox.redis().stop();
    ensure!(batch(&sandbox, "Week 12")?["tasks"] == 1);
    Ok(())
}

#[test]
fn a_batch_without_a_name_is_refused() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    for name in ["", "  ", "a\nb"] {
        let outcome = sandbox.action("get-batch", json!({"batch": name}))?;
        ensure!(outcome.exit_code != 0, "{name:?}");
        ensure!(outcome.stdout.contains("\"batch"), "{}", outcome.stdout);
    }
    Ok(())
}
