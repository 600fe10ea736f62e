// SPDX-License-Identifier: GPL-3.0-or-later
//! The demonstration of one sign-in for many mailboxes: those of an organisation are pulled with one application, and
//! no password at all.

use std::path::Path;
use std::time::Instant;

use anyhow::ensure;
use serde_json::{Value, json};

use super::{act, differences, say};
use crate::mail::{Plan, plan};
use crate::{Issuer, MAIL_MODULE_UUID, Sandbox, Side};

const MAILBOXES: usize = 20;

/// Runs the demonstration with so many messages in each mailbox; `Ok(true)` means that both sides agree.
pub fn run(imageroot: Option<&Path>, messages: usize) -> anyhow::Result<bool> {
    say("Starting a node, and an authorization server whose tokens the remote server takes");
    let mut builder = Sandbox::builder().unconfigured();
    if let Some(dir) = imageroot {
        builder = builder.imageroot(dir);
    }
    let sandbox = builder.start()?;
    let names: Vec<String> = (1..=MAILBOXES)
        .map(|number| format!("person{number:02}"))
        .collect();
    sandbox.add_accounts(&names)?;
    let mailbox = |name: &str| format!("{name}@example.com");
    for (number, name) in names.iter().enumerate() {
        let messages = messages + number;
        let mail = plan(&Plan {
            messages,
            ..Plan::default()
        });
        sandbox.add_mail(Side::Remote, &mailbox(name), &mail)?;
    }
    let issuer = Issuer::start(&sandbox)?;
    let settings = json!({
        "mail_server": MAIL_MODULE_UUID,
        "mail_host": sandbox.local().address().to_string(),
    });
    act(&sandbox, "configure-module", settings)?;

    say("save-source: the server, and the application that has access to all mailboxes");
    let mut source = issuer.source("application")?;
    source["source_id"] = "tenant".into();
    source["label"] = "The organisation".into();
    act(&sandbox, "save-source", source)?;

    say(&format!("test-source: with {}", mailbox(&names[0])));
    let question = json!({"source_id": "tenant", "mailbox": mailbox(&names[0])});
    let report = act(&sandbox, "test-source", question)?;
    for step in report["steps"].as_array().into_iter().flatten() {
        let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        println!(
            "    {:<6} {:<3} {}",
            text("step"),
            text("status"),
            text("message")
        );
    }
    ensure!(report["ok"] == true, "the source does not work: {report}");

    say(&format!("import-csv-tasks: {MAILBOXES} users, no passwords"));
    let rows: String = names
        .iter()
        .map(|name| format!("{name},{},tenant\n", mailbox(name)))
        .collect();
    let started = Instant::now();
    let csv = format!("localusername,remoteusername,source\n{rows}");
    let imported = sandbox.helper_with_input("import-csv-tasks", &[], &csv)?;
    ensure!(imported.exit_code == 0, "{}{}", imported.stdout, imported.stderr);
    crate::wait_until("the end of all runs", || {
        act(&sandbox, "list-tasks", json!({})).is_ok_and(|listing| is_done(&listing))
    })?;
    let elapsed = started.elapsed();

    let tasks = act(&sandbox, "list-tasks", json!({}))?;
    println!(
        "\n  {:<12} {:<24} {:>8} {:>8}  both sides",
        "local", "remote mailbox", "remote", "local"
    );
    let mut agree = true;
    for name in &names {
        let remote = sandbox.mailbox(Side::Remote, &mailbox(name))?;
        let local = sandbox.mailbox(Side::Local, name)?;
        let count = |side: &crate::Mailbox| side.values().map(Vec::len).sum::<usize>();
        let same = differences(&remote, &local).is_empty();
        agree &= same && exit_code(&tasks, name) == Some(0);
        println!(
            "  {name:<12} {:<24} {:>8} {:>8}  {}",
            mailbox(name),
            count(&remote),
            count(&local),
            if same { "agree" } else { "DIFFER" }
        );
    }
    let tokens = issuer.requests()?;
    println!(
        "\n{MAILBOXES} mailboxes in {:.1} s; tokens asked for: {}, all by {}.",
        elapsed.as_secs_f64(),
        tokens.len(),
        tokens.first().map_or("nothing", String::as_str)
    );
    Ok(agree)
}

fn tasks_of(listing: &Value) -> impl Iterator<Item = &Value> {
    listing["user_properties"].as_array().into_iter().flatten()
}

fn is_done(listing: &Value) -> bool {
    tasks_of(listing).count() == MAILBOXES
        && tasks_of(listing).all(|task| task["state"] == "idle" && task["last_sync_exit_code"].is_i64())
}

fn exit_code(listing: &Value, user: &str) -> Option<i64> {
    let task = tasks_of(listing).find(|task| task["localuser"] == user)?;
    task["last_sync_exit_code"].as_i64()
}
