// SPDX-License-Identifier: GPL-3.0-or-later
//! Tokens that end, rotate, are taken back, and are asked for by many at once.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sandbox::{Proxy, Side};
use serde_json::{Value, json};

use super::{ANN, World, keys};
use crate::support::action_output;

fn renewals(world: &World) -> anyhow::Result<usize> {
    let asked = world.issuer.requests()?;
    Ok(asked.iter().filter(|grant| *grant == "refresh_token").count())
}

#[test]
fn a_token_is_renewed_once_for_all_who_need_it() -> anyhow::Result<()> {
    let world = World::with("device-code")?;
    world.deliver(ANN, 1)?;
    world.sign_in_by_device(ANN)?;
    end_tokens(&world)?;
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
        end_tokens(&world)?;
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
            age_tokens(&world)?;
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
        age_tokens(&world)?;
        world.run_copies("u1", 1)?;
    }
    Ok(())
}

/// Makes the stored tokens look as if they had been got a while ago.
fn age_tokens(world: &World) -> anyhow::Result<()> {
    shift_tokens(world, 600, 0)
}

/// Makes the stored tokens look as if they had ended.
fn end_tokens(world: &World) -> anyhow::Result<()> {
    shift_tokens(world, 7200, 7200)
}

fn shift_tokens(world: &World, obtained: i64, expires: i64) -> anyhow::Result<()> {
    for name in world.sandbox.state_files()?.into_keys() {
        if name.contains(".tokens/") && name.ends_with(".json") {
            let path = world.sandbox.node().state().join(name);
            let mut stored: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            for (field, seconds) in [("obtained_at", obtained), ("expires_at", expires)] {
                let moment = stored[field].as_i64().context("no token")?;
                stored[field] = (moment - seconds).into();
            }
            std::fs::write(&path, stored.to_string())?;
        }
    }
    Ok(())
}

#[test]
fn a_revoked_sign_in_is_told_and_bothers_nobody_any_more() -> anyhow::Result<()> {
    let world = World::with("device-code")?;
    world.deliver(ANN, 1)?;
    world.sign_in_by_device(ANN)?;
    ensure!(world.create("device-code", "u1", ANN)?.is_ok());
    world.run_copies("u1", 1)?;
    world.issuer.revoke(ANN)?;
    end_tokens(&world)?;
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

#[test]
fn no_secret_and_no_token_is_anywhere_but_in_the_files_of_sources() -> anyhow::Result<()> {
    let world = World::with("application")?;
    let mut said = vec![];
    for kind in [
        "certified",
        "service-account",
        "authorization-code",
        "device-code",
    ] {
        said.push(world.sandbox.action("save-source", world.issuer.source(kind)?)?);
    }
    world.deliver(ANN, 1)?;
    world.sign_in_by_device(ANN)?;
    for (kind, user) in [
        ("application", "u1"),
        ("device-code", "u2"),
        ("service-account", "u3"),
    ] {
        said.push(world.create(kind, user, ANN)?);
        world.run_copies(user, 1)?;
        let question = json!({"source_id": kind, "mailbox": ANN});
        said.push(world.sandbox.action("test-source", question)?);
    }
    said.push(world.sandbox.action("list-sources", json!({}))?);
    said.push(world.sandbox.action("list-tasks", json!({}))?);
    ensure!(said.iter().all(sandbox::Outcome::is_ok), "{said:?}");
    let tokens = world.stored_tokens()?;
    ensure!(tokens.len() >= 4, "{}", tokens.len());
    let mut secrets = vec!["Application-s3cret", "Web-s3cret", "PRIVATE KEY"];
    secrets.extend(tokens.iter().map(String::as_str));
    world.nothing_tells(&secrets, &said.iter().collect::<Vec<_>>())?;
    ensure!(keys(&said[0]).is_empty());
    Ok(())
}
