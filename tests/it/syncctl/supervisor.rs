// SPDX-License-Identifier: GPL-3.0-or-later
//! The supervisor: who comes first, who hears of it, and what a crash or a stop touches.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sandbox::wait_until;
use serde_json::json;

use super::tell;
use crate::support::TASK;
use crate::syncctl::world::World;

/// The process of a run, as its lock says.
pub(super) fn process(world: &World, task: &str) -> anyhow::Result<Pid> {
    let text = fs::read_to_string(world.sandbox.task_file(task, "lock"))?;
    let pid = text.split(' ').next().and_then(|pid| pid.parse().ok());
    pid.and_then(Pid::from_raw).context("the lock names no process")
}

/// Starts a task as crond does: from a process of that name.
pub(super) fn by_schedule(world: &World, task: &str) -> anyhow::Result<Child> {
    let crond = world.sandbox.node().container().join("crond");
    let program = world.program()?.get_program().to_string_lossy().into_owned();
    fs::write(&crond, format!("#!/bin/sh\n{program} start {task}\nexit $?\n"))?;
    fs::set_permissions(&crond, fs::Permissions::from_mode(0o755))?;
    let mut command = std::process::Command::new(&crond);
    command.env_clear();
    for (name, value) in world.program()?.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().context("cannot run it")
}

fn running(world: &World, task: &str) -> bool {
    world.sandbox.is_running(task) && world.sandbox.task_file(task, "progress").exists()
}

#[test]
fn by_hand_comes_before_the_schedule_and_what_waits_can_be_stopped() -> anyhow::Result<()> {
    let world = World::supervised(1)?;
    let sandbox = &world.sandbox;
    let hanging = world.hanging()?;
    world.hang()?;
    world.run()?;
    let [scheduled, by_hand, other] = ["u2", "u3", "u4"].map(|user| world.another(user, &hanging));
    let (scheduled, by_hand, other) = (scheduled?, by_hand?, other?);
    // The line of a cron file is not followed by anybody: its process is gone as soon as the task is in the queue.
    let cron = by_schedule(&world, &scheduled)?.wait_with_output()?;
    ensure!(cron.status.success() && cron.stdout.is_empty(), "{cron:?}");
    let follower = world.spawn(&["start", &by_hand])?;
    let dropped = world.spawn(&["start", &other])?;
    for task in [&scheduled, &by_hand, &other] {
        wait_until("it to wait", || {
            world.listed(task).is_ok_and(|task| task["state"] == "queued")
        })?;
        ensure!(!sandbox.is_running(task), "a task that waits needs no process");
        ensure!(world.syncctl(&["status", task])?.stdout == "Running\n");
    }
    let again = world.syncctl(&["start", &by_hand])?;
    ensure!(
        again.exit_code == 0 && again.stdout.contains("already running"),
        "{again:?}"
    );

    let stopped = sandbox.action("stop-task", json!({"localuser": "u4"}))?;
    ensure!(
        stopped.is_ok() && world.listed(&other)?["state"] == "idle",
        "{stopped:?}"
    );
    let dropped = dropped.wait_with_output()?;
    ensure!(dropped.status.code() == Some(143), "{dropped:?}");
    ensure!(!sandbox.task_file(&other, "log").exists(), "it never ran");

    ensure!(world.syncctl(&["stop", TASK])?.exit_code == 0);
    wait_until("the one by hand", || running(&world, &by_hand))?;
    ensure!(world.listed(&scheduled)?["state"] == "queued");
    let all = sandbox.action("stop-all-tasks", json!({}))?;
    ensure!(all.is_ok(), "{all:?}");
    let follower = follower.wait_with_output()?;
    let said = String::from_utf8_lossy(&follower.stdout).into_owned();
    ensure!(
        follower.status.code() == Some(143) && said.contains("0 messages transferred, exit code 143"),
        "{follower:?}"
    );
    for task in [TASK, &scheduled, &by_hand, &other] {
        ensure!(world.listed(task)?["state"] == "idle", "{task}");
    }
    Ok(())
}

#[test]
fn a_list_of_tasks_is_handed_over_at_once() -> anyhow::Result<()> {
    let world = World::supervised(1)?;
    let sandbox = &world.sandbox;
    let hanging = world.hanging()?;
    let others = ["u2", "u3"].map(|user| world.another(user, &hanging));
    for other in others {
        other?;
    }
    ensure!(world.syncctl(&["pause"])?.exit_code == 0);
    let listed = sandbox.action("list-tasks", json!({}))?.output;
    let tasks: Vec<_> = listed["user_properties"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|task| json!({"localuser": task["localuser"], "task_id": task["task_id"]}))
        .collect();
    ensure!(tasks.len() == 3, "{listed}");
    let twice = [&tasks[..], &tasks[..1]].concat();
    let started = sandbox.action("start-task", json!({"tasks": twice}))?;
    let results: Vec<_> = started.output["results"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let words: Vec<_> = results.iter().map(|result| &result["result"]).collect();
    ensure!(
        words == ["started", "started", "started", "already_running"],
        "{started:?}"
    );
    // What is handed over together has one number.
    let queue = fs::read_to_string(sandbox.node().state().join("imapsync/.queue/queue.json"))?;
    let queue: serde_json::Value = serde_json::from_str(&queue)?;
    let entries: Vec<_> = queue["entries"].as_array().into_iter().flatten().collect();
    ensure!(
        entries.len() == 3 && entries.iter().all(|entry| entry["batch"] == entries[0]["batch"]),
        "{queue}"
    );
    Ok(())
}

#[test]
fn tasks_are_handed_over_without_a_process_in_the_container() -> anyhow::Result<()> {
    let world = World::supervised(1)?;
    let sandbox = &world.sandbox;
    fs::write(sandbox.node().shims().join("podman"), "#!/bin/sh\nexit 125\n")?;
    for (action, input) in [("start-task", World::reference()), ("start-all-tasks", json!({}))] {
        let mark = sandbox.mark_run(TASK);
        let started = sandbox.action(action, input)?;
        ensure!(started.is_ok(), "{started:?}");
        sandbox.wait_for_run(&mark)?;
    }
    // Where it cannot be reached, it is asked from within its container, which is not there.
    fs::remove_file(sandbox.node().state().join("imapsync/.queue/socket"))?;
    let refused = sandbox.action("start-task", World::reference())?;
    ensure!(
        !refused.is_ok() && format!("{refused:?}").contains("service_not_running"),
        "{refused:?}"
    );
    Ok(())
}

#[test]
fn whoever_follows_a_run_hears_how_it_ended() -> anyhow::Result<()> {
    let world = World::supervised(2)?;
    let sandbox = &world.sandbox;
    let line = |code: u8| format!("{TASK}: 0 messages transferred, exit code {code}");
    let fine = world.syncctl(&["start", TASK])?;
    ensure!(
        fine.exit_code == 0 && fine.stdout == format!("{}\n", line(0)),
        "{fine:?}"
    );
    wait_until("the journal", || sandbox.journal().contains(&line(0)))?;
    // As soon as a run is seen to be over, the next start is one.
    for _ in 0..10 {
        let mark = sandbox.mark_run(TASK);
        let all = sandbox.action("start-all-tasks", json!({}))?;
        ensure!(all.is_ok(), "{all:?}");
        sandbox.wait_for_run(&mark)?;
    }
    let unknown = world.syncctl(&["start", "nobody_x"])?;
    ensure!(
        unknown.exit_code == 66 && unknown.stderr.contains("no task nobody_x"),
        "{unknown:?}"
    );

    let good = fs::read_to_string(world.file("env"))?;
    fs::write(world.file("env"), "not a task\n")?;
    let damaged = world.syncctl(&["start", TASK])?;
    ensure!(
        damaged.exit_code == 66 && damaged.stderr.contains("syncctl: "),
        "{damaged:?}"
    );
    fs::write(world.file("env"), &good)?;

    fs::write(world.file("pwd"), "Not-the-one")?;
    let another = world.another("u2", &good)?;
    let refused = world.syncctl(&["start", TASK])?;
    ensure!(
        refused.exit_code == 161 && refused.stdout == format!("{}\n", line(161)),
        "{refused:?}"
    );
    let several = world.syncctl(&["start", TASK, "nobody_x", &another])?;
    ensure!(
        several.exit_code == 1
            && several.stdout.matches("messages transferred").count() == 2
            && several.stderr.contains("no task nobody_x"),
        "{several:?}"
    );
    ensure!(!sandbox.journal().contains("Not-the-one"));
    Ok(())
}

#[test]
fn a_run_outlives_who_follows_it_unless_told_to_end() -> anyhow::Result<()> {
    let world = World::supervised(2)?;
    let sandbox = &world.sandbox;
    world.hang()?;
    let mut follower = world.spawn(&["start", TASK])?;
    wait_until("the run", || running(&world, TASK))?;
    let run = process(&world, TASK)?;
    ensure!(
        run.as_raw_nonzero().get().unsigned_abs() != follower.id(),
        "its own process"
    );
    tell(&follower, Signal::KILL)?;
    follower.wait()?;
    // One more that follows nothing, since the run is not its own.
    ensure!(
        world
            .syncctl(&["start", TASK])?
            .stdout
            .contains("already running")
    );
    ensure!(process(&world, TASK)? == run && sandbox.is_running(TASK));
    ensure!(world.syncctl(&["stop", TASK])?.exit_code == 0 && !sandbox.is_running(TASK));

    for signal in [Signal::INT, Signal::TERM] {
        let status = fs::read(world.file("status"))?;
        let follower = world.spawn(&["start", TASK])?;
        wait_until("the run", || running(&world, TASK))?;
        tell(&follower, signal)?;
        let ended = follower.wait_with_output()?;
        ensure!(ended.status.code() == Some(143), "{ended:?}");
        ensure!(!sandbox.is_running(TASK) && world.listed(TASK)?["state"] == "idle");
        ensure!(
            fs::read(world.file("status"))? == status,
            "a stop leaves the former status"
        );
        super::nothing_left(&world)?;
    }
    Ok(())
}

#[test]
fn a_run_that_crashes_or_does_not_listen_touches_no_other() -> anyhow::Result<()> {
    let world = World::supervised(2)?;
    let sandbox = &world.sandbox;
    let hanging = world.hanging()?;
    world.hang()?;
    world.run()?;
    let other = world.another("u2", &hanging)?;
    let follower = world.spawn(&["start", &other])?;
    wait_until("the other run", || running(&world, &other))?;
    kill_process(process(&world, &other)?, Signal::KILL)?;
    let follower = follower.wait_with_output()?;
    let said = String::from_utf8_lossy(&follower.stderr).into_owned();
    ensure!(
        follower.status.code() == Some(1) && said.contains("signal 9"),
        "{follower:?}"
    );
    let listed = world.listed(&other)?;
    ensure!(
        listed["state"] == "idle" && listed["last_sync_exit_code"] == 1,
        "{listed:?}"
    );
    ensure!(sandbox.is_running(TASK) && world.syncctl(&["health"])?.exit_code == 0);

    let status = fs::read(world.file("status"))?;
    kill_process(process(&world, TASK)?, Signal::STOP)?;
    ensure!(world.syncctl(&["stop", TASK])?.exit_code == 0 && !sandbox.is_running(TASK));
    ensure!(fs::read(world.file("status"))? == status);
    super::nothing_left(&world)
}

#[test]
fn a_pause_lasts_until_it_is_ended() -> anyhow::Result<()> {
    let world = World::supervised(2)?;
    let sandbox = &world.sandbox;
    ensure!(world.syncctl(&["pause"])?.exit_code == 0);
    let env = fs::read_to_string(world.file("env"))?;
    let deleted = world.another("u2", &env)?;
    let told = world.syncctl(&["start", "--detach", &deleted])?;
    ensure!(
        told.exit_code == 0 && told.stderr.contains("syncctl resume"),
        "{told:?}"
    );
    let gone = sandbox.action("delete-task", json!({"localuser": "u2"}))?;
    ensure!(gone.is_ok(), "{gone:?}");
    let mark = sandbox.mark_run(TASK);
    let started = sandbox.action("start-task", World::reference())?;
    ensure!(
        started.is_ok() && world.listed(TASK)?["state"] == "queued",
        "{started:?}"
    );
    ensure!(sandbox.mark_run(TASK) == mark);
    world.service("restart")?;
    // The service is started before its supervisor has taken the queue over.
    wait_until("it to wait again", || {
        world.listed(TASK).is_ok_and(|task| task["state"] == "queued")
    })?;
    ensure!(sandbox.mark_run(TASK) == mark);
    ensure!(world.syncctl(&["health"])?.exit_code == 0);
    ensure!(world.syncctl(&["resume"])?.exit_code == 0);
    sandbox.wait_for_run(&mark)?;
    wait_until("nothing to be left", || {
        world.listed(TASK).is_ok_and(|task| task["state"] == "idle")
    })?;
    ensure!(
        !sandbox.task_file(&deleted, "lock").exists() && !sandbox.task_file(&deleted, "log").exists(),
        "no file of a deleted task comes back"
    );
    Ok(())
}

#[test]
fn the_supervisor_ends_with_its_program_or_ends_it() -> anyhow::Result<()> {
    let world = World::start()?;
    let none = world.syncctl(&["health"])?;
    ensure!(
        none.exit_code == 1 && none.stderr.contains("no supervisor"),
        "{none:?}"
    );
    for (script, code) in [("exit 7", 7), ("kill -9 $$", 137)] {
        let ended = world.syncctl(&["serve", "--", "sh", "-c", script])?;
        ensure!(ended.exit_code == code, "{ended:?}");
    }
    let missing = world.syncctl(&["serve", "--", "/no/such/program"])?;
    ensure!(
        missing.exit_code == 1 && missing.stderr.contains("/no/such/program"),
        "{missing:?}"
    );
    world.hang()?;
    let first = world.spawn(&["serve", "--", "sleep", "600"])?;
    wait_until("the supervisor", || {
        world.syncctl(&["health"]).is_ok_and(|said| said.exit_code == 0)
    })?;
    world.run()?;
    tell(&first, Signal::TERM)?;
    let ended = first.wait_with_output()?;
    ensure!(
        ended.status.code() == Some(0) && !world.sandbox.is_running(TASK),
        "{ended:?}"
    );
    ensure!(world.listed(TASK)?["last_sync_error"] == "interrupted");
    // What is left of the queue means nothing without a supervisor.
    ensure!(world.listed(TASK)?["state"] == "idle");
    Ok(())
}
