// SPDX-License-Identifier: GPL-3.0-or-later
//! Runs by imapsync, with a stand-in for the program: it says what a test wants it to say, ends as it wants it to end,
//! and waits for the test in between, which puts the mail there that it claims to have copied.

mod filters;
mod recordings;
mod scenarios;
mod standin;
mod status;
mod stops;
mod tokens;

use anyhow::{Context as _, ensure};
use rustix::process::Pid;
use sandbox::{NewMail, Outcome, Sandbox, Side, wait_until};
use serde_json::{Value, json};

use crate::support::{TASK, USER};

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

fn create_again(sandbox: &Sandbox) -> anyhow::Result<Outcome> {
    let outcome = sandbox.action("start-task", json!({"localuser": "u1", "task_id": "abc123"}))?;
    ensure!(outcome.is_ok(), "{outcome:?}");
    Ok(outcome)
}

/// A run that succeeds, during which this mail comes to the destination; the arguments of imapsync.
fn run_bringing(
    sandbox: &Sandbox,
    standin: &standin::StandIn,
    brings: &[NewMail],
) -> anyhow::Result<Vec<String>> {
    let run = sandbox.mark_run(TASK);
    create_again(sandbox)?;
    standin.wait_until_started()?;
    sandbox.local().deliver("u1", brings)?;
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;
    ensure!(exit_code(sandbox)? == "0", "{}", sandbox.log(TASK));
    standin.arguments()
}

#[test]
fn mail_with_an_old_date_that_arrives_late_is_looked_for() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let looks_back = |brings: &[NewMail]| -> anyhow::Result<bool> {
        let arguments = run_bringing(&sandbox, &standin, brings)?;
        Ok(arguments.iter().any(|argument| argument == "--maxage"))
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
    ensure!(!looks_back(&mails(2))?, "the first run looks at everything");
    ensure!(looks_back(&[])?, "nothing has come");
    let arrives = |mails: &[NewMail]| -> anyhow::Result<bool> {
        sandbox.remote().deliver(USER, mails)?;
        looks_back(mails)
    };
    let log = || sandbox.log(TASK);
    ensure!(
        arrives(&[today("new@x")])? && !log().contains("old date"),
        "what has come is of today"
    );
    let late = NewMail::new("late@x").folder("Work/Deep");
    ensure!(!arrives(&[late])? && log().contains("old date"), "{}", log());
    ensure!(looks_back(&[])?);
    let both = [today("newer@x"), NewMail::new("later@x")];
    ensure!(!arrives(&both)? && log().contains("old date"), "{}", log());
    Ok(())
}

/// imapsync brings whatever a local folder lacks.
#[test]
fn what_its_owner_deleted_here_does_not_come_again() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let brought = [mails(2), vec![NewMail::new("work@x").folder("Work")]].concat();
    sandbox.remote().deliver(USER, &brought)?;
    create(&sandbox, sandbox.task_with(json!({"start": false})))?;
    run_bringing(&sandbox, &standin, &brought)?;
    let query = ["mailbox", "INBOX", "HEADER", "Message-Id", "<m1@x>"];
    let expunge = [&["expunge", "-u", "u1"][..], &query].concat();
    sandbox.local().doveadm_run(&expunge)?;

    // Nothing is to be brought to that folder: imapsync leaves it alone.
    let arguments = run_bringing(&sandbox, &standin, &[])?;
    let excluded = arguments
        .iter()
        .skip_while(|argument| *argument != "--exclude")
        .nth(1);
    let excluded = excluded.context("no folder is left out")?;
    ensure!(excluded.split('|').any(|one| one == "^INBOX$"), "{excluded}");

    // New mail is brought by the native engine.
    sandbox.remote().deliver(USER, &[NewMail::new("new@x")])?;
    let run = sandbox.mark_run(TASK);
    create_again(&sandbox)?;
    sandbox.wait_for_run(&run)?;
    ensure!(standin.starts()? == 2, "imapsync was started");
    ensure!(exit_code(&sandbox)? == "0", "{}", sandbox.log(TASK));
    let inbox = listing(&sandbox, Side::Local, "u1", "INBOX")?;
    ensure!(inbox == ["m2@x", "new@x"], "{inbox:?}");
    Ok(())
}

/// The flags of what is there are its owner's; what changes at the source is carried over.
#[test]
fn flags_that_changed_on_one_side_only_stay_or_come() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    sandbox.remote().deliver(USER, &mails(2))?;
    let run = sandbox.mark_run(TASK);
    create(&sandbox, sandbox.task_with(json!({})))?;
    standin.wait_until_started()?;
    sandbox.local().deliver("u1", &mails(2))?;
    standin.end(0)?;
    sandbox.wait_for_run(&run)?;
    let add = |side: Side, user: &str, id: &str| {
        let message = format!("<{id}>");
        let query = ["mailbox", "INBOX", "HEADER", "Message-Id", &message];
        let command = [&["flags", "add", "-u", user, "\\Seen"][..], &query].concat();
        sandbox.server(side).doveadm_run(&command).map(drop)
    };
    add(Side::Local, "u1", "m1@x")?;
    add(Side::Remote, USER, "m2@x")?;
    let arguments = run_bringing(&sandbox, &standin, &[])?;
    ensure!(arguments.iter().any(|argument| argument == "--noresyncflags"));
    let local = listing(&sandbox, Side::Local, "u1", "INBOX")?;
    ensure!(
        local == ["m1@x seen", "m2@x seen"],
        "{local:?} {}",
        sandbox.log(TASK)
    );
    Ok(())
}

/// The process that runs the task.
fn holder(sandbox: &Sandbox) -> anyhow::Result<Pid> {
    let lock = std::fs::read_to_string(sandbox.task_file(TASK, "lock"))?;
    let pid = lock.split(' ').next().unwrap_or_default().parse()?;
    Pid::from_raw(pid).context("no process id in the lock")
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
    ensure!(exit_code(&sandbox)? == "111", "{}", sandbox.log(TASK));
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
fn what_imapsync_brought_is_deleted_by_proof_and_never_by_itself() -> anyhow::Result<()> {
    let (sandbox, standin) = standin::sandbox(&[])?;
    let run = |task: &str, input: Value, brought: &[NewMail]| -> anyhow::Result<String> {
        let run = sandbox.mark_run(task);
        create(&sandbox, input)?;
        standin.wait_until_started()?;
        let (user, _) = task.split_once('_').unwrap_or_default();
        sandbox.local().deliver(user, brought)?;
        standin.end(0)?;
        sandbox.wait_for_run(&run)?;
        let arguments = standin.arguments()?;
        ensure!(!arguments.iter().any(|argument| argument.starts_with("--delete")));
        Ok(sandbox.log(task))
    };
    let work = |id: &str| NewMail::new(id).folder("Work");
    // One is marked as deleted by its owner, and imapsync passes one over.
    let marked = work("marked@x").flags(&["\\Deleted"]);
    sandbox
        .remote()
        .deliver(USER, &[work("m1@x"), work("m2@x"), marked, work("left@x")])?;
    let both = [work("m1@x"), work("m2@x")];
    let log = run(TASK, sandbox.task_with(json!({"delete_remote": true})), &both)?;
    ensure!(
        exit_code(&sandbox)? == "111" && log.contains("imapsync passed over messages (2, UIDs 3:4)"),
        "{log}"
    );
    let left = listing(&sandbox, Side::Remote, USER, "Work")?;
    ensure!(left == ["left@x", "marked@x"], "{left:?}");

    let second = json!({"delete_remote": true, "localuser": "u2"});
    let log = run(
        "u2_abc123",
        sandbox.task_with(second),
        &[work("marked@x"), work("left@x")],
    )?;
    ensure!(
        log.contains("tasks of other users pull from the same account: u1"),
        "{log}"
    );
    ensure!(listing(&sandbox, Side::Remote, USER, "Work")? == left);

    // The name of the source leads to the destination.
    let local = sandbox.local();
    let itself = json!({
        "delete_remote": true,
        "remotehostname": local.address().to_string(),
        "remoteport": local.port(),
        "remoteusername": "u1",
        "remotepassword": "Pw-u1",
    });
    let log = run(TASK, sandbox.task_with(itself), &[])?;
    ensure!(log.contains("host1 and host2 are the same mailbox"), "{log}");
    ensure!(exit_code(&sandbox)? == "111", "{log}");
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
