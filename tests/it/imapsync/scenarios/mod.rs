// SPDX-License-Identifier: GPL-3.0-or-later
//! Thirty tasks of the kinds that people have, each run twice with mail that comes, goes and changes in between: both
//! engines must leave the same mail on both sides, and say the same about it.
//!
//! The native engine is held to the table in every run of the tests. imapsync is no package of Debian or of a language's
//! registry: it is compared where `IMAPSYNC=/path/to/imapsync` names it, and what is left out is printed.

mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use sandbox::{Case, Mailbox, NewMail, Sandbox, Side, wait_until};
use serde_json::{Value, json};

use super::standin::install_imapsync;
use table::{SCENARIOS, Scenario};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

const SIEVE: &str = "require [\"fileinto\", \"mailbox\"];\n\
                     if header :contains \"Message-Id\" \"i3\" { fileinto :create \"Filed\"; }\n";

/// What is there before the first run.
fn before(now: i64) -> Vec<NewMail> {
    let mail = |id: &str, folder: &str, date: i64, flags: &[&str]| {
        NewMail::new(&format!("{id}@x"))
            .folder(folder)
            .date(date)
            .flags(flags)
    };
    vec![
        mail("i1", "INBOX", now - 3 * HOUR, &[]),
        mail("i2", "INBOX", now - 3 * HOUR, &["\\Seen"]),
        mail("i3", "INBOX", now - 2 * HOUR, &[]),
        mail("w1", "Work", now - 2 * HOUR, &["\\Flagged"]),
        mail("w2", "Work", now - HOUR, &[]),
        mail("s1", "Work/Sub", now - HOUR, &[]),
        mail("b1", "My Stuff", now - HOUR, &[]),
        mail("t1", "Sent", now - HOUR, &["\\Seen"]),
        mail("old", "Archive", now - 400 * DAY, &[]),
    ]
}

/// What its owner does between the runs: new mail, mail with an old date, a deletion, other flags.
fn between(case: &Case<'_>, now: i64) -> anyhow::Result<()> {
    case.deliver(
        Side::Remote,
        &[
            NewMail::new("new@x").date(now - HOUR),
            NewMail::new("late@x").folder("Work").date(now - 300 * DAY),
        ],
    )?;
    let has = |folder: &str, id: &str| {
        Ok::<_, anyhow::Error>(case.ids(Side::Remote, folder)?.contains(&id.to_owned()))
    };
    if has("Work", "w2@x")? {
        case.expunge(Side::Remote, "Work", "HEADER Message-Id <w2@x>")?;
    }
    for (folder, id, change) in [
        ("INBOX", "i2@x", "+FLAGS (\\Flagged)"),
        ("Work", "w1@x", "-FLAGS (\\Flagged)"),
    ] {
        if has(folder, id)? {
            case.store(Side::Remote, folder, &format!("HEADER Message-Id <{id}>"), change)?;
        }
    }
    Ok(())
}

/// A mailbox in the table's form; the folders of the remote side by the local side's names.
fn told(side: Side, mailbox: &Mailbox) -> Vec<String> {
    let folders: BTreeMap<String, Vec<String>> = mailbox
        .iter()
        .filter(|(_, messages)| !messages.is_empty())
        .map(|(name, messages)| {
            let name = match side {
                Side::Remote => sandbox::case::turned(name),
                Side::Local => name.clone(),
            };
            let mut ids: Vec<String> = messages.iter().map(message).collect();
            ids.sort();
            (name, ids)
        })
        .collect();
    let line = |(name, ids): (String, Vec<String>)| format!("{name}: {}", ids.join(" "));
    folders.into_iter().map(line).collect()
}

fn message(message: &sandbox::Message) -> String {
    let has = |flag: &str| message.flags.iter().any(|found| found == flag);
    let id = message.message_id.trim_matches(['<', '>']).trim_end_matches("@x");
    match (has("\\Seen"), has("\\Flagged")) {
        (false, false) => id.to_owned(),
        (true, false) => format!("{id}-s"),
        (false, true) => format!("{id}-f"),
        (true, true) => format!("{id}-sf"),
    }
}

/// What is compared between the engines.
#[derive(Debug, PartialEq)]
struct Outcome {
    local: Vec<String>,
    remote: Vec<String>,
    /// Of all local mail, by Message-Id.
    dates: BTreeMap<String, i64>,
    /// The exit codes of the runs.
    exit_codes: Vec<i32>,
    /// The task as `list-tasks` shows it.
    listed: Value,
}

fn play(sandbox: &Sandbox, scenario: &Scenario, name: &str, now: i64) -> anyhow::Result<Outcome> {
    let case = Case::new(sandbox, name);
    let task = scenario.task;
    case.deliver(Side::Remote, &before(now))?;
    let own = |id: &str, folder: &str| {
        NewMail::new(&format!("{id}@x"))
            .folder(folder)
            .date(now - 50 * DAY)
    };
    case.deliver(Side::Local, &[own("own", "INBOX"), own("mine", "Mine")])?;
    if task.sieve {
        sandbox.local().set_sieve(name, SIEVE)?;
    }
    let mut fields = json!({
        "foldersynchronization": task.mode,
        "exclude": task.exclude,
        "security": task.security,
        "sieve_enabled": task.sieve,
        "delete_local": task.delete_local,
        "delete_remote": task.delete_remote,
        "delete_remote_older": task.older,
    });
    if task.security == "ssl" {
        fields["remoteport"] = sandbox.remote().tls_port().into();
    }
    if !task.password.is_empty() {
        fields["remotepassword"] = task.password.into();
    }
    case.create(fields)?;
    let mut exit_codes = vec![case.run()?.exit_code];
    between(&case, now)?;
    exit_codes.push(case.run()?.exit_code);
    let local = case.mailbox(Side::Local)?;
    let dates = local.values().flatten();
    Ok(Outcome {
        local: told(Side::Local, &local),
        remote: told(Side::Remote, &case.mailbox(Side::Remote)?),
        dates: dates
            .map(|message| (message.message_id.clone(), message.date))
            .collect(),
        exit_codes,
        listed: listed(sandbox, &case)?,
    })
}

/// The task in `list-tasks`, without what differs from run to run.
fn listed(sandbox: &Sandbox, case: &Case<'_>) -> anyhow::Result<Value> {
    let output = sandbox.action("list-tasks", json!({}))?.output;
    let mut tasks = output["user_properties"]
        .as_array()
        .cloned()
        .unwrap_or_default()
        .into_iter();
    let mut task = tasks
        .find(|task| task["localuser"] == case.name.as_str())
        .context("the task is not listed")?;
    for field in [
        "remoteport",
        "certificate",
        "last_sync_timestamp",
        "last_sync_duration",
    ] {
        task[field] = Value::Null;
    }
    Ok(task)
}

/// Accounts for all scenarios, known to both servers.
fn accounts(sandbox: &Sandbox) -> anyhow::Result<Vec<String>> {
    let names: Vec<String> = (1..=SCENARIOS.len()).map(|number| format!("s{number}")).collect();
    sandbox.add_accounts(&names)?;
    for (name, scenario) in names.iter().zip(SCENARIOS) {
        let (user, own) = (format!("{name}@example.com"), format!("Pw-{name}"));
        let password = match scenario.task.password {
            "" => own.as_str(),
            password => password,
        };
        sandbox.remote().set_user(&user, password)?;
    }
    let last = names.last().context("no scenarios")?;
    for (side, user) in [
        (Side::Remote, format!("{last}@example.com")),
        (Side::Local, last.clone()),
    ] {
        wait_until(&format!("{user} to be known"), || {
            sandbox.server(side).doveadm_run(&["user", &user]).is_ok()
        })?;
    }
    Ok(names)
}

/// A sandbox whose container has that imapsync, and uses it.
fn with_imapsync(program: &str) -> anyhow::Result<Sandbox> {
    let program = fs::canonicalize(program).with_context(|| format!("IMAPSYNC={program} is no program"))?;
    let install = |folder: &Path| Ok(std::os::unix::fs::symlink(program, folder.join("imapsync"))?);
    Ok(install_imapsync(&[], install)?.0)
}

#[test]
fn both_engines_leave_the_same_mail() -> anyhow::Result<()> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let native = Sandbox::start()?;
    let imapsync = std::env::var("IMAPSYNC")
        .ok()
        .map(|program| with_imapsync(&program))
        .transpose()?;
    if imapsync.is_none() {
        println!("the native engine alone: IMAPSYNC=/path/to/imapsync names no imapsync to compare it with");
    }
    let names = accounts(&native)?;
    if let Some(other) = &imapsync {
        accounts(other)?;
    }
    for (name, scenario) in names.iter().zip(SCENARIOS) {
        let about = || format!("{name}: {}", scenario.name);
        let outcome = play(&native, scenario, name, now).with_context(about)?;
        ensure!(
            outcome.local == scenario.local,
            "{}: local {:#?}",
            about(),
            outcome.local
        );
        ensure!(
            outcome.remote == scenario.remote,
            "{}: remote {:#?}",
            about(),
            outcome.remote
        );
        ensure!(
            outcome.exit_codes == [0, 0],
            "{}: {:?}",
            about(),
            outcome.exit_codes
        );
        if let Some(other) = &imapsync {
            let compared = play(other, scenario, name, now).with_context(about)?;
            ensure!(
                compared == outcome,
                "{}: imapsync {compared:#?}\nnative {outcome:#?}",
                about()
            );
        }
    }
    Ok(())
}
