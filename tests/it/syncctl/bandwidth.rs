// SPDX-License-Identifier: GPL-3.0-or-later
//! Limits of the bandwidth: kept, shared, and followed by runs at work. What takes at least so long is measured; nothing
//! here fails for being slow.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::ensure;
use sandbox::{MAIL_MODULE_UUID, NewMail, Outcome, Side, wait_until};
use serde_json::{Value, json};

use crate::support::{TASK, USER, run_action};
use crate::syncctl::world::World;

/// The octets of a large message's text.
const LARGE: usize = 600 * 1024;

fn large(id: &str) -> NewMail {
    let line = "A line of seventy octets, which no one reads, and which takes its time.\r\n";
    let text = line.repeat(LARGE / line.len() + 1);
    NewMail::new(id).content(format!(
        "Message-Id: <{id}>\r\nFrom: a@example.net\r\nSubject: {id}\r\n\r\n{text}"
    ))
}

fn update(world: &World, mut changes: Value) -> anyhow::Result<()> {
    changes["tasks"] = json!([World::reference()]);
    let outcome = run_action(&world.sandbox, "update-tasks", changes)?;
    ensure!(outcome.output["results"][0]["result"] == "updated", "{outcome:?}");
    Ok(())
}

fn configure(world: &World, bandwidth: i64) -> anyhow::Result<()> {
    let host = world.sandbox.local().address().to_string();
    let input = json!({"mail_server": MAIL_MODULE_UUID, "mail_host": host, "bandwidth": bandwidth});
    run_action(&world.sandbox, "configure-module", input)?;
    let now = run_action(&world.sandbox, "get-configuration", json!({}))?;
    ensure!(now.output["bandwidth"] == bandwidth, "{now:?}");
    Ok(())
}

/// Has a run begin that gets on by a KiB in a second; the process of it.
fn crawl(world: &World) -> anyhow::Result<String> {
    world.sandbox.remote().deliver(USER, &[large("large@x")])?;
    world.run()?;
    wait_until("both servers to be met", || {
        world.sandbox.log(TASK).contains("Host2: IMAP server")
    })?;
    Ok(fs::read_to_string(world.file("pid"))?)
}

fn arrived(world: &World, user: &str, id: &str) -> bool {
    let mail = world.sandbox.mailbox(Side::Local, user).unwrap_or_default();
    mail.values()
        .flatten()
        .any(|message| message.message_id.contains(id))
}

/// The same run has gone on until all was there: by itself it would have taken ten minutes.
fn comes_to_its_end(world: &World, pid: &str) -> anyhow::Result<()> {
    let same = || fs::read_to_string(world.file("pid")).is_ok_and(|now| now == pid);
    wait_until("the end of the run", || !same())?;
    ensure!(arrived(world, "u1", "large@x"), "{}", world.sandbox.log(TASK));
    ensure!(
        world.listed(TASK)?["last_sync_exit_code"] == 0,
        "{}",
        world.sandbox.log(TASK)
    );
    Ok(())
}

#[test]
fn a_task_keeps_its_limit() -> anyhow::Result<()> {
    let world = World::start()?;
    update(&world, json!({"bandwidth": 300}))?;
    ensure!(world.listed(TASK)?["bandwidth"] == 300);
    world.sandbox.remote().deliver(USER, &[large("large@x")])?;
    let begun = Instant::now();
    world.sandbox.sync_again("u1", "abc123")?;
    // 600 KiB at 300 KiB a second, of which a quarter of a second may come at once.
    let least = Duration::from_millis(1750);
    ensure!(begun.elapsed() >= least, "{:?}", begun.elapsed());
    ensure!(arrived(&world, "u1", "large@x"));
    Ok(())
}

#[test]
fn a_run_at_work_follows_its_task_its_form_and_the_instance() -> anyhow::Result<()> {
    for way in ["update-tasks", "create-task", "configure-module"] {
        let world = World::supervised(2)?;
        let input = world.sandbox.task_input();
        match way {
            "configure-module" => configure(&world, 1)?,
            _ => update(&world, json!({"bandwidth": 1}))?,
        }
        let pid = crawl(&world)?;
        match way {
            "update-tasks" => update(&world, json!({"bandwidth": 0}))?,
            "create-task" => {
                let mut edit = input;
                edit["remotepassword"] = "".into();
                edit["bandwidth"] = 100_000.into();
                run_action(&world.sandbox, "create-task", edit)?;
            }
            _ => configure(&world, 0)?,
        }
        comes_to_its_end(&world, &pid)?;
    }
    Ok(())
}

#[test]
fn a_run_without_a_supervisor_follows_too_and_stops_by_itself() -> anyhow::Result<()> {
    let world = World::start()?;
    update(&world, json!({"bandwidth": 1}))?;
    let pid = crawl(&world)?;
    let stopped = world.syncctl(&["stop", TASK])?;
    ensure!(stopped.exit_code == 0, "{stopped:?}");
    // One that had to be killed could not have told how it ended.
    let log = world.sandbox.log(TASK);
    ensure!(log.contains("EXIT_BY_SIGNAL"), "{log}");
    ensure!(!arrived(&world, "u1", "large@x"));
    world.run()?;
    wait_until("another process", || {
        fs::read_to_string(world.file("pid")).is_ok_and(|now| !now.is_empty() && now != pid)
    })?;
    let pid = fs::read_to_string(world.file("pid"))?;
    update(&world, json!({"bandwidth": 100_000}))?;
    comes_to_its_end(&world, &pid)
}

#[test]
fn the_runs_of_a_source_share_its_limit() -> anyhow::Result<()> {
    let world = World::supervised(2)?;
    let sandbox = &world.sandbox;
    let source = |bandwidth: i64| {
        json!({
            "source_id": "old", "label": "Old", "hostname": sandbox.remote().address().to_string(),
            "port": sandbox.remote().port(), "security": "tls", "sign_in": "password", "bandwidth": bandwidth,
        })
    };
    run_action(sandbox, "save-source", source(1))?;
    let tasks = [("u1", USER, "Pw-r1!"), ("u2", "r2@example.com", "Pw-r2!")];
    for (user, remote, password) in tasks {
        sandbox.remote().deliver(remote, &[large("large@x")])?;
        let mut input = sandbox.task_with(json!({
            "task_id": "shared", "localuser": user, "remoteusername": remote, "remotepassword": password,
            "source": "old",
        }));
        for of_source in ["remotehostname", "remoteport", "security"] {
            input.as_object_mut().unwrap().remove(of_source);
        }
        run_action(sandbox, "create-task", input)?;
    }
    let running = |user: &str| sandbox.is_running(&format!("{user}_shared"));
    wait_until("both runs", || running("u1") && running("u2"))?;
    let pids = || ["u1", "u2"].map(|user| fs::read(sandbox.task_file(&format!("{user}_shared"), "pid")).ok());
    wait_until("both to be under way", || pids().iter().all(Option::is_some))?;
    let former = pids();
    run_action(sandbox, "save-source", source(100))?;
    let changed = Instant::now();
    ensure!(pids() == former, "an edit of the limit alone stops no run");
    wait_until("both ends", || !running("u1") && !running("u2"))?;
    // 1,200 KiB at 100 KiB a second; each of them by itself would take half of that.
    let least = Duration::from_secs(8);
    ensure!(changed.elapsed() >= least, "{:?}", changed.elapsed());
    for user in ["u1", "u2"] {
        ensure!(
            arrived(&world, user, "large@x"),
            "{}",
            sandbox.log(&format!("{user}_shared"))
        );
    }
    let listed = run_action(sandbox, "list-sources", json!({}))?;
    ensure!(listed.output["sources"][0]["bandwidth"] == 100, "{listed:?}");
    Ok(())
}

#[test]
fn what_is_no_limit_is_refused() -> anyhow::Result<()> {
    let world = World::start()?;
    let sandbox = &world.sandbox;
    update(&world, json!({"bandwidth": 7}))?;
    let before = sandbox.state_files()?;
    for wrong in [json!(-1), json!(10_485_761), json!(1.5), json!("5")] {
        let inputs = [
            ("create-task", sandbox.task_with(json!({"bandwidth": wrong}))),
            (
                "update-tasks",
                json!({"tasks": [World::reference()], "bandwidth": wrong}),
            ),
            (
                "save-source",
                json!({"label": "x", "hostname": "imap.x", "port": 143, "sign_in": "password", "bandwidth": wrong}),
            ),
        ];
        for (action, input) in inputs {
            let outcome = sandbox.action(action, input)?;
            ensure!(
                outcome.status == Outcome::VALIDATION_FAILED,
                "{action} {wrong}: {outcome:?}"
            );
            ensure!(
                format!("{outcome:?}").contains("bandwidth"),
                "{action} {wrong}: {outcome:?}"
            );
        }
    }
    ensure!(sandbox.state_files()? == before);
    ensure!(world.listed(TASK)?["bandwidth"] == 7);
    Ok(())
}
