// SPDX-License-Identifier: GPL-3.0-or-later
//! What the last runs of a task did.

use std::os::unix::fs::symlink;

use anyhow::ensure;
use sandbox::{NewMail, Sandbox, Side};
use serde_json::{Value, json};

use crate::support::{TASK, USER, action_output};

fn runs(sandbox: &Sandbox) -> anyhow::Result<Vec<Value>> {
    let answer = action_output(
        sandbox,
        "get-history",
        json!({"localuser": "u1", "task_id": "abc123"}),
    )?;
    Ok(answer["runs"].as_array().cloned().unwrap_or_default())
}

fn deliver(sandbox: &Sandbox, messages: usize) -> anyhow::Result<()> {
    let mails: Vec<NewMail> = (0..messages)
        .map(|number| NewMail::new(&format!("{number}.{messages}@history")))
        .collect();
    sandbox.add_mail(Side::Remote, USER, &mails)
}

#[test]
fn each_run_is_remembered_with_what_it_did_and_why_it_failed() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    ensure!(runs(&sandbox)?.is_empty(), "there is no such task yet");
    deliver(&sandbox, 3)?;
    sandbox.sync(sandbox.task_input())?;
    sandbox.sync_again("u1", "abc123")?;
    std::fs::write(sandbox.task_file(TASK, "pwd"), "wrong")?;
    sandbox.sync_again("u1", "abc123")?;

    let told = runs(&sandbox)?;
    ensure!(told.len() == 3, "{told:?}");
    let [refused, nothing, first] = [&told[0], &told[1], &told[2]];
    ensure!(
        refused["exit_code"] == 161 && refused["error"] == "bad_user_credentials",
        "{refused}"
    );
    ensure!(nothing["exit_code"] == 0 && nothing["copied"] == 0, "{nothing}");
    ensure!(first["exit_code"] == 0 && first["copied"] == 3, "{first}");
    ensure!(first["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{first}");
    ensure!(first["started"].as_i64() <= first["ended"].as_i64(), "{first}");
    let file = &sandbox.state_files()?["imapsync/u1_abc123.history"];
    ensure!(file.mode == 0o600, "{:o}", file.mode);

    // What is stored is told, no matter what is not there.
    sandbox.redis().stop();
    ensure!(runs(&sandbox)?.len() == 3);
    sandbox.redis().restart()?;
    action_output(
        &sandbox,
        "delete-task",
        json!({"localuser": "u1", "task_id": "abc123"}),
    )?;
    ensure!(!sandbox.task_file(TASK, "history").exists());
    ensure!(runs(&sandbox)?.is_empty());
    Ok(())
}

#[test]
fn a_history_that_cannot_be_read_is_begun_again_and_keeps_no_run_from_its_work() -> anyhow::Result<()> {
    let sandbox = Sandbox::start()?;
    deliver(&sandbox, 1)?;
    sandbox.sync(sandbox.task_input())?;
    let file = sandbox.task_file(TASK, "history");
    std::fs::write(&file, "[{\"started\": 1")?;
    ensure!(runs(&sandbox)?.is_empty());
    sandbox.sync_again("u1", "abc123")?;
    ensure!(runs(&sandbox)?.len() == 1);

    // Nothing is read or written through a link.
    let foreign = sandbox.node().base().join("foreign");
    std::fs::rename(&file, &foreign)?;
    symlink(&foreign, &file)?;
    let before = std::fs::read(&foreign)?;
    ensure!(runs(&sandbox)?.is_empty());
    sandbox.sync_again("u1", "abc123")?;
    ensure!(runs(&sandbox)?.len() == 1);
    ensure!(
        std::fs::read(&foreign)? == before,
        "the file behind the link was changed"
    );
    Ok(())
}
