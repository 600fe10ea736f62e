// SPDX-License-Identifier: GPL-3.0-or-later
//! Runs by imapsync, with a stand-in for the program: it says what a test wants it to say, ends as it wants it to end,
//! and waits for the test in between, which puts the mail there that it claims to have copied.

mod recordings;
mod scenarios;
mod standin;
mod stops;

use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sandbox::{NewMail, Outcome, Sandbox, Side, wait_until};
use serde_json::{Value, json};

use crate::support::{TASK, USER};
use standin::StandIn;

const SIEVE: &str = "require [\"fileinto\", \"mailbox\"];\nfileinto :create \"Filed\";\n";

/// The task in inbox mode.
fn inbox(sandbox: &Sandbox, changes: Value) -> Value {
    let mut input = sandbox.task_with(json!({"foldersynchronization": "inbox"}));
    for (name, value) in changes.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    input
}

fn mails(count: usize) -> Vec<NewMail> {
    (1..=count).map(|n| NewMail::new(&format!("m{n}@x"))).collect()
}

fn create(sandbox: &Sandbox, input: Value) -> anyhow::Result<()> {
    let outcome = sandbox.action("create-task", input)?;
    ensure!(outcome.is_ok(), "{outcome:?}");
    Ok(())
}

/// The Message-Ids in a folder, without brackets; the seen ones marked.
fn listing(sandbox: &Sandbox, side: Side, user: &str, folder: &str) -> anyhow::Result<Vec<String>> {
    let mailbox = sandbox.mailbox(side, user)?;
    let messages = mailbox.get(folder).map(Vec::as_slice).unwrap_or_default();
    let mut list: Vec<String> = messages
        .iter()
        .map(|message| {
            let seen = if message.flags.iter().any(|flag| flag == "\\Seen") {
                " seen"
            } else {
                ""
            };
            format!("{}{seen}", message.message_id.trim_matches(['<', '>']))
        })
        .collect();
    list.sort();
    Ok(list)
}

fn exit_code(sandbox: &Sandbox) -> anyhow::Result<String> {
    let status = std::fs::read_to_string(sandbox.task_file(TASK, "status"))?;
    Ok(status.lines().nth(1).unwrap_or_default().to_owned())
}

/// The run ended when it was told to, for one that is killed sums nothing up.
fn stopped_by_itself(sandbox: &Sandbox, task: &str) -> anyhow::Result<()> {
    let line = format!("{task}: 0 messages transferred, exit code 143");
    wait_until(&line, || sandbox.journal().contains(&line))
}

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

    ensure!(exit_code(&sandbox)? == "0", "{}", sandbox.log(TASK));
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
        arguments.windows(2).any(|pair| pair == ["--search1", "UNSEEN"]),
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
        arguments.windows(2).any(|pair| pair == ["--maxage", "1"]),
        "{arguments:?}"
    );
    Ok(())
}

fn create_again(sandbox: &Sandbox) -> anyhow::Result<Outcome> {
    let outcome = sandbox.action("start-task", json!({"localuser": "u1", "task_id": "abc123"}))?;
    ensure!(outcome.is_ok(), "{outcome:?}");
    Ok(outcome)
}

#[test]
fn mail_with_an_old_date_that_arrives_late_is_looked_for() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let looks_back = || -> anyhow::Result<bool> {
        let run = sandbox.mark_run(TASK);
        create_again(&sandbox)?;
        standin.wait_until_started()?;
        standin.end(0)?;
        sandbox.wait_for_run(&run)?;
        ensure!(exit_code(&sandbox)? == "0", "{}", sandbox.log(TASK));
        Ok(standin.arguments()?.iter().any(|argument| argument == "--maxage"))
    };
    let today = |id: &str| {
        let now = jiff::Timestamp::now();
        let date = jiff::fmt::rfc2822::to_string(&now.to_zoned(jiff::tz::TimeZone::UTC));
        let content = format!(
            "Message-Id: <{id}>\r\nDate: {}\r\n\r\ntext\r\n",
            date.unwrap_or_default()
        );
        NewMail::new(id).content(content).date(now.as_second())
    };
    sandbox.remote().deliver(USER, &mails(2))?;
    create(&sandbox, sandbox.task_with(json!({"start": false})))?;
    ensure!(!looks_back()?, "the first run looks at everything");
    ensure!(looks_back()?, "nothing has come");
    sandbox.remote().deliver(USER, &[today("new@x")])?;
    let log = || sandbox.log(TASK);
    ensure!(
        looks_back()? && !log().contains("old date"),
        "what has come is of today"
    );
    sandbox
        .remote()
        .deliver(USER, &[NewMail::new("late@x").folder("Work/Deep")])?;
    ensure!(!looks_back()? && log().contains("old date"), "{}", log());
    ensure!(looks_back()?);
    sandbox
        .remote()
        .deliver(USER, &[today("newer@x"), NewMail::new("later@x")])?;
    ensure!(!looks_back()? && log().contains("old date"), "{}", log());
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

/// The process that runs the task.
fn holder(sandbox: &Sandbox) -> anyhow::Result<Pid> {
    let lock = std::fs::read_to_string(sandbox.task_file(TASK, "lock"))?;
    let pid = lock.split(' ').next().unwrap_or_default().parse()?;
    Pid::from_raw(pid).context("no process id in the lock")
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
    standin.wait_until_started()?;
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;
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

#[test]
fn the_engine_is_chosen_by_a_setting() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let host = sandbox.local().address().to_string();
    for (setting, used, version) in [
        ("auto", "native", env!("CARGO_PKG_VERSION")),
        ("imapsync", "imapsync", "2.290"),
        ("native", "native", env!("CARGO_PKG_VERSION")),
    ] {
        let input =
            json!({"mail_server": sandbox::MAIL_MODULE_UUID, "mail_host": host, "sync_engine": setting});
        let outcome = sandbox.action("configure-module", input)?;
        ensure!(outcome.is_ok(), "{outcome:?}");
        let told = sandbox.action("get-configuration", json!({}))?.output;
        ensure!(
            told["sync_engine"] == setting
                && told["engine_used"] == used
                && told["engine_version"] == version,
            "{told}"
        );
    }
    sandbox.sync(sandbox.task_input())?;
    ensure!(standin.starts().is_err(), "the native engine was asked for");
    Ok(())
}

#[test]
fn every_exit_code_reaches_status_and_report() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let run = sandbox.mark_run(TASK);
    create(&sandbox, sandbox.task_input())?;
    standin.wait_until_started()?;
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;
    for (code, key) in [
        (10, json!("Check_hostname_or_tcp_port")),
        (12, json!("SSL_encryption_error")),
        (16, json!("bad_user_credentials")),
        (101, json!("Check_hostname_or_tcp_port")),
        (102, json!("local_server_unreachable")),
        (111, Value::Null),
        (112, Value::Null),
        (113, Value::Null),
        (114, Value::Null),
        (115, Value::Null),
        (116, Value::Null),
        (117, Value::Null),
        (118, Value::Null),
        (119, Value::Null),
        (161, json!("bad_user_credentials")),
        (162, json!("local_user_unknown")),
    ] {
        let run = sandbox.mark_run(TASK);
        create_again(&sandbox)?;
        standin.wait_until_started()?;
        standin.say("Err 1/1: - msg INBOX/17 {9} could not append ( Subject:[private], Date:[x], Size:[9], Flags:[] ) to folder INBOX: 12 NO refused\n")?;
        standin.end(code)?;
        sandbox.wait_for_run(&run)?;
        ensure!(
            exit_code(&sandbox)? == code.to_string(),
            "{code}: {}",
            sandbox.log(TASK)
        );
        let report: Value = serde_json::from_slice(&std::fs::read(sandbox.task_file(TASK, "report"))?)?;
        ensure!(report["exit_code"] == code && report["error"] == key, "{report}");
        let problem = &report["problems"][0];
        ensure!(problem["uid"] == 17 && problem["folder"] == "INBOX", "{report}");
        ensure!(!report.to_string().contains("private"), "{report}");
    }
    Ok(())
}

#[test]
fn progress_is_told_and_a_stop_ends_imapsync_too() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let run = sandbox.mark_run(TASK);
    create(&sandbox, sandbox.task_input())?;
    standin.wait_until_started()?;
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;
    let status = std::fs::read(sandbox.task_file(TASK, "status"))?;

    create_again(&sandbox)?;
    standin.wait_until_started()?;
    standin.say(
        "Folder     1/4 [INBOX]                             -> [INBOX]\nHost1: folder [INBOX] selected 4 messages, duplicates 0\n\
         Folder     2/4 [Gel&APY-scht] = [Gelöscht]         -> [Gel&APY-scht] = [Gelöscht]\nHost1: folder [Gel&APY-scht] selected 5 messages, duplicates 0\n\
         msg Gel&APY-scht/9 {314}             copied to Gel&APY-scht/1          63.60 msgs/s\n",
    )?;
    let mut progress = Value::Null;
    wait_until("progress", || {
        let text = std::fs::read(sandbox.task_file(TASK, "progress")).unwrap_or_default();
        progress = serde_json::from_slice(&text).unwrap_or_default();
        progress["bytes_done"] == 314
    })?;
    ensure!(
        progress["state"] == "running" && progress["folder"] == "Gelöscht",
        "{progress}"
    );
    ensure!(
        progress["folder_index"] == 2 && progress["folders"] == 4,
        "{progress}"
    );
    ensure!(
        progress["messages_done"] == 5 && progress["messages_total"] == 9,
        "{progress}"
    );

    let outcome = sandbox.action("stop-task", json!({"localuser": "u1", "task_id": "abc123"}))?;
    ensure!(outcome.is_ok() && !sandbox.is_running(TASK), "{outcome:?}");
    ensure!(standin.was_terminated()?, "imapsync was not asked to end");
    ensure!(
        std::fs::read(sandbox.task_file(TASK, "status"))? == status,
        "a stop leaves the former status"
    );
    for gone in ["timestamp", "progress", "pid"] {
        ensure!(!sandbox.task_file(TASK, gone).exists(), "{gone} is still there");
    }
    Ok(())
}

#[test]
fn retention_deletes_only_what_is_old_and_delivered() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let now = jiff::Timestamp::now().as_second();
    let old = |id: &str| NewMail::new(id).folder("Work").date(now - 40 * 86_400);
    let new = |id: &str| NewMail::new(id).folder("Work").date(now - 86_400);
    let delivered = [old("old@x"), new("new@x")];
    sandbox.remote().deliver(USER, &delivered)?;
    sandbox.remote().deliver(USER, &[old("undelivered@x")])?;
    let run = sandbox.mark_run(TASK);
    create(
        &sandbox,
        sandbox.task_with(json!({"delete_remote": true, "delete_remote_older": 30})),
    )?;
    standin.wait_until_started()?;
    sandbox.local().deliver("u1", &delivered)?;
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;
    ensure!(exit_code(&sandbox)? == "0", "{}", sandbox.log(TASK));
    ensure!(
        listing(&sandbox, Side::Remote, USER, "Work")? == ["new@x", "undelivered@x"],
        "{}",
        sandbox.log(TASK)
    );
    ensure!(
        !standin
            .arguments()?
            .iter()
            .any(|argument| argument.starts_with("--delete"))
    );
    Ok(())
}

#[test]
fn the_queue_lets_one_after_the_other_work() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&["MAX_CONCURRENT_SYNCS=1"])?;
    let run = sandbox.mark_run(TASK);
    create(&sandbox, sandbox.task_input())?;
    standin.wait_until_started()?;
    let second = sandbox.task_with(json!({"localuser": "u2"}));
    let waiting = sandbox.mark_run("u2_abc123");
    create(&sandbox, second)?;
    let state = || {
        let text = std::fs::read(sandbox.task_file("u2_abc123", "progress")).unwrap_or_default();
        let progress: Value = serde_json::from_slice(&text).unwrap_or_default();
        progress["state"].as_str().unwrap_or_default().to_owned()
    };
    wait_until("the second run to queue", || state() == "queued")?;
    // A tick of cron while it waits does nothing.
    let tick = sandbox.syncctl(&["start", "u2_abc123"])?;
    ensure!(tick.stdout.contains("already running"), "{tick:?}");
    ensure!(standin.starts()? == 1);
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;
    standin.wait_until_started()?;
    standin.end(0)?;
    sandbox.wait_for_run(&waiting)?;

    // One that waits can be stopped.
    create_again(&sandbox)?;
    standin.wait_until_started()?;
    let again = sandbox.action("start-task", json!({"localuser": "u2", "task_id": "abc123"}))?;
    ensure!(again.is_ok(), "{again:?}");
    wait_until("the second run to queue", || state() == "queued")?;
    let stopped = sandbox.action("stop-task", json!({"localuser": "u2", "task_id": "abc123"}))?;
    ensure!(stopped.is_ok() && !sandbox.is_running("u2_abc123"), "{stopped:?}");
    stopped_by_itself(&sandbox, "u2_abc123")?;
    standin.end(0)?;
    Ok(())
}

#[test]
fn what_cannot_run_says_so_and_leaves_the_former_status() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let run = sandbox.mark_run(TASK);
    create(&sandbox, sandbox.task_input())?;
    standin.wait_until_started()?;
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;
    let status = std::fs::read(sandbox.task_file(TASK, "status"))?;

    for name in ["", "nobody_x", "u1/abc123", ".hidden"] {
        let outcome = sandbox.syncctl(&["start", name])?;
        ensure!(
            outcome.exit_code == 66 && !outcome.stderr.contains("panicked"),
            "{name:?}: {outcome:?}"
        );
    }
    // A log that cannot be written, as on a full disk.
    let log = sandbox.task_file(TASK, "log");
    std::fs::remove_file(&log)?;
    std::os::unix::fs::symlink("/dev/full", &log)?;
    let outcome = sandbox.syncctl(&["start", TASK])?;
    ensure!(
        outcome.exit_code == 1 && outcome.stderr.contains(".log"),
        "{outcome:?}"
    );
    ensure!(std::fs::read(sandbox.task_file(TASK, "status"))? == status);
    ensure!(!sandbox.is_running(TASK) && !sandbox.task_file(TASK, "progress").exists());
    std::fs::remove_file(&log)?;

    // An end without the line that tells it: the log is not complete, so neither is the run.
    let run = sandbox.mark_run(TASK);
    create_again(&sandbox)?;
    standin.wait_until_started()?;
    standin.end_silently(0)?;
    sandbox.wait_for_run(&run)?;
    ensure!(exit_code(&sandbox)? == "1" && sandbox.log(TASK).contains("not complete"));
    Ok(())
}
