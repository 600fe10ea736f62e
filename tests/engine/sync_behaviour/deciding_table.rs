// SPDX-License-Identifier: GPL-3.0-or-later
//! The deciding table of `docs/deletions.md`, row by row, between real servers.

use anyhow::{Context as _, bail, ensure};
use sandbox::{NewMail, Side};
use serde_json::{Value, json};

use crate::accounts::{Case, case};

const TABLE: &str = include_str!("../../../docs/deletions.md");

const DAY: i64 = 86_400;

/// Rows at a time.
const THREADS: usize = 4;

/// Long ago, so that `delete_remote_older` applies.
const ARRIVED: i64 = 1_600_000_000;

const MESSAGE: &str = "Received: from a.test by b.test; Sun, 13 Sep 2020 12:26:40 +0000\r\n\
                       Message-Id: <m@x>\r\nSubject: it\r\n\r\ntext\r\n";

const SIEVE: &str = r#"require ["fileinto", "mailbox"];
if header :is "subject" "it" { fileinto :create "Filed"; }
"#;

/// What else is in the folder, so that no guard is needed.
fn others(folder: &str) -> Vec<NewMail> {
    let now = i64::try_from(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
    );
    let date = now.unwrap_or_default() - DAY / 2;
    let mail = |n: usize| NewMail::new(&format!("o{n}@x")).folder(folder).date(date);
    (0..30).map(mail).collect()
}

fn it(folder: &str) -> NewMail {
    NewMail::new("m@x").folder(folder).date(ARRIVED).content(MESSAGE)
}

fn options(name: &str) -> anyhow::Result<Value> {
    let inbox = |sieve, delete| json!({"foldersynchronization": "inbox", "sieve_enabled": sieve, "delete_remote": delete});
    Ok(match name {
        "none" => json!({}),
        "delete_remote" => json!({"delete_remote": true}),
        "older" => json!({"delete_remote": true, "delete_remote_older": 30}),
        "delete_local" => json!({"delete_local": true}),
        "inbox" => inbox(false, false),
        "inbox, delete_remote" => inbox(false, true),
        "Sieve" => inbox(true, false),
        "Sieve, delete_remote" => inbox(true, true),
        _ => bail!("an option that the test does not know: {name}"),
    })
}

/// Another task of the same user brings the message, from its own account.
fn another_brings_it(case: &Case, folder: &str) -> anyhow::Result<()> {
    let other = crate::accounts::case()?;
    other.deliver(Side::Remote, &[it(folder)])?;
    case.create(json!({
        "task_id": "another",
        "remoteusername": other.user(Side::Remote),
        "remotepassword": format!("Pw-{}", other.name),
    }))?;
    let run = case
        .sandbox
        .syncctl(&["start", &format!("{}_another", case.name)])?;
    ensure!(
        run.exit_code == 0 && is_there(case, Side::Local, folder)?,
        "{run:?}"
    );
    Ok(())
}

/// Brings both sides into the state of a row.
fn prepare(case: &Case, folder: &str, remote: &str, local: &str) -> anyhow::Result<()> {
    case.deliver(Side::Remote, &others(folder))?;
    if local == "another" {
        another_brings_it(case, folder)?;
    }
    if local != "new" {
        case.deliver(Side::Remote, &[it(folder)])?;
    }
    case.create(json!({}))?;
    case.run_copies(if matches!(local, "new" | "another") {
        30
    } else {
        31
    })?;
    let which = "HEADER Message-Id <m@x>";
    match local {
        "alive" | "another" => {}
        "removed" => case.expunge(Side::Local, folder, which)?,
        "lost" => {
            case.expunge(Side::Local, folder, which)?;
            case.replace(Side::Local, folder)?;
        }
        "new" => case.deliver(Side::Remote, &[it(folder)])?,
        _ => bail!("a local state that the test does not know: {local}"),
    }
    match remote {
        "present" => {}
        "absent" => case.expunge(Side::Remote, folder, which)?,
        "renumbered" => case.replace(Side::Remote, folder)?,
        _ => bail!("a remote state that the test does not know: {remote}"),
    }
    Ok(())
}

fn times(case: &Case, side: Side, folder: &str) -> anyhow::Result<usize> {
    Ok(case.ids(side, folder)?.iter().filter(|id| *id == "m@x").count())
}

fn is_there(case: &Case, side: Side, folder: &str) -> anyhow::Result<bool> {
    Ok(times(case, side, folder)? > 0)
}

fn row(cells: &[&str]) -> anyhow::Result<()> {
    let [remote, local, option, remote_then, local_then] = cells else {
        bail!("five columns are needed");
    };
    let filters = option.starts_with("Sieve");
    let folder = if filters || option.starts_with("inbox") {
        "INBOX"
    } else {
        "Work"
    };
    let case = case()?;
    prepare(&case, folder, remote, local)?;
    if filters {
        case.sandbox.local().set_sieve(&case.name, SIEVE)?;
    }
    case.create(options(option)?)?;
    for round in 1..=2 {
        let run = case.run()?;
        for (side, then) in [(Side::Remote, remote_then), (Side::Local, local_then)] {
            ensure!(
                matches!(*then, "stays" | "comes" | "goes" | "absent" | "filed"),
                "an end that the test does not know: {then}"
            );
            ensure!(
                is_there(&case, side, folder)? == matches!(*then, "stays" | "comes"),
                "run {round}: {side:?}, {then} is right: {}",
                run.log
            );
        }
        let filed = times(&case, Side::Local, "Filed")?;
        ensure!(
            filed == usize::from(*local_then == "filed"),
            "run {round}: filed {filed} times: {}",
            run.log
        );
        ensure!(times(&case, Side::Local, folder)? <= 1, "doubled: {}", run.log);
    }
    Ok(())
}

#[test]
fn every_row_holds() -> anyhow::Result<()> {
    let rows: Vec<Vec<&str>> = TABLE
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches('|').count() == 6)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .filter(|cells: &Vec<&str>| cells[0] != "remote")
        .collect();
    ensure!(rows.len() >= 80, "only {} rows were found", rows.len());
    // Most of a row is waiting for servers and programs.
    let failures: Vec<String> = std::thread::scope(|scope| {
        let share = |start: usize| {
            let mine = rows.iter().skip(start).step_by(THREADS);
            let failed = mine.filter_map(|cells| row(cells).with_context(|| cells.join(" · ")).err());
            failed.map(|error| format!("{error:#}")).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..THREADS)
            .map(|start| scope.spawn(move || share(start)))
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join().expect("a share"));
        ended.flatten().collect()
    });
    ensure!(failures.is_empty(), "{}", failures.join("\n\n"));
    Ok(())
}
