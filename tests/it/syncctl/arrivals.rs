// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail as it arrives: the source tells, a run begins, and whatever is edited, paused or deleted is heeded at once. No cron
//! runs here: what comes, comes because the source told.

use std::fs;

use anyhow::ensure;
use sandbox::{Side, wait_until};
use serde_json::{Value, json};

use crate::support::{TASK, USER};
use crate::syncctl::world::World;

/// A supervised task whose mail is pulled as it arrives.
fn listening() -> anyhow::Result<World> {
    let world = World::supervised(2)?;
    listen(&world, true)?;
    wait_for(&world, "watching")?;
    Ok(world)
}

fn listen(world: &World, listens: bool) -> anyhow::Result<()> {
    world.sandbox.listen_to("u1", "abc123", listens)
}

fn update(world: &World, mut changes: Value) -> anyhow::Result<()> {
    changes["tasks"] = json!([World::reference()]);
    let outcome = world.sandbox.action("update-tasks", changes)?;
    ensure!(outcome.output["results"][0]["result"] == "updated", "{outcome:?}");
    Ok(())
}

fn wait_for(world: &World, state: &str) -> anyhow::Result<()> {
    wait_until(&format!("the task to be {state}"), || {
        world.listed(TASK).is_ok_and(|task| task["listening"] == state)
    })
}

fn append(world: &World, folder: &str, id: &str) -> anyhow::Result<()> {
    let mail = format!("Message-ID: <{id}>\r\nFrom: a@x\r\nSubject: {id}\r\n\r\n{id}\r\n");
    world
        .sandbox
        .remote()
        .imap(USER)?
        .append(folder, "", mail.as_bytes())
}

/// How often a message is at the destination.
fn copies(world: &World, folder: &str, id: &str) -> usize {
    let mail = world.sandbox.mailbox(Side::Local, "u1").unwrap_or_default();
    let messages = mail.get(folder).map(Vec::as_slice).unwrap_or_default();
    messages
        .iter()
        .filter(|message| format!("{message:?}").contains(id))
        .count()
}

fn arrives(world: &World, folder: &str, id: &str) -> anyhow::Result<()> {
    append(world, folder, id)?;
    wait_until(&format!("{id} to arrive"), || copies(world, folder, id) == 1)
}

/// Connections of the account at its server.
fn connections(world: &World) -> usize {
    let who = world
        .sandbox
        .remote()
        .doveadm_run(&["who", "-1", USER])
        .unwrap_or_default();
    who.lines().filter(|line| line.contains("imap")).count()
}

fn left(world: &World) -> anyhow::Result<()> {
    wait_until("the source to be left", || connections(world) == 0)
}

#[test]
fn new_mail_comes_by_itself_also_after_restarts_and_crashes() -> anyhow::Result<()> {
    let world = listening()?;
    for number in 0..3 {
        arrives(&world, "INBOX", &format!("here-{number}@x"))?;
    }
    // Dovecot tells news of other folders as well.
    world.sandbox.remote().create_folder(USER, "Work")?;
    for how in ["stop", "kill"] {
        world.service(how)?;
        left(&world)?;
        ensure!(world.listed(TASK)?["listening"].is_null(), "no one listens");
        append(&world, "INBOX", &format!("away-{how}@x"))?;
        world.service("start")?;
        wait_until("what came meanwhile", || {
            copies(&world, "INBOX", &format!("away-{how}@x")) == 1
        })?;
        wait_for(&world, "watching")?;
        arrives(&world, "INBOX", &format!("again-{how}@x"))?;
        arrives(&world, "Work", &format!("work-{how}@x"))?;
    }
    ensure!(connections(&world) == 1, "one connection for each task");
    Ok(())
}

#[test]
fn edits_pauses_and_deletion_are_heeded_while_the_source_is_listened_to() -> anyhow::Result<()> {
    let world = listening()?;
    let sandbox = &world.sandbox;
    update(&world, json!({"on_hold": true}))?;
    left(&world)?;
    append(&world, "INBOX", "held@x")?;
    update(&world, json!({"on_hold": false}))?;
    wait_until("what was held", || copies(&world, "INBOX", "held@x") == 1)?;

    // Other settings: the next login is made with them.
    sandbox.remote().set_user(USER, "another")?;
    let mut input = sandbox.task_input();
    input["remotepassword"] = "another".into();
    input["start"] = false.into();
    let outcome = sandbox.action("create-task", input)?;
    ensure!(outcome.is_ok(), "{outcome:?}");
    wait_for(&world, "watching")?;
    arrives(&world, "INBOX", "edited@x")?;
    let log = sandbox.remote().log();
    ensure!(!log.contains("auth failed"), "no one tried the former password");

    // Schedules of the whole instance.
    let paused = sandbox.node().state().join("imapsync/.schedules-paused");
    fs::write(&paused, "")?;
    left(&world)?;
    fs::remove_file(&paused)?;
    wait_for(&world, "watching")?;

    listen(&world, false)?;
    left(&world)?;
    listen(&world, true)?;
    wait_for(&world, "watching")?;
    let outcome = sandbox.action("delete-task", World::reference())?;
    ensure!(outcome.is_ok(), "{outcome:?}");
    left(&world)
}

#[test]
fn a_refused_login_counts_once_and_is_not_tried_again_until_a_run_gets_in() -> anyhow::Result<()> {
    let world = listening()?;
    let sandbox = &world.sandbox;
    world.service("stop")?;
    fs::write(world.file("pwd"), "Not-the-one")?;
    world.service("start")?;
    wait_for(&world, "refused")?;
    let refused = fs::read_to_string(world.file("refused"))?;
    ensure!(refused.contains("\"runs\":1"), "{refused}");
    ensure!(
        !sandbox.journal().contains("Not-the-one"),
        "no secret in the journal"
    );
    let attempts = || sandbox.remote().log().matches("auth failed").count();
    let before = attempts();
    // What somebody else's files are does not matter, nor does what is decided of this task.
    update(&world, json!({"batch": "one"}))?;
    wait_for(&world, "refused")?;
    ensure!(attempts() == before, "one attempt");
    fs::write(
        world.file("pwd"),
        sandbox.task_input()["remotepassword"]
            .as_str()
            .unwrap_or_default(),
    )?;
    wait_for(&world, "watching")?;
    arrives(&world, "INBOX", "in-again@x")
}

#[test]
fn the_journal_says_why_a_connection_is_made_again_and_not_each_time() -> anyhow::Result<()> {
    let world = listening()?;
    let told = || {
        let journal = world.sandbox.journal();
        journal
            .matches("that tells of new mail is made again later: ")
            .count()
    };
    ensure!(told() == 0, "{}", world.sandbox.journal());
    for _ in 0..2 {
        world.sandbox.remote().doveadm_run(&["kick", USER])?;
        wait_for(&world, "connecting")?;
        wait_until("the journal to say why", || told() == 1)?;
        wait_for(&world, "watching")?;
    }
    ensure!(told() == 1, "{}", world.sandbox.journal());
    Ok(())
}
