// SPDX-License-Identifier: GPL-3.0-or-later
//! What happens between runs and during them: lost state, replaced folders, interruptions, mail that comes and goes.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::ensure;
use sandbox::case::{identities, mails};
use sandbox::{NewMail, Proxy, Side, wait_until};
use serde_json::json;

use crate::accounts::{Case, case};

fn proxy(case: &Case) -> anyhow::Result<Proxy> {
    let remote = case.sandbox.remote();
    Proxy::start(
        SocketAddr::from((remote.address(), remote.port())),
        Duration::ZERO,
    )
}

/// Messages of about a kilobyte and a half.
fn bulk(folder: &str, prefix: &str, count: usize) -> Vec<NewMail> {
    let grow = |mut mail: NewMail| {
        mail.content
            .extend("0123456789 0123456789\r\n".repeat(60).into_bytes());
        mail
    };
    mails(folder, prefix, count).into_iter().map(grow).collect()
}

/// Starts the task in the background behind a slow line and waits until it copies.
fn start_slowly(case: &Case, proxy: &Proxy, octets_per_second: u64) -> anyhow::Result<sandbox::RunMark> {
    let mark = case.sandbox.mark_run(&case.task());
    proxy.throttle(octets_per_second);
    let input = json!({"localuser": case.name, "task_id": "abc123"});
    let outcome = case.sandbox.action("start-task", input)?;
    ensure!(outcome.is_ok(), "{outcome:?}");
    let local = case.sandbox.local();
    let before = local.count(&case.name)?;
    wait_until("the first message", || {
        local.count(&case.name).is_ok_and(|count| count > before)
    })?;
    Ok(mark)
}

#[test]
fn what_was_moved_or_deleted_here_does_not_come_back() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 10))?;
    case.deliver(Side::Remote, &mails("Project", "p", 3))?;
    case.create(json!({}))?;
    case.run_copies(13)?;
    let mut imap = case.imap(Side::Local)?;
    imap.run("CREATE Kept")?;
    imap.run("SELECT INBOX")?;
    imap.run("UID MOVE 1:3 Kept")?;
    imap.run("DELETE Project")?;
    drop(imap);
    case.expunge(Side::Local, "INBOX", "UID 4:5")?;
    case.run_copies(0)?;
    case.deliver(Side::Remote, &mails("INBOX", "n", 1))?;
    case.run_copies(1)?;
    ensure!(case.ids(Side::Local, "INBOX")?.len() == 6 && case.ids(Side::Local, "Kept")?.len() == 3);
    ensure!(!case.mailbox(Side::Local)?.contains_key("Project"));
    // A folder comes back for what is new in it, and only with that.
    case.deliver(Side::Remote, &mails("Project", "q", 1))?;
    case.run_copies(1)?;
    ensure!(case.ids(Side::Local, "Project")? == ["q1@x"]);
    Ok(())
}

#[test]
fn what_was_filed_here_does_not_come_again_with_another_task_or_login() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 10))?;
    case.create(json!({}))?;
    case.run_copies(10)?;
    let mut imap = case.imap(Side::Local)?;
    imap.run("CREATE Kept")?;
    imap.run("SELECT INBOX")?;
    imap.run("UID MOVE 1:3 Kept")?;
    drop(imap);
    case.expunge(Side::Local, "INBOX", "UID 4:5")?;
    let stays = |case: &Case| -> anyhow::Result<()> {
        ensure!(case.ids(Side::Local, "INBOX")?.len() == 5 && case.ids(Side::Local, "Kept")?.len() == 3);
        Ok(())
    };
    // The same name of a task, and then another way to write the login.
    case.act("delete-task")?;
    case.create(json!({}))?;
    case.run_copies(0)?;
    stays(&case)?;
    let login = case.user(Side::Remote).to_uppercase();
    case.create(json!({ "remoteusername": login }))?;
    case.run_copies(0)?;
    stays(&case)?;
    case.act("delete-task")?;
    case.create(json!({}))?;
    case.run_copies(0)?;
    stays(&case)?;
    // All of it comes again where that is asked for.
    case.act("compare-again")?;
    case.run_copies(5)?;
    Ok(())
}

#[test]
fn what_was_moved_away_and_back_there_is_not_copied_twice() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 10))?;
    case.create(json!({}))?;
    case.run_copies(10)?;
    let mut imap = case.imap(Side::Remote)?;
    imap.run("CREATE Elsewhere")?;
    imap.run("SELECT INBOX")?;
    imap.run("UID MOVE 1:3 Elsewhere")?;
    case.run_copies(3)?;
    imap.run("SELECT Elsewhere")?;
    imap.run("UID MOVE 1:3 INBOX")?;
    drop(imap);
    case.run_copies(0)?;
    ensure!(
        case.ids(Side::Local, "INBOX")?.len() == 10,
        "{:?}",
        case.ids(Side::Local, "INBOX")?
    );
    Ok(())
}

#[test]
fn old_mail_that_arrives_late_is_copied_too() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 2))?;
    case.create(json!({}))?;
    case.run_copies(2)?;
    ensure!(case.sandbox.task_file(&case.task(), "timestamp").exists());
    // Years old by its Date and by its arrival, and new in this folder.
    let old: Vec<NewMail> = mails("INBOX", "old", 3)
        .into_iter()
        .map(|mail| mail.date(1_000_000_000))
        .collect();
    case.deliver(Side::Remote, &old)?;
    case.deliver(Side::Remote, &mails("Found again", "f", 2))?;
    case.run_copies(5)?;
    case.agree()
}

#[test]
fn state_that_is_lost_or_damaged_is_made_anew() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 50))?;
    case.deliver(Side::Remote, &mails("Work", "w", 250))?;
    case.create(json!({}))?;
    case.run_copies(300)?;
    case.forget()?;
    case.run_copies(0)?;
    case.agree()?;
    for damage in [&b""[..], b"this is no database", &[0; 5000]] {
        case.forget()?;
        std::fs::write(case.sandbox.task_file(&case.task(), "state"), damage)?;
        case.run_copies(0)?;
        case.agree()?;
    }
    // Cut in the middle, as a full disk or a restored backup leaves it.
    let state = case.sandbox.task_file(&case.task(), "state");
    let octets = std::fs::read(&state)?;
    std::fs::write(&state, &octets[..octets.len() / 2])?;
    case.deliver(Side::Remote, &mails("Work", "n", 1))?;
    case.run()?.ended(0)?;
    case.agree()
}

#[test]
fn folders_replaced_on_either_side() -> anyhow::Result<()> {
    let case = case()?;
    for folder in ["INBOX", "There", "Here", "Both"] {
        case.deliver(Side::Remote, &mails(folder, &folder.to_lowercase(), 30))?;
    }
    case.create(json!({}))?;
    case.run_copies(120)?;
    for (side, folder) in [
        (Side::Remote, "There"),
        (Side::Local, "Here"),
        (Side::Remote, "Both"),
        (Side::Local, "Both"),
    ] {
        case.replace(side, folder)?;
    }
    case.deliver(Side::Remote, &mails("There", "new", 2))?;
    case.run_copies(2)?;
    case.agree()?;
    case.run_copies(0)?;
    case.replace(Side::Remote, "INBOX")?;
    case.run_copies(0)?;
    case.replace(Side::Local, "INBOX")?;
    case.run_copies(0)?;
    case.agree()
}

#[test]
fn folders_replaced_with_a_deletion_on_the_remote_side() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("Work", "w", 10))?;
    case.create(json!({}))?;
    case.run_copies(10)?;
    // Another folder of the same name, with mail that no one has delivered under the same UIDs.
    let mut imap = case.imap(Side::Remote)?;
    imap.run("DELETE Work")?;
    imap.run("CREATE Work")?;
    for n in 0..10 {
        imap.append(
            "Work",
            "",
            format!("Message-Id: <other{n}@x>\r\n\r\n{n}\r\n").as_bytes(),
        )?;
    }
    drop(imap);
    case.create(json!({"delete_remote": true}))?;
    case.run_copies(10)?;
    ensure!(case.ids(Side::Local, "Work")?.len() == 20);
    ensure!(case.ids(Side::Remote, "Work")?.is_empty());
    Ok(())
}

#[test]
fn a_stopped_run_is_finished_by_the_next() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &bulk("INBOX", "m", 300))?;
    case.deliver(Side::Remote, &bulk("Work", "w", 300))?;
    let proxy = proxy(&case)?;
    case.create(json!({"remoteport": proxy.port()}))?;
    // As a task from before certificates were looked at: it accepts the first one that it meets.
    let options = case.sandbox.task_file(&case.task(), "json");
    let pinned = std::fs::read_to_string(&options)?;
    ensure!(pinned.contains("certificate"), "{pinned}");
    std::fs::remove_file(&options)?;
    drop(start_slowly(&case, &proxy, 200_000)?);
    let stopped = case
        .sandbox
        .action("stop-task", json!({"localuser": case.name, "task_id": "abc123"}))?;
    ensure!(
        stopped.is_ok() && !case.sandbox.is_running(&case.task()),
        "{stopped:?}"
    );
    ensure!(!case.sandbox.task_file(&case.task(), "status").exists());
    ensure!(
        std::fs::read_to_string(&options)? == pinned,
        "the run that was stopped did not keep the certificate"
    );
    let copied = case.sandbox.local().count(&case.name)?;
    ensure!(copied > 0 && copied < 600, "{copied}");
    proxy.throttle(u64::MAX);
    case.run()?.ended(0)?;
    case.agree()
}

#[test]
fn a_line_that_breaks_is_made_again() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &bulk("INBOX", "m", 250))?;
    case.deliver(Side::Remote, &bulk("Work", "w", 250))?;
    let proxy = proxy(&case)?;
    case.create(json!({"remoteport": proxy.port()}))?;
    let mark = start_slowly(&case, &proxy, 300_000)?;
    proxy.cut_after(20_000);
    let before = proxy.connections();
    wait_until("a new connection", || proxy.connections() > before)?;
    proxy.heal();
    proxy.throttle(u64::MAX);
    case.sandbox.wait_for_run(&mark)?;
    ensure!(
        case.sandbox.log(&case.task()).contains("(EX_OK)"),
        "{}",
        case.sandbox.log(&case.task())
    );
    case.agree()
}

#[test]
fn a_local_server_that_hangs_up_is_asked_what_arrived() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &bulk("INBOX", "m", 300))?;
    case.deliver(Side::Remote, &bulk("Work", "w", 300))?;
    let proxy = proxy(&case)?;
    case.create(json!({"remoteport": proxy.port()}))?;
    let mark = start_slowly(&case, &proxy, 300_000)?;
    let local = case.sandbox.local();
    for _ in 0..3 {
        let before = local.count(&case.name)?;
        if local.doveadm_run(&["kick", &case.name]).is_err() {
            break;
        }
        wait_until("more mail", || {
            local.count(&case.name).is_ok_and(|count| count > before)
                || !case.sandbox.is_running(&case.task())
        })?;
    }
    proxy.throttle(u64::MAX);
    case.sandbox.wait_for_run(&mark)?;
    let log = case.sandbox.log(&case.task());
    ensure!(log.contains("reconnecting") && log.contains("(EX_OK)"), "{log}");
    case.agree()
}

#[test]
fn mail_that_comes_and_goes_meanwhile() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &bulk("INBOX", "m", 200))?;
    case.deliver(Side::Remote, &bulk("Work", "w", 200))?;
    let proxy = proxy(&case)?;
    case.create(json!({"remoteport": proxy.port()}))?;
    let mark = start_slowly(&case, &proxy, 300_000)?;
    case.deliver(Side::Remote, &mails("INBOX", "new", 5))?;
    case.deliver(Side::Remote, &mails("Late", "late", 5))?;
    // The owner tidies up on both sides.
    case.expunge(Side::Remote, "Work", "UID 150:160")?;
    case.expunge(Side::Remote, "Work", "UID 200")?;
    case.store(Side::Remote, "INBOX", "UID 1:5", "+FLAGS (\\Flagged)")?;
    proxy.throttle(u64::MAX);
    case.sandbox.wait_for_run(&mark)?;
    let log = case.sandbox.log(&case.task());
    ensure!(log.contains("(EX_OK)"), "what vanished is no error: {log}");
    case.run()?.ended(0)?;
    let (remote, local) = (case.mailbox(Side::Remote)?, case.mailbox(Side::Local)?);
    ensure!(identities(&remote["INBOX"]) == identities(&local["INBOX"]));
    ensure!(identities(&remote["Late"]) == identities(&local["Late"]));
    ensure!(local["Work"].len() >= 188);
    case.run_copies(0)?;
    // A run that deletes locally makes both sides the same.
    case.create(json!({"remoteport": proxy.port(), "delete_local": true}))?;
    case.run_copies(0)?;
    case.agree()
}

#[test]
fn a_folder_that_vanishes_meanwhile() -> anyhow::Result<()> {
    let case = case()?;
    for folder in ["A", "B", "C"] {
        case.deliver(Side::Remote, &bulk(folder, &folder.to_lowercase(), 150))?;
    }
    let proxy = proxy(&case)?;
    case.create(json!({"remoteport": proxy.port()}))?;
    let mark = start_slowly(&case, &proxy, 200_000)?;
    case.imap(Side::Remote)?.run("DELETE C")?;
    proxy.throttle(u64::MAX);
    case.sandbox.wait_for_run(&mark)?;
    // Whatever that run says of the folder, the others are complete.
    let local = case.mailbox(Side::Local)?;
    ensure!(
        local["A"].len() == 150 && local["B"].len() == 150,
        "{}",
        case.sandbox.log(&case.task())
    );
    case.run()?.ended(0)?;
    Ok(())
}

#[test]
fn another_message_of_the_same_size_is_not_the_one_that_its_owner_removed() -> anyhow::Result<()> {
    let case = case()?;
    let version = |text: &str, date: i64| {
        let head = "Received: from there by here; Mon\r\nMessage-Id: <report@x>\r\nSubject: A report\r\n\r\n";
        NewMail::new("")
            .folder("Work")
            .content(format!("{head}{text}\r\n"))
            .date(date)
    };
    let day = 1_790_000_000;
    case.deliver(Side::Remote, &[version("first", day), version("other", day + 1)])?;
    case.create(json!({}))?;
    case.run_copies(2)?;
    case.expunge(Side::Local, "Work", "ALL")?;
    case.expunge(Side::Remote, "Work", "UID 1")?;
    case.replace(Side::Remote, "Work")?;
    case.deliver(Side::Remote, &[version("third", day + 2)])?;
    case.run_copies(1)?;
    ensure!(case.ids(Side::Local, "Work")? == ["report@x"]);
    case.run_copies(0)?;
    Ok(())
}
