// SPDX-License-Identifier: GPL-3.0-or-later
//! Folders: names in all scripts and with all separators, many of them, empty ones; which are pulled and which not.

use std::collections::BTreeSet;

use anyhow::ensure;
use sandbox::case::mails;
use sandbox::{NewMail, Side};
use serde_json::json;

use crate::accounts::{Case, case};

fn folders(case: &Case, side: Side) -> anyhow::Result<BTreeSet<String>> {
    Ok(case.mailbox(side)?.into_keys().collect())
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn names_in_all_scripts() -> anyhow::Result<()> {
    let case = case()?;
    let names = [
        "Entwürfe",
        "Отправленные",
        "收件箱/旧邮件",
        "日本語",
        "한국어",
        "عربي",
        "עברית",
        "ไทย",
        "हिन्दी",
        "Ελληνικά",
        "Launch 🚀",
        "👩‍👩‍👧‍👦 family",
        "é",
        "e\u{301}",
        "ﬁ",
        "A & B",
        "&",
        "&amp;",
        "&AOk-",
        "a~b",
        "trailing ",
        " leading",
        "two  blanks",
        "100%",
        "quo\"te",
        "back\\slash",
        "apo'strophe",
        "semi;colon",
        "hash#",
        "#top",
        "dollar$",
        "(parens)",
        "[square]",
        "{5}",
        "{5+}",
        "star*",
        "question?",
        "pipe|",
        "<angle>",
        "comma, x",
        "equals=",
        "NIL",
        "INBOXES",
        "inbox2",
        "x@y",
        "-",
        "_",
        "dash - dash",
        "CON",
        "a:b",
    ];
    let mut all = vec![];
    for (at, name) in names.iter().enumerate() {
        all.push(NewMail::new(&format!("n{at}@x")).folder(name));
    }
    case.deliver(Side::Remote, &all)?;
    case.create(json!({}))?;
    let run = case.run_copies(all.len() as u64)?;
    let mut expected: BTreeSet<String> = names.iter().map(|&name| name.to_owned()).collect();
    expected.insert("INBOX".into());
    let found = folders(&case, Side::Local)?;
    ensure!(
        found == expected,
        "{:?}\n{}",
        found.symmetric_difference(&expected),
        run.log
    );
    let copied: usize = case.mailbox(Side::Local)?.values().map(Vec::len).sum();
    ensure!(copied == all.len());
    case.run_copies(0)?;
    case.forget()?;
    case.run_copies(0)?;
    ensure!(folders(&case, Side::Local)? == found);
    Ok(())
}

#[test]
fn many_folders_wide_deep_and_empty() -> anyhow::Result<()> {
    let case = case()?;
    let mut all = vec![];
    for n in 0..600 {
        all.push(NewMail::new(&format!("wide{n}@x")).folder(&format!("Wide/Folder {n}")));
    }
    let mut deep = "Deep".to_owned();
    for n in 0..25 {
        deep += &format!("/{n}");
    }
    all.push(NewMail::new("deep@x").folder(&deep));
    all.push(NewMail::new("below@x").folder("INBOX/Below"));
    case.deliver(Side::Remote, &all)?;
    for empty in ["Empty", "Empty/Too", "Void/Child"] {
        case.sandbox
            .remote()
            .create_folder(&case.user(Side::Remote), empty)?;
    }
    case.create(json!({}))?;
    case.run_copies(all.len() as u64)?;
    case.agree()?;
    case.run_copies(0)?;
    case.forget()?;
    case.run_copies(0)?;
    case.agree()
}

#[test]
fn a_source_with_slashes_and_a_prefix() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "i", 2))?;
    case.deliver(Side::Remote, &mails("Work", "w", 2))?;
    case.deliver(Side::Remote, &mails("Work/Old/2019", "o", 2))?;
    case.set(
        Side::Remote,
        &["namespace/inbox/separator=/", "namespace/inbox/prefix=INBOX/"],
    )?;
    ensure!(folders(&case, Side::Remote)? == set(&["INBOX", "INBOX/Work", "INBOX/Work/Old/2019"]));
    case.create(json!({}))?;
    case.run_copies(6)?;
    ensure!(
        folders(&case, Side::Local)? == set(&["INBOX", "Work", "Work/Old", "Work/Old/2019"])
            || folders(&case, Side::Local)? == set(&["INBOX", "Work", "Work/Old/2019"])
    );
    ensure!(case.ids(Side::Local, "Work/Old/2019")? == ["o1@x", "o2@x"]);
    case.run_copies(0)?;
    Ok(())
}

#[test]
fn a_name_with_the_other_separator_in_it_stays_one_name() -> anyhow::Result<()> {
    let case = case()?;
    // Lets folders have any character in their names.
    case.set(Side::Remote, &["mail_plugins=quota,listescape"])?;
    let mut imap = case.imap(Side::Remote)?;
    for (at, name) in ["2019/Q1", "2019_Q1", "2019.Q1", "and/or/if"].iter().enumerate() {
        imap.run(&format!("CREATE \"{name}\""))?;
        imap.append(
            name,
            "",
            format!("Message-Id: <s{at}@x>\r\n\r\n{at}\r\n").as_bytes(),
        )?;
        imap.append(name, "\\Seen", b"Message-Id: <everywhere@x>\r\n\r\nx\r\n")?;
    }
    drop(imap);
    case.create(json!({"delete_local": true}))?;
    case.run_copies(8)?;
    // "2019/Q1" cannot be called "2019.Q1" in a Maildir, and "2019_Q1" is another folder's name.
    let check = || -> anyhow::Result<()> {
        let local = case.mailbox(Side::Local)?;
        ensure!(
            case.ids(Side::Local, "2019/Q1")? == ["everywhere@x", "s2@x"],
            "{local:?}"
        );
        ensure!(
            case.ids(Side::Local, "2019_Q1")? == ["everywhere@x", "s1@x"],
            "{local:?}"
        );
        ensure!(
            case.ids(Side::Local, "and_or_if")? == ["everywhere@x", "s3@x"],
            "{local:?}"
        );
        let apart: Vec<_> = local.keys().filter(|name| name.starts_with("2019_Q1-")).collect();
        ensure!(apart.len() == 1, "{local:?}");
        ensure!(
            case.ids(Side::Local, apart[0])? == ["everywhere@x", "s0@x"],
            "{local:?}"
        );
        Ok(())
    };
    for _ in 0..2 {
        check()?;
        case.run_copies(0)?;
    }
    case.forget()?;
    case.run_copies(0)?;
    check()
}

#[test]
fn subscriptions_come_along_once() -> anyhow::Result<()> {
    let case = case()?;
    for (name, id) in [("Work", "w"), ("Entwürfe", "e"), ("Quiet", "q")] {
        case.deliver(Side::Remote, &mails(name, id, 1))?;
    }
    let mut imap = case.imap(Side::Remote)?;
    imap.run("SUBSCRIBE Work")?;
    imap.run("SUBSCRIBE \"Entw&APw-rfe\"")?;
    drop(imap);
    case.create(json!({}))?;
    case.run_copies(3)?;
    let subscribed = || -> anyhow::Result<BTreeSet<String>> {
        let listed = case.imap(Side::Local)?.run("LSUB \"\" *")?;
        let name = |text: &str| {
            text.rsplit(" \"/\" ")
                .next()
                .unwrap_or_default()
                .trim_matches('"')
                .to_owned()
        };
        Ok(listed.iter().map(|response| name(&response.text)).collect())
    };
    ensure!(
        subscribed()? == set(&["Work", "Entw&APw-rfe"]),
        "{:?}",
        subscribed()?
    );
    // One who unsubscribes here means it.
    case.imap(Side::Local)?.run("UNSUBSCRIBE Work")?;
    case.deliver(Side::Remote, &mails("Work", "x", 1))?;
    case.run_copies(1)?;
    ensure!(subscribed()? == set(&["Entw&APw-rfe"]), "{:?}", subscribed()?);
    Ok(())
}

#[test]
fn exclusions_leave_out_what_they_match() -> anyhow::Result<()> {
    let case = case()?;
    let names = [
        "INBOX",
        "Work",
        "Work/Sub",
        "Homework",
        "Spam 2019",
        "spam",
        "Entwürfe",
        "Entwürfe/Alt",
        "Shared/team",
        "Public",
        "Public/x",
        "Sharedthing",
        "Archive/Shared",
        "a+b",
    ];
    for (at, name) in names.iter().enumerate() {
        case.deliver(Side::Remote, &mails(name, &format!("f{at}-"), 1))?;
    }
    case.create(json!({"foldersynchronization": "exclusion", "exclude": "^Work$ , Spam,Entwürfe"}))?;
    case.run_copies(10)?;
    // Unanchored and case-sensitive, on the name as people see it. Names do not make a folder other people's.
    let found = folders(&case, Side::Local)?;
    let wanted = [
        "INBOX",
        "Work/Sub",
        "Homework",
        "spam",
        "Sharedthing",
        "Archive/Shared",
        "Shared/team",
        "Public",
        "Public/x",
        "a+b",
    ];
    for name in wanted {
        ensure!(case.ids(Side::Local, name)?.len() == 1, "{name}: {found:?}");
    }
    for name in ["Spam 2019", "Entwürfe", "Entwürfe/Alt"] {
        ensure!(!found.contains(name), "{name}: {found:?}");
    }
    ensure!(case.ids(Side::Local, "Work")?.is_empty());

    case.create(json!({"foldersynchronization": "all", "exclude": ""}))?;
    case.run_copies(4)?;
    for bad in ["a(b", ",,", "*x"] {
        let input = case.input(json!({"foldersynchronization": "exclusion", "exclude": bad}));
        let refused = case.sandbox.action("create-task", input)?;
        ensure!(!refused.is_ok(), "{bad:?}: {refused:?}");
    }
    Ok(())
}

/// The name of the source leads to the destination, after a cut-over: the mailbox is not copied into folders of itself.
#[test]
fn a_mailbox_is_not_copied_into_itself() -> anyhow::Result<()> {
    for options in [
        json!({"target_folder": "Old"}),
        json!({"rename": [{"from": "Work", "to": "Filed"}]}),
    ] {
        let case = case()?;
        case.deliver(
            Side::Local,
            &[mails("INBOX", "i", 3), mails("Work", "w", 2)].concat(),
        )?;
        let local = case.sandbox.local();
        case.create(json!({
            "remotehostname": local.address().to_string(),
            "remoteport": local.port(),
            "remoteusername": case.user(Side::Local),
            "remotepassword": format!("Pw-{}", case.user(Side::Local)),
            "folder_options": options,
        }))?;
        let before = case.mailbox(Side::Local)?;
        for _ in 0..2 {
            let run = case.run()?.ended(111)?;
            ensure!(run.reasons().contains("same mailbox"), "{}", run.reasons());
            ensure!(case.mailbox(Side::Local)? == before, "{options}");
        }
    }
    Ok(())
}
