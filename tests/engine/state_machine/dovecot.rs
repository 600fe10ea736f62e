// SPDX-License-Identifier: GPL-3.0-or-later
//! A sequence between two real Dovecots.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use ns8_imapsync::task::TaskName;
use sandbox::{MASTER_PASSWORD, NewMail, Side, wait_until};

use super::action::At;
use super::mails::{Contents, Found, Mail, Mails, Place, digest};
use super::servers::{Servers, Source};
use crate::accounts::{Case, case};
use crate::instance::Instance;

/// How long a run with some news takes on an idle machine.
const USUAL: Duration = Duration::from_millis(250);

/// Accounts of two cases: the second one's remote account is the other source.
pub(super) struct Dovecots {
    case: Case,
    other: Case,
    backed_up: BTreeSet<At>,
}

impl Dovecots {
    fn account(&self, at: At) -> (&Case, Side) {
        match at {
            At::Local => (&self.case, Side::Local),
            At::Remote => (&self.case, Side::Remote),
            At::Other => (&self.other, Side::Remote),
        }
    }

    fn maildir(&self, at: At) -> PathBuf {
        let (case, side) = self.account(at);
        case.maildir(side, "INBOX")
    }

    fn backup(&self, at: At) -> PathBuf {
        self.maildir(at).with_extension("backup")
    }

    /// The UID of a mail in a folder.
    fn uid(&self, at: At, place: &Place, mails: &Mails) -> anyhow::Result<u32> {
        let (case, side) = self.account(at);
        let wanted = digest(&mails.get(place.token).content);
        let mailbox = case.mailbox(side)?;
        let messages = mailbox.get(&place.folder).context("no such folder")?;
        let mut equal = messages.iter().filter(|message| message.digest == wanted);
        Ok(equal.nth(place.nth).context("no such mail")?.uid)
    }

    /// Runs commands in a folder, as the owner's mail program does.
    fn in_folder(&self, at: At, folder: &str, commands: &[String]) -> anyhow::Result<()> {
        let (case, side) = self.account(at);
        let mut imap = case.imap(side)?;
        imap.run(&format!("SELECT \"{folder}\""))?;
        for command in commands {
            imap.run(command)?;
        }
        Ok(())
    }

    /// Waits until no server process works for these accounts any more.
    fn settle(&self) -> anyhow::Result<()> {
        for at in [At::Local, At::Remote, At::Other] {
            let (case, side) = self.account(at);
            let user = case.user(side);
            wait_until(&format!("the server to be done with {user}"), || {
                let who = case.sandbox.server(side).doveadm_run(&["who", "-1", &user]);
                who.is_ok_and(|who| !who.lines().any(|line| line.starts_with(&user)))
            })?;
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(status.success(), "cp {} {}", from.display(), to.display());
    Ok(())
}

impl Servers for Dovecots {
    fn start() -> anyhow::Result<Self> {
        let servers = Self {
            case: case()?,
            other: case()?,
            backed_up: BTreeSet::new(),
        };
        for at in [At::Local, At::Remote, At::Other] {
            let (case, side) = servers.account(at);
            case.deliver(side, &[])?;
            // Makes the inbox.
            case.mailbox(side)?;
        }
        Ok(servers)
    }

    fn instance(&self) -> Instance {
        let local = self.case.sandbox.local();
        Instance::new(&local.address().to_string(), local.port(), MASTER_PASSWORD)
    }

    fn local_user(&self) -> String {
        self.case.name.clone()
    }

    fn source(&self, at: At) -> Source {
        let (case, side) = self.account(at);
        let server = case.sandbox.server(side);
        Source {
            host: server.address().to_string(),
            port: server.port(),
            user: case.user(side),
            password: format!("Pw-{}", case.name),
        }
    }

    fn contents(&self, at: At, mails: &Mails) -> anyhow::Result<Contents> {
        let (case, side) = self.account(at);
        let mut contents = Contents::new();
        for (folder, messages) in case.mailbox(side)? {
            let found = messages.into_iter().map(|message| {
                let token = mails.known(&message.digest);
                Ok(Found {
                    token: token.with_context(|| format!("{at:?} {folder} {}", message.uid))?,
                    flags: message.flags,
                })
            });
            let found = found.collect::<anyhow::Result<_>>()?;
            contents.insert(folder, found);
        }
        Ok(contents)
    }

    fn add(&self, at: At, folder: &str, mail: &Mail, flags: &[&str]) -> anyhow::Result<()> {
        let (case, side) = self.account(at);
        let new = NewMail::new("")
            .folder(folder)
            .content(mail.content.clone())
            .date(mail.date)
            .flags(flags);
        case.deliver(side, &[new])
    }

    fn delete(&self, at: At, place: &Place, mails: &Mails) -> anyhow::Result<()> {
        let uid = self.uid(at, place, mails)?;
        let commands = [
            format!("UID STORE {uid} +FLAGS (\\Deleted)"),
            format!("UID EXPUNGE {uid}"),
        ];
        self.in_folder(at, &place.folder, &commands)
    }

    fn relocate(&self, at: At, place: &Place, to: &str, mails: &Mails) -> anyhow::Result<()> {
        let uid = self.uid(at, place, mails)?;
        let (case, side) = self.account(at);
        if !case.mailbox(side)?.contains_key(to) {
            case.imap(side)?.run(&format!("CREATE \"{to}\""))?;
        }
        self.in_folder(at, &place.folder, &[format!("UID MOVE {uid} \"{to}\"")])
    }

    fn rename(&self, at: At, folder: &str, to: &str) -> anyhow::Result<()> {
        let (case, side) = self.account(at);
        case.imap(side)?.run(&format!("RENAME \"{folder}\" \"{to}\""))?;
        Ok(())
    }

    fn delete_folder(&self, at: At, folder: &str) -> anyhow::Result<()> {
        let (case, side) = self.account(at);
        case.imap(side)?.run(&format!("DELETE \"{folder}\""))?;
        Ok(())
    }

    fn flag(&self, at: At, place: &Place, flag: &str, mails: &Mails) -> anyhow::Result<()> {
        let uid = self.uid(at, place, mails)?;
        self.in_folder(at, &place.folder, &[format!("UID STORE {uid} +FLAGS ({flag})")])
    }

    fn back_up(&mut self, at: At) -> anyhow::Result<()> {
        copy(&self.maildir(at), &self.backup(at))?;
        self.backed_up.insert(at);
        Ok(())
    }

    fn restore(&mut self, at: At) -> anyhow::Result<()> {
        if self.backed_up.contains(&at) {
            copy(&self.backup(at), &self.maildir(at))?;
        }
        Ok(())
    }

    fn revalidate(&self, at: At) -> anyhow::Result<()> {
        let (case, side) = self.account(at);
        for folder in case.mailbox(side)?.keys() {
            case.replace(side, folder)?;
        }
        Ok(())
    }

    fn renumber(&self, at: At) -> anyhow::Result<()> {
        let (case, side) = self.account(at);
        for folder in case.mailbox(side)?.keys() {
            let dir = case.maildir(side, folder);
            let list = dir.join("dovecot-uidlist");
            let Ok(text) = std::fs::read_to_string(&list) else {
                continue;
            };
            // `3 V<UIDVALIDITY> N<UIDNEXT> G<GUID>`, then the UIDs.
            let header = text.lines().next().unwrap_or_default();
            let header: Vec<&str> = header
                .split(' ')
                .map(|word| if word.starts_with('N') { "N1" } else { word })
                .collect();
            std::fs::write(&list, format!("{}\n", header.join(" ")))?;
            for entry in dir.read_dir()? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with("dovecot.index") {
                    std::fs::remove_file(entry.path())?;
                }
            }
        }
        for entry in self.maildir(at).read_dir()? {
            let entry = entry?;
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with("dovecot.list.index")
            {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn kill(&self, instance: &Instance, task: &TaskName, part: u8) -> anyhow::Result<()> {
        let mut run = instance.start(task);
        // The moment is what this is about: it waits for nothing.
        std::thread::sleep(USUAL.mul_f64(f64::from(part) / 100.0));
        // Not an error for one that has just ended.
        let _ = run.kill();
        run.wait()?;
        self.settle()
    }
}
