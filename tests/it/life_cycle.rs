// SPDX-License-Identifier: GPL-3.0-or-later
//! The life of an instance: restored, cloned, migrated, updated, and with a mail server that moves.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::ensure;
use sandbox::{MAIL_MODULE_UUID, Outcome, Proxy, Sandbox, wait_until};
use serde_json::{Value, json};

use crate::support::run_action;

#[test]
fn a_restored_instance_has_its_settings_and_schedules() -> anyhow::Result<()> {
    let sandbox = Sandbox::builder().unconfigured().start()?;
    let state = sandbox.node().state();
    std::fs::create_dir_all(state.join("imapsync"))?;
    std::fs::write(
        state.join("imapsync/u1_res001.env"),
        "\nTASK_ID=res001\nLOCALUSER=u1\nREMOTEUSERNAME=r\nREMOTEHOSTNAME=127.0.0.3\nREMOTEPORT=143\n\
         SECURITY=--tls1\nDELETE_LOCAL=\nEXCLUDE=\nCRON=21h\n",
    )?;
    let host = sandbox.local().address().to_string();
    let origin = json!({
        "repository": "r", "path": "p", "snapshot": "", "replace": false,
        "environment": {"MAIL_SERVER": MAIL_MODULE_UUID, "MAIL_HOST": host, "OTHER": "x"},
    });
    let outcome = run_action(&sandbox, "restore-module", origin)?;
    ensure!(
        outcome.commands.contains(
            &["set-weight", "30restore-module", "5"]
                .map(str::to_owned)
                .to_vec()
        ),
        "{:?}",
        outcome.commands
    );
    wait_until("the start of the service", || {
        sandbox.node().container().join("running").exists()
    })?;
    let files = sandbox.state_files()?;
    ensure!(files.contains_key("imapsync/vmail.pwd"), "{:?}", files.keys());
    assert_eq!(
        files["cron/u1_res001.cron"].text,
        format!("MAIL_HOST={host}\n1 */21 * * *  root /usr/local/bin/syncctl start u1_res001\n")
    );
    let environment = sandbox.node().state_environment();
    assert_eq!(environment.get("MAIL_HOST"), Some(&host));
    assert_eq!(environment.get("OTHER"), None);
    Ok(())
}

#[test]
fn a_clone_of_an_instance_without_a_mail_server_waits_for_one() -> anyhow::Result<()> {
    let sandbox = Sandbox::builder().unconfigured().start()?;
    let outcome = run_action(
        &sandbox,
        "clone-module",
        json!({"environment": {}, "credentials": ["a", "b"]}),
    )?;
    ensure!(outcome.stderr.contains("configure-module"), "{}", outcome.stderr);
    Ok(())
}

#[test]
fn the_accounts_of_a_nethserver_7_become_tasks_once() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let file = sandbox.node().state().join("getmail.json");
    let props = |changes: Value| {
        let mut props = json!({"Account": "u1", "Password": "pw1", "Server": "imap.x.test", "Username": "r1",
            "Retriever": "SimpleIMAPSSLRetriever", "Delete": "0", "Time": "15", "status": "enabled",
            "FilterCheck": "disabled"});
        props
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        json!({"type": "getmail", "props": props})
    };
    let accounts = json!([
        props(json!({})),
        props(json!({"Retriever": "Pigeon"})),
        props(json!({"status": "disabled", "Account": "u2@rig.test"})),
        {"type": "getmail", "props": {"Account": "U3@rig.test", "Password": "pw3", "Server": "imap.x.test",
            "Username": "r3", "Retriever": "SimpleIMAPSSLRetriever"}}
    ]);
    let platform = json!({"credentials": ["a", "b"], "port": 20027, "volumes": []});
    std::fs::write(&file, accounts.to_string())?;
    let outcome = run_action(&sandbox, "import-module", platform.clone())?;
    ensure!(
        outcome.stderr.contains("account 2") && !outcome.stderr.contains("pw1"),
        "{}",
        outcome.stderr
    );
    ensure!(!file.exists());
    let tasks = |sandbox: &Sandbox| -> anyhow::Result<Value> {
        Ok(run_action(sandbox, "list-tasks", json!({}))?.output["user_properties"].clone())
    };
    let first = tasks(&sandbox)?;
    let mut crons: Vec<&str> = first
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["cron"].as_str().unwrap())
        .collect();
    crons.sort_unstable();
    assert_eq!(crons, ["", "", "15m"]);
    let users: Vec<&Value> = first
        .as_array()
        .unwrap()
        .iter()
        .map(|task| &task["localuser"])
        .collect();
    assert_eq!(users, ["u1", "u2", "u3"]);
    // As after an attempt that was cut off before the file was removed.
    std::fs::write(&file, accounts.to_string())?;
    run_action(&sandbox, "import-module", platform.clone())?;
    assert_eq!(tasks(&sandbox)?, first);
    let outcome = sandbox.action("import-module", platform)?;
    assert_eq!((outcome.exit_code, outcome.status), (1, Outcome::ABORTED));
    Ok(())
}

#[test]
fn a_mail_server_that_moved_is_followed() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox
        .redis()
        .command(&["HSET", "module/mail1/srv/tcp/imap", "host", "10.9.8.7"])?;
    let host = || sandbox.node().state_environment().get("MAIL_HOST").cloned();
    let before = host();
    assert_eq!(
        sandbox
            .event("mail-settings-changed", json!({"module_uuid": "another"}))?
            .exit_code,
        0
    );
    assert_eq!(host(), before);
    let event = sandbox.event("mail-settings-changed", json!({"module_uuid": MAIL_MODULE_UUID}))?;
    assert_eq!(event.exit_code, 0, "{event:?}");
    assert_eq!(host().as_deref(), Some("10.9.8.7"));
    Ok(())
}

#[test]
fn a_mail_server_that_moves_during_a_login_is_the_one_of_the_schedule() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let remote = SocketAddr::from((sandbox.remote().address(), sandbox.remote().port()));
    let slow = Proxy::start(remote, Duration::ZERO)?;
    slow.throttle(1);
    let input = sandbox.task_with(json!({"remoteport": slow.port(), "cron": "5m", "start": false}));
    let running = sandbox.start_action("create-task", input)?;
    wait_until("the logins", || {
        running.commands().iter().any(|words| words[0] == "set-progress")
    })?;
    // As the event of the mail module and the start of the service do.
    let path = sandbox.node().state().join("environment");
    let moved: String = std::fs::read_to_string(&path)?
        .lines()
        .map(|line| match line.starts_with("MAIL_HOST=") {
            true => "MAIL_HOST=10.9.8.7\n".to_owned(),
            false => format!("{line}\n"),
        })
        .collect();
    std::fs::write(&path, moved)?;
    assert_eq!(sandbox.helper("expand-cron", &[])?.exit_code, 0);
    ensure!(!running.is_finished(), "the logins were too fast");
    slow.throttle(u64::MAX);
    let outcome = running.wait()?;
    ensure!(outcome.is_ok(), "{outcome:#?}");
    let cron = &sandbox.state_files()?["cron/u1_abc123.cron"].text;
    ensure!(cron.starts_with("MAIL_HOST=10.9.8.7\n"), "{cron}");
    Ok(())
}

#[test]
fn an_update_starts_what_the_former_version_left_down_and_nothing_else() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let installed = sandbox.node().install_dir();
    let service = |verb: &str| sandbox.helper("systemctl", &["--user", verb, "imapsync.service"]);
    let update = || -> anyhow::Result<()> {
        let step = installed.join("update-module.d/80restart-service");
        let done = sandbox.helper(&step.to_string_lossy(), &[])?;
        ensure!(done.exit_code == 0, "{done:?}");
        Ok(())
    };
    let active = || service("is-active").is_ok_and(|answer| answer.exit_code == 0);

    // Somebody has stopped it.
    service("stop")?;
    update()?;
    ensure!(!active());

    // It could not start: a helper of the former version fails.
    let (helper, aside) = (installed.join("bin/expand-cron"), installed.join("expand-cron"));
    std::fs::rename(&helper, &aside)?;
    std::fs::write(&helper, "#!/bin/sh\nexit 1\n")?;
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755))?;
    ensure!(service("start")?.exit_code != 0 && !active());
    std::fs::remove_file(&helper)?;
    std::fs::rename(&aside, &helper)?;
    update()?;
    wait_until("the service", active)
}
