// SPDX-License-Identifier: GPL-3.0-or-later
//! `syncctl` as the container knows it (contract section 5): one run at a time, stopped when it is told to, and what it
//! says to whom.

mod arrivals;
mod bad_input;
mod bandwidth;
mod hostile;
mod many;
mod restarts;
mod start_at;
mod supervisor;
mod world;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use sandbox::{MASTER_PASSWORD, NewMail, wait_until};

use crate::support::{TASK, USER};
use world::World;

fn tell(child: &Child, signal: Signal) -> anyhow::Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    Ok(kill_process(pid.context("no process id")?, signal)?)
}

fn nothing_left(world: &World) -> anyhow::Result<()> {
    for gone in ["timestamp", "progress", "pid"] {
        ensure!(!world.file(gone).exists(), "{gone} is still there");
    }
    let folder = world.sandbox.node().state().join("imapsync");
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        ensure!(!name.to_string_lossy().ends_with(".tmp"), "{name:?} is left");
    }
    Ok(())
}

#[test]
fn a_start_while_the_task_runs_changes_nothing() -> anyhow::Result<()> {
    let world = World::start()?;
    ensure!(world.syncctl(&["status", TASK])?.stdout == "Stopped\n");
    world.hang()?;
    world.run()?;
    ensure!(world.syncctl(&["status", TASK])?.stdout == "Running\n");
    wait_until("the log to begin", || {
        world.sandbox.log(TASK).contains("Host2: IMAP server")
    })?;
    let (former, journal) = (world.former()?, world.sandbox.journal());
    let pid = fs::read(world.file("pid"))?;
    for _ in 0..3 {
        let tick = world.syncctl(&["start", TASK])?;
        ensure!(
            tick.exit_code == 0 && tick.stdout.contains("already running"),
            "{tick:?}"
        );
    }
    ensure!(world.former()? == former && fs::read(world.file("pid"))? == pid);
    ensure!(world.sandbox.journal() == journal);
    let stopped = world.syncctl(&["stop", TASK])?;
    ensure!(stopped.exit_code == 0, "{stopped:?}");
    Ok(())
}

#[test]
fn every_run_is_summed_up_in_one_line() -> anyhow::Result<()> {
    let world = World::start()?;
    let summaries = |code: u8| {
        let line = format!("{TASK}: 0 messages transferred, exit code {code}");
        world.sandbox.journal().matches(&line).count()
    };
    world.sandbox.sync_again("u1", "abc123")?;
    world.sandbox.sync_again("u1", "abc123")?;
    wait_until("two lines", || summaries(0) == 2)?;
    fs::write(world.file("pwd"), "Not-the-one")?;
    world.sandbox.sync_again("u1", "abc123")?;
    wait_until("the line of the failure", || summaries(161) == 1)?;
    ensure!(!world.sandbox.journal().contains("Not-the-one"));
    ensure!(summaries(0) == 2);
    Ok(())
}

#[test]
fn a_stop_comes_back_when_the_run_is_gone() -> anyhow::Result<()> {
    let world = World::start()?;
    let status = fs::read(world.file("status"))?;
    ensure!(world.file("timestamp").exists());
    // With nothing to stop, the next run looks at everything all the same.
    let stopped = world.syncctl(&["stop", TASK])?;
    ensure!(
        stopped.exit_code == 0 && !world.file("timestamp").exists(),
        "{stopped:?}"
    );

    world.hang()?;
    let run = world.spawn(&["start", TASK])?;
    wait_until("the run", || world.file("progress").exists())?;
    let stopped = world.syncctl(&["stop", TASK])?;
    ensure!(stopped.exit_code == 0, "{stopped:?}");
    ensure!(!world.sandbox.is_running(TASK));
    let ended = run.wait_with_output()?;
    ensure!(ended.status.code() == Some(143), "{ended:?}");
    ensure!(
        fs::read(world.file("status"))? == status,
        "a stop leaves the former status"
    );
    nothing_left(&world)
}

#[test]
fn a_stopped_run_leaves_what_is_told_of_the_former_one() -> anyhow::Result<()> {
    // The contract, section 4: a stop by hand leaves the former status, with and without a supervisor.
    for supervised in [false, true] {
        let world = match supervised {
            true => World::supervised(2)?,
            false => World::start()?,
        };
        let hanging = world.hanging()?;
        let never = world.another("u2", &hanging)?;
        world.hang()?;
        let before = world.listed(TASK)?;
        ensure!(before["last_sync_exit_code"] == 0, "{before}");
        for task in [TASK, &never] {
            let run = world.spawn(&["start", task])?;
            wait_until("the run", || world.sandbox.task_file(task, "progress").exists())?;
            let stopped = world.syncctl(&["stop", task])?;
            ensure!(stopped.exit_code == 0, "{stopped:?}");
            let ended = run.wait_with_output()?;
            ensure!(ended.status.code() == Some(143), "{ended:?}");
        }
        let after = world.listed(TASK)?;
        for told in [
            "last_sync_exit_code",
            "last_sync_timestamp",
            "last_sync_error",
            "state",
        ] {
            ensure!(
                after[told] == before[told],
                "{supervised} {told}: {before} {after}"
            );
        }
        let never = world.listed(&never)?;
        ensure!(
            never["last_sync_exit_code"].is_null() && never["state"] == "idle",
            "{never}"
        );
    }
    Ok(())
}

#[test]
fn a_run_that_does_not_listen_is_killed_and_cleaned_up_after() -> anyhow::Result<()> {
    let world = World::start()?;
    let status = fs::read(world.file("status"))?;
    world.hang()?;
    let mut run = world.spawn(&["start", TASK])?;
    wait_until("the run", || world.file("progress").exists())?;
    tell(&run, Signal::STOP)?;
    let stop = std::thread::spawn({
        let mut command = world.program()?;
        move || command.args(["stop", TASK]).output()
    });
    let ended = run.wait()?;
    ensure!(ended.code().is_none(), "{ended:?}");
    let stopped = stop.join().ok().context("the stop panicked")??;
    ensure!(stopped.status.success(), "{stopped:?}");
    ensure!(fs::read(world.file("status"))? == status);
    ensure!(!world.sandbox.is_running(TASK));
    nothing_left(&world)
}

#[test]
fn a_run_can_be_ended_from_the_moment_it_is_known() -> anyhow::Result<()> {
    let world = World::start()?;
    let status = fs::read(world.file("status"))?;
    world.hang()?;
    for signal in [Signal::TERM, Signal::INT, Signal::HUP].repeat(5) {
        let mut run = world.spawn(&["start", TASK])?;
        let known = format!("{} ", run.id());
        while !fs::read_to_string(world.file("lock"))?.starts_with(&known) {
            ensure!(run.try_wait()?.is_none(), "it ended by itself");
        }
        tell(&run, signal)?;
        let ended = run.wait_with_output()?;
        ensure!(ended.status.code() == Some(143), "{signal:?}: {ended:?}");
        ensure!(fs::read(world.file("status"))? == status);
        nothing_left(&world)?;
    }
    Ok(())
}

#[test]
fn what_a_crash_left_means_nothing() -> anyhow::Result<()> {
    let world = World::start()?;
    world.hang()?;
    let mut run = world.spawn(&["start", TASK])?;
    wait_until("the run", || world.file("progress").exists())?;
    tell(&run, Signal::KILL)?;
    run.wait()?;
    ensure!(world.file("pid").exists(), "no one was there to remove it");
    ensure!(world.syncctl(&["status", TASK])?.stdout == "Stopped\n");
    ensure!(world.syncctl(&["stop", TASK])?.exit_code == 0);
    nothing_left(&world)
}

#[test]
fn an_edit_under_way_is_waited_for_even_while_the_container_is_down() -> anyhow::Result<()> {
    let world = World::start()?;
    let down = world
        .sandbox
        .helper("systemctl", &["--user", "stop", "imapsync.service"])?;
    ensure!(down.exit_code == 0, "{down:?}");
    let lock = File::open(world.file("lock"))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    let deletion = world.sandbox.start_action("delete-task", World::reference())?;
    // It asks podman in vain first; that the lock is given back later is what it has to bear.
    std::thread::sleep(Duration::from_millis(500));
    ensure!(!deletion.is_finished());
    drop(lock);
    let outcome = deletion.wait()?;
    ensure!(outcome.is_ok() && !world.file("env").exists(), "{outcome:?}");
    Ok(())
}

#[test]
fn a_trace_shows_the_commands_and_neither_mail_nor_secrets() -> anyhow::Result<()> {
    let world = World::start()?;
    ensure!(!world.file("trace").exists(), "no one asked for a trace");
    world
        .sandbox
        .remote()
        .deliver(USER, &[NewMail::new("traced@x")])?;
    let run = world
        .program()?
        .args(["start", TASK])
        .env("SYNC_DEBUG", "1")
        .output()?;
    ensure!(run.status.success(), "{run:?}");
    check_trace(&world)?;
    fs::remove_file(world.file("trace"))?;
    // The same by hand, without a supervisor and with one, which starts the run itself.
    world
        .sandbox
        .remote()
        .deliver(USER, &[NewMail::new("traced2@x")])?;
    let run = world.syncctl(&["start", "--debug", TASK])?;
    ensure!(run.exit_code == 0, "{run:?}");
    check_trace(&world)?;
    let world = World::supervised(1)?;
    world
        .sandbox
        .remote()
        .deliver(USER, &[NewMail::new("traced3@x")])?;
    let run = world.syncctl(&["start", "--debug", TASK])?;
    ensure!(run.exit_code == 0, "{run:?}");
    check_trace(&world)?;
    fs::remove_file(world.file("trace"))?;
    let run = world.syncctl(&["start", TASK])?;
    ensure!(run.exit_code == 0, "{run:?}");
    ensure!(!world.file("trace").exists(), "the next run was asked for none");
    let both = world.syncctl(&["start", "--debug", "--dry-run", TASK])?;
    ensure!(both.exit_code == 2, "{both:?}");
    Ok(())
}

fn check_trace(world: &World) -> anyhow::Result<()> {
    let mode = fs::metadata(world.file("trace"))?.permissions().mode();
    ensure!(mode & 0o777 == 0o600, "{mode:o}");
    let trace = fs::read_to_string(world.file("trace"))?;
    for told in ["> LIST", "FETCH", "> APPEND", "< A"] {
        ensure!(trace.contains(told), "{told} is not in {trace}");
    }
    for secret in [
        "Pw-r1!",
        MASTER_PASSWORD,
        "AUTHENTICATE",
        "Body of",
        "traced@x",
        "traced2@x",
        "traced3@x",
    ] {
        ensure!(!trace.contains(secret), "{secret} is in {trace}");
    }
    Ok(())
}
