// SPDX-License-Identifier: GPL-3.0-or-later
//! What goes wrong around the module: a clear key, the contract's exit code, and everything as it was.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::ensure;
use sandbox::demo::differences;
use sandbox::mail::plan;
use sandbox::{ApiFault, NewMail, Outcome, Plan, Proxy, Sandbox, Side};
use serde_json::{Value, json};

const TASK: &str = "u1_abc123";
const USER: &str = "r1@example.com";

/// Runs an action that must be refused with this exit code and key, and must leave the state folder alone.
fn refused(
    sandbox: &Sandbox,
    action: &str,
    input: Value,
    exit_code: i32,
    key: &str,
) -> anyhow::Result<Outcome> {
    let before = sandbox.state_files()?;
    let outcome = sandbox.action(action, input)?;
    ensure!(
        (outcome.status, outcome.exit_code) == (Outcome::VALIDATION_FAILED, exit_code)
            && outcome.errors() == [key],
        "expected {key} with exit code {exit_code}, found {outcome:#?}"
    );
    ensure!(sandbox.state_files()? == before, "the state folder changed");
    silent(&outcome)?;
    Ok(outcome)
}

/// No password and no panic in what an action says.
fn silent(outcome: &Outcome) -> anyhow::Result<()> {
    for secret in [
        "Pw-r1!",
        "Not-the-one",
        sandbox::MASTER_PASSWORD,
        "panicked",
        "RUST_BACKTRACE",
    ] {
        ensure!(
            !outcome.stdout.contains(secret) && !outcome.stderr.contains(secret),
            "{secret} in {outcome:#?}"
        );
    }
    Ok(())
}

#[test]
fn a_remote_side_that_does_not_let_us_in_is_told_by_its_key() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let remote = sandbox.remote();
    let closed = TcpListener::bind((remote.address(), 0))?.local_addr()?.port();
    for (changes, exit_code, key) in [
        (
            json!({"remotepassword": "Not-the-one"}),
            2,
            "bad_user_credentials",
        ),
        (
            json!({"remoteusername": "nobody@example.com"}),
            2,
            "bad_user_credentials",
        ),
        (
            json!({"remotehostname": "nosuch.invalid"}),
            3,
            "Check_hostname_or_tcp_port",
        ),
        (
            json!({"remotehostname": "127.0.0.9"}),
            3,
            "Check_hostname_or_tcp_port",
        ),
        (json!({"remoteport": closed}), 3, "Check_hostname_or_tcp_port"),
        (json!({"security": "ssl"}), 4, "SSL_encryption_error"),
        (
            json!({"security": "tls", "remoteport": remote.tls_port()}),
            3,
            "Check_hostname_or_tcp_port",
        ),
    ] {
        let outcome = refused(
            &sandbox,
            "create-task",
            sandbox.task_with(changes),
            exit_code,
            key,
        )?;
        ensure!(
            outcome.elapsed < Duration::from_secs(40),
            "{key} took {:?}",
            outcome.elapsed
        );
    }
    Ok(())
}

#[test]
fn a_server_without_starttls_is_told_and_never_gets_the_password() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.remote().reconfigure("ssl = no\n")?;
    let input = sandbox.task_input();
    refused(
        &sandbox,
        "create-task",
        input,
        4,
        "STARTTLS_not_allowed_use_IMAPS",
    )?;
    ensure!(
        !sandbox.remote().log().contains("Login:"),
        "{}",
        sandbox.remote().log()
    );
    Ok(())
}

#[test]
fn faults_of_the_local_side_have_their_own_keys() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let unknown = sandbox.task_with(json!({"localuser": "nosuchuser"}));
    refused(&sandbox, "create-task", unknown, 1, "local_user_unknown")?;
    sandbox.local().stop();
    refused(
        &sandbox,
        "create-task",
        sandbox.task_input(),
        1,
        "local_server_unreachable",
    )?;
    Ok(())
}

#[test]
fn without_a_mail_server_no_task_is_created() -> anyhow::Result<()> {
    let sandbox = Sandbox::builder().unconfigured().start()?;
    refused(
        &sandbox,
        "create-task",
        sandbox.task_input(),
        1,
        "mail_server_not_configured",
    )?;
    let tasks = sandbox.action("list-tasks", json!({}))?;
    assert_eq!(
        (tasks.exit_code, &tasks.output),
        (0, &json!({"enabled_mailboxes": [], "user_properties": []}))
    );
    Ok(())
}

#[test]
fn a_server_that_closes_during_the_login_is_a_refusal() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let proxy = Proxy::start(
        SocketAddr::from((sandbox.remote().address(), sandbox.remote().port())),
        Duration::ZERO,
    )?;
    proxy.cut_after(20);
    let before = sandbox.state_files()?;
    let outcome = sandbox.action(
        "create-task",
        sandbox.task_with(json!({"remoteport": proxy.port()})),
    )?;
    assert_eq!(outcome.status, Outcome::VALIDATION_FAILED, "{outcome:#?}");
    assert_ne!(outcome.exit_code, 0);
    assert_eq!(sandbox.state_files()?, before);
    silent(&outcome)
}

#[test]
fn a_connection_lost_in_the_middle_loses_and_doubles_nothing() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let mails = plan(&Plan {
        messages: 400,
        large_per_mille: 20,
        ..Plan::default()
    });
    sandbox.add_mail(Side::Remote, USER, &mails)?;
    let proxy = Proxy::start(
        SocketAddr::from((sandbox.remote().address(), sandbox.remote().port())),
        Duration::ZERO,
    )?;
    // Enough for the login test and a part of the mail, which is many times as much.
    proxy.cut_after(1_500_000);
    sandbox.sync(sandbox.task_with(json!({"remoteport": proxy.port()})))?;
    let status = sandbox.state_files()?[&format!("imapsync/{TASK}.status")]
        .text
        .clone();
    assert!(
        !status.ends_with("\n0\n"),
        "a run that lost its server is no success: {status}"
    );
    let found = differences(
        &sandbox.mailbox(Side::Remote, USER)?,
        &sandbox.mailbox(Side::Local, "u1")?,
    );
    assert!(found.iter().all(|line| line.contains("missing")), "{found:#?}");

    proxy.heal();
    sandbox.sync_again("u1", "abc123")?;
    let found = differences(
        &sandbox.mailbox(Side::Remote, USER)?,
        &sandbox.mailbox(Side::Local, "u1")?,
    );
    assert_eq!(found, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_broken_task_file_is_reported_and_keeps_nobody_from_the_others() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.sync(sandbox.task_input())?;
    for (name, content) in [
        ("u2_binary", &b"\xff\xfe\x00garbage"[..]),
        ("u2_empty0", b""),
        ("u2_cutoff", b"\nTASK_ID=cutoff\nLOCALUSER=u2\nREMOTEUSER"),
    ] {
        std::fs::write(sandbox.task_file(name, "env"), content)?;
    }
    std::fs::create_dir(sandbox.task_file("u2_folder", "env"))?;
    let listed = sandbox.action("list-tasks", json!({}))?;
    assert!(listed.is_ok(), "{listed:#?}");
    silent(&listed)?;
    let tasks = listed.output["user_properties"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert!(
        tasks.iter().any(|task| task["task_id"] == "abc123"),
        "{listed:#?}"
    );
    for name in ["binary", "empty0", "cutoff"] {
        let mark = sandbox.mark_run(&format!("u2_{name}"));
        let outcome = sandbox.action("start-task", json!({"localuser": "u2", "task_id": name}))?;
        silent(&outcome)?;
        if outcome.is_ok() {
            // Then it is the run that finds out, and tells by its exit code.
            sandbox.wait_for_run(&mark)?;
            let status = &sandbox.state_files()?[&format!("imapsync/u2_{name}.status")].text;
            assert!(!status.ends_with("\n0\n"), "{name}: {status}");
        }
    }
    assert!(
        sandbox
            .action("start-task", json!({"localuser": "u1", "task_id": "abc123"}))?
            .is_ok()
    );
    Ok(())
}

#[test]
fn an_unknown_task_is_told() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    for action in ["start-task", "stop-task", "delete-task"] {
        let input = json!({"localuser": "u1", "task_id": "nope00"});
        refused(&sandbox, action, input, 1, "task_not_found")?;
    }
    Ok(())
}

#[test]
fn a_refused_edit_leaves_the_working_task_as_it_was() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.add_mail(Side::Remote, USER, &[NewMail::new("one@example.net")])?;
    sandbox.sync(sandbox.task_with(json!({"cron": "5m"})))?;
    let edit = sandbox.task_with(json!({"remotepassword": "Not-the-one", "cron": "1h"}));
    refused(&sandbox, "create-task", edit, 2, "bad_user_credentials")?;
    Ok(())
}

#[test]
fn tasks_are_listed_even_when_the_mail_module_does_not_answer() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.sync(sandbox.task_input())?;
    for fault in [ApiFault::Refused, ApiFault::FailingActions] {
        sandbox.set_api_fault(fault)?;
        let listed = sandbox.action("list-tasks", json!({}))?;
        assert!(listed.is_ok(), "{fault:?}: {listed:#?}");
        assert_eq!(listed.output["user_properties"][0]["task_id"], "abc123");
        assert!(!listed.stderr.is_empty(), "{fault:?} is told in the journal");
        silent(&listed)?;
    }
    Ok(())
}
