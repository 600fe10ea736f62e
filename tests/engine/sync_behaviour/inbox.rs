// SPDX-License-Identifier: GPL-3.0-or-later
//! The inbox alone: unread mail, the user's filters once for each message, `\Seen` after that.

use anyhow::ensure;
use sandbox::case::{Run, mails};
use sandbox::{NewMail, Side};
use serde_json::{Value, json};

use crate::accounts::{Case, case};

const SIEVE: &str = r#"require ["fileinto", "mailbox", "imap4flags", "copy"];
if header :contains "subject" "file" { fileinto :create "Filed"; }
elsif header :contains "subject" "drop" { discard; }
elsif header :contains "subject" "both" { fileinto :copy :create "Copies"; }
elsif header :contains "subject" "flag" { addflag "$Important"; keep; }
"#;

fn create(case: &Case, changes: Value) -> anyhow::Result<()> {
    let mut input = json!({"foldersynchronization": "inbox"});
    for (name, value) in changes.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    case.create(input)
}

fn unseen(case: &Case) -> anyhow::Result<Vec<String>> {
    let mailbox = case.mailbox(Side::Remote)?;
    let unseen = mailbox["INBOX"]
        .iter()
        .filter(|message| !message.flags.contains(&"\\Seen".to_owned()));
    Ok(unseen
        .map(|message| message.message_id.trim_matches(['<', '>']).to_owned())
        .collect())
}

#[test]
fn only_unread_mail_of_the_inbox_and_once() -> anyhow::Result<()> {
    let case = case()?;
    let mut all = mails("INBOX", "m", 4);
    all[1].flags = vec!["\\Seen".into()];
    all[2].flags = vec!["\\Flagged".into()];
    case.deliver(Side::Remote, &all)?;
    case.deliver(Side::Remote, &mails("Work", "w", 2))?;
    create(&case, json!({}))?;
    case.run_copies(3)?;
    ensure!(case.ids(Side::Local, "INBOX")? == ["m1@x", "m3@x", "m4@x"]);
    ensure!(
        case.flags_of(Side::Local, "INBOX", "m1@x")?.is_empty(),
        "it is unread here"
    );
    ensure!(case.mailbox(Side::Local)?.len() == 1);
    ensure!(unseen(&case)?.is_empty());
    case.run_copies(0)?;

    // Deleted here, marked as unread there: it was delivered.
    case.expunge(Side::Local, "INBOX", "HEADER Message-Id <m1@x>")?;
    case.store(
        Side::Remote,
        "INBOX",
        "HEADER Message-Id <m1@x>",
        "-FLAGS (\\Seen)",
    )?;
    case.deliver(Side::Remote, &mails("INBOX", "n", 2))?;
    case.run_copies(2)?;
    ensure!(case.ids(Side::Local, "INBOX")? == ["m3@x", "m4@x", "n1@x", "n2@x"]);
    ensure!(unseen(&case)?.is_empty() || unseen(&case)? == ["m1@x"]);
    Ok(())
}

#[test]
fn filters_see_each_message_once() -> anyhow::Result<()> {
    let case = case()?;
    case.sandbox.local().set_sieve(&case.name, SIEVE)?;
    let kinds = ["file", "drop", "both", "flag", "keep"];
    let batch = |round: usize| -> Vec<NewMail> {
        (0..60)
            .map(|n| NewMail::new(&format!("{}{n}r{round}@x", kinds[n % 5])))
            .collect()
    };
    create(&case, json!({"sieve_enabled": true}))?;
    for round in 1..=3 {
        case.deliver(Side::Remote, &batch(round))?;
        case.run_copies(60)?;
        case.run_copies(0)?;
        let count = |folder: &str| case.ids(Side::Local, folder).map(|ids| ids.len());
        ensure!(count("Filed")? == 12 * round, "{}", count("Filed")?);
        ensure!(count("Copies")? == 12 * round, "{}", count("Copies")?);
        ensure!(count("INBOX")? == 36 * round, "{}", count("INBOX")?);
        ensure!(unseen(&case)?.is_empty());
    }
    let local = case.mailbox(Side::Local)?;
    for message in local.values().flatten() {
        let flags = message.flags.join(" ");
        let wanted = if message.message_id.starts_with("<flag") {
            "$Important"
        } else {
            ""
        };
        ensure!(flags == wanted, "{}: {flags}", message.message_id);
    }
    Ok(())
}

#[test]
fn mail_that_was_here_before_is_not_filtered() -> anyhow::Result<()> {
    let case = case()?;
    case.sandbox.local().set_sieve(&case.name, SIEVE)?;
    case.deliver(
        Side::Local,
        &[NewMail::new("file-before@x"), NewMail::new("file-mine@x")],
    )?;
    case.deliver(Side::Remote, &[NewMail::new("file-new@x")])?;
    create(&case, json!({"sieve_enabled": true}))?;
    case.run_copies(1)?;
    ensure!(case.ids(Side::Local, "Filed")? == ["file-new@x"]);
    ensure!(case.ids(Side::Local, "INBOX")? == ["file-before@x", "file-mine@x"]);
    Ok(())
}

#[test]
fn a_script_that_fails_keeps_the_mail() -> anyhow::Result<()> {
    let case = case()?;
    case.sandbox
        .local()
        .set_sieve(&case.name, "this is no script {")?;
    case.deliver(Side::Remote, &mails("INBOX", "file", 3))?;
    create(&case, json!({"sieve_enabled": true}))?;
    let run: Run = case.run()?;
    ensure!(run.exit_code == 111, "{}", run.log);
    ensure!(run.reasons().contains("Sieve"), "{}", run.report);
    ensure!(case.ids(Side::Local, "INBOX")?.len() == 3);
    let again = case.run()?;
    ensure!(
        again.copied() == 0 && case.ids(Side::Local, "INBOX")?.len() == 3,
        "{}",
        again.log
    );
    Ok(())
}

#[test]
fn without_a_script_it_is_just_delivered() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 3))?;
    create(&case, json!({"sieve_enabled": true}))?;
    case.run_copies(3)?;
    ensure!(case.ids(Side::Local, "INBOX")?.len() == 3);
    Ok(())
}

#[test]
fn filtered_and_then_deleted_on_the_remote_side() -> anyhow::Result<()> {
    let case = case()?;
    case.sandbox.local().set_sieve(&case.name, SIEVE)?;
    let mut all = mails("INBOX", "file", 30);
    all[0].flags = vec!["\\Seen".into()];
    case.deliver(Side::Remote, &all)?;
    create(&case, json!({"sieve_enabled": true, "delete_remote": true}))?;
    case.run_copies(29)?;
    ensure!(case.ids(Side::Local, "Filed")?.len() == 29);
    ensure!(
        case.ids(Side::Remote, "INBOX")? == ["file1@x"],
        "only what was delivered goes"
    );
    case.run_copies(0)?;
    ensure!(case.ids(Side::Local, "Filed")?.len() == 29);
    ensure!(case.ids(Side::Remote, "INBOX")? == ["file1@x"]);
    Ok(())
}

#[test]
fn the_inbox_mode_never_deletes_locally() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Local, &mails("INBOX", "mine", 3))?;
    let input = case.input(json!({"foldersynchronization": "inbox", "delete_local": true}));
    let outcome = case.sandbox.action("create-task", input)?;
    ensure!(!outcome.is_ok() && outcome.exit_code == 1, "{outcome:?}");
    ensure!(!case.sandbox.task_file(&case.task(), "env").exists());
    // Installations of the Python module may hold such a task.
    create(&case, json!({}))?;
    let env = case.sandbox.task_file(&case.task(), "env");
    let text = std::fs::read_to_string(&env)?;
    std::fs::write(&env, text.replace("DELETE_LOCAL=\n", "DELETE_LOCAL=--delete2\n"))?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 1))?;
    let run = case.run()?;
    ensure!(
        case.ids(Side::Local, "INBOX")?
            .iter()
            .filter(|id| id.starts_with("mine"))
            .count()
            == 3,
        "{}",
        run.log
    );
    Ok(())
}

/// What carries our mark is looked for where the mailbox was lost, and nowhere else.
#[test]
fn what_its_owner_deleted_does_not_come_when_both_sides_are_compared_again() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 3))?;
    create(&case, json!({}))?;
    case.run_copies(3)?;
    case.expunge(Side::Local, "INBOX", "HEADER Message-Id <m1@x>")?;
    case.act("compare-again")?;
    case.run_copies(0)?;
    std::fs::remove_file(case.sandbox.task_file(&case.task(), "state"))?;
    case.run_copies(0)?;
    ensure!(case.ids(Side::Local, "INBOX")? == ["m2@x", "m3@x"]);
    Ok(())
}
