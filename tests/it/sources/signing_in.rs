// SPDX-License-Identifier: GPL-3.0-or-later
//! Every way to get a token, from the source to the mail.

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::{ANN, World, keys};
use crate::support::action_output;

#[test]
fn an_application_opens_every_mailbox_without_any_person() -> anyhow::Result<()> {
    for kind in ["application", "certified"] {
        let world = World::with(kind)?;
        for (user, mailbox) in [("u1", ANN), ("u2", "bob@example.com")] {
            world.deliver(mailbox, 3)?;
            let created = world.create(kind, user, mailbox)?;
            ensure!(created.is_ok(), "{kind}: {created:?}");
            world.run_copies(user, 3)?;
        }
        // One token serves all of them.
        let asked = world.issuer.requests()?;
        ensure!(asked == ["client_credentials"], "{asked:?}");
    }
    Ok(())
}

#[test]
fn a_service_account_gets_a_token_for_each_mailbox() -> anyhow::Result<()> {
    let world = World::with("service-account")?;
    for (user, mailbox) in [("u1", ANN), ("u2", "bob@example.com")] {
        world.deliver(mailbox, 2)?;
        let created = world.create("service-account", user, mailbox)?;
        ensure!(created.is_ok(), "{created:?}");
        world.run_copies(user, 2)?;
    }
    ensure!(world.issuer.requests()?.len() == 2);
    Ok(())
}

#[test]
fn a_person_enters_a_code_at_another_device() -> anyhow::Result<()> {
    let world = World::with("device-code")?;
    world.deliver(ANN, 2)?;
    let refused = world.create("device-code", "u1", ANN)?;
    ensure!(keys(&refused) == ["sign_in_needed"], "{refused:?}");
    let begun = world.begin("device-code", ANN)?;
    ensure!(
        begun["user_code"].is_string() && begun.get("device_code").is_none(),
        "{begun}"
    );
    let early = world.complete(json!({"state": begun["state"]}))?;
    ensure!(early["status"] == "pending", "{early}");
    world.sign_in_by_device(ANN)?;
    ensure!(world.create("device-code", "u1", ANN)?.is_ok());
    world.run_copies("u1", 2)?;
    ensure!(world.listed()?["state"] == "idle");
    Ok(())
}

#[test]
fn a_person_signs_in_with_a_browser() -> anyhow::Result<()> {
    let world = World::with("authorization-code")?;
    world.deliver(ANN, 2)?;
    let begun = world.begin("authorization-code", ANN)?;
    let (state, address) = (
        &begun["state"],
        begun["authorization_url"].as_str().context("no address")?,
    );
    let ended = world.issuer.browse(address, ANN, false)?;
    ensure!(ended.starts_with("http://localhost/?code="), "{ended}");

    let other = ended.replace(state.as_str().unwrap_or_default(), "another-sign-in-00");
    let strange = ended.replace("localhost", "evil.example");
    for wrong in [other, strange, "code".to_owned()] {
        let refused = world
            .sandbox
            .action("complete-sign-in", json!({"state": state, "address": wrong}))?;
        ensure!(keys(&refused) == ["address_invalid"], "{refused:?}");
    }
    let done = world.complete(json!({"state": state, "address": ended}))?;
    ensure!(done["status"] == "signed-in" && done["mailbox"] == ANN, "{done}");
    let again = world.complete(json!({"state": state, "address": ended}))?;
    ensure!(again["status"] == "expired", "{again}");
    ensure!(world.create("authorization-code", "u1", ANN)?.is_ok());
    world.run_copies("u1", 2)
}

#[test]
fn a_person_who_declines_is_told_as_such() -> anyhow::Result<()> {
    let world = World::with("authorization-code")?;
    let begun = world.begin("authorization-code", ANN)?;
    let address = begun["authorization_url"].as_str().context("no address")?;
    let ended = world.issuer.browse(address, ANN, true)?;
    let standing = world.complete(json!({"state": begun["state"], "address": ended}))?;
    ensure!(standing["status"] == "refused", "{standing}");
    ensure!(standing["provider_code"] == "access_denied", "{standing}");
    Ok(())
}

#[test]
fn a_test_of_a_source_tells_every_step() -> anyhow::Result<()> {
    let world = World::with("application")?;
    world.deliver(ANN, 4)?;
    let question = json!({"source_id": "application", "mailbox": ANN});
    let report = action_output(&world.sandbox, "test-source", question.clone())?;
    ensure!(report["ok"] == true, "{report}");
    let steps: Vec<_> = report["steps"].as_array().into_iter().flatten().collect();
    let names: Vec<_> = steps.iter().filter_map(|step| step["step"].as_str()).collect();
    ensure!(names == ["token", "login", "list", "inbox"], "{report}");
    ensure!(
        steps[3]["message"]
            .as_str()
            .is_some_and(|text| text.contains("4 messages")),
        "{report}"
    );

    let mut wrong = world.issuer.source("application")?;
    wrong["client_secret_password"] = "Not-the-one".into();
    world.save(wrong)?;
    let report = action_output(&world.sandbox, "test-source", question)?;
    ensure!(
        report["ok"] == false && report["steps"][0]["status"] == "token_not_issued",
        "{report}"
    );
    ensure!(
        report["steps"][0]["provider_code"] == "invalid_client",
        "{report}"
    );
    ensure!(report["steps"].as_array().map(Vec::len) == Some(1), "{report}");
    Ok(())
}
