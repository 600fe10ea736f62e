// SPDX-License-Identifier: GPL-3.0-or-later
//! An imapsync that no one waits for any more, or that does not listen.

use anyhow::ensure;
use rustix::process::{Signal, kill_process};
use sandbox::{NewMail, Side, wait_until};
use serde_json::json;

use crate::imapsync::{create, holder, listing, standin, stopped_by_itself};
use crate::support::{TASK, USER};

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

/// What came after the run had begun is on no record when that is stopped: for a mirror it looks like local mail of which
/// the source knows nothing.
#[test]
fn what_a_stopped_run_brought_is_not_for_a_mirror_to_delete() -> anyhow::Result<()> {
    const OTHER: &str = "r2@example.com";
    const MIRROR: &str = "u1_mirror1";
    let (sandbox, standin) = standin::sandbox(&[])?;
    let finish = |task: &str, start: &dyn Fn() -> anyhow::Result<()>, brings: &[NewMail]| {
        let run = sandbox.mark_run(task);
        start()?;
        standin.wait_until_started()?;
        sandbox.local().deliver("u1", brings)?;
        standin.end(0)?;
        sandbox.wait_for_run(&run)?;
        let status = std::fs::read_to_string(sandbox.task_file(task, "status"))?;
        anyhow::Ok(status.lines().nth(1).unwrap_or_default().to_owned())
    };
    let start = |id: &'static str| {
        let sandbox = &sandbox;
        move || -> anyhow::Result<()> {
            let outcome = sandbox.action("start-task", json!({"localuser": "u1", "task_id": id}))?;
            ensure!(outcome.is_ok(), "{outcome:?}");
            Ok(())
        }
    };
    let mirrored = [NewMail::new("b1@x"), NewMail::new("b2@x")];
    sandbox.remote().deliver(OTHER, &mirrored)?;
    let mirror = json!({
        "task_id": "mirror1", "remoteusername": OTHER, "remotepassword": "Pw-r2!", "delete_local": true, "start": false,
    });
    create(&sandbox, sandbox.task_with(mirror))?;
    let exit = finish(MIRROR, &start("mirror1"), &mirrored)?;
    ensure!(exit == "0", "{}", sandbox.log(MIRROR));

    let (planned, later) = (NewMail::new("a1@x"), NewMail::new("a2@x"));
    sandbox.remote().deliver(USER, std::slice::from_ref(&planned))?;
    create(&sandbox, sandbox.task_input())?;
    standin.wait_until_started()?;
    sandbox.remote().deliver(USER, std::slice::from_ref(&later))?;
    sandbox.local().deliver("u1", &[planned, later])?;
    let stopped = sandbox.action("stop-task", json!({"localuser": "u1", "task_id": "abc123"}))?;
    ensure!(stopped.is_ok(), "{stopped:?}");

    let exit = finish(MIRROR, &start("mirror1"), &[])?;
    let log = sandbox.log(MIRROR);
    ensure!(
        exit == "111" && log.contains("a run of u1_abc123 by imapsync was cut off"),
        "{log}"
    );
    for (id, task) in [("abc123", TASK), ("mirror1", MIRROR)] {
        let exit = finish(task, &start(id), &[])?;
        ensure!(exit == "0", "{}", sandbox.log(task));
    }
    ensure!(listing(&sandbox, Side::Local, "u1", "INBOX")? == ["a1@x", "a2@x", "b1@x", "b2@x"]);
    Ok(())
}
