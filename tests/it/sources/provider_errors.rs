// SPDX-License-Identifier: GPL-3.0-or-later
//! Providers that say no, are in trouble, or talk nonsense.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{ANN, World};
use crate::support::action_output;

fn token_step(world: &World, source: &str) -> anyhow::Result<Value> {
    let question = json!({"source_id": source, "mailbox": ANN});
    let report = action_output(&world.sandbox, "test-source", question)?;
    Ok(report["steps"][0].clone())
}

#[test]
fn errors_of_the_large_providers_say_what_to_do() -> anyhow::Result<()> {
    let world = World::with("application")?;
    let microsoft = |number: u32, text: &str| {
        json!({"status": 401, "body": {
            "error": "invalid_client",
            "error_description": format!("AADSTS{number}: {text} Trace ID: 1a Correlation ID: 2b Timestamp: 2026-11-26 22:00:00Z"),
            "error_codes": [number], "timestamp": "2026-11-26 22:00:00Z", "trace_id": "1a", "correlation_id": "2b",
            "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
        }})
    };
    let google = |status: u16, error: &str, text: &str| json!({"status": status, "body": {"error": error, "error_description": text}});
    for (mode, code, word) in [
        (
            microsoft(7_000_215, "Invalid client secret provided."),
            "AADSTS7000215",
            "Value",
        ),
        (
            microsoft(7_000_222, "The provided client secret keys are expired."),
            "AADSTS7000222",
            "new secret",
        ),
        (
            microsoft(700_016, "Application with identifier 'x' was not found."),
            "AADSTS700016",
            "tenant",
        ),
        (
            microsoft(90_002, "Tenant 'x' not found."),
            "AADSTS90002",
            "tenant",
        ),
        (
            microsoft(65_001, "The user or administrator has not consented."),
            "AADSTS65001",
            "admin consent",
        ),
        (
            microsoft(53_003, "Access has been blocked by Conditional Access policies."),
            "AADSTS53003",
            "exception",
        ),
        (
            google(
                401,
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method.",
            ),
            "unauthorized_client",
            "Domain-wide delegation",
        ),
        (
            google(400, "invalid_grant", "Invalid email or User ID"),
            "invalid_grant",
            "primary address",
        ),
    ] {
        world.issuer.set_mode(mode)?;
        let step = token_step(&world, "application")?;
        ensure!(
            step["status"] == "token_not_issued" && step["provider_code"] == code,
            "{step}"
        );
        ensure!(
            step["advice"]
                .as_str()
                .is_some_and(|advice| advice.contains(word)),
            "{step}"
        );
    }
    Ok(())
}

#[test]
fn a_provider_in_trouble_is_told_from_one_that_refuses() -> anyhow::Result<()> {
    let world = World::with("application")?;
    world.issuer.set_mode("html")?;
    let step = token_step(&world, "application")?;
    ensure!(step["status"] == "token_server_unreachable", "{step}");
    ensure!(
        step["message"]
            .as_str()
            .is_some_and(|text| text.contains("text/html")),
        "{step}"
    );
    world.issuer.set_mode("busy")?;
    let step = token_step(&world, "application")?;
    ensure!(step["status"] == "ok", "{step}");
    let asked = world.issuer.requests()?.len();
    world.issuer.set_mode(json!({"status": 429, "body": {}}))?;
    let step = token_step(&world, "application")?;
    ensure!(step["status"] == "token_server_unreachable", "{step}");
    let tries = world.issuer.requests()?.len() - asked;
    ensure!((2..10).contains(&tries), "{tries} tries");
    Ok(())
}

#[test]
fn tokens_are_taken_in_every_form_in_which_providers_give_them() -> anyhow::Result<()> {
    let world = World::with("application")?;
    let token_with = |fields: Value| {
        let mut body = json!({"access_token": "t0ken", "token_type": "Bearer"});
        for (name, value) in fields.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        json!({"status": 200, "body": body})
    };
    for fields in [
        json!({}),
        json!({"expires_in": "3599", "scope": ["imap"], "refresh_token": ""}),
        json!({"expires_in": -1}),
        json!({"expires_in": i64::MAX}),
        json!({"token_type": null}),
    ] {
        world.issuer.set_mode(token_with(fields.clone()))?;
        let step = token_step(&world, "application")?;
        ensure!(step["status"] == "ok", "{fields}: {step}");
    }
    for fields in [json!({"access_token": ""}), json!({"access_token": "a\nb"})] {
        world.issuer.set_mode(token_with(fields))?;
        let step = token_step(&world, "application")?;
        ensure!(step["status"] == "token_server_unreachable", "{step}");
    }
    let trouble = json!({"error": "temporarily_unavailable", "error_description": "later"});
    world.issuer.set_mode(json!({"status": 400, "body": trouble}))?;
    let step = token_step(&world, "application")?;
    ensure!(step["status"] == "token_server_unreachable", "{step}");
    Ok(())
}

#[test]
fn a_secret_that_is_refused_is_not_tried_with_every_run() -> anyhow::Result<()> {
    let world = World::with("application")?;
    world.deliver(ANN, 1)?;
    ensure!(world.create("application", "u1", ANN)?.is_ok());
    let mut wrong = world.issuer.source("application")?;
    wrong["client_secret_password"] = "Not-the-one".into();
    world.save(wrong)?;
    for _ in 0..3 {
        let (code, report) = world.run("u1")?;
        ensure!(code == 161 && report["error"] == "token_not_issued", "{report}");
    }
    ensure!(
        world.issuer.requests()?.len() == 2,
        "{:?}",
        world.issuer.requests()?
    );
    // The right one counts at once.
    world.save(world.issuer.source("application")?)?;
    world.run_copies("u1", 1)
}

#[test]
fn a_secret_that_has_expired_is_told_as_such() -> anyhow::Result<()> {
    let world = World::with("expired")?;
    let step = token_step(&world, "expired")?;
    ensure!(
        step["status"] == "token_not_issued" && step["provider_code"] == "invalid_client",
        "{step}"
    );
    let says = |field: &str, word: &str| step[field].as_str().is_some_and(|text| text.contains(word));
    ensure!(says("message", "expired") && says("advice", "secret"), "{step}");
    Ok(())
}

#[test]
fn a_provider_that_is_slow_or_gone_costs_no_sign_in_and_no_schedule() -> anyhow::Result<()> {
    let world = World::with("device-code")?;
    world.deliver(ANN, 1)?;
    world.sign_in_by_device(ANN)?;
    let mut task = world.task("device-code", "u1", ANN);
    task["cron"] = "5m".into();
    ensure!(world.sandbox.action("create-task", task)?.is_ok());
    let mut gone = world.issuer.source("application")?;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    gone["source_id"] = "gone".into();
    gone["issuer"] = "".into();
    gone["token_endpoint"] = format!("https://{closed}/token").into();
    world.save(gone)?;
    world.issuer.set_mode("slow")?;
    world.end_tokens()?;
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| token_step(&world, "gone"));
        let (code, report) = world.run("u1")?;
        ensure!(
            code != 0 && report["error"] == "token_server_unreachable",
            "{report}"
        );
        let step = asking.join().map_err(|_| anyhow::anyhow!("a thread failed"))??;
        ensure!(step["status"] == "token_server_unreachable", "{step}");
        anyhow::Ok(())
    })?;
    // More runs in a row than a refused login is tried.
    world.issuer.set_mode("html")?;
    for _ in 0..4 {
        let (code, report) = world.run("u1")?;
        ensure!(
            code != 0 && report["error"] == "token_server_unreachable",
            "{report}"
        );
    }
    let listed = world.listed()?;
    ensure!(listed["state"] == "idle" && listed["paused"] == false, "{listed}");
    world.issuer.set_mode("ok")?;
    world.run_copies("u1", 1)
}

#[test]
fn clocks_that_differ_are_made_up_for() -> anyhow::Result<()> {
    let world = World::with("service-account")?;
    world.deliver(ANN, 1)?;
    for seconds in [7200, -7200] {
        world.issuer.set_clock(seconds)?;
        let step = token_step(&world, "service-account")?;
        ensure!(step["status"] == "ok", "{seconds}: {step}");
    }
    Ok(())
}

#[test]
fn a_token_for_something_else_is_refused_by_the_server_and_told() -> anyhow::Result<()> {
    let world = World::start()?;
    let mut fields = world.issuer.source("device-code")?;
    fields["scope"] = "openid offline_access".into();
    world.save(fields)?;
    world.sign_in_by_device(ANN)?;
    let question = json!({"source_id": "device-code", "mailbox": ANN});
    let report = action_output(&world.sandbox, "test-source", question)?;
    ensure!(report["steps"][0]["status"] == "ok", "{report}");
    ensure!(report["steps"][1]["status"] == "token_refused", "{report}");
    Ok(())
}

#[test]
fn a_certificate_that_no_one_vouches_for_gets_no_secret() -> anyhow::Result<()> {
    let world = World::start()?;
    let mut fields = world.issuer.source("application")?;
    let url = world.issuer.url();
    fields["authority_certificates"] = "".into();
    fields["token_endpoint"] = format!("{url}/token").into();
    world.save(fields)?;
    let step = token_step(&world, "application")?;
    ensure!(step["status"] == "token_server_unreachable", "{step}");
    ensure!(world.issuer.requests()?.is_empty());
    Ok(())
}
