// SPDX-License-Identifier: GPL-3.0-or-later
//! What the platform and the shell ask of the module: life cycle, events, many actions at once, an end at any moment.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use sandbox::{ApiFault, MAIL_MODULE_UUID, NewMail, Outcome, Proxy, Sandbox, Side};
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
        (json!({"bandwidth": -1}), "bandwidth"),
        (json!({"bandwidth": 10_485_761}), "bandwidth"),
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
