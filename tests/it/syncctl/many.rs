// SPDX-License-Identifier: GPL-3.0-or-later
//! Hundreds of tasks started at once.

use std::collections::BTreeMap;
use std::fs;

use anyhow::ensure;
use sandbox::wait_until;
use serde_json::json;

use crate::support::TASK;
use crate::syncctl::world::World;

const TASKS: usize = 200;
const AT_ONCE: usize = 3;

#[test]
fn hundreds_of_tasks_are_started_at_once_and_wait_for_each_other() -> anyhow::Result<()> {
    let world = World::start()?;
    let sandbox = &world.sandbox;
    let running = sandbox.node().container().join("running");
    let environment = fs::read_to_string(&running)?;
    fs::write(&running, format!("{environment}MAX_CONCURRENT_SYNCS={AT_ONCE}\n"))?;
    let (env, password) = (world.hanging()?, fs::read(world.file("pwd"))?);
    let names: Vec<String> = (0..TASKS).map(|n| format!("t{n:03}")).collect();
    // Runs of one user wait for each other in any case.
    let task_of = |id: &str| format!("user{id}_{id}");
    for id in &names {
        let task = task_of(id);
        fs::write(sandbox.task_file(&task, "pwd"), &password)?;
        fs::write(
            sandbox.task_file(&task, "env"),
            env.replace("TASK_ID=abc123", &format!("TASK_ID={id}"))
                .replace("LOCALUSER=u1\n", &format!("LOCALUSER=user{id}\n")),
        )?;
    }
    let outcome = sandbox.action("delete-task", World::reference())?;
    ensure!(outcome.is_ok(), "{outcome:?}");

    let started = sandbox.action("start-all-tasks", json!({}))?;
    ensure!(started.is_ok(), "{started:?}");
    let states = || -> anyhow::Result<BTreeMap<String, usize>> {
        let outcome = sandbox.action("get-progress", json!({}))?;
        let mut states = BTreeMap::new();
        for task in outcome.output["tasks"].as_array().into_iter().flatten() {
            let state = task["state"].as_str().unwrap_or_default();
            *states.entry(state.to_owned()).or_default() += 1;
        }
        Ok(states)
    };
    let expected = BTreeMap::from([
        ("queued".to_owned(), TASKS - AT_ONCE),
        ("running".to_owned(), AT_ONCE),
    ]);
    wait_until("all to wait or run", || {
        states().is_ok_and(|states| states == expected)
    })?;

    // Ticks of cron, and a second start of all, add nothing to the line.
    let tickets = || fs::read_dir(sandbox.node().state().join("imapsync/.queue")).map(Iterator::count);
    let line = tickets()?;
    let again = sandbox.action("start-all-tasks", json!({}))?;
    ensure!(again.is_ok(), "{again:?}");
    for id in names.iter().step_by(60) {
        let tick = world.syncctl(&["start", &task_of(id)])?;
        ensure!(
            tick.exit_code == 0 && tick.stdout.contains("already running"),
            "{tick:?}"
        );
    }
    ensure!(tickets()? == line && states()? == expected);

    // One that ends makes room for one.
    let first = names.iter().map(|id| task_of(id)).find(|task| {
        fs::read_to_string(sandbox.task_file(task, "progress")).is_ok_and(|text| text.contains("running"))
    });
    let stopped = world.syncctl(&["stop", first.as_deref().unwrap_or(TASK)])?;
    ensure!(stopped.exit_code == 0, "{stopped:?}");
    let expected = BTreeMap::from([
        ("idle".to_owned(), 1),
        ("queued".to_owned(), TASKS - AT_ONCE - 1),
        ("running".to_owned(), AT_ONCE),
    ]);
    wait_until("the next one", || states().is_ok_and(|states| states == expected))?;

    let stopped = sandbox.action("stop-all-tasks", json!({}))?;
    ensure!(stopped.is_ok(), "{stopped:?}");
    ensure!(states()? == BTreeMap::from([("idle".to_owned(), TASKS)]));
    Ok(())
}
