// SPDX-License-Identifier: GPL-3.0-or-later
//! What goes wrong around the module: a clear key, the contract's exit code, and everything as it was.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::ensure;
use sandbox::demo::differences;
use sandbox::mail::plan;
use sandbox::{ApiFault, NewMail, Outcome, Plan, Proxy, Sandbox, Side};
use serde_json::{Value, json};

use crate::support::{TASK, USER, tells_no_secret};

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
    tells_no_secret(&outcome)?;
    Ok(outcome)
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
        refused(
            &sandbox,
            "create-task",
            sandbox.task_with(changes),
            exit_code,
            key,
        )?;
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
    tells_no_secret(&outcome)
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
fn a_broken_task_file_is_reported_and_keeps_no_one_from_the_others() -> anyhow::Result<()> {
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
    tells_no_secret(&listed)?;
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
        tells_no_secret(&outcome)?;
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
        tells_no_secret(&listed)?;
    }
    Ok(())
}

#[test]
fn a_stored_password_is_never_sent_to_another_account() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.sync(sandbox.task_input())?;
    for change in [
        json!({"remotehostname": "localhost"}),
        json!({"remoteport": sandbox.remote().tls_port()}),
        json!({"remoteusername": "r2@example.com"}),
    ] {
        let mut edit = sandbox.task_with(change);
        edit["remotepassword"] = "".into();
        refused(&sandbox, "create-task", edit, 1, "password_required")?;
    }
    Ok(())
}

#[test]
fn two_tasks_whose_files_would_have_one_name_are_one_too_many() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.local().set_user("u1_abc", "Pw-u1")?;
    let first = sandbox.task_with(json!({"localuser": "u1", "task_id": "abc_123", "start": false}));
    ensure!(sandbox.action("create-task", first)?.is_ok());
    let second = sandbox.task_with(json!({"localuser": "u1_abc", "task_id": "123", "start": false}));
    refused(&sandbox, "create-task", second, 1, "task_name_taken")?;
    for action in ["start-task", "stop-task", "delete-task"] {
        let task = json!({"localuser": "u1_abc", "task_id": "123"});
        refused(&sandbox, action, task, 1, "task_not_found")?;
    }
    Ok(())
}

#[test]
fn a_certificate_that_changed_is_told_until_it_is_accepted() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.sync(sandbox.task_input())?;
    sandbox.remote().renew_certificate()?;
    let outcome = refused(
        &sandbox,
        "create-task",
        sandbox.task_input(),
        4,
        "certificate_changed",
    )?;
    let fingerprint = outcome.output[0]["value"].clone();
    assert_eq!(outcome.output[0]["parameter"], "certificate");
    let accepted = sandbox.task_with(json!({"certificate": fingerprint}));
    sandbox.sync(accepted)?;
    let listed = sandbox.action("list-tasks", json!({}))?.output;
    assert_eq!(listed["user_properties"][0]["certificate"], fingerprint);
    Ok(())
}

#[test]
fn with_no_security_asked_for_the_connection_is_encrypted_where_it_can_be() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.sync(sandbox.task_with(json!({"security": ""})))?;
    let log = sandbox.remote().log();
    let logins: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("Login: user=<r1@example.com>"))
        .collect();
    ensure!(
        !logins.is_empty() && logins.iter().all(|line| line.contains("TLS")),
        "{log}"
    );
    Ok(())
}

#[test]
fn the_id_of_a_process_proves_nothing() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.add_mail(Side::Remote, USER, &[NewMail::new("one@example.net")])?;
    let created = sandbox.action("create-task", sandbox.task_with(json!({"start": false})))?;
    ensure!(created.is_ok(), "{created:#?}");
    // As a crash leaves it, and the id belongs to somebody else by now.
    std::fs::write(
        sandbox.task_file(TASK, "pid"),
        format!("{}\n", std::process::id()),
    )?;
    let listed = sandbox.action("list-tasks", json!({}))?.output;
    assert_eq!(listed["user_properties"][0]["service_running"], false);
    let task = json!({"localuser": "u1", "task_id": "abc123"});
    ensure!(sandbox.action("stop-task", task)?.is_ok());
    sandbox.sync_again("u1", "abc123")?;
    assert_eq!(sandbox.mailbox(Side::Local, "u1")?["INBOX"].len(), 1);
    Ok(())
}

#[test]
fn without_the_service_it_is_told_and_nothing_is_stored() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let created = sandbox.action("create-task", sandbox.task_with(json!({"start": false})))?;
    ensure!(created.is_ok(), "{created:#?}");
    let stopped = sandbox.helper("systemctl", &["--user", "stop", "imapsync.service"])?;
    assert_eq!(stopped.exit_code, 0, "{stopped:?}");
    let task = json!({"localuser": "u1", "task_id": "abc123"});
    let other = sandbox.task_with(json!({"localuser": "u2"}));
    for (action, input) in [
        ("create-task", other.clone()),
        ("validate-task", other),
        ("start-task", task.clone()),
        ("browse-folders", task.clone()),
        ("preview-task", task.clone()),
        ("verify-task", task.clone()),
    ] {
        refused(&sandbox, action, input, 1, "service_not_running")?;
    }
    // What needs no container goes on.
    for (action, input) in [
        ("get-configuration", json!({})),
        ("list-tasks", json!({})),
        ("get-facts", json!({})),
        ("stop-task", task.clone()),
        ("delete-task", task),
    ] {
        let outcome = sandbox.action(action, input)?;
        ensure!(outcome.is_ok(), "{action}: {outcome:#?}");
    }
    Ok(())
}

#[test]
fn without_redis_what_needs_it_says_so_and_changes_nothing() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.redis().stop();
    let before = sandbox.state_files()?;
    let settings = json!({"mail_server": sandbox::MAIL_MODULE_UUID, "mail_host": "10.0.0.1"});
    let outcome = sandbox.action("configure-module", settings)?;
    assert_eq!((outcome.status, outcome.exit_code), (Outcome::ABORTED, 1));
    ensure!(outcome.stderr.contains("Redis"), "{outcome:#?}");
    let event = sandbox.event(
        "mail-settings-changed",
        json!({"module_uuid": sandbox::MAIL_MODULE_UUID}),
    )?;
    ensure!(
        event.exit_code != 0 && event.stderr.contains("Redis"),
        "{event:?}"
    );
    assert_eq!(sandbox.state_files()?, before);
    let known = sandbox.action("get-configuration", json!({}))?;
    ensure!(known.is_ok() && known.stderr.contains("Redis"), "{known:#?}");
    assert_eq!(known.output["mail_server"], sandbox::MAIL_MODULE_UUID);
    assert_eq!(known.output["mail_server_URL"], json!([]));
    // Tasks need no Redis.
    sandbox.sync(sandbox.task_input())?;
    Ok(())
}

#[test]
fn the_master_password_is_asked_for_until_it_is_given() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let file = sandbox.node().state().join("imapsync/vmail.pwd");
    std::fs::remove_file(&file)?;
    sandbox.set_api_fault(ApiFault::FailingActions)?;
    std::thread::scope(|scope| {
        let helper = scope.spawn(|| sandbox.helper("reveal-master-secret", &[]));
        let asked = |times| {
            let requests = sandbox.api().requests();
            requests
                .iter()
                .filter(|request| request.contains("/tasks"))
                .count()
                >= times
        };
        let known = sandbox
            .api()
            .requests()
            .iter()
            .filter(|request| request.contains("/tasks"))
            .count();
        sandbox::wait_until("the second attempt", || asked(known + 2))?;
        ensure!(!file.exists());
        sandbox.set_api_fault(ApiFault::None)?;
        let Ok(outcome) = helper.join() else {
            anyhow::bail!("the helper's thread panicked")
        };
        let outcome = outcome?;
        assert_eq!(outcome.exit_code, 0, "{outcome:?}");
        ensure!(
            outcome.stderr.contains("asking again") && !outcome.stderr.contains(sandbox::MASTER_PASSWORD)
        );
        assert_eq!(std::fs::read_to_string(&file)?, sandbox::MASTER_PASSWORD);
        Ok(())
    })
}
