// SPDX-License-Identifier: GPL-3.0-or-later
//! The ledger outlives a task: what the next one makes of it, with other options.

use anyhow::ensure;
use sandbox::Side;
use sandbox::case::mails;
use serde_json::{Value, json};

use crate::accounts::case;

fn deleted_locally(report: &Value) -> u64 {
    report["deleted_local"].as_u64().unwrap_or_default()
}

#[test]
fn a_mirror_keeps_what_came_by_itself_after_the_former_task_was_deleted() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 5))?;
    case.deliver(Side::Remote, &mails("Work", "w", 5))?;
    case.create(json!({}))?;
    case.run_copies(10)?;
    case.act("delete-task")?;
    case.deliver(Side::Local, &mails("INBOX", "own", 3))?;
    case.deliver(Side::Local, &mails("Work", "mine", 3))?;
    case.create(json!({"delete_local": true}))?;
    for _ in 0..3 {
        let run = case.run_copies(0)?;
        ensure!(deleted_locally(&run.report) == 0, "{}", run.log);
    }
    // What comes from now on is younger than the task.
    case.deliver(Side::Local, &mails("Work", "later", 1))?;
    let run = case.run_copies(0)?;
    ensure!(deleted_locally(&run.report) == 1, "{}", run.log);
    ensure!(case.ids(Side::Local, "INBOX")?.len() == 8 && case.ids(Side::Local, "Work")?.len() == 8);
    Ok(())
}

#[test]
fn what_a_former_task_brought_stays_after_the_remote_folder_was_replaced() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("Work", "w", 10))?;
    case.create(json!({}))?;
    case.run_copies(10)?;
    case.act("delete-task")?;
    case.create(json!({"delete_local": true}))?;
    case.run_copies(0)?;
    case.replace(Side::Remote, "Work")?;
    case.run_copies(0)?;
    case.expunge(Side::Remote, "Work", "1:3")?;
    for _ in 0..2 {
        let run = case.run_copies(0)?;
        ensure!(deleted_locally(&run.report) == 0, "{}", run.log);
    }
    ensure!(case.ids(Side::Local, "Work")?.len() == 10);
    Ok(())
}

#[test]
fn each_option_of_the_next_task_finds_what_its_owner_did_meanwhile() -> anyhow::Result<()> {
    for options in [
        json!({"delete_remote": true}),
        json!({"delete_remote": true, "delete_remote_older": 1}),
        json!({"delete_local": true}),
        json!({"foldersynchronization": "inbox"}),
        json!({"foldersynchronization": "exclusion", "exclude": "Work"}),
    ] {
        let case = case()?;
        case.deliver(Side::Remote, &mails("INBOX", "m", 6))?;
        case.deliver(Side::Remote, &mails("Work", "w", 2))?;
        case.create(json!({}))?;
        case.run_copies(8)?;
        case.act("delete-task")?;
        {
            let mut imap = case.imap(Side::Local)?;
            imap.run("CREATE Filed")?;
            imap.run("SELECT INBOX")?;
            imap.run("MOVE 1:2 Filed")?;
        }
        case.expunge(Side::Local, "INBOX", "1")?;
        case.create(options.clone())?;
        for _ in 0..2 {
            let run = case.run_copies(0)?;
            ensure!(deleted_locally(&run.report) == 0, "{options}: {}", run.log);
        }
        let count = |folder| Ok::<_, anyhow::Error>(case.ids(Side::Local, folder)?.len());
        ensure!(
            (count("INBOX")?, count("Filed")?, count("Work")?) == (3, 2, 2),
            "{options}"
        );
        let preview = case.sandbox.syncctl(&["start", "--dry-run", &case.task()])?;
        ensure!(preview.exit_code == 0, "{options}: {preview:?}");
    }
    Ok(())
}

#[test]
fn folders_that_are_gone_on_both_sides_are_no_sign_of_a_list_that_lacks_some() -> anyhow::Result<()> {
    let case = case()?;
    for folder in ["INBOX", "A", "B", "C"] {
        case.deliver(Side::Remote, &mails(folder, folder, 2))?;
    }
    case.create(json!({"delete_local": true}))?;
    case.run_copies(8)?;
    for side in [Side::Remote, Side::Local] {
        let mut imap = case.imap(side)?;
        for folder in ["A", "B", "C"] {
            imap.run(&format!("DELETE {folder}"))?;
        }
    }
    for _ in 0..3 {
        case.run_copies(0)?;
    }
    case.expunge(Side::Remote, "INBOX", "1")?;
    let run = case.run_copies(0)?;
    ensure!(deleted_locally(&run.report) == 1, "{}", run.log);
    case.agree()
}

#[test]
fn a_folder_that_the_task_leaves_out_now_is_not_missed() -> anyhow::Result<()> {
    for options in [
        json!({"foldersynchronization": "exclusion", "exclude": "Work"}),
        json!({"foldersynchronization": "inbox"}),
    ] {
        let case = case()?;
        case.deliver(Side::Remote, &mails("INBOX", "m", 2))?;
        case.deliver(Side::Remote, &mails("Work", "w", 3))?;
        case.create(json!({}))?;
        case.run_copies(5)?;
        case.expunge(Side::Local, "Work", "1:*")?;
        case.create(options.clone())?;
        case.run_copies(0)?;
        let verified = case.sandbox.syncctl(&["verify", &case.task()])?;
        ensure!(verified.exit_code == 0, "{options}: {}", verified.stdout);
    }
    Ok(())
}
