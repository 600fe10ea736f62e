// SPDX-License-Identifier: GPL-3.0-or-later
//! The modes of a task, and what each must have done in the end.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use sandbox::case::{Identity, identities, turned};
use sandbox::{Mailbox, NewMail, Plan, Side};
use serde_json::json;

use crate::accounts::Case;
use crate::crash::Random;

/// Messages in a round.
const MESSAGES: usize = 300;

const DAY: i64 = 86_400;

/// Days of the modes that delete what is older.
const OLD: i64 = 30;

const SIEVE: &str = r#"require ["fileinto", "mailbox", "copy"];
if header :contains "subject" "file" { fileinto :create "Filed"; }
elsif header :contains "subject" "both" { fileinto :copy :create "Copies"; }
"#;

/// What a task does in addition to copying.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mode {
    /// Nothing.
    Copy,
    /// What is gone on the remote side goes here too.
    DeleteLocal,
    /// What was delivered is deleted on the remote side.
    DeleteRemote,
    /// What was delivered is deleted on the remote side when it is old.
    DeleteOlder,
    /// Unread mail of the inbox, through Sieve, then deleted on the remote side.
    Inbox,
    /// The same, deleted when it is old; the other is marked as read there.
    InboxOlder,
}

/// What both sides must have in the end.
pub(super) struct Expected {
    remote: Folders,
    local: Folders,
}

type Folders = BTreeMap<String, Vec<Identity>>;

impl Mode {
    /// Fills the accounts and creates the task; tells what must come of it.
    pub(super) fn prepare(self, case: &Case, random: &mut Random) -> anyhow::Result<Expected> {
        match self {
            Self::Copy => {
                case.deliver(Side::Remote, &generated(random))?;
                case.create(json!({}))?;
                let remote = folders(&case.mailbox(Side::Remote)?);
                Ok(Expected {
                    local: local_names(&remote),
                    remote,
                })
            }
            Self::DeleteLocal => {
                case.deliver(Side::Remote, &generated(random))?;
                case.deliver(Side::Remote, &sandbox::case::mails("Project", "project", 15))?;
                case.create(json!({"delete_local": true}))?;
                let run = case.run()?;
                ensure!(run.exit_code == 0, "the run before: {}", run.log);
                // A folder goes with the second run that misses it.
                case.imap(Side::Remote)?.run("DELETE Project")?;
                let run = case.run()?;
                ensure!(
                    run.exit_code == 0 && case.mailbox(Side::Local)?.contains_key("Project"),
                    "the run that misses a folder: {}",
                    run.log
                );
                // Some goes, some comes, some was here alone: less than half of any folder.
                case.expunge(Side::Remote, "INBOX", "UID 5:35")?;
                case.expunge(Side::Remote, "Archive.2019", "UID 1:3")?;
                case.imap(Side::Remote)?.run("DELETE Junk")?;
                case.deliver(Side::Remote, &generated(random)[..150])?;
                case.deliver(Side::Local, &sandbox::case::mails("INBOX", "alone", 5))?;
                case.deliver(Side::Local, &sandbox::case::mails("Going", "going", 5))?;
                let remote = folders(&case.mailbox(Side::Remote)?);
                let mut local = local_names(&remote);
                // A folder of special use stays, without what the remote side has no more.
                // So does what no task ever brought.
                for folder in ["Junk", "Going"] {
                    local.insert(folder.into(), identities(&case.mailbox(Side::Local)?[folder]));
                }
                Ok(Expected { local, remote })
            }
            Self::DeleteRemote => {
                case.deliver(Side::Remote, &generated(random))?;
                case.create(json!({"delete_remote": true}))?;
                let remote = folders(&case.mailbox(Side::Remote)?);
                let local = local_names(&remote);
                let remote = remote.into_keys().map(|name| (name, vec![])).collect();
                Ok(Expected { remote, local })
            }
            Self::DeleteOlder => {
                let mails = generated(random).into_iter();
                let mails: Vec<NewMail> = mails.map(|mail| aged(mail, random)).collect();
                case.deliver(Side::Remote, &mails)?;
                case.create(json!({"delete_remote": true, "delete_remote_older": OLD}))?;
                let mut remote = folders(&case.mailbox(Side::Remote)?);
                let local = local_names(&remote);
                for messages in remote.values_mut() {
                    messages.retain(|(_, _, date)| !is_old(*date));
                }
                Ok(Expected { remote, local })
            }
            Self::Inbox | Self::InboxOlder => self.prepare_inbox(case, random),
        }
    }

    fn prepare_inbox(self, case: &Case, random: &mut Random) -> anyhow::Result<Expected> {
        let is_older = matches!(self, Self::InboxOlder);
        let kinds = ["file", "both", "keep", "seen"];
        let mut mails = vec![];
        for n in 0..MESSAGES {
            let kind = kinds[usize::try_from(random.below(4))?];
            let mut mail = NewMail::new(&format!("{kind}{n}@x"));
            if is_older {
                mail = aged(mail, random);
            }
            mails.push(if kind == "seen" {
                mail.flags(&["\\Seen"])
            } else {
                mail
            });
        }
        case.deliver(Side::Remote, &mails)?;
        case.sandbox.local().set_sieve(&case.name, SIEVE)?;
        case.create(json!({
            "foldersynchronization": "inbox", "sieve_enabled": true, "delete_remote": true,
            "delete_remote_older": if is_older { OLD } else { 0 },
        }))?;
        let all = case.mailbox(Side::Remote)?;
        let of = |kinds: &[&str]| {
            let wanted = |id: &str| kinds.iter().any(|kind| id.starts_with(&format!("<{kind}")));
            let found: Vec<_> = all["INBOX"]
                .iter()
                .filter(|message| wanted(&message.message_id))
                .cloned()
                .collect();
            identities(&found)
        };
        let local = [
            ("INBOX", of(&["both", "keep"])),
            ("Filed", of(&["file"])),
            ("Copies", of(&["both"])),
        ];
        let mut left = of(&["seen"]);
        if is_older {
            let young = of(&["file", "both", "keep"]).into_iter();
            let young = young.filter(|(_, _, date)| !is_old(*date));
            left.extend(young.map(|(digest, _, date)| (digest, vec!["\\Seen".to_owned()], date)));
            left.sort();
        }
        Ok(Expected {
            remote: BTreeMap::from([("INBOX".to_owned(), left)]),
            local: local
                .into_iter()
                .map(|(name, messages)| (name.to_owned(), messages))
                .collect(),
        })
    }

    /// Compares both sides with what is expected.
    pub(super) fn judge(self, case: &Case, expected: &Expected) -> anyhow::Result<()> {
        same("remote", &folders(&case.mailbox(Side::Remote)?), &expected.remote)?;
        same("local", &folders(&case.mailbox(Side::Local)?), &expected.local)
    }
}

fn same(side: &str, found: &Folders, expected: &Folders) -> anyhow::Result<()> {
    let mut differences = vec![];
    for name in expected
        .keys()
        .chain(found.keys().filter(|name| !expected.contains_key(*name)))
    {
        let (wanted, present) = (expected.get(name), found.get(name));
        if wanted == present {
            continue;
        }
        let (wanted, found) = (
            wanted.map_or(&[][..], Vec::as_slice),
            present.map_or(&[][..], Vec::as_slice),
        );
        let lacking = wanted.iter().filter(|message| !found.contains(message)).count();
        let foreign = found.iter().filter(|message| !wanted.contains(message)).count();
        differences.push(format!(
            "{side} {name}: {} instead of {} messages, {lacking} lacking, {foreign} that do not belong there",
            found.len(),
            wanted.len()
        ));
    }
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

/// Mail in a dozen of folders, with twins and without Message-Ids.
fn generated(random: &mut Random) -> Vec<NewMail> {
    sandbox::mail::plan(&Plan {
        messages: MESSAGES,
        seed: random.number(),
        large_per_mille: 2,
    })
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

/// Gives a message a date of arrival that is clearly older than [`OLD`], or clearly younger.
fn aged(mail: NewMail, random: &mut Random) -> NewMail {
    let days = if random.below(2) == 0 { 2 * OLD } else { OLD / 2 };
    let seconds = i64::try_from(random.below(86_400)).unwrap_or_default();
    mail.date(now() - days * DAY - seconds)
}

fn is_old(date: i64) -> bool {
    date < now() - OLD * DAY
}

fn folders(mailbox: &Mailbox) -> Folders {
    mailbox
        .iter()
        .map(|(name, messages)| (name.clone(), identities(messages)))
        .collect()
}

fn local_names(remote: &Folders) -> Folders {
    remote
        .iter()
        .map(|(name, messages)| (turned(name), messages.clone()))
        .collect()
}
