// SPDX-License-Identifier: GPL-3.0-or-later
//! Looking without touching: what a run would do, and whether both sides agree.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use sandbox::case::mails;
use sandbox::{NewMail, Side};
use serde_json::{Value, json};

use crate::accounts::{Case, case};

#[test]
fn a_dry_run_tells_all_and_changes_nothing() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "i", 10))?;
    case.deliver(Side::Remote, &mails("Work", "w", 5))?;
    case.create(json!({"delete_local": true}))?;
    case.run_copies(15)?;
    case.expunge(Side::Remote, "INBOX", "UID 1:2")?;
    case.store(Side::Remote, "INBOX", "UID 3:5", "+FLAGS (\\Flagged)")?;
    let new = mails("Work", "n", 3);
    case.deliver(Side::Remote, &new)?;
    case.deliver(Side::Remote, &mails("New", "o", 2))?;
    case.deliver(Side::Local, &mails("INBOX", "e", 4))?;

    let both = || -> anyhow::Result<_> { Ok((case.mailbox(Side::Remote)?, case.mailbox(Side::Local)?)) };
    let files = || -> anyhow::Result<BTreeMap<_, _>> {
        let mut files = case.sandbox.state_files()?;
        files.retain(|name, _| name.contains(&case.task()));
        Ok(files)
    };
    let before = (both()?, files()?);
    let outcome = case.sandbox.syncctl(&["start", "--dry-run", &case.task()])?;
    ensure!(outcome.exit_code == 0, "{outcome:?}");
    let preview: Value = serde_json::from_str(&outcome.stdout)?;
    ensure!(both()? == before.0, "the mailboxes changed");
    let after = files()?;
    for (name, file) in &before.1 {
        ensure!(after.get(name) == Some(file), "{name} changed");
    }
    ensure!(after.len() == before.1.len(), "{:?}", after.keys());

    let run = case.run()?.ended(0)?;
    let octets = run.report["bytes"].as_u64();
    for (name, value) in [
        ("copy", Some(5)),
        ("flag", Some(3)),
        ("delete_local", Some(6)),
        ("delete_remote", Some(0)),
        ("bytes", octets),
    ] {
        ensure!(preview[name].as_u64() == value, "{name}: {preview}\n{}", run.log);
    }
    ensure!(
        run.report["flags"] == 3 && run.report["deleted_local"] == 6,
        "{}",
        run.report
    );
    case.agree()
}

#[test]
fn a_dry_run_before_the_first_run() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "i", 4))?;
    case.deliver(Side::Remote, &mails("Work/Sub", "w", 3))?;
    case.deliver(Side::Local, &mails("INBOX", "i", 1))?;
    case.create(json!({"delete_remote": true}))?;
    let outcome = case.sandbox.syncctl(&["start", "--dry-run", &case.task()])?;
    let preview: Value = serde_json::from_str(&outcome.stdout)?;
    ensure!(preview["copy"] == 6 && preview["delete_remote"] == 7, "{preview}");
    ensure!(case.mailbox(Side::Local)?.len() == 1 && case.ids(Side::Remote, "INBOX")?.len() == 4);
    ensure!(!case.sandbox.task_file(&case.task(), "state").exists());
    let run = case.run_copies(6)?;
    ensure!(run.report["deleted_remote"] == 7, "{}", run.report);
    Ok(())
}

fn verify(case: &Case, arguments: &[&str]) -> anyhow::Result<(i32, Value)> {
    let outcome = case
        .sandbox
        .syncctl(&[&["verify"], arguments, &[&case.task()]].concat())?;
    let verdict = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| json!(format!("{outcome:?}")));
    Ok((outcome.exit_code, verdict))
}

#[test]
fn verification_finds_every_difference() -> anyhow::Result<()> {
    let case = case()?;
    let text = |id: &str, body: &str| format!("Message-Id: <{id}@x>\r\nSubject: x\r\n\r\n{body}\r\n");
    let remote: Vec<NewMail> = ["same", "gone", "flag", "date", "size", "content", "keyword"]
        .iter()
        .flat_map(|&id| {
            ["INBOX", "Entwürfe"]
                .map(|folder| NewMail::new(id).folder(folder).content(text(id, "0123456789")))
        })
        .collect();
    let mut local: Vec<NewMail> = remote.clone();
    local.retain(|mail| mail.content != text("gone", "0123456789").into_bytes());
    for mail in &mut local {
        let is = |id: &str| mail.content == text(id, "0123456789").into_bytes();
        if is("flag") {
            mail.flags.push("\\Seen".into());
        } else if is("keyword") {
            mail.flags.push("custom".into());
        } else if is("date") {
            mail.date += 1;
        } else if is("size") {
            mail.content = text("size", "01234567890").into_bytes();
        } else if is("content") {
            mail.content = text("content", "0123456780").into_bytes();
        }
    }
    local.push(NewMail::new("extra").content(text("extra", "")));
    local.push(
        NewMail::new("extra")
            .folder("Entwürfe")
            .content(text("extra", "")),
    );
    case.deliver(Side::Remote, &remote)?;
    case.deliver(Side::Local, &local)?;
    case.create(json!({}))?;
    let before = (case.mailbox(Side::Remote)?, case.mailbox(Side::Local)?);
    for deep in [false, true] {
        let (code, verdict) = verify(&case, if deep { &["--deep"] } else { &[] })?;
        ensure!(code == 1 && verdict["agree"] == false, "{code} {verdict}");
        let found: BTreeSet<(String, String, String)> = verdict["differences"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|difference| {
                let field = |name: &str| difference[name].as_str().unwrap_or_default().to_owned();
                (field("folder"), field("message_id"), field("kind"))
            })
            .collect();
        let mut expected = BTreeSet::new();
        for folder in ["INBOX", "Entwürfe"] {
            let mut expect = |id: &str, kind: &str| {
                expected.insert((folder.to_owned(), format!("<{id}@x>"), kind.to_owned()));
            };
            for (id, kind) in [
                ("gone", "missing"),
                ("extra", "extra"),
                ("flag", "flags"),
                ("keyword", "flags"),
                ("date", "date"),
                ("size", "size"),
            ] {
                expect(id, kind);
            }
            if deep {
                expect("size", "content");
                expect("content", "content");
            }
        }
        ensure!(
            found == expected,
            "deep {deep}: {found:#?}\ninstead of {expected:#?}"
        );
    }
    ensure!(
        (case.mailbox(Side::Remote)?, case.mailbox(Side::Local)?) == before,
        "it only reads"
    );
    Ok(())
}

#[test]
fn verification_agrees_after_a_run() -> anyhow::Result<()> {
    let case = case()?;
    let plan = sandbox::Plan {
        messages: 200,
        seed: 3,
        large_per_mille: 0,
    };
    case.deliver(Side::Remote, &sandbox::mail::plan(&plan))?;
    case.deliver(
        Side::Remote,
        &[NewMail::new("nul@x").content(&b"Message-Id: <nul@x>\r\n\r\na\0b\n"[..])],
    )?;
    case.create(json!({}))?;
    case.run_copies(201)?;
    for arguments in [&[][..], &["--deep"]] {
        let (code, verdict) = verify(&case, arguments)?;
        ensure!(code == 0 && verdict["agree"] == true, "{verdict}");
    }
    case.expunge(Side::Local, "INBOX", "UID 7")?;
    let (code, verdict) = verify(&case, &[])?;
    let inbox = verdict["folders"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|folder| folder["remote"] == "INBOX");
    ensure!(
        code == 1 && inbox.is_some_and(|inbox| inbox["missing"] == 1),
        "{verdict}"
    );
    Ok(())
}

#[test]
fn verification_looks_for_all_that_is_on_record() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "i", 10))?;
    case.deliver(Side::Remote, &mails("Work", "w", 5))?;
    case.create(json!({"delete_remote": true}))?;
    case.run_copies(15)?;
    let gone = || -> anyhow::Result<(u64, Vec<Value>)> {
        let (_, verdict) = verify(&case, &[])?;
        let folders = verdict["folders"].as_array().cloned().unwrap_or_default();
        let counts = folders.iter().filter_map(|folder| folder["gone"].as_u64());
        let differences = verdict["differences"].as_array().cloned().unwrap_or_default();
        let named = differences.into_iter().filter(|one| one["kind"] == "gone");
        Ok((counts.sum(), named.collect()))
    };
    ensure!(gone()? == (0, vec![]), "{:?}", gone()?);
    // What its owner filed, in a folder that no task knows, is there.
    let mut imap = case.imap(Side::Local)?;
    imap.run("CREATE Mine")?;
    imap.run("SELECT INBOX")?;
    imap.run("UID MOVE 1:3 Mine")?;
    ensure!(gone()? == (0, vec![]), "{:?}", gone()?);
    case.expunge(Side::Local, "Work", "UID 2")?;
    let (count, named) = gone()?;
    ensure!(
        count == 1 && named.len() == 1 && named[0]["folder"] == "Work" && named[0]["uid"] == 2,
        "{count} {named:?}"
    );
    Ok(())
}
