// SPDX-License-Identifier: GPL-3.0-or-later
//! Tokens that end, rotate, are taken back, and are asked for by many at once.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sandbox::{Proxy, Side};
use serde_json::json;

use super::{ANN, World};
use crate::support::action_output;

pub(super) fn renewals(world: &World) -> anyhow::Result<usize> {
    let asked = world.issuer.requests()?;
    Ok(asked.iter().filter(|grant| *grant == "refresh_token").count())
}

#[test]
fn a_token_is_renewed_once_for_all_who_need_it() -> anyhow::Result<()> {
    let world = World::with("device-code")?;
    world.deliver(ANN, 1)?;
    world.sign_in_by_device(ANN)?;
    world.end_tokens()?;
    std::thread::scope(|scope| {
        let tests: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let task = world.task("device-code", "u1", ANN);
                    action_output(&world.sandbox, "validate-task", task)
                })
            })
            .collect();
        for test in tests {
            let found = test.join().map_err(|_| anyhow::anyhow!("a thread failed"))??;
            ensure!(found["remote"]["status"] == "ok", "{found}");
        }
        anyhow::Ok(())
    })?;
    // A refresh token that is handed in twice would end the whole sign-in.
    ensure!(renewals(&world)? == 1, "{:?}", world.issuer.requests()?);
    Ok(())
}

#[test]
fn a_refresh_token_is_used_once_and_the_new_one_is_kept() -> anyhow::Result<()> {
    let world = World::with("device-code")?;
    world.deliver(ANN, 1)?;
    world.sign_in_by_device(ANN)?;
    ensure!(world.create("device-code", "u1", ANN)?.is_ok());
    for _ in 0..3 {
        world.end_tokens()?;
        let before = world.stored_tokens()?;
        let (code, report) = world.run("u1")?;
        ensure!(code == 0, "{report}");
        let after = world.stored_tokens()?;
        ensure!(
            before.iter().all(|token| !after.contains(token)),
            "a token was kept"
        );
    }
    Ok(())
}

#[test]
fn a_run_that_is_killed_while_it_renews_a_token_loses_no_sign_in() -> anyhow::Result<()> {
    let world = World::with("device-code")?;
    world.deliver(ANN, 1)?;
    world.sign_in_by_device(ANN)?;
    ensure!(world.create("device-code", "u1", ANN)?.is_ok());
    world.run_copies("u1", 1)?;
    // The provider has not got to it; it has answered, and the answer is lost with the run. A provider that takes each
    // refresh token once only has ended the sign-in then: no client can help that.
    for (messages, mode, rotate) in [(2, "slow", true), (3, "lost", false)] {
        world.issuer.set_rotation(rotate)?;
        world.issuer.set_mode(mode)?;
        world.end_tokens()?;
        let (asked, before) = (renewals(&world)?, world.stored_tokens()?);
        kill_run(&world, || renewals(&world).is_ok_and(|now| now > asked))?;
        ensure!(world.stored_tokens()? == before, "{mode}: a token was changed");
        world.issuer.set_mode("ok")?;
        world.deliver(ANN, messages)?;
        world.run_copies("u1", u64::try_from(messages)?)?;
    }
    // The new one is on the disk, and was not used yet.
    world.issuer.set_rotation(true)?;
    world.end_tokens()?;
    let before = world.stored_tokens()?;
    kill_run(&world, || world.stored_tokens().is_ok_and(|now| now != before))?;
    ensure!(world.stored_tokens()? != before, "no token was got");
    world.deliver(ANN, 4)?;
    world.end_tokens()?;
    let (code, report) = world.run("u1")?;
    ensure!(code == 0, "{report}");
    Ok(())
}

/// Starts a run, and kills it as soon as something is so.
fn kill_run(world: &World, moment: impl Fn() -> bool) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let run = scope.spawn(|| world.sandbox.syncctl(&["start", "u1_abc123"]));
        while !moment() {
            ensure!(!run.is_finished(), "the run has ended");
            std::thread::yield_now();
        }
        let lock = std::fs::read_to_string(world.sandbox.task_file("u1_abc123", "lock"))?;
        let pid = lock.split(' ').next().unwrap_or_default().parse()?;
        let pid = rustix::process::Pid::from_raw(pid).context("no process id in the lock")?;
        // It may be over already.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        run.join().map_err(|_| anyhow::anyhow!("a thread failed"))??;
        Ok(())
    })
}

#[test]
fn a_token_that_ends_during_a_run_is_no_failure() -> anyhow::Result<()> {
    let world = World::start()?;
    let server = SocketAddr::from((world.sandbox.remote().address(), world.sandbox.remote().port()));
    let proxy = Proxy::start(server, Duration::ZERO)?;
    let mut fields = world.issuer.source("application")?;
    fields["hostname"] = world.sandbox.remote().address().to_string().into();
    fields["port"] = proxy.port().into();
    world.save(fields)?;
    world.deliver(ANN, 1500)?;
    ensure!(world.create("application", "u1", ANN)?.is_ok());
    proxy.throttle(100_000);
    let before = world.issuer.requests()?.len();
    let done = AtomicBool::new(false);
    let (code, report) = std::thread::scope(|scope| {
        let breaking = scope.spawn(|| {
            let ended = || done.load(Ordering::Relaxed);
            let copied = || {
                let local = world.sandbox.mailbox(Side::Local, "u1");
                local.is_ok_and(|folders| folders.values().any(|messages| !messages.is_empty()))
            };
            while !ended() && !copied() {
                std::thread::yield_now();
            }
            let connections = proxy.connections();
            world.age_tokens()?;
            world.issuer.forget_access_tokens()?;
            proxy.cut_after(0);
            while !ended() && proxy.connections() == connections {
                std::thread::yield_now();
            }
            proxy.throttle(u64::MAX);
            proxy.heal();
            anyhow::Ok(())
        });
        let outcome = world.run("u1");
        done.store(true, Ordering::Relaxed);
        breaking
            .join()
            .map_err(|_| anyhow::anyhow!("a thread failed"))??;
        outcome
    })?;
    ensure!(code == 0 && report["messages"]["copied"] == 1500, "{report}");
    ensure!(report["messages"]["failed"] == 0, "{report}");
    ensure!(world.issuer.requests()?.len() > before, "no token was got");
    Ok(())
}

#[test]
fn a_token_that_was_taken_back_is_replaced_at_the_next_login() -> anyhow::Result<()> {
    for kind in ["application", "service-account", "device-code"] {
        let world = World::with(kind)?;
        world.deliver(ANN, 1)?;
        if kind == "device-code" {
            world.sign_in_by_device(ANN)?;
        }
        ensure!(world.create(kind, "u1", ANN)?.is_ok());
        world.issuer.forget_access_tokens()?;
        world.age_tokens()?;
        world.run_copies("u1", 1)?;
    }
    Ok(())
}

#[test]
fn a_revoked_sign_in_is_told_and_bothers_no_one_any_more() -> anyhow::Result<()> {
    let world = World::with("device-code")?;
    world.deliver(ANN, 1)?;
    world.sign_in_by_device(ANN)?;
    ensure!(world.create("device-code", "u1", ANN)?.is_ok());
    world.run_copies("u1", 1)?;
    world.issuer.revoke(ANN)?;
    world.end_tokens()?;
    let (code, report) = world.run("u1")?;
    ensure!(code == 161 && report["error"] == "sign_in_needed", "{report}");
    let listed = world.listed()?;
    ensure!(
        listed["state"] == "sign_in_needed" && listed["service_running"] == false,
        "{listed}"
    );
    let asked = world.issuer.requests()?.len();
    for _ in 0..3 {
        let (code, _) = world.run("u1")?;
        ensure!(code == 161);
    }
    ensure!(
        world.issuer.requests()?.len() == asked,
        "the provider was asked again"
    );
    world.sign_in_by_device(ANN)?;
    ensure!(world.listed()?["state"] == "idle");
    world.deliver(ANN, 2)?;
    world.run_copies("u1", 2)
}

#[test]
fn the_sign_in_of_a_mailbox_goes_with_its_last_task() -> anyhow::Result<()> {
    let world = World::with("device-code")?;
    world.sign_in_by_device(ANN)?;
    let mut second = world.task("device-code", "u1", ANN);
    second["task_id"] = "second".into();
    ensure!(world.create("device-code", "u1", ANN)?.is_ok());
    ensure!(world.sandbox.action("create-task", second)?.is_ok());
    action_output(
        &world.sandbox,
        "delete-task",
        json!({"localuser": "u1", "task_id": "second"}),
    )?;
    ensure!(!world.stored_tokens()?.is_empty());
    action_output(
        &world.sandbox,
        "delete-task",
        json!({"localuser": "u1", "task_id": "abc123"}),
    )?;
    ensure!(world.stored_tokens()?.is_empty());
    Ok(())
}
