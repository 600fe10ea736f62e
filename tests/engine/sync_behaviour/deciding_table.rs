// SPDX-License-Identifier: GPL-3.0-or-later
//! The deciding table of `docs/deletions.md`, row by row, between real servers.

use anyhow::{Context as _, bail, ensure};
use sandbox::{NewMail, Side};
use serde_json::{Value, json};

use crate::accounts::{Case, case};

const TABLE: &str = include_str!("../../../docs/deletions.md");

const DAY: i64 = 86_400;

/// Long ago, so that `delete_remote_older` applies.
const ARRIVED: i64 = 1_600_000_000;

const MESSAGE: &str = "Received: from a.test by b.test; Sun, 13 Sep 2020 12:26:40 +0000\r\n\
                       Message-Id: <m@x>\r\nSubject: it\r\n\r\ntext\r\n";

/// What else is in the folder, so that no guard is needed.
fn others() -> Vec<NewMail> {
    let now = i64::try_from(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
    );
    let date = now.unwrap_or_default() - DAY / 2;
    let mail = |n: usize| NewMail::new(&format!("o{n}@x")).folder("Work").date(date);
    (0..30).map(mail).collect()
}

fn options(name: &str) -> anyhow::Result<Value> {
    Ok(match name {
        "none" => json!({}),
        "delete_remote" => json!({"delete_remote": true}),
        "older" => json!({"delete_remote": true, "delete_remote_older": 30}),
        "delete_local" => json!({"delete_local": true}),
        _ => bail!("an option that the test does not know: {name}"),
    })
}

/// Brings both sides into the state of a row.
fn prepare(case: &Case, remote: &str, local: &str) -> anyhow::Result<()> {
    let it = NewMail::new("m@x").folder("Work").date(ARRIVED).content(MESSAGE);
    case.deliver(Side::Remote, &others())?;
    if local != "new" {
        case.deliver(Side::Remote, std::slice::from_ref(&it))?;
    }
    case.create(json!({}))?;
    case.run_copies(if local == "new" { 30 } else { 31 })?;
    let which = "HEADER Message-Id <m@x>";
    match local {
        "alive" => {}
        "removed" => case.expunge(Side::Local, "Work", which)?,
        "lost" => {
            case.expunge(Side::Local, "Work", which)?;
            case.replace(Side::Local, "Work")?;
        }
        "new" => case.deliver(Side::Remote, &[it])?,
        _ => bail!("a local state that the test does not know: {local}"),
    }
    match remote {
        "present" => {}
        "absent" => case.expunge(Side::Remote, "Work", which)?,
        "renumbered" => case.replace(Side::Remote, "Work")?,
        _ => bail!("a remote state that the test does not know: {remote}"),
    }
    Ok(())
}

fn is_there(case: &Case, side: Side) -> anyhow::Result<bool> {
    Ok(case.ids(side, "Work")?.iter().any(|id| id == "m@x"))
}

fn row(cells: &[&str]) -> anyhow::Result<()> {
    let [remote, local, option, remote_then, local_then] = cells else {
        bail!("five columns are needed");
    };
    let case = case()?;
    prepare(&case, remote, local)?;
    case.create(options(option)?)?;
    for round in 1..=2 {
        let run = case.run()?;
        for (side, then) in [(Side::Remote, remote_then), (Side::Local, local_then)] {
            let wanted = matches!(*then, "stays" | "comes");
            ensure!(
                is_there(&case, side)? == wanted,
                "run {round}: {side:?}, {then} is right: {}",
                run.log
            );
        }
        let twice = case.ids(Side::Local, "Work")?;
        ensure!(
            twice.iter().filter(|id| *id == "m@x").count() <= 1,
            "doubled: {}",
            run.log
        );
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
    ensure!(rows.len() >= 28, "only {} rows were found", rows.len());
    for cells in rows {
        row(&cells).with_context(|| cells.join(" · "))?;
    }
    Ok(())
}
