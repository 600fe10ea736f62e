// SPDX-License-Identifier: GPL-3.0-or-later
//! What the platform and the shell ask of the module: life cycle, events, many actions at once, an end at any moment.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use sandbox::{ApiFault, MAIL_MODULE_UUID, NewMail, Outcome, Proxy, Sandbox, Side, wait_until};
use serde_json::{Value, json};

use crate::support::run_action;

#[test]
fn people_may_run_create_task_for_themselves() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let granted = sandbox
        .redis()
        .command(&["SMEMBERS", "module/imapsync1/roles/selfadm"])?;
    assert_eq!(granted, ["create-task"]);
    Ok(())
}

#[test]
fn what_the_last_run_did_and_when_the_next_begins_is_listed() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.add_mail(
        Side::Remote,
        "r1@example.com",
        &[NewMail::new("a@x"), NewMail::new("b@x")],
    )?;
    sandbox.sync(sandbox.task_with(json!({"cron": "5m"})))?;
    let listed = |field: &str| -> anyhow::Result<Value> {
        let output = run_action(&sandbox, "list-tasks", json!({}))?.output;
        Ok(output["user_properties"][0][field].clone())
    };
    let now = Timestamp::now().as_second();
    let next = listed("next_run")?.as_i64().unwrap_or_default();
    ensure!(
        next % 300 == 0 && (now..=now + 300).contains(&next),
        "{next} after {now}"
    );
    ensure!(listed("last_sync_messages")? == 2);
    ensure!(
        listed("last_sync_duration")?
            .as_i64()
            .is_some_and(|seconds| seconds < 60)
    );
    ensure!(listed("last_sync_error")?.is_null());
    // The backup holds all of it, and the task's password goes bad.
    let included = std::fs::read_to_string("imageroot/etc/state-include.conf")?;
    let files = sandbox.state_files()?;
    let of_task = files.keys().filter(|name| name.contains("u1_abc123"));
    for file in of_task {
        ensure!(
            included
                .lines()
                .any(|line| format!("state/{file}").starts_with(line)),
            "{file}"
        );
    }
    std::fs::write(sandbox.node().state().join("imapsync/u1_abc123.pwd"), "wrong")?;
    sandbox.sync_again("u1", "abc123")?;
    ensure!(listed("last_sync_error")? == "bad_user_credentials");
    Ok(())
}

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
fn tasks_are_listed_whoever_is_down() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    run_action(
        &sandbox,
        "create-task",
        sandbox.task_with(json!({"start": false})),
    )?;
    sandbox.set_api_fault(ApiFault::Status { code: 503, times: 2 })?;
    let output = run_action(&sandbox, "list-tasks", json!({}))?.output;
    assert_eq!(
        output["enabled_mailboxes"].as_array().unwrap().len(),
        3,
        "tried again"
    );
    sandbox.set_api_fault(ApiFault::EndlessTasks)?;
    let outcome = run_action(&sandbox, "list-tasks", json!({}))?;
    ensure!(
        outcome.stderr.contains("list-user-mailboxes"),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.output["user_properties"].as_array().unwrap().len(), 1);
    sandbox.redis().stop();
    let outcome = run_action(&sandbox, "list-tasks", json!({}))?;
    ensure!(outcome.stderr.contains("Redis"), "{}", outcome.stderr);
    assert_eq!(outcome.output["enabled_mailboxes"], json!([]));
    assert_eq!(outcome.output["user_properties"].as_array().unwrap().len(), 1);
    Ok(())
}

#[test]
fn thirty_two_edits_of_one_task_leave_one_whole_task() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let running: Vec<_> = (0..32)
        .map(|number| {
            let minutes = format!("{}m", number + 1);
            sandbox.start_action("create-task", sandbox.task_with(json!({"cron": minutes})))
        })
        .collect::<anyhow::Result<_>>()?;
    for action in running {
        let outcome = action.wait()?;
        ensure!(outcome.is_ok(), "{outcome:#?}");
    }
    // What a run was writing when it was stopped, the next one to take the task clears away.
    run_action(&sandbox, "stop-all-tasks", Value::Null)?;
    let task = json!({"localuser": "u1", "task_id": "abc123"});
    run_action(&sandbox, "update-tasks", json!({"tasks": [task]}))?;
    let files = sandbox.state_files()?;
    let env = &files["imapsync/u1_abc123.env"].text;
    let minutes = env
        .lines()
        .find_map(|line| line.strip_prefix("CRON=")?.strip_suffix('m'))
        .unwrap();
    ensure!(
        files["cron/u1_abc123.cron"]
            .text
            .contains(&format!("*/{minutes} ")),
        "{env}"
    );
    ensure!(
        files
            .keys()
            .all(|file| !file.ends_with(".tmp") && !file.ends_with(".new") && !file.ends_with(".commit")),
        "{:?}",
        files.keys()
    );
    Ok(())
}

#[test]
fn an_action_cancelled_at_any_moment_leaves_the_old_task_or_the_new_one() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    run_action(
        &sandbox,
        "create-task",
        sandbox.task_with(json!({"cron": "5m", "start": false})),
    )?;
    for step in 0..20 {
        let edit = sandbox.task_with(json!({"cron": "7m", "exclude": "x", "start": false}));
        let running = sandbox.start_action("create-task", edit)?;
        // The moments are spread over the whole action, which takes some 100 ms.
        std::thread::sleep(Duration::from_millis(step * 8));
        running.cancel();
        running.wait()?;
        // Whatever was left half done is finished or dropped by the next one to take the task.
        run_action(
            &sandbox,
            "update-tasks",
            json!({"tasks": [{"localuser": "u1", "task_id": "abc123"}]}),
        )?;
        let files = sandbox.state_files()?;
        let text = |file: &str| files[file].text.as_str();
        let (env, cron) = (text("imapsync/u1_abc123.env"), text("cron/u1_abc123.cron"));
        let old = env.contains("\nCRON=5m\n") && env.contains("\nEXCLUDE=\n") && cron.contains("*/5 ");
        let new = env.contains("\nCRON=7m\n") && env.contains("\nEXCLUDE=,x\n") && cron.contains("*/7 ");
        ensure!(old || new, "after {step}: {env} {cron}");
        assert_eq!(text("imapsync/u1_abc123.pwd"), "Pw-r1!");
        run_action(
            &sandbox,
            "create-task",
            sandbox.task_with(json!({"cron": "5m", "start": false})),
        )?;
    }
    Ok(())
}

#[test]
fn what_is_no_part_of_the_login_can_be_edited_while_the_source_is_down() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let server = SocketAddr::from((sandbox.remote().address(), sandbox.remote().port()));
    let proxy = Proxy::start(server, Duration::ZERO)?;
    let host = sandbox.remote().address().to_string();
    let task = |changes: Value| {
        let mut input =
            sandbox.task_with(json!({"remotehostname": host, "remoteport": proxy.port(), "start": false}));
        if let (Value::Object(input), Value::Object(changes)) = (&mut input, changes) {
            input.extend(changes);
        }
        input
    };
    run_action(&sandbox, "create-task", task(json!({})))?;
    proxy.cut_after(0);
    let asked = proxy.connections();
    let edit =
        json!({"remotepassword": "", "cron": "7m", "foldersynchronization": "exclusion", "exclude": "x"});
    run_action(&sandbox, "create-task", task(edit))?;
    ensure!(proxy.connections() == asked, "the source was asked");
    let files = sandbox.state_files()?;
    let env = &files["imapsync/u1_abc123.env"].text;
    ensure!(
        env.contains("\nCRON=7m\n") && env.contains("\nEXCLUDE=,x\n"),
        "{env}"
    );
    assert_eq!(files["imapsync/u1_abc123.pwd"].text, "Pw-r1!");
    // A run that cannot reach it changes nothing of that.
    sandbox.sync_again("u1", "abc123")?;
    run_action(
        &sandbox,
        "create-task",
        task(json!({"remotepassword": "", "cron": "9m"})),
    )?;
    // Whatever a login could fail by is tested.
    let before = sandbox.state_files()?;
    for changes in [
        json!({"remotepassword": "Pw-r1!"}),
        json!({"remotepassword": "Another-0ne"}),
        json!({"remoteusername": "r2@example.com", "remotepassword": "Pw-r2!"}),
        json!({"security": "ssl", "remotepassword": "Pw-r1!"}),
    ] {
        let refused = sandbox.action("create-task", task(changes.clone()))?;
        ensure!(!refused.is_ok(), "{changes}: {refused:#?}");
    }
    ensure!(
        sandbox.state_files()? == before,
        "a refused edit changed something"
    );

    // What was refused before is not left at that.
    proxy.heal();
    std::fs::write(sandbox.task_file("u1_abc123", "pwd"), "wrong")?;
    sandbox.sync_again("u1", "abc123")?;
    let refused = sandbox.action("create-task", task(json!({"remotepassword": "", "cron": "11m"})))?;
    assert_eq!(refused.errors(), ["bad_user_credentials"]);
    Ok(())
}

#[test]
fn the_engine_and_the_limit_are_settings() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let host = sandbox.local().address().to_string();
    let with = |changes: Value| {
        let mut input = json!({"mail_server": MAIL_MODULE_UUID, "mail_host": host});
        input
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        input
    };
    let read =
        || -> anyhow::Result<Value> { Ok(run_action(&sandbox, "get-configuration", json!({}))?.output) };
    assert_eq!(read()?["sync_engine"], "auto");
    run_action(
        &sandbox,
        "configure-module",
        with(json!({"sync_engine": "native", "max_concurrent_syncs": 3})),
    )?;
    let now = read()?;
    assert_eq!(
        (
            &now["sync_engine"],
            &now["max_concurrent_syncs"],
            &now["engine_used"]
        ),
        (&json!("native"), &json!(3), &json!("native"))
    );
    ensure!(now["engine_version"].is_string());
    run_action(&sandbox, "configure-module", with(json!({})))?;
    assert_eq!(
        read()?["max_concurrent_syncs"],
        json!(3),
        "what is not given stays"
    );
    for (changes, key) in [
        (json!({"mail_host": "nodots"}), "mail_host"),
        (json!({"max_concurrent_syncs": 1000}), "max_concurrent_syncs"),
        (json!({"sync_engine": "magic"}), "sync_engine"),
        (
            json!({"mail_server": "00000000-0000-0000-0000-000000000000"}),
            "mail_server",
        ),
    ] {
        let before = sandbox.state_files()?;
        let outcome = sandbox.action("configure-module", with(changes))?;
        assert_eq!(outcome.status, Outcome::VALIDATION_FAILED, "{outcome:#?}");
        ensure!(outcome.errors()[0].starts_with(key), "{outcome:#?}");
        assert_eq!(sandbox.state_files()?, before);
    }
    Ok(())
}

#[test]
fn a_master_password_that_is_refused_is_told_from_a_user_that_is_not_there() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let file = sandbox.node().state().join("imapsync/vmail.pwd");
    let good = std::fs::read(&file)?;
    std::fs::write(&file, "Not-the-master")?;
    let key = |user: &str| -> anyhow::Result<Vec<String>> {
        let task = sandbox.task_with(json!({"localuser": user, "task_id": "m1", "start": false}));
        let validated = run_action(&sandbox, "validate-task", task.clone())?;
        let outcome = sandbox.action("create-task", task)?;
        assert_eq!(
            outcome.errors(),
            [validated.output["local"]["status"].as_str().unwrap()],
            "{outcome:#?}"
        );
        Ok(outcome.errors())
    };
    assert_eq!(key("u1")?, ["master_credentials_refused"]);
    assert_eq!(key("nosuchuser")?, ["local_user_unknown"]);
    std::fs::write(&file, good)?;
    assert_eq!(key("nosuchuser")?, ["local_user_unknown"]);
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
