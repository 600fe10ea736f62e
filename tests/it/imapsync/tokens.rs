// SPDX-License-Identifier: GPL-3.0-or-later
//! The access token that imapsync reads.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::ensure;
use sandbox::{Issuer, wait_until};
use serde_json::json;

use crate::imapsync::{create, standin};
use crate::support::{TASK, action_output};

#[test]
fn a_token_lies_in_a_file_that_is_kept_fresh_and_goes_with_the_run() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let issuer = Issuer::start(&sandbox)?;
    // Half of it is over before the token is looked at again.
    issuer.set_life(50)?;
    action_output(&sandbox, "save-source", issuer.source("application")?)?;
    let mut task = sandbox
        .task_with(json!({"source": "application", "remoteusername": "ann@example.com", "start": false}));
    for name in ["remotehostname", "remoteport", "remotepassword", "security"] {
        task.as_object_mut().map(|fields| fields.remove(name));
    }
    create(&sandbox, task)?;
    let file = sandbox.task_file(TASK, "token");
    let token = || fs::read_to_string(&file).unwrap_or_default();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| sandbox.syncctl(&["start", TASK]));
        standin.wait_until_started()?;
        let first = token();
        ensure!(!first.is_empty() && fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600);
        let arguments = standin.arguments()?;
        let named = arguments
            .windows(2)
            .any(|pair| pair[0] == "--oauthaccesstoken1" && pair[1].ends_with(&format!("/{TASK}.token")));
        ensure!(named, "{arguments:?}");
        ensure!(
            !arguments.iter().any(|argument| argument == "--passfile1"),
            "{arguments:?}"
        );
        let others = [arguments.concat(), standin.environment()?];
        ensure!(
            !others.iter().any(|text| text.contains(&first)),
            "the token is told"
        );
        wait_until("another token", || {
            !["", first.as_str()].contains(&token().as_str())
        })?;
        // What a server repeats, imapsync writes down.
        let second = token();
        standin.say(&format!(
            "A001 NO {first} has ended, {second} is not known\nA002 OK told\n"
        ))?;
        wait_until("tokens to be hidden", || {
            let log = sandbox.log(TASK);
            log.contains("A002 OK told") && !log.contains(&first) && !log.contains(&second)
        })?;
        standin.end(0)?;
        let ended = run.join().map_err(|_| anyhow::anyhow!("a thread failed"))??;
        ensure!(ended.exit_code == 0, "{}", sandbox.log(TASK));
        Ok(())
    })?;
    ensure!(!file.try_exists()?, "the token stays behind");
    ensure!(standin.starts()? == 1);
    Ok(())
}

#[test]
fn a_password_that_imapsync_writes_down_is_hidden() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    create(&sandbox, sandbox.task_with(json!({"start": false})))?;
    let password = fs::read_to_string(sandbox.task_file(TASK, "pwd"))?;
    let password = password.trim();
    let coded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, password);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| sandbox.syncctl(&["start", TASK]));
        standin.wait_until_started()?;
        standin.say(&format!("A001 NO wrong: {password}\n"))?;
        wait_until("a password to be hidden", || {
            let log = sandbox.log(TASK);
            log.contains("A001 NO wrong: ") && !log.contains(password)
        })?;
        standin.say(&format!(
            "++++ Listing 1 errors encountered during the sync ( avoid this listing with --noerrorsdump ).\n\
             Err 1/1: Host1 failure: {password}\nA002 NO {coded}\nA003 NO {password}"
        ))?;
        standin.end(0)?;
        run.join().map_err(|_| anyhow::anyhow!("a thread failed"))??;
        Ok::<_, anyhow::Error>(())
    })?;
    let log = sandbox.log(TASK);
    ensure!(
        log.contains("A003 NO ") && !log.contains(password) && !log.contains(&coded),
        "{log}"
    );
    let report = fs::read_to_string(sandbox.task_file(TASK, "report"))?;
    ensure!(
        report.contains("Host1 failure") && !report.contains(password),
        "{report}"
    );
    Ok(())
}

#[test]
fn what_imapsync_writes_down_while_it_is_stopped_is_hidden() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    create(&sandbox, sandbox.task_with(json!({"start": false})))?;
    let password = fs::read_to_string(sandbox.task_file(TASK, "pwd"))?;
    standin.say_at_last(&format!("A004 NO {password}\n"))?;
    std::thread::scope(|scope| {
        let run = scope.spawn(|| sandbox.syncctl(&["start", TASK]));
        standin.wait_until_started()?;
        sandbox.syncctl(&["stop", TASK])?;
        run.join().map_err(|_| anyhow::anyhow!("a thread failed"))??;
        Ok::<_, anyhow::Error>(())
    })?;
    let log = sandbox.log(TASK);
    ensure!(
        log.contains("A004 NO ") && !log.contains(password.trim()),
        "{log}"
    );
    Ok(())
}
