// SPDX-License-Identifier: GPL-3.0-or-later
//! What a restart of the service in the middle of runs leaves: nothing undone, nothing done twice.

use std::collections::BTreeMap;
use std::fs;

use anyhow::ensure;
use sandbox::{NewMail, Side, wait_until};
use serde_json::json;

use crate::support::TASK;
use crate::syncctl::world::World;

const TASKS: usize = 200;

#[test]
fn two_hundred_runs_are_complete_after_a_restart_and_a_crash_in_their_middle() -> anyhow::Result<()> {
    let world = World::supervised(3)?;
    let sandbox = &world.sandbox;
    let users: Vec<String> = (0..TASKS).map(|number| format!("w{number:03}")).collect();
    sandbox.add_accounts(&users)?;
    let env = fs::read_to_string(world.file("env"))?;
    let mut names = vec![];
    for user in &users {
        let mail = [format!("one@{user}"), format!("two@{user}")].map(|id| NewMail::new(&id));
        sandbox.remote().deliver(&format!("{user}@example.com"), &mail)?;
        names.push(world.another(user, &env)?);
    }
    let statuses = || {
        let done = |name: &&String| sandbox.task_file(name, "status").exists();
        names.iter().filter(done).count()
    };
    let started = sandbox.action("start-all-tasks", json!({}))?;
    ensure!(started.is_ok(), "{started:?}");

    // An update: the unit stops the container, and starts it again.
    wait_until("some runs to end", || statuses() >= TASKS / 10)?;
    world.service("stop")?;
    let before = statuses();
    ensure!(before < TASKS, "all were over before the restart");
    ensure!(names.iter().all(|name| !sandbox.is_running(name)));
    ensure!(
        world.listed(&names[TASKS - 1])?["state"] == "idle",
        "nothing runs, nothing waits"
    );
    world.service("start")?;

    // Everything is killed at once.
    wait_until("more runs to end", || statuses() >= before + TASKS / 10)?;
    world.service("kill")?;
    ensure!(statuses() < TASKS, "all were over before the crash");
    world.service("start")?;

    let complete = |name: &String| {
        fs::read_to_string(sandbox.task_file(name, "status")).is_ok_and(|text| text.ends_with("\n0\n"))
    };
    wait_until("all to be complete", || {
        names
            .iter()
            .all(|name| complete(name) && !sandbox.is_running(name))
    })?;
    for user in &users {
        let mail = sandbox.mailbox(Side::Local, user)?;
        let ids: Vec<String> = mail["INBOX"]
            .iter()
            .map(|message| format!("{message:?}"))
            .collect();
        let count = |id: &str| {
            ids.iter()
                .filter(|text| text.contains(&format!("{id}@{user}")))
                .count()
        };
        ensure!(
            ids.len() == 2 && count("one") == 1 && count("two") == 1,
            "{user}: {ids:?}"
        );
    }
    let progress = sandbox.action("get-progress", json!({"active": true}))?;
    ensure!(
        progress.output["counts"] == json!({"queued": 0, "running": 0, "stopping": 0}),
        "{progress:?}"
    );
    Ok(())
}

#[test]
fn a_run_that_a_restart_ends_is_told_as_interrupted_and_goes_on() -> anyhow::Result<()> {
    let world = World::supervised(1)?;
    let sandbox = &world.sandbox;
    let good = fs::read_to_string(world.file("env"))?;
    world.hang()?;
    world.run()?;
    let waiting = world.another("u2", &good)?;
    let second = sandbox.action("start-task", json!({"localuser": "u2"}))?;
    ensure!(
        second.is_ok() && world.listed(&waiting)?["state"] == "queued",
        "{second:?}"
    );
    for how in ["stop", "kill"] {
        world.service(how)?;
        ensure!(!sandbox.is_running(TASK) && world.listed(&waiting)?["state"] == "idle");
        world.service("start")?;
        wait_until("the run to go on", || {
            sandbox.is_running(TASK) && world.file("progress").exists()
        })?;
        let listed = world.listed(TASK)?;
        ensure!(
            listed["state"] == "running"
                && listed["last_sync_error"] == "interrupted"
                && listed["last_sync_exit_code"] == 143,
            "{how}: {listed:?}"
        );
        ensure!(world.listed(&waiting)?["state"] == "queued", "{how}");
    }
    ensure!(
        sandbox
            .journal()
            .contains("interrupted, since the service was stopped")
    );
    // With the server back both come to their ends.
    world.service("stop")?;
    let log = sandbox.log(TASK);
    ensure!(log.contains("goes on by itself after the next start"), "{log}");
    fs::write(world.file("env"), good)?;
    fs::write(sandbox.task_file(&waiting, "pwd"), "Not-the-one")?;
    let (first, second) = (sandbox.mark_run(TASK), sandbox.mark_run(&waiting));
    world.service("start")?;
    sandbox.wait_for_run(&first)?;
    sandbox.wait_for_run(&second)?;
    let codes =
        [TASK, &waiting].map(|name| world.listed(name).map(|task| task["last_sync_exit_code"].clone()));
    let codes = codes.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(codes == [json!(0), json!(161)], "{codes:?}");
    Ok(())
}

#[test]
fn what_the_former_service_left_running_is_waited_for() -> anyhow::Result<()> {
    let world = World::supervised(2)?;
    let sandbox = &world.sandbox;
    let queue = sandbox.node().state().join("imapsync/.queue/queue.json");
    let entry = |task: &str| json!({"task": task, "origin": "manual", "since": 1, "state": "running", "started": 1, "batch": 1});
    world.service("stop")?;
    // A task that was deleted meanwhile is no task any more.
    let content = json!({"paused": false, "entries": [entry(TASK), entry("gone_x")]});
    fs::write(&queue, content.to_string())?;
    let lock = fs::File::open(world.file("lock"))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)?;
    // As one that runs has it.
    let mut holder = std::process::Command::new("sleep").arg("600").spawn()?;
    let stat = fs::read_to_string(format!("/proc/{}/stat", holder.id()))?;
    let ticks = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.split(' ').nth(19))
        .unwrap_or_default();
    fs::write(world.file("lock"), format!("{} {ticks}\n", holder.id()))?;
    let mark = sandbox.mark_run(TASK);
    world.service("start")?;
    wait_until("an attempt", || {
        fs::read_to_string(&queue).is_ok_and(|text| text.contains("interrupted"))
    })?;
    ensure!(sandbox.mark_run(TASK) == mark);
    holder.kill()?;
    holder.wait()?;
    drop(lock);
    wait_until("the run", || sandbox.mark_run(TASK) != mark)?;
    wait_until("an empty queue", || {
        let states: BTreeMap<String, serde_json::Value> = fs::read(&queue)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        states.get("entries") == Some(&json!([]))
    })?;
    ensure!(world.listed(TASK)?["last_sync_exit_code"] == 0);
    Ok(())
}
