// SPDX-License-Identifier: GPL-3.0-or-later
//! Several tasks that fill one local mailbox: what one of them deletes, notices or forgets takes nothing from the others.

use anyhow::ensure;
use sandbox::Side;
use sandbox::case::mails;
use serde_json::{Value, json};

use crate::accounts::{Case, case};

/// Another task of the same local user, from the remote account of `source`.
struct Second<'a> {
    case: &'a Case,
    source: &'a Case,
}

impl Second<'_> {
    fn create(&self, changes: Value) -> anyhow::Result<()> {
        let mut input = self.source.input(changes);
        input["localuser"] = self.case.name.clone().into();
        input["task_id"] = "second".into();
        let outcome = self.case.sandbox.action("create-task", input)?;
        ensure!(outcome.is_ok(), "{outcome:?}");
        Ok(())
    }

    /// Runs to its end, which must be a good one.
    fn run(&self) -> anyhow::Result<()> {
        let task = format!("{}_second", self.case.name);
        let outcome = self.case.sandbox.syncctl(&["start", &task])?;
        ensure!(outcome.exit_code == 0, "{}", self.case.sandbox.log(&task));
        Ok(())
    }
}

#[test]
fn a_copy_by_which_another_task_deleted_its_original_stays() -> anyhow::Result<()> {
    for options in [
        json!({"delete_remote": true}),
        json!({"delete_remote": true, "foldersynchronization": "inbox"}),
    ] {
        for forgets in [false, true] {
            let (case, other) = (case()?, case()?);
            // A newsletter that came to both accounts.
            let newsletter = mails("INBOX", "news", 1);
            case.deliver(Side::Remote, &newsletter)?;
            case.deliver(Side::Remote, &mails("INBOX", "a", 5))?;
            other.deliver(Side::Remote, &newsletter)?;
            case.create(json!({"delete_local": true}))?;
            case.run_copies(6)?;
            let second = Second {
                case: &case,
                source: &other,
            };
            second.create(options.clone())?;
            second.run()?;
            ensure!(other.ids(Side::Remote, "INBOX")?.is_empty(), "{options}");
            if forgets {
                let task = json!({"localuser": case.name, "task_id": "second"});
                ensure!(case.sandbox.action("compare-again", task)?.is_ok());
            }
            case.expunge(Side::Remote, "INBOX", "UID 1")?;
            for _ in 0..2 {
                case.run_copies(0)?;
                second.run()?;
            }
            let left = case.ids(Side::Local, "INBOX")?;
            ensure!(left.contains(&"news1@x".to_owned()), "{options}: {left:?}");
        }
    }
    Ok(())
}

#[test]
fn a_replaced_mailbox_is_filled_again_by_every_task_whichever_notices_it() -> anyhow::Result<()> {
    let (case, other) = (case()?, case()?);
    case.deliver(Side::Remote, &mails("INBOX", "i", 3))?;
    case.deliver(Side::Remote, &mails("Work", "w", 3))?;
    other.deliver(Side::Remote, &mails("Lists", "l", 3))?;
    case.create(json!({}))?;
    case.run_copies(6)?;
    let inbox = Second {
        case: &case,
        source: &case,
    };
    inbox.create(json!({"foldersynchronization": "inbox"}))?;
    inbox.run()?;
    let third = json!({
        "localuser": case.name,
        "task_id": "third1",
        "remoteusername": other.user(Side::Remote),
        "remotepassword": format!("Pw-{}", other.name),
    });
    ensure!(case.sandbox.action("create-task", case.input(third))?.is_ok());
    let third = format!("{}_third1", case.name);
    ensure!(case.sandbox.syncctl(&["start", &third])?.exit_code == 0);
    // The mailbox is made anew: an inbox of another generation, and nothing else.
    case.replace(Side::Local, "INBOX")?;
    case.expunge(Side::Local, "INBOX", "1:*")?;
    let mut owner = case.imap(Side::Local)?;
    for folder in ["Work", "Lists"] {
        owner.run(&format!("DELETE {folder}"))?;
    }
    drop(owner);
    inbox.run()?;
    ensure!(case.run()?.exit_code == 0);
    ensure!(case.sandbox.syncctl(&["start", &third])?.exit_code == 0);
    for folder in ["INBOX", "Work", "Lists"] {
        let there = case.ids(Side::Local, folder)?;
        ensure!(there.len() == 3, "{folder}: {there:?}");
    }
    Ok(())
}

/// That a message is delivered is no reason to take it for read.
#[test]
fn what_a_task_of_the_inbox_marks_as_read_stays_unread_here() -> anyhow::Result<()> {
    for changes in [json!({}), json!({"delete_local": true})] {
        let case = case()?;
        case.deliver(Side::Remote, &mails("INBOX", "m", 3))?;
        case.create(json!({"foldersynchronization": "inbox"}))?;
        case.run_copies(3)?;
        let all = Second {
            case: &case,
            source: &case,
        };
        all.create(changes)?;
        // What its owner does there is carried over all the same.
        case.store(
            Side::Remote,
            "INBOX",
            "HEADER Message-Id <m2@x>",
            "+FLAGS (\\Flagged)",
        )?;
        for _ in 0..2 {
            all.run()?;
        }
        for (id, flags) in [("m1@x", ""), ("m2@x", "\\Flagged"), ("m3@x", "")] {
            let found = case.flags_of(Side::Local, "INBOX", id)?;
            ensure!(found == flags, "{id}: {found}");
        }
        for change in ["-FLAGS (\\Seen)", "+FLAGS (\\Seen)"] {
            case.store(Side::Remote, "INBOX", "HEADER Message-Id <m3@x>", change)?;
            all.run()?;
        }
        let found = case.flags_of(Side::Local, "INBOX", "m3@x")?;
        ensure!(found == "\\Seen", "its owner read it: {found}");
    }
    Ok(())
}

#[test]
fn what_its_owner_filed_stays_where_only_the_other_task_looks() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "i", 5))?;
    case.deliver(Side::Remote, &mails("Lists", "l", 5))?;
    case.create(json!({"delete_local": true}))?;
    case.run_copies(10)?;
    let inbox = Second {
        case: &case,
        source: &case,
    };
    inbox.create(json!({"delete_local": true, "foldersynchronization": "exclusion", "exclude": "Lists"}))?;
    inbox.run()?;
    let mut owner = case.imap(Side::Local)?;
    owner.run("SELECT INBOX")?;
    owner.run("UID MOVE 2 Lists")?;
    drop(owner);
    case.expunge(Side::Remote, "INBOX", "UID 2")?;
    inbox.run()?;
    for _ in 0..2 {
        case.run_copies(0)?;
    }
    ensure!(case.ids(Side::Local, "Lists")?.len() == 6);
    Ok(())
}
