// SPDX-License-Identifier: GPL-3.0-or-later
//! Runs that begin at a time, and schedules that do not all begin at once.

use std::fs;

use anyhow::ensure;
use sandbox::wait_until;
use serde_json::{Value, json};

use crate::support::{TASK, action_output};
use crate::syncctl::supervisor::by_schedule;
use crate::syncctl::world::World;

const BATCH: &str = "Friday";
const AN_HOUR: i64 = 3600;

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// When the tasks of the batch begin.
fn told(world: &World) -> anyhow::Result<Value> {
    let mut told = action_output(&world.sandbox, "get-batch", json!({"batch": BATCH}))?;
    Ok(told["start_at"].take())
}

fn plan(world: &World, at: Option<i64>) -> anyhow::Result<Value> {
    action_output(&world.sandbox, "start-batch", json!({"batch": BATCH, "at": at}))
}

#[test]
fn a_batch_begins_at_its_time_whatever_happens_until_then() -> anyhow::Result<()> {
    let world = World::supervised(2)?;
    let sandbox = &world.sandbox;
    sandbox.add_accounts(&["w1".to_owned()])?;
    let other = world.another("w1", &fs::read_to_string(world.file("env"))?)?;
    let tasks = json!([World::reference(), {"localuser": "w1", "task_id": "x"}]);
    action_output(sandbox, "update-tasks", json!({"tasks": tasks, "batch": BATCH}))?;
    ensure!(told(&world)?.is_null());

    let at = now() + AN_HOUR;
    ensure!(plan(&world, Some(at))?["tasks"] == 2);
    let waits = |task: &str| -> anyhow::Result<bool> {
        Ok(world.listed(task)?["state"] == "queued" && !sandbox.task_file(&other, "status").exists())
    };
    ensure!(told(&world)? == at && waits(TASK)? && waits(&other)?);

    // A restart keeps it, an edit too, and another time takes its place.
    world.service("stop")?;
    world.service("start")?;
    wait_until("the queue as it was", || {
        told(&world).is_ok_and(|told| told == at) && waits(&other).is_ok_and(|waits| waits)
    })?;
    action_output(
        sandbox,
        "update-tasks",
        json!({"tasks": tasks, "cron": "22:30@fri"}),
    )?;
    ensure!(told(&world)? == at && waits(TASK)? && waits(&other)?);
    ensure!(plan(&world, Some(at + 60))?["tasks"] == 2 && told(&world)? == at + 60);

    // By hand one begins at once, and the other waits.
    fs::remove_file(world.file("status"))?;
    action_output(sandbox, "start-task", World::reference())?;
    wait_until("the run", || world.file("status").exists())?;
    ensure!(told(&world)? == at + 60 && waits(&other)?);

    // Taken back, nothing waits any more.
    ensure!(plan(&world, None)?["tasks"] == 1);
    ensure!(told(&world)?.is_null() && world.listed(&other)?["state"] == "idle");
    ensure!(plan(&world, None)?["tasks"] == 0);

    let far = json!({"batch": BATCH, "at": now() + 1000 * 86_400});
    let refused = sandbox.action("start-batch", far)?;
    ensure!(
        refused.exit_code != 0 && refused.stdout.contains("at_invalid"),
        "{refused:?}"
    );

    ensure!(plan(&world, Some(now() + 1))?["tasks"] == 2);
    wait_until("the first copy", || sandbox.task_file(&other, "status").exists())?;
    wait_until("the end", || {
        world.listed(TASK).is_ok_and(|task| task["state"] == "idle")
    })?;
    ensure!(told(&world)?.is_null());

    // Where no one remembers it, nothing is promised.
    world.service("stop")?;
    let refused = sandbox.action("start-batch", json!({"batch": BATCH, "at": now() + AN_HOUR}))?;
    ensure!(
        refused.exit_code != 0 && refused.stdout.contains("service_not_running"),
        "{refused:?}"
    );
    Ok(())
}

#[test]
fn schedules_of_one_minute_begin_one_after_the_other() -> anyhow::Result<()> {
    let world = World::supervised(4)?;
    let sandbox = &world.sandbox;
    let env = fs::read_to_string(world.file("env"))?.replace("\nCRON=\n", "\nCRON=1h\n");
    let users = ["w1", "w2", "w3"].map(str::to_owned);
    sandbox.add_accounts(&users)?;
    let mut tasks = vec![];
    for user in &users {
        tasks.push(world.another(user, &env)?);
    }
    // Whichever comes first, the others wait: what has run is not in the queue any more.
    for task in &tasks {
        let line = by_schedule(&world, task)?.wait_with_output()?;
        ensure!(line.status.success(), "{line:?}");
    }
    let queue = sandbox.node().state().join("imapsync/.queue/queue.json");
    let queue: Value = serde_json::from_slice(&fs::read(queue)?)?;
    let entry = |task: &str| {
        let mut entries = queue["entries"].as_array().into_iter().flatten();
        entries.find(|entry| entry["task"] == task).cloned()
    };
    let late = entry(&tasks[2]).unwrap_or_default();
    let delay = late["not_before"].as_i64().zip(late["since"].as_i64());
    ensure!(
        delay.is_some_and(|(begin, since)| (1..=900).contains(&(begin - since))),
        "{queue}"
    );
    ensure!(
        entry(&tasks[0]).is_none_or(|first| first["not_before"].is_null()),
        "{queue}"
    );

    // By hand it need not wait.
    let user = json!({"localuser": "w3", "task_id": "x"});
    action_output(sandbox, "start-task", user)?;
    wait_until("all runs", || {
        tasks
            .iter()
            .all(|task| sandbox.task_file(task, "status").exists())
    })
}
