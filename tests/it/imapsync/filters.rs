// SPDX-License-Identifier: GPL-3.0-or-later
//! What is done with delivered messages after imapsync: Sieve filters and `\Seen`, once each, whenever a run dies.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::process::{Signal, kill_process};
use sandbox::{NewMail, Sandbox, Side, wait_until};
use serde_json::{Value, json};
use standin::StandIn;

use crate::imapsync::{create, create_again, exit_code, holder, listing, mails, standin};
use crate::support::{TASK, USER};

const SIEVE: &str = "require [\"fileinto\", \"mailbox\"];\nfileinto :create \"Filed\";\n";

/// Puts messages into the local inbox and has the stand-in say that it copied them.
fn copy(sandbox: &Sandbox, standin: &StandIn, mails: &[NewMail]) -> anyhow::Result<()> {
    sandbox.local().deliver("u1", mails)?;
    let (remote, local) = (
        sandbox.mailbox(Side::Remote, USER)?,
        sandbox.mailbox(Side::Local, "u1")?,
    );
    let mut log = "Folder     1/1 [INBOX]                             -> [INBOX]\n\
        Host1: folder [INBOX] selected 3 messages, duplicates 0\n"
        .to_owned();
    for mail in mails {
        let named = |message: &&sandbox::Message| {
            let head = String::from_utf8_lossy(&mail.content).into_owned();
            head.starts_with(&format!("Message-Id: {}\r\n", message.message_id))
        };
        let remote = remote["INBOX"]
            .iter()
            .find(named)
            .context("not on the remote side")?;
        let local = local["INBOX"]
            .iter()
            .find(named)
            .context("not on the local side")?;
        log += &format!(
            "msg INBOX/{} {{{}}}             copied to INBOX/{}          63.60 msgs/s  19.501 KiB/s 0.307 KiB copied \n",
            remote.uid, remote.size, local.uid
        );
    }
    standin.say(&log)
}

/// The task in inbox mode.
fn inbox(sandbox: &Sandbox, changes: Value) -> Value {
    let mut input = sandbox.task_with(json!({"foldersynchronization": "inbox"}));
    for (name, value) in changes.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    input
}

#[test]
fn what_was_copied_is_filtered_once_and_marked_as_read() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let mails = mails(3);
    sandbox.remote().deliver(USER, &mails)?;
    sandbox.local().set_sieve("u1", SIEVE)?;
    let run = sandbox.mark_run(TASK);
    create(&sandbox, inbox(&sandbox, json!({"sieve_enabled": true})))?;
    standin.wait_until_started()?;
    copy(&sandbox, &standin, &mails[..2])?;
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;

    // The third one it passed over.
    ensure!(exit_code(&sandbox)? == "111", "{}", sandbox.log(TASK));
    ensure!(
        sandbox
            .log(TASK)
            .contains("imapsync passed over messages (1, UIDs 3)")
    );
    ensure!(listing(&sandbox, Side::Remote, USER, "INBOX")? == ["m1@x seen", "m2@x seen", "m3@x"]);
    ensure!(
        listing(&sandbox, Side::Local, "u1", "Filed")? == ["m1@x", "m2@x"],
        "{}",
        sandbox.log(TASK)
    );
    ensure!(listing(&sandbox, Side::Local, "u1", "INBOX")?.is_empty());

    let arguments = standin.arguments()?;
    ensure!(
        arguments.windows(2).any(|pair| pair == ["--folder", "INBOX"]),
        "{arguments:?}"
    );
    ensure!(
        arguments
            .windows(2)
            .any(|pair| pair == ["--search1", "UNSEEN UID 1:3"]),
        "{arguments:?}"
    );
    let fingerprint = arguments
        .iter()
        .any(|argument| argument.starts_with("SSL_fingerprint=sha256$"));
    ensure!(
        fingerprint,
        "the self-signed certificate is pinned: {arguments:?}"
    );
    for secret in ["Pw-r1!", sandbox::MASTER_PASSWORD] {
        ensure!(!arguments.iter().any(|argument| argument.contains(secret)));
        ensure!(!standin.environment()?.contains(secret) && !sandbox.log(TASK).contains(secret));
    }

    // The next run copies nothing; what the filters have seen they do not see again.
    let run = sandbox.mark_run(TASK);
    create_again(&sandbox)?;
    standin.wait_until_started()?;
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;
    ensure!(listing(&sandbox, Side::Local, "u1", "Filed")?.len() == 2);
    let arguments = standin.arguments()?;
    ensure!(
        arguments
            .windows(2)
            .any(|pair| pair == ["--search1", "UNSEEN UID 3"])
            && !arguments.iter().any(|argument| argument == "--maxage"),
        "{arguments:?}"
    );
    Ok(())
}

#[test]
fn a_run_killed_between_copy_and_filters_is_finished_by_the_next() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let mails = mails(3);
    sandbox.remote().deliver(USER, &mails)?;
    sandbox.local().set_sieve("u1", SIEVE)?;
    create(&sandbox, inbox(&sandbox, json!({"sieve_enabled": true})))?;
    standin.wait_until_started()?;
    copy(&sandbox, &standin, &mails[..2])?;
    wait_until("the log", || sandbox.log(TASK).contains("copied to"))?;

    kill_process(holder(&sandbox)?, Signal::KILL)?;
    // imapsync lives on, and as long as it does nothing else runs.
    let started = sandbox.syncctl(&["start", TASK])?;
    ensure!(started.stdout.contains("already running"), "{started:?}");
    standin.end(6)?;
    wait_until("the end of the orphan", || !sandbox.is_running(TASK))?;
    ensure!(listing(&sandbox, Side::Local, "u1", "INBOX")?.len() == 2);

    let run = sandbox.mark_run(TASK);
    create_again(&sandbox)?;
    standin.wait_until_started()?;
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;
    ensure!(
        listing(&sandbox, Side::Local, "u1", "Filed")? == ["m1@x", "m2@x"],
        "{}",
        sandbox.log(TASK)
    );
    ensure!(listing(&sandbox, Side::Remote, USER, "INBOX")? == ["m1@x seen", "m2@x seen", "m3@x"]);
    Ok(())
}

/// Copies as well as files, so that a message filtered twice would be there twice.
const COPYING_SIEVE: &str =
    "require [\"fileinto\", \"mailbox\", \"copy\"];\nfileinto :copy :create \"Filed\";\n";

#[test]
fn killed_at_any_moment_after_the_copy_each_message_is_filtered_once() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    sandbox.local().set_sieve("u1", COPYING_SIEVE)?;
    let all = mails(10);
    let input = inbox(&sandbox, json!({"sieve_enabled": true, "start": false}));
    create(&sandbox, input)?;
    for (round, mail) in all.iter().enumerate() {
        sandbox.remote().deliver(USER, std::slice::from_ref(mail))?;
        create_again(&sandbox)?;
        standin.wait_until_started()?;
        copy(&sandbox, &standin, std::slice::from_ref(mail))?;
        let run = holder(&sandbox)?;
        if round == 0 {
            // Its log is complete, and nothing was done about it.
            kill_process(run, Signal::STOP)?;
        }
        standin.end(0)?;
        wait_until("the end of imapsync", || {
            sandbox.log(TASK).contains("Exiting with")
        })?;
        // The moments of the kill are spread over what the run does from here on.
        std::thread::sleep(Duration::from_millis(15) * u32::try_from(round)?);
        // One that is through already is fine.
        let _ = kill_process(run, Signal::KILL);
        wait_until("its end", || !sandbox.is_running(TASK))?;
    }
    let run = sandbox.mark_run(TASK);
    create_again(&sandbox)?;
    sandbox.wait_for_run(&run)?;
    ensure!(standin.starts()? == all.len(), "nothing is left to be moved");
    let mut names: Vec<String> = (1..=all.len()).map(|n| format!("m{n}@x")).collect();
    names.sort();
    for folder in ["Filed", "INBOX"] {
        let found = listing(&sandbox, Side::Local, "u1", folder)?;
        ensure!(found == names, "{folder}: {found:?}\n{}", sandbox.log(TASK));
    }
    let remote = listing(&sandbox, Side::Remote, USER, "INBOX")?;
    ensure!(
        remote.iter().all(|message| message.ends_with(" seen")),
        "{remote:?}"
    );
    Ok(())
}

/// imapsync stores what comes short, and says nothing of it.
#[test]
fn what_it_cut_stays_unread_at_the_source() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    sandbox.local().set_sieve("u1", SIEVE)?;
    let whole: Vec<NewMail> = mails(2)
        .into_iter()
        .map(|mut mail| {
            mail.content.extend(b"A line of the text.\r\n".repeat(100));
            mail
        })
        .collect();
    sandbox.remote().deliver(USER, &whole)?;
    let mut copies = whole.clone();
    copies[1].content.truncate(600);
    let run = sandbox.mark_run(TASK);
    let input = json!({"sieve_enabled": true, "delete_remote": true});
    create(&sandbox, inbox(&sandbox, input))?;
    standin.wait_until_started()?;
    copy(&sandbox, &standin, &copies)?;
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;
    let log = sandbox.log(TASK);
    ensure!(exit_code(&sandbox)? != "0", "{log}");
    let left = listing(&sandbox, Side::Remote, USER, "INBOX")?;
    ensure!(left == ["m2@x"], "{left:?} {log}");
    ensure!(
        listing(&sandbox, Side::Local, "u1", "Filed")? == ["m1@x", "m2@x"],
        "{log}"
    );
    Ok(())
}
