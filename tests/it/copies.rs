// SPDX-License-Identifier: GPL-3.0-or-later
//! An instance that is cloned, moved or restored, and files in its folder that are not its own.

use std::os::unix::fs::symlink;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use ns8_imapsync::imap::Mailbox;
use ns8_imapsync::sync::state::{AccountName, Ledger};
use ns8_imapsync::task::{Layout, LocalUser, Store, TaskId, TaskName};
use sandbox::{MAIL_MODULE_UUID, Sandbox, wait_until};
use serde_json::{Value, json};

use crate::support::action_output;

const ORIGINAL: &str = "11111111-2222-3333-4444-555555555555";

/// A new instance with the files of another one, which had a task with a schedule.
fn copied() -> anyhow::Result<Sandbox> {
    let sandbox = Sandbox::builder().unconfigured().start()?;
    let tasks = sandbox.node().state().join("imapsync");
    std::fs::create_dir_all(&tasks)?;
    std::fs::write(
        tasks.join("u1_c1.env"),
        "\nTASK_ID=c1\nLOCALUSER=u1\nREMOTEUSERNAME=r\nREMOTEHOSTNAME=127.0.0.3\nREMOTEPORT=143\n\
         SECURITY=--tls1\nDELETE_LOCAL=\nEXCLUDE=\nCRON=21h\nFOLDERSYNCHRONIZATION=all\n",
    )?;
    let cron = sandbox.node().state().join("cron");
    std::fs::create_dir_all(&cron)?;
    let line = "1 */21 * * *  root /usr/local/bin/syncctl start u1_c1\n";
    std::fs::write(cron.join("u1_c1.cron"), line)?;
    std::fs::create_dir_all(tasks.join(".queue"))?;
    std::fs::write(queue(&sandbox), "{}")?;
    Ok(sandbox)
}

/// What waited in the instance when it was copied.
fn queue(sandbox: &Sandbox) -> std::path::PathBuf {
    sandbox.node().state().join("imapsync/.queue/queue.json")
}

fn origin(sandbox: &Sandbox, replace: bool) -> Value {
    json!({
        "repository": "r", "path": "p", "snapshot": "", "volumes": [], "port": 20027, "credentials": ["a", "b"],
        "replace": replace,
        "environment": {
            "MAIL_SERVER": MAIL_MODULE_UUID,
            "MAIL_HOST": sandbox.local().address().to_string(),
            "MODULE_UUID": ORIGINAL,
        },
    })
}

fn has_schedule(sandbox: &Sandbox) -> bool {
    sandbox.node().state().join("cron/u1_c1.cron").exists()
}

fn started(sandbox: &Sandbox) -> anyhow::Result<()> {
    wait_until("the start of the service", || {
        sandbox.node().container().join("running").exists()
    })
}

#[test]
fn a_copy_beside_its_original_is_paused_until_somebody_resumes_it() -> anyhow::Result<()> {
    for (action, replace, alive, paused) in [
        ("clone-module", false, true, true),
        ("clone-module", true, true, false),
        ("restore-module", false, true, true),
        ("restore-module", false, false, false),
        ("restore-module", true, true, false),
    ] {
        let sandbox = copied()?;
        if alive {
            sandbox
                .redis()
                .command(&["HSET", "cluster/module_uuid", "imapsync77", ORIGINAL])?;
        }
        action_output(&sandbox, action, origin(&sandbox, replace))?;
        started(&sandbox)?;
        let told = || -> anyhow::Result<(Value, bool)> {
            let known = action_output(&sandbox, "get-configuration", json!({}))?;
            let listed = action_output(&sandbox, "list-tasks", json!({}))?;
            Ok((
                known["schedules_paused"].clone(),
                listed["user_properties"][0]["next_run"].is_i64(),
            ))
        };
        let about = format!("{action}, replace {replace}, alive {alive}");
        assert_eq!(told()?, (json!(paused), !paused), "{about}");
        assert_eq!(has_schedule(&sandbox), !paused, "{about}");
        assert_eq!(queue(&sandbox).exists(), !paused, "{about}");
        action_output(&sandbox, "resume-schedules", json!({}))?;
        assert_eq!(told()?, (json!(false), true), "{about}");
        assert!(has_schedule(&sandbox), "{about}");
    }
    Ok(())
}

#[test]
fn a_copy_deletes_nothing_until_its_original_is_removed() -> anyhow::Result<()> {
    for action in ["clone-module", "restore-module"] {
        for ends_by in ["resume-schedules", "expand-cron"] {
            let sandbox = copied()?;
            let uuids = |change: &[&str]| {
                let command: Vec<&str> = [&[change[0], "cluster/module_uuid"], &change[1..]].concat();
                sandbox.redis().command(&command)
            };
            uuids(&["HSET", "imapsync77", ORIGINAL])?;
            action_output(&sandbox, action, origin(&sandbox, false))?;
            let rests = || {
                let tasks = sandbox.node().state().join("imapsync");
                Store::new(Layout::in_container(&tasks)).has_original()
            };
            let about = format!("{action}, {ends_by}");
            ensure!(rests(), "{about}");
            action_output(&sandbox, "resume-schedules", json!({}))?;
            ensure!(rests(), "{about}");
            uuids(&["HDEL", "imapsync77"])?;
            match ends_by {
                "expand-cron" => ensure!(sandbox.helper(ends_by, &[])?.exit_code == 0),
                action => drop(action_output(&sandbox, action, json!({}))?),
            }
            ensure!(!rests(), "{about}");
        }
    }
    Ok(())
}

#[test]
fn what_came_since_the_backup_is_older_than_the_ledger() -> anyhow::Result<()> {
    for (action, replace, is_older) in [
        ("clone-module", false, true),
        ("clone-module", true, false),
        ("restore-module", false, true),
        ("restore-module", true, true),
    ] {
        let sandbox = copied()?;
        let tasks = sandbox.node().state().join("imapsync");
        let (user, inbox) = (LocalUser::parse("u1")?, Mailbox::inbox());
        let task = TaskName::new(&user, &TaskId::parse("c1")?);
        let account = AccountName::new("127.0.0.3", "r");
        {
            let mut ledger = Ledger::open(&tasks, &task, &user, &account, |_| {})?;
            let mut folder = ledger.folder(&inbox, &inbox)?;
            (folder.baseline, folder.fingerprint) = (5, "settled".to_owned());
            ledger.save_folder(&folder)?;
        }
        action_output(&sandbox, action, origin(&sandbox, replace))?;
        let ledger = Ledger::preview(&tasks, &task, &user, &account)?;
        let folder = ledger.known_folder(&inbox)?.context("the folder on record")?;
        let begins_anew = folder.baseline == 0 && folder.fingerprint.is_empty();
        assert_eq!(begins_anew, is_older, "{action}, replace {replace}");
    }
    Ok(())
}

#[test]
fn an_edit_of_a_paused_task_gives_it_no_schedule() -> anyhow::Result<()> {
    let sandbox = copied()?;
    action_output(&sandbox, "clone-module", origin(&sandbox, false))?;
    started(&sandbox)?;
    let task = json!({"localuser": "u1", "task_id": "c1"});
    action_output(&sandbox, "update-tasks", json!({"tasks": [task], "cron": "5m"}))?;
    ensure!(!has_schedule(&sandbox));
    action_output(&sandbox, "resume-schedules", json!({}))?;
    let text = &sandbox.state_files()?["cron/u1_c1.cron"].text;
    ensure!(text.contains("*/5 "), "{text}");
    Ok(())
}

#[test]
fn an_instance_is_restored_before_its_mail_module() -> anyhow::Result<()> {
    let sandbox = copied()?;
    sandbox.redis().command(&["DEL", "module/mail1/srv/tcp/imap"])?;
    action_output(&sandbox, "restore-module", origin(&sandbox, false))?;
    let known = action_output(&sandbox, "get-configuration", json!({}))?;
    assert_eq!(known["mail_server"], MAIL_MODULE_UUID);
    Ok(())
}

#[test]
fn by_hand_the_master_password_is_waited_for_as_long_as_told() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    sandbox.redis().command(&["DEL", "module/mail1/srv/tcp/imap"])?;
    let outcome = sandbox.helper("reveal-master-secret", &["--wait=1"])?;
    ensure!(
        outcome.exit_code == 1 && outcome.stderr.contains("within 1 seconds"),
        "{outcome:?}"
    );
    Ok(())
}

#[test]
fn what_is_a_link_or_a_pipe_in_the_folder_is_not_followed() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    let folder = sandbox.node().state().join("imapsync");
    action_output(
        &sandbox,
        "create-task",
        sandbox.task_with(json!({"localuser": "u1", "task_id": "l1", "start": false})),
    )?;
    let foreign = sandbox.node().state().join("environment");
    let log = folder.join("u1_l1.log");
    symlink(&foreign, &log)?;
    let task = json!({"localuser": "u1", "task_id": "l1"});
    let outcome = sandbox.action("get-log", task.clone())?;
    ensure!(!outcome.stdout.contains("MAIL_HOST"), "{outcome:#?}");
    ensure!(outcome.stderr.contains("link"), "{outcome:#?}");
    std::fs::remove_file(&log)?;

    for name in [
        "u1_l1.log",
        "u1_l1.status",
        "u1_l1.report",
        "u1_l1.lock",
        "u2_pipe.env",
        "u2_pipe.lock",
    ] {
        let _ = std::fs::remove_file(folder.join(name));
        ensure!(
            std::process::Command::new("mkfifo")
                .arg(folder.join(name))
                .status()?
                .success()
        );
    }
    let begun = Instant::now();
    let listed = sandbox.action("list-tasks", json!({}))?;
    ensure!(listed.is_ok(), "{listed:#?}");
    assert_eq!(listed.output["user_properties"][0]["task_id"], "l1");
    for (action, input) in [
        ("get-log", task.clone()),
        ("get-progress", json!({})),
        ("get-facts", json!({})),
    ] {
        sandbox.action(action, input)?;
    }
    ensure!(sandbox.helper("expand-cron", &[])?.exit_code == 0);
    // An open pipe is waited for without end.
    ensure!(begun.elapsed().as_secs() < 60);

    let secret = folder.join("vmail.pwd");
    for way in ["vmail.pwd", ".vmail.pwd.tmp"] {
        let target = folder.join("foreign");
        std::fs::write(&target, "foreign")?;
        let _ = std::fs::remove_file(folder.join(way));
        symlink(&target, folder.join(way))?;
        ensure!(sandbox.helper("reveal-master-secret", &[])?.exit_code == 0);
        assert_eq!(std::fs::read_to_string(&target)?, "foreign");
        ensure!(std::fs::symlink_metadata(&secret)?.is_file());
    }
    Ok(())
}
