// SPDX-License-Identifier: GPL-3.0-or-later
//! What is deleted on either side, and what never is.

use anyhow::ensure;
use sandbox::case::mails;
use sandbox::{NewMail, Side};
use serde_json::json;

use crate::accounts::case;

const DAY: i64 = 86_400;

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or_default())
}

fn deleted(report: &serde_json::Value) -> (u64, u64) {
    let count = |name: &str| report[name].as_u64().unwrap_or_default();
    (count("deleted_local"), count("deleted_remote"))
}

#[test]
fn the_local_side_follows_after_copying() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "i", 10))?;
    case.deliver(Side::Remote, &mails("Work", "w", 10))?;
    case.deliver(Side::Remote, &mails("Gone", "g", 5))?;
    case.create(json!({"delete_local": true}))?;
    case.run_copies(25)?;
    case.deliver(Side::Local, &mails("Work", "mine", 3))?;
    let run = case.run_copies(0)?;
    ensure!(deleted(&run.report) == (3, 0), "{}", run.log);
    case.agree()?;

    case.expunge(Side::Remote, "INBOX", "UID 1:4")?;
    case.expunge(Side::Remote, "Work", "UID 10")?;
    case.imap(Side::Remote)?.run("DELETE Gone")?;
    case.deliver(Side::Remote, &mails("New", "n", 2))?;
    let run = case.run_copies(2)?;
    ensure!(deleted(&run.report) == (5, 0), "{}", run.log);
    // One list without a folder is not believed.
    ensure!(case.ids(Side::Local, "Gone")?.len() == 5);
    let run = case.run_copies(0)?;
    ensure!(deleted(&run.report) == (5, 0), "{}", run.log);
    case.agree()?;
    case.run_copies(0)?;
    case.agree()
}

#[test]
fn what_was_here_before_the_task_stays_until_it_is_confirmed() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("Work", "w", 10))?;
    case.deliver(Side::Local, &mails("Work", "mine", 3))?;
    case.create(json!({"delete_local": true}))?;
    let run = case.run_copies(10)?;
    ensure!(deleted(&run.report) == (0, 0), "{}", run.log);
    let withheld = &run.report["withheld"][0];
    ensure!(
        withheld["folder"] == "Work" && withheld["messages"] == 3,
        "{}",
        run.report
    );
    case.act("confirm-deletions")?;
    let run = case.run_copies(0)?;
    ensure!(deleted(&run.report) == (3, 0), "{}", run.log);
    case.agree()
}

/// What was confirmed are the messages that were shown, and not others that got their numbers, nor for later.
#[test]
fn what_was_confirmed_is_no_other_message_of_the_same_number() -> anyhow::Result<()> {
    for makes_new in [true, false] {
        let case = case()?;
        case.deliver(Side::Remote, &mails("Work", "w", 10))?;
        case.deliver(Side::Local, &mails("Work", "mine", 3))?;
        case.create(json!({"delete_local": true}))?;
        case.run_copies(10)?;
        case.act("confirm-deletions")?;
        // Its owner is faster: the folder is another one, or what was to go has gone already.
        if makes_new {
            case.imap(Side::Local)?.run("DELETE Work")?;
        } else {
            case.expunge(Side::Local, "Work", "UID 1:3")?;
            case.run_copies(0)?;
            case.imap(Side::Local)?.run("DELETE Work")?;
        }
        case.imap(Side::Local)?.run("CREATE Work")?;
        case.deliver(Side::Local, &mails("Work", "letter", 3))?;
        for _ in 0..2 {
            let run = case.run()?;
            ensure!(deleted(&run.report) == (0, 0), "{makes_new} {}", run.log);
        }
        let ids = case.ids(Side::Local, "Work")?;
        let letters = ids.iter().filter(|id| id.contains("letter")).count();
        ensure!(letters == 3, "{makes_new} {ids:?}");
    }
    Ok(())
}

#[test]
fn what_was_here_before_the_task_is_counted_until_it_is_confirmed_when_it_goes_there() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("Work", "w", 10))?;
    case.deliver(Side::Local, &mails("Work", "w", 3))?;
    case.create(json!({"delete_local": true}))?;
    case.run_copies(7)?;
    case.expunge(Side::Remote, "Work", "UID 1:3")?;
    // However often nothing new is found.
    for _ in 0..3 {
        let run = case.run_copies(0)?;
        ensure!(deleted(&run.report) == (0, 0), "{}", run.log);
        let withheld = &run.report["withheld"][0];
        ensure!(
            withheld["folder"] == "Work" && withheld["messages"] == 3,
            "{}\n{}",
            run.report,
            run.log
        );
    }
    case.act("confirm-deletions")?;
    let run = case.run_copies(0)?;
    ensure!(deleted(&run.report) == (3, 0), "{}", run.log);
    ensure!(run.report["withheld"] == json!([]), "{}", run.report);
    case.agree()
}

#[test]
fn a_mirror_leaves_alone_what_a_deleted_task_brought() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("Work", "w", 10))?;
    case.deliver(Side::Remote, &mails("Gone", "g", 2))?;
    case.create(json!({}))?;
    case.run_copies(12)?;
    case.act("delete-task")?;
    case.create(json!({"delete_local": true}))?;
    case.run_copies(0)?;
    case.deliver(Side::Remote, &mails("Work", "new", 2))?;
    case.run_copies(2)?;
    case.expunge(Side::Remote, "Work", "UID 1:3,11")?;
    case.imap(Side::Remote)?.run("DELETE Gone")?;
    let mut went = 0;
    for _ in 0..3 {
        let run = case.run_copies(0)?;
        went += deleted(&run.report).0;
        let withheld = &run.report["withheld"];
        ensure!(
            withheld
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["messages"] == 3)),
            "{}",
            run.report
        );
    }
    ensure!(went == 1, "{went}");
    ensure!(case.ids(Side::Local, "Work")?.len() == 11 && case.ids(Side::Local, "Gone")?.len() == 2);
    Ok(())
}

#[test]
fn what_a_deleted_task_pulled_hinders_no_other() -> anyhow::Result<()> {
    let case = case()?;
    for folder in ["INBOX", "A", "B", "C"] {
        case.deliver(Side::Remote, &mails(folder, folder, 2))?;
    }
    case.create(json!({}))?;
    case.run_copies(8)?;
    case.act("delete-task")?;
    for side in [Side::Remote, Side::Local] {
        let mut imap = case.imap(side)?;
        for folder in ["A", "B", "C"] {
            imap.run(&format!("DELETE {folder}"))?;
        }
        drop(imap);
        case.expunge(side, "INBOX", "1:*")?;
    }
    case.deliver(Side::Remote, &mails("INBOX", "new", 3))?;
    case.create(json!({"delete_local": true}))?;
    case.run_copies(3)?;
    let verified = case.sandbox.syncctl(&["verify", &case.task()])?;
    ensure!(verified.exit_code == 0, "{}", verified.stdout);
    case.expunge(Side::Remote, "INBOX", "UID 3")?;
    let run = case.run_copies(0)?;
    ensure!(deleted(&run.report) == (1, 0), "{}", run.log);
    case.agree()
}

#[test]
fn nothing_is_deleted_without_being_told_to() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("Work", "w", 6))?;
    case.deliver(Side::Local, &mails("Mine", "mine", 2))?;
    case.create(json!({}))?;
    case.run_copies(6)?;
    case.expunge(Side::Remote, "Work", "UID 1:5")?;
    let run = case.run_copies(0)?;
    ensure!(deleted(&run.report) == (0, 0));
    ensure!(case.ids(Side::Local, "Work")?.len() == 6 && case.ids(Side::Local, "Mine")?.len() == 2);
    Ok(())
}

#[test]
fn more_than_half_of_a_mailbox_never_goes() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("Big", "b", 30))?;
    case.deliver(Side::Remote, &mails("Small", "s", 20))?;
    case.deliver(Side::Remote, &mails("Other", "o", 60))?;
    case.create(json!({"delete_local": true}))?;
    case.run_copies(110)?;
    case.expunge(Side::Remote, "Big", "UID 1:16")?;
    case.expunge(Side::Remote, "Small", "UID 1:19")?;
    for deleted_small in [19, 0] {
        let run = case.run()?.ended(111)?;
        ensure!(deleted(&run.report) == (deleted_small, 0), "{}", run.log);
        ensure!(
            run.reasons().contains("16 of its 30 messages would go"),
            "{}",
            run.report
        );
        let held = &run.report["withheld"][0];
        ensure!(held["folder"] == "Big" && held["messages"] == 16, "{held}");
        ensure!(held["confirmable"] == true, "{held}");
        ensure!(case.ids(Side::Local, "Big")?.len() == 30);
        ensure!(case.ids(Side::Local, "Small")?.len() == 1);
    }
    // Measured against what there was before the run: half is not more than half.
    case.deliver(Side::Remote, &mails("Big", "more", 10))?;
    let run = case.run()?.ended(111)?;
    ensure!(
        run.copied() == 10 && deleted(&run.report) == (0, 0),
        "{}",
        run.log
    );
    let run = case.run_copies(0)?;
    ensure!(deleted(&run.report) == (16, 0), "{}", run.log);
    case.agree()
}

#[test]
fn a_replaced_folder_deletes_nothing() -> anyhow::Result<()> {
    for (name, side) in [("remote", Side::Remote), ("local", Side::Local)] {
        let case = case()?;
        case.deliver(Side::Remote, &mails("Work", "w", 8))?;
        case.create(json!({"delete_local": true}))?;
        case.run_copies(8)?;
        case.expunge(Side::Remote, "Work", "UID 1:2")?;
        case.replace(side, "Work")?;
        let run = case.run()?;
        ensure!(run.copied() == 0, "{name}: {}", run.log);
        ensure!(
            run.report["withheld"][0]["messages"] == 2,
            "{name}: {}",
            run.report
        );
        ensure!(case.ids(Side::Local, "Work")?.len() == 8);
        // What such a folder had in addition is no one's to delete later either; what goes from now on is.
        let run = case.run_copies(0)?;
        ensure!(deleted(&run.report) == (0, 0), "{name}: {}", run.log);
        case.expunge(Side::Remote, "Work", "HEADER Message-Id <w8@x>")?;
        let run = case.run_copies(0)?;
        // Of a local folder that was replaced nothing is known to have been brought.
        let gone = u64::from(side == Side::Remote);
        ensure!(deleted(&run.report) == (gone, 0), "{name}: {}", run.log);
        ensure!(case.ids(Side::Local, "Work")?.len() as u64 == 8 - gone);
    }
    Ok(())
}

#[test]
fn folders_that_no_task_filled_stay() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "i", 1))?;
    let folders = [
        ("Sent", 2),
        ("Shared/team", 2),
        ("Mine", 50),
        ("Parent/Large", 21),
        ("Größe", 1),
    ];
    for (folder, count) in folders {
        case.deliver(Side::Local, &mails(folder, "x", count))?;
    }
    case.create(json!({"delete_local": true}))?;
    for copies in [1, 0, 0] {
        let run = case.run_copies(copies)?;
        ensure!(deleted(&run.report) == (0, 0), "{}", run.log);
    }
    for (folder, count) in folders {
        ensure!(case.ids(Side::Local, folder)?.len() == count, "{folder}");
    }
    Ok(())
}

#[test]
fn folders_that_the_task_filled_go_when_the_source_has_them_no_more() -> anyhow::Result<()> {
    let case = case()?;
    let going = [
        "Going",
        "Going/Too",
        "Größe",
        "Large",
        "Mixed",
        "Parent",
        "Special",
    ];
    for folder in ["INBOX", "Other", "Third"].iter().chain(&going) {
        let count = if *folder == "Large" { 21 } else { 9 };
        case.deliver(Side::Remote, &mails(folder, folder, count))?;
    }
    for folder in ["A", "B", "C", "D", "E"] {
        case.deliver(Side::Remote, &mails(folder, folder, 9))?;
    }
    case.create(json!({"delete_local": true}))?;
    case.run_copies(147)?;
    case.deliver(Side::Local, &mails("Mixed", "mine", 1))?;
    case.deliver(Side::Local, &mails("Parent/Child", "mine", 1))?;
    for folder in ["Going.Too", "Going", "Gr&APYA3w-e", "Large", "Mixed", "Parent"] {
        case.imap(Side::Remote)?.run(&format!("DELETE {folder}"))?;
    }
    case.run_copies(0)?;
    let run = case.run()?.ended(111)?;
    let left = case.mailbox(Side::Local)?;
    for folder in ["Going", "Going/Too", "Größe"] {
        ensure!(!left.contains_key(folder), "{folder}: {}", run.log);
    }
    for folder in ["Large", "Mixed", "Parent", "Parent/Child", "Special"] {
        ensure!(left.contains_key(folder), "{folder}: {}", run.log);
    }
    ensure!(
        run.reasons().contains("all of its 21 messages would go"),
        "{}",
        run.report
    );
    case.act("confirm-deletions")?;
    let run = case.run_copies(0)?;
    ensure!(!case.mailbox(Side::Local)?.contains_key("Large"), "{}", run.log);
    // What this program deleted is not the owner's wish: it comes again when the source has it again.
    case.deliver(Side::Remote, &mails("Going", "back", 2))?;
    case.run_copies(2)?;
    ensure!(case.ids(Side::Local, "Going")?.len() == 2);
    Ok(())
}

#[test]
fn a_move_on_the_remote_side_loses_nothing() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "i", 20))?;
    case.deliver(Side::Remote, &mails("Old", "o", 6))?;
    case.create(json!({"delete_local": true}))?;
    case.run_copies(26)?;
    let mut imap = case.imap(Side::Remote)?;
    imap.run("CREATE Archive")?;
    imap.run("SELECT INBOX")?;
    imap.run("UID MOVE 1:7 Archive")?;
    imap.run("SELECT Archive")?;
    imap.run("RENAME Old New")?;
    drop(imap);
    case.run_copies(13)?;
    case.run_copies(0)?;
    case.agree()
}

#[test]
fn what_its_owner_filed_stays_when_the_source_deletes_the_original() -> anyhow::Result<()> {
    // Filed and deleted between the same two runs, or one after the other.
    for runs_between in [0, 1] {
        let case = case()?;
        case.deliver(Side::Remote, &mails("INBOX", "i", 5))?;
        case.deliver(Side::Remote, &mails("Work", "w", 5))?;
        case.create(json!({"delete_local": true}))?;
        case.run_copies(10)?;
        let mut owner = case.imap(Side::Local)?;
        owner.run("SELECT INBOX")?;
        owner.run("UID MOVE 2 Work")?;
        for _ in 0..runs_between {
            case.run_copies(0)?;
        }
        case.expunge(Side::Remote, "INBOX", "UID 2")?;
        for _ in 0..3 {
            let run = case.run_copies(0)?;
            ensure!(deleted(&run.report) == (0, 0), "{}", run.log);
        }
        ensure!(case.ids(Side::Local, "Work")?.len() == 6);
    }
    Ok(())
}

#[test]
fn the_remote_side_is_emptied_after_delivery() -> anyhow::Result<()> {
    let case = case()?;
    let mut all = mails("INBOX", "i", 40);
    all.extend(mails("Work", "w", 250));
    all[3].flags = vec!["\\Deleted".into()];
    case.deliver(Side::Remote, &all)?;
    // Two are here already.
    case.deliver(Side::Local, &mails("Work", "w", 2))?;
    case.create(json!({"delete_remote": true}))?;
    let run = case.run_copies(288)?;
    // A copy that is marked as deleted may be gone tomorrow: its original stays.
    ensure!(deleted(&run.report) == (0, 289), "{}", run.log);
    ensure!(case.ids(Side::Remote, "INBOX")?.len() == 1 && case.ids(Side::Remote, "Work")?.is_empty());
    let local = case.mailbox(Side::Local)?;
    ensure!(local["INBOX"].len() == 40 && local["Work"].len() == 250);
    case.deliver(Side::Remote, &mails("Work", "n", 5))?;
    case.run_copies(5)?;
    ensure!(case.ids(Side::Remote, "Work")?.is_empty());
    ensure!(case.mailbox(Side::Local)?["Work"].len() == 255);
    Ok(())
}

#[test]
fn only_what_was_delivered_is_expunged() -> anyhow::Result<()> {
    let case = case()?;
    // One that cannot be delivered, marked by its owner as deleted.
    case.deliver(
        Side::Remote,
        &[NewMail::new("").content("").flags(&["\\Deleted"])],
    )?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 3))?;
    case.deliver(Side::Remote, &mails("Left", "l", 2))?;
    case.create(json!({"delete_remote": true, "foldersynchronization": "exclusion", "exclude": "Left"}))?;
    case.run()?.ended(0)?;
    let remote = case.mailbox(Side::Remote)?;
    ensure!(
        remote["INBOX"].len() == 1 && remote["INBOX"][0].flags == ["\\Deleted"],
        "{remote:?}"
    );
    ensure!(remote["Left"].len() == 2);
    Ok(())
}

#[test]
fn mail_that_was_deleted_here_since_is_deleted_there_too() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 3))?;
    case.create(json!({}))?;
    case.run_copies(3)?;
    case.expunge(Side::Local, "INBOX", "HEADER Message-Id <m2@x>")?;
    case.create(json!({"delete_remote": true}))?;
    case.run_copies(0)?;
    ensure!(case.ids(Side::Remote, "INBOX")?.is_empty());
    ensure!(case.ids(Side::Local, "INBOX")? == ["m1@x", "m3@x"]);
    Ok(())
}

#[test]
fn retention_by_days_of_arrival() -> anyhow::Result<()> {
    let case = case()?;
    let aged = |id: &str, days: i64| NewMail::new(id).folder("Work").date(now() - days * DAY);
    let mails = [
        aged("year@x", 365),
        aged("over@x", 31),
        aged("under@x", 29),
        aged("young@x", 1),
        aged("today@x", 0),
    ];
    case.deliver(Side::Remote, &mails)?;
    // The Date header counts for nothing: these claim to be from January.
    case.create(json!({"delete_remote": true, "delete_remote_older": 30}))?;
    let run = case.run_copies(5)?;
    ensure!(deleted(&run.report) == (0, 2), "{}", run.log);
    ensure!(case.ids(Side::Remote, "Work")? == ["today@x", "under@x", "young@x"]);
    ensure!(case.ids(Side::Local, "Work")?.len() == 5);
    let run = case.run_copies(0)?;
    ensure!(deleted(&run.report) == (0, 0), "{}", run.log);
    // Mail grows older; here the limit comes nearer.
    case.create(json!({"delete_remote": true, "delete_remote_older": 10}))?;
    let run = case.run_copies(0)?;
    ensure!(deleted(&run.report) == (0, 1), "{}", run.log);
    ensure!(case.ids(Side::Remote, "Work")? == ["today@x", "young@x"]);
    ensure!(case.ids(Side::Local, "Work")?.len() == 5);
    Ok(())
}

#[test]
fn retention_spares_what_was_not_delivered() -> anyhow::Result<()> {
    let case = case()?;
    let old = now() - 400 * DAY;
    case.deliver(
        Side::Remote,
        &[
            NewMail::new("").content("").date(old),
            NewMail::new("m@x").date(old),
        ],
    )?;
    case.create(json!({"delete_remote": true, "delete_remote_older": 30}))?;
    case.run()?.ended(0)?;
    ensure!(case.ids(Side::Remote, "INBOX")? == [""]);
    ensure!(case.ids(Side::Local, "INBOX")? == ["m@x"]);
    Ok(())
}

#[test]
fn retention_of_thousands() -> anyhow::Result<()> {
    let case = case()?;
    let mut all = vec![];
    for n in 0..4000_i64 {
        // Old and young ones take turns, so that the sets of UIDs are long.
        let days = if n % 2 == 0 { 100 } else { 1 };
        all.push(
            NewMail::new(&format!("b{n}@x"))
                .folder("Bulk")
                .date(now() - days * DAY),
        );
    }
    case.deliver(Side::Remote, &all)?;
    case.deliver(Side::Local, &all)?;
    case.create(json!({"delete_remote": true, "delete_remote_older": 30}))?;
    let run = case.run_copies(0)?;
    ensure!(deleted(&run.report) == (0, 2000), "{}", run.log);
    let remote = case.mailbox(Side::Remote)?;
    ensure!(
        remote["Bulk"].len() == 2000
            && remote["Bulk"]
                .iter()
                .all(|message| message.date > now() - 30 * DAY)
    );
    ensure!(case.mailbox(Side::Local)?["Bulk"].len() == 4000);
    Ok(())
}
