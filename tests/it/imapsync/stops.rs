// SPDX-License-Identifier: GPL-3.0-or-later
//! An imapsync that no one waits for any more, or that does not listen.

use anyhow::ensure;
use rustix::process::{Signal, kill_process};
use sandbox::wait_until;
use serde_json::json;

use crate::imapsync::{create, holder, standin, stopped_by_itself};
use crate::support::TASK;

#[test]
fn an_orphan_can_be_stopped() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    create(&sandbox, sandbox.task_input())?;
    standin.wait_until_started()?;
    kill_process(holder(&sandbox)?, Signal::KILL)?;
    let outcome = sandbox.action("stop-task", json!({"localuser": "u1", "task_id": "abc123"}))?;
    ensure!(outcome.is_ok(), "{outcome:?}");
    ensure!(!sandbox.is_running(TASK));
    Ok(())
}

#[test]
fn a_stop_is_seen_while_it_lasts_and_a_deaf_imapsync_is_killed() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    create(&sandbox, sandbox.task_input())?;
    standin.wait_until_started()?;
    standin.turn_deaf()?;
    let stop = sandbox.start_action("stop-task", json!({"localuser": "u1", "task_id": "abc123"}))?;
    wait_until("the stop to show", || {
        sandbox
            .action("get-progress", json!({}))
            .is_ok_and(|shown| shown.output["tasks"][0]["state"] == "stopping")
    })?;
    let stopped = stop.wait()?;
    ensure!(stopped.is_ok() && !sandbox.is_running(TASK), "{stopped:?}");
    ensure!(standin.was_terminated()?, "it was asked first");
    stopped_by_itself(&sandbox, "u1_abc123")?;
    for gone in ["status", "timestamp", "progress", "pid"] {
        ensure!(!sandbox.task_file(TASK, gone).exists(), "{gone} is there");
    }
    Ok(())
}
