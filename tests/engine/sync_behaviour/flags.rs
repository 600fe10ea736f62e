// SPDX-License-Identifier: GPL-3.0-or-later
//! Flags of mail that is there already: remote changes are applied, local ones stay.

use anyhow::ensure;
use sandbox::Side;
use sandbox::case::mails;
use serde_json::json;

use crate::accounts::case;

const BY: fn(&str) -> String = |id| format!("HEADER Message-Id <{id}@x>");

#[test]
fn changes_of_either_side_meet() -> anyhow::Result<()> {
    let case = case()?;
    let mut all = mails("Work", "m", 6);
    all[1].flags = vec!["\\Flagged".into()];
    all[2].flags = vec!["\\Seen".into()];
    all[3].flags = vec!["\\Seen".into()];
    case.deliver(Side::Remote, &all)?;
    case.create(json!({}))?;
    case.run_copies(6)?;

    case.store(Side::Remote, "Work", &BY("m1"), "+FLAGS (\\Seen $Forwarded)")?;
    case.store(Side::Local, "Work", &BY("m1"), "+FLAGS (\\Flagged local)")?;
    case.store(Side::Remote, "Work", &BY("m2"), "-FLAGS (\\Flagged)")?;
    case.store(Side::Local, "Work", &BY("m3"), "-FLAGS (\\Seen)")?;
    case.store(Side::Local, "Work", &BY("m4"), "-FLAGS (\\Seen)")?;
    case.store(Side::Remote, "Work", &BY("m4"), "+FLAGS (\\Answered)")?;
    case.store(Side::Remote, "Work", &BY("m6"), "+FLAGS (\\Deleted)")?;
    let expected = [
        ("m1", "$Forwarded \\Flagged \\Seen local"),
        ("m2", ""),
        ("m3", ""),
        ("m4", "\\Answered"),
        ("m5", ""),
        ("m6", ""),
    ];
    for round in ["with news", "without"] {
        case.run_copies(0)?;
        for (id, flags) in expected {
            let found = case.flags_of(Side::Local, "Work", &format!("{id}@x"))?;
            ensure!(found == flags, "{round}, {id}: {found} instead of {flags}");
        }
    }
    // Nothing of it went the other way.
    ensure!(case.flags_of(Side::Remote, "Work", "m1@x")? == "$Forwarded \\Seen");
    ensure!(case.flags_of(Side::Remote, "Work", "m3@x")? == "\\Seen");

    // What one side set and unset again between two runs is no change.
    case.store(Side::Remote, "Work", &BY("m5"), "+FLAGS (\\Flagged)")?;
    case.store(Side::Remote, "Work", &BY("m5"), "-FLAGS (\\Flagged)")?;
    case.store(Side::Local, "Work", &BY("m5"), "+FLAGS (\\Flagged)")?;
    case.run_copies(0)?;
    ensure!(case.flags_of(Side::Local, "Work", "m5@x")? == "\\Flagged");
    Ok(())
}

#[test]
fn many_at_once_and_with_new_mail() -> anyhow::Result<()> {
    let case = case()?;
    case.deliver(Side::Remote, &mails("INBOX", "m", 400))?;
    case.create(json!({}))?;
    case.run_copies(400)?;
    case.store(Side::Remote, "INBOX", "UID 1:100", "+FLAGS (\\Seen)")?;
    case.store(Side::Remote, "INBOX", "UID 51:150", "+FLAGS (\\Flagged)")?;
    case.store(
        Side::Remote,
        "INBOX",
        "UID 300:400",
        "+FLAGS ($Label1 \\Answered)",
    )?;
    case.deliver(Side::Remote, &mails("INBOX", "n", 20))?;
    let run = case.run_copies(20)?;
    ensure!(run.report["flags"] == 251, "{}", run.report["flags"]);
    case.agree()
}
