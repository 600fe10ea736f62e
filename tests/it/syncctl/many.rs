// SPDX-License-Identifier: GPL-3.0-or-later
//! Hundreds of tasks started at once.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, ensure};
use sandbox::wait_until;
use serde_json::json;

use crate::support::{TASK, action_output};
use crate::syncctl::world::World;

const TASKS: usize = 200;
const AT_ONCE: usize = 3;

/// How many tasks there are in each state.
fn states(world: &World) -> anyhow::Result<BTreeMap<String, usize>> {
    let outcome = world.sandbox.action("get-progress", json!({}))?;
    let mut states = BTreeMap::new();
    for task in outcome.output["tasks"].as_array().into_iter().flatten() {
        let state = task["state"].as_str().unwrap_or_default();
        *states.entry(state.to_owned()).or_default() += 1;
    }
    Ok(states)
}

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
    let states = || states(&world);
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

#[test]
fn a_source_runs_as_many_as_its_settings_say_and_those_that_wait_follow_them() -> anyhow::Result<()> {
    let world = World::supervised(4)?;
    let sandbox = &world.sandbox;
    let env = world.hanging()?;
    let port = env.lines().find_map(|line| line.strip_prefix("REMOTEPORT="));
    let mut source = json!({
        "source_id": "s", "label": "S", "hostname": "127.0.0.1", "security": "tls", "sign_in": "password",
        "port": port.context("no port")?.parse::<u16>()?, "runs": 1,
    });
    action_output(sandbox, "save-source", source.clone())?;
    let options: serde_json::Value = serde_json::from_slice(&fs::read(world.file("json"))?)?;
    for user in ["u1", "u2", "u3", "u4"] {
        let name = match user {
            "u1" => TASK.to_owned(),
            _ => world.another(user, &env)?,
        };
        let mut options = options.clone();
        options["source"] = json!({"id": "s", "mailbox": format!("{user}@example.com")});
        fs::write(sandbox.task_file(&name, "json"), options.to_string())?;
    }
    world.hang()?;
    ensure!(sandbox.action("start-all-tasks", json!({}))?.is_ok());
    let are = |queued: usize, running: usize| {
        let expected = BTreeMap::from([("queued".to_owned(), queued), ("running".to_owned(), running)]);
        wait_until("the runs", || {
            states(&world).is_ok_and(|states| states == expected)
        })
    };
    are(3, 1)?;
    let pid = fs::read_to_string(world.file("pid"))?;
    source["runs"] = 3.into();
    let saved = action_output(sandbox, "save-source", source.clone())?;
    ensure!(saved["source_id"] == "s", "{saved}");
    are(1, 3)?;
    ensure!(
        fs::read_to_string(world.file("pid"))? == pid,
        "the one at work went on"
    );
    source["runs"] = 0.into();
    action_output(sandbox, "save-source", source.clone())?;
    let expected = BTreeMap::from([("running".to_owned(), 4)]);
    wait_until("all to run", || {
        states(&world).is_ok_and(|states| states == expected)
    })?;

    source["runs"] = 65.into();
    let refused = sandbox.action("save-source", source)?;
    ensure!(
        !refused.is_ok() && refused.output.to_string().contains("runs"),
        "{refused:?}"
    );
    ensure!(sandbox.action("stop-all-tasks", json!({}))?.is_ok());
    Ok(())
}
