// SPDX-License-Identifier: GPL-3.0-or-later
//! Mailboxes that are full, forbidden or read-only: the rest is copied, and a later run completes.

use anyhow::ensure;
use sandbox::case::{chmod, mails};
use sandbox::{NewMail, Side};
use serde_json::json;

use crate::accounts::case;

fn heavy(folder: &str, prefix: &str, count: usize, size: usize) -> Vec<NewMail> {
    let body = "x".repeat(70) + "\r\n";
    let grow = |mut mail: NewMail| {
        mail.content.extend(body.repeat(size / 72).into_bytes());
        mail
    };
    mails(folder, prefix, count).into_iter().map(grow).collect()
}

#[test]
fn a_full_mailbox_and_a_larger_one() -> anyhow::Result<()> {
    let case = case()?;
    case.set(
        Side::Local,
        &["quota=maildir", "quota_rule=*:bytes=300000", "quota_grace=0"],
    )?;
    case.deliver(Side::Remote, &heavy("INBOX", "i", 30, 5000))?;
    case.deliver(Side::Remote, &heavy("Work", "w", 60, 5000))?;
    case.create(json!({"delete_remote": true}))?;
    let run = case.run()?.ended(113)?;
    ensure!(run.copied() > 20 && run.copied() < 60, "{}", run.log);
    let count = |side| -> anyhow::Result<usize> { Ok(case.mailbox(side)?.values().map(Vec::len).sum()) };
    // What was not delivered is still there, what was delivered is here, and nothing is twice.
    let local = case.mailbox(Side::Local)?;
    let mut all: Vec<String> = local
        .values()
        .flatten()
        .map(|message| message.message_id.clone())
        .collect();
    let copied = all.len();
    ensure!(
        copied as u64 == run.copied(),
        "{copied} instead of {}",
        run.copied()
    );
    all.extend(
        case.mailbox(Side::Remote)?
            .values()
            .flatten()
            .map(|message| message.message_id.clone()),
    );
    all.sort();
    all.dedup();
    ensure!(all.len() == 90, "{} of 90 are left", all.len());

    let again = case.run()?.ended(113)?;
    ensure!(
        again.copied() <= 1 && count(Side::Local)? <= copied + 1,
        "{}",
        again.log
    );

    case.set(Side::Local, &["quota=maildir", "quota_rule=*:bytes=30000000"])?;
    case.run()?.ended(0)?;
    let local = case.mailbox(Side::Local)?;
    ensure!(local["INBOX"].len() == 30 && local["Work"].len() == 60);
    ensure!(count(Side::Remote)? == 0);
    Ok(())
}

#[test]
fn one_message_too_large_does_not_keep_the_others_out() -> anyhow::Result<()> {
    let case = case()?;
    case.set(
        Side::Local,
        &["quota=maildir", "quota_rule=*:bytes=200000", "quota_grace=0"],
    )?;
    case.deliver(Side::Remote, &heavy("INBOX", "huge", 1, 500_000))?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 10))?;
    case.deliver(Side::Remote, &mails("Work", "w", 10))?;
    case.create(json!({}))?;
    let run = case.run()?.ended(113)?;
    ensure!(run.copied() == 20, "{}", run.log);
    let again = case.run()?.ended(113)?;
    ensure!(again.copied() == 0, "{}", again.log);
    ensure!(case.ids(Side::Local, "INBOX")?.len() == 10 && case.ids(Side::Local, "Work")?.len() == 10);
    case.set(Side::Local, &["quota=maildir", "quota_rule=*:bytes=2000000"])?;
    case.run_copies(1)?;
    case.agree()
}

#[test]
fn a_local_folder_that_takes_nothing() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("Locked", "l", 5))?;
    case.deliver(Side::Remote, &mails("Work", "w", 5))?;
    case.sandbox.local().create_folder(&case.name, "Locked")?;
    let acl = case.maildir(Side::Local, "Locked").join("dovecot-acl");
    std::fs::write(&acl, "owner lr\n")?;
    chmod(&acl, "a+r")?;
    case.create(json!({"delete_remote": true}))?;
    for copied in [5, 0] {
        let run = case.run()?;
        ensure!(
            (111..=117).contains(&run.exit_code) && run.copied() == copied,
            "{}",
            run.log
        );
        ensure!(run.reasons().contains("Locked"), "{}", run.report);
        ensure!(
            case.ids(Side::Remote, "Locked")?.len() == 5,
            "what was not delivered stays"
        );
        ensure!(case.ids(Side::Local, "Work")?.len() == 5);
    }
    std::fs::write(&acl, "owner lrwstipekxa\n")?;
    case.run_copies(5)?;
    ensure!(case.ids(Side::Local, "Locked")?.len() == 5 && case.ids(Side::Remote, "Locked")?.is_empty());
    Ok(())
}

#[test]
fn a_local_place_where_no_folder_can_be_made() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("Parent/Child", "c", 2))?;
    case.deliver(Side::Remote, &mails("Work", "w", 2))?;
    case.sandbox.local().create_folder(&case.name, "Parent")?;
    let acl = case.maildir(Side::Local, "Parent").join("dovecot-acl");
    std::fs::write(&acl, "owner lrwstipea\n")?;
    chmod(&acl, "a+r")?;
    case.create(json!({}))?;
    let run = case.run()?.ended(116)?;
    ensure!(
        run.copied() == 2 && run.reasons().contains("Child"),
        "{}",
        run.log
    );
    std::fs::remove_file(&acl)?;
    std::fs::write(&acl, "owner lrwstipekxa\n")?;
    chmod(&acl, "a+r")?;
    case.run_copies(2)?;
    ensure!(case.ids(Side::Local, "Parent/Child")?.len() == 2);
    Ok(())
}

#[test]
fn a_remote_folder_that_cannot_be_read() -> anyhow::Result<()> {
    let case = case()?;
    case.set(
        Side::Remote,
        &["mail_plugins=quota,acl,imap_quota,imap_acl", "acl=vfile"],
    )?;
    case.deliver(Side::Remote, &mails("Secret", "s", 5))?;
    case.deliver(Side::Remote, &mails("Work", "w", 5))?;
    let acl = case.maildir(Side::Remote, "Secret").join("dovecot-acl");
    std::fs::write(&acl, "owner l\n")?;
    chmod(&acl, "a+r")?;
    case.create(json!({"delete_local": true}))?;
    for copied in [5, 0] {
        let run = case.run()?.ended(117)?;
        ensure!(
            run.copied() == copied && run.reasons().contains("Secret"),
            "{}",
            run.log
        );
    }
    std::fs::remove_file(&acl)?;
    case.run_copies(5)?;
    case.agree()?;
    // It is forbidden again: what is here stays here.
    std::fs::write(&acl, "owner l\n")?;
    chmod(&acl, "a+r")?;
    case.deliver(Side::Remote, &mails("Secret", "new", 1))?;
    let run = case.run()?.ended(117)?;
    ensure!(
        run.copied() == 0 && case.ids(Side::Local, "Secret")?.len() == 5,
        "{}",
        run.log
    );
    Ok(())
}

#[test]
fn a_remote_folder_that_is_read_only() -> anyhow::Result<()> {
    let case = case()?;
    case.set(
        Side::Remote,
        &["mail_plugins=quota,acl,imap_quota,imap_acl", "acl=vfile"],
    )?;
    case.deliver(Side::Remote, &mails("INBOX", "i", 5))?;
    case.deliver(Side::Remote, &mails("Board", "b", 5))?;
    for folder in ["INBOX", "Board"] {
        let acl = case.maildir(Side::Remote, folder).join("dovecot-acl");
        std::fs::write(&acl, "owner lr\n")?;
        chmod(&acl, "a+r")?;
    }
    case.create(json!({"delete_remote": true}))?;
    for copied in [10, 0, 0] {
        let run = case.run()?;
        ensure!(run.copied() == copied, "{}", run.log);
        ensure!(
            run.exit_code != 0,
            "nothing could be deleted, which is told: {}",
            run.log
        );
        ensure!(run.report["deleted_remote"] == 0, "{}", run.report);
    }
    case.agree()?;

    // In inbox mode nothing can be marked as read, and still nothing comes twice.
    let inbox = crate::accounts::case()?;
    inbox.set(
        Side::Remote,
        &["mail_plugins=quota,acl,imap_quota,imap_acl", "acl=vfile"],
    )?;
    inbox.deliver(Side::Remote, &mails("INBOX", "i", 5))?;
    let acl = inbox.maildir(Side::Remote, "INBOX").join("dovecot-acl");
    std::fs::write(&acl, "owner lr\n")?;
    chmod(&acl, "a+r")?;
    inbox.create(json!({"foldersynchronization": "inbox"}))?;
    for copied in [5, 0, 0] {
        let run = inbox.run()?;
        ensure!(run.copied() == copied, "{}", run.log);
        ensure!(inbox.ids(Side::Local, "INBOX")?.len() == 5);
    }
    Ok(())
}
