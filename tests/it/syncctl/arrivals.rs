// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail as it arrives: the source tells, a run begins, and whatever is edited, paused or deleted is heeded at once. No cron
//! runs here: what comes, comes because the source told.

use std::fs;

use anyhow::ensure;
use rustix::process::{Signal, kill_process};
use sandbox::wait_until;
use serde_json::{Value, json};

use crate::arriving::Arriving;
use crate::support::{TASK, USER};
use crate::syncctl::supervisor::process;
use crate::syncctl::world::World;

/// A supervised task whose mail is pulled as it arrives.
fn listening() -> anyhow::Result<World> {
    let world = World::supervised(2)?;
    task(&world).begin()?;
    Ok(world)
}

fn task(world: &World) -> Arriving<'_> {
    Arriving::of(&world.sandbox, "u1", USER)
}

fn update(world: &World, mut changes: Value) -> anyhow::Result<()> {
    changes["tasks"] = json!([World::reference()]);
    let outcome = world.sandbox.action("update-tasks", changes)?;
    ensure!(outcome.output["results"][0]["result"] == "updated", "{outcome:?}");
    Ok(())
}

#[test]
fn new_mail_comes_by_itself_also_after_restarts_and_crashes() -> anyhow::Result<()> {
    let world = listening()?;
    for number in 0..3 {
        task(&world).arrives("INBOX", &format!("here-{number}@x"))?;
    }
    // Dovecot tells news of other folders as well.
    world.sandbox.remote().create_folder(USER, "Work")?;
    for how in ["stop", "kill"] {
        world.service(how)?;
        task(&world).left()?;
        ensure!(world.listed(TASK)?["listening"].is_null(), "no one listens");
        task(&world).append("INBOX", &format!("away-{how}@x"))?;
        world.service("start")?;
        wait_until("what came meanwhile", || {
            task(&world).copies("INBOX", &format!("away-{how}@x")) == 1
        })?;
        task(&world).wait_for("watching")?;
        task(&world).arrives("INBOX", &format!("again-{how}@x"))?;
        task(&world).arrives("Work", &format!("work-{how}@x"))?;
    }
    // The last run has its own until it ends.
    wait_until("one connection for each task", || task(&world).connections() == 1)
}

#[test]
fn edits_pauses_and_deletion_are_heeded_while_the_source_is_listened_to() -> anyhow::Result<()> {
    let world = listening()?;
    let sandbox = &world.sandbox;
    update(&world, json!({"on_hold": true}))?;
    task(&world).left()?;
    task(&world).append("INBOX", "held@x")?;
    update(&world, json!({"on_hold": false}))?;
    wait_until("what was held", || task(&world).copies("INBOX", "held@x") == 1)?;

    // Other settings: the next login is made with them.
    sandbox.remote().set_user(USER, "another")?;
    let mut input = sandbox.task_input();
    input["remotepassword"] = "another".into();
    input["start"] = false.into();
    let outcome = sandbox.action("create-task", input)?;
    ensure!(outcome.is_ok(), "{outcome:?}");
    task(&world).wait_for("watching")?;
    task(&world).arrives("INBOX", "edited@x")?;
    let log = sandbox.remote().log();
    ensure!(!log.contains("auth failed"), "no one tried the former password");

    // Schedules of the whole instance.
    let paused = sandbox.node().state().join("imapsync/.schedules-paused");
    fs::write(&paused, "")?;
    task(&world).left()?;
    fs::remove_file(&paused)?;
    task(&world).wait_for("watching")?;

    sandbox.listen_to("u1", "abc123", false)?;
    task(&world).left()?;
    task(&world).begin()?;
    let outcome = sandbox.action("delete-task", World::reference())?;
    ensure!(outcome.is_ok(), "{outcome:?}");
    task(&world).left()
}

#[test]
fn a_refused_login_counts_once_and_is_not_tried_again_until_a_run_gets_in() -> anyhow::Result<()> {
    let world = listening()?;
    let sandbox = &world.sandbox;
    // A run that the end of the service interrupts would go on, and be refused as well.
    task(&world).arrives("INBOX", "before@x")?;
    wait_until("its run to end", || {
        world.listed(TASK).is_ok_and(|task| task["state"] == "idle")
    })?;
    world.service("stop")?;
    fs::write(world.file("pwd"), "Not-the-one")?;
    world.service("start")?;
    task(&world).wait_for("refused")?;
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
    task(&world).wait_for("refused")?;
    ensure!(attempts() == before, "one attempt");
    fs::write(
        world.file("pwd"),
        sandbox.task_input()["remotepassword"]
            .as_str()
            .unwrap_or_default(),
    )?;
    task(&world).wait_for("watching")?;
    task(&world).arrives("INBOX", "in-again@x")
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
        task(&world).kick()?;
        task(&world).wait_for("connecting")?;
        wait_until("the journal to say why", || told() == 1)?;
        task(&world).wait_for("watching")?;
    }
    ensure!(told() == 1, "{}", world.sandbox.journal());
    Ok(())
}

#[test]
fn a_service_that_ends_leaves_the_source_before_it_kills_a_run_that_does_not_end() -> anyhow::Result<()> {
    let world = listening()?;
    let other = world.another("u2", &world.hanging()?)?;
    let follower = world.spawn(&["start", &other])?;
    wait_until("the other run", || {
        world.sandbox.is_running(&other) && world.sandbox.task_file(&other, "progress").exists()
    })?;
    kill_process(process(&world, &other)?, Signal::STOP)?;
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| world.service("stop"));
        task(&world).left()?;
        ensure!(world.sandbox.is_running(&other), "it was waited for");
        stopping.join().map_err(|_| anyhow::anyhow!("a thread failed"))?
    })?;
    follower.wait_with_output()?;
    ensure!(!world.sandbox.is_running(&other));
    Ok(())
}

#[test]
fn a_stopped_run_is_not_started_again_by_the_news_that_it_was_started_by() -> anyhow::Result<()> {
    let world = listening()?;
    update(&world, json!({"bandwidth": 1}))?;
    let line = "A line of the large one, which is not there before the limit is lifted.\r\n";
    let large = format!(
        "Message-ID: <large@x>\r\nSubject: large@x\r\n\r\n{}",
        line.repeat(10_000)
    );
    let mut owner = world.sandbox.remote().imap(USER)?;
    owner.append("INBOX", "", large.as_bytes())?;
    wait_until("the run", || world.file("progress").exists())?;
    let stopped = world.sandbox.action("stop-task", World::reference())?;
    ensure!(stopped.is_ok() && !world.sandbox.is_running(TASK), "{stopped:?}");
    wait_until("its connections to be gone", || task(&world).connections() == 1)?;
    let listed = world.listed(TASK)?;
    ensure!(
        listed["state"] == "idle" && listed["listening"] == "watching",
        "a stop ends the run, and no more: {listed}"
    );
    update(&world, json!({"bandwidth": 0}))?;
    task(&world).arrives("INBOX", "later@x")?;
    ensure!(task(&world).copies("INBOX", "large@x") == 1);
    // It was the next one to begin.
    let journal = world.sandbox.journal();
    let ends: Vec<&str> = journal
        .lines()
        .filter(|line| line.contains("messages transferred"))
        .collect();
    let after: Vec<&&str> = ends
        .iter()
        .skip_while(|line| !line.contains("exit code 143"))
        .skip(1)
        .collect();
    ensure!(
        after.iter().all(|line| line.contains("2 messages transferred")),
        "{journal}"
    );
    Ok(())
}
