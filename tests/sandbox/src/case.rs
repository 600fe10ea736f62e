// SPDX-License-Identifier: GPL-3.0-or-later
//! One case: an account on either side, a task between them, and its runs.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::container;
use crate::{HelperOutcome, Imap, Mailbox, Message, NewMail, Sandbox, Side};

/// Accounts on both sides that no other case uses.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// The sandbox.
    pub sandbox: &'a Sandbox,
    /// The local user; the remote one is `NAME@example.com`.
    pub name: String,
}

/// A run that ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit code.
    pub exit_code: i32,
    /// What it reported.
    pub report: Value,
    /// Its log.
    pub log: String,
}

/// What must be the same on both sides.
pub type Identity = (String, Vec<String>, i64);

impl<'a> Case<'a> {
    /// The accounts that [`Sandbox::add_accounts`] made under this name.
    pub fn new(sandbox: &'a Sandbox, name: &str) -> Self {
        Self {
            sandbox,
            name: name.to_owned(),
        }
    }

    /// The user on one side.
    pub fn user(&self, side: Side) -> String {
        match side {
            Side::Remote => format!("{}@example.com", self.name),
            Side::Local => self.name.clone(),
        }
    }

    /// The task's name.
    pub fn task(&self) -> String {
        format!("{}_abc123", self.name)
    }

    /// Puts mail into one side.
    pub fn deliver(&self, side: Side, mails: &[NewMail]) -> anyhow::Result<()> {
        self.sandbox.server(side).deliver(&self.user(side), mails)
    }

    /// What one side has.
    pub fn mailbox(&self, side: Side) -> anyhow::Result<Mailbox> {
        self.sandbox.mailbox(side, &self.user(side))
    }

    /// The owner's mail program.
    pub fn imap(&self, side: Side) -> anyhow::Result<Imap> {
        self.sandbox.server(side).imap(&self.user(side))
    }

    /// Gives the user of one side Dovecot settings.
    pub fn set(&self, side: Side, settings: &[&str]) -> anyhow::Result<()> {
        self.sandbox
            .server(side)
            .set_user_settings(&self.user(side), settings)
    }

    /// Creates or edits the task: everything, without deletions, but for `changes`.
    pub fn create(&self, changes: Value) -> anyhow::Result<()> {
        let outcome = self.sandbox.action("create-task", self.input(changes))?;
        ensure!(outcome.is_ok(), "{outcome:?}");
        Ok(())
    }

    /// Runs an action that is about the task.
    pub fn act(&self, action: &str) -> anyhow::Result<()> {
        let task = json!({"localuser": self.name, "task_id": self.input(json!({}))["task_id"]});
        let outcome = self.sandbox.action(action, task)?;
        ensure!(outcome.is_ok(), "{outcome:?}");
        Ok(())
    }

    /// The input of `create-task`.
    pub fn input(&self, changes: Value) -> Value {
        let mut input = self.sandbox.task_with(json!({
            "localuser": self.name,
            "remoteusername": self.user(Side::Remote),
            "remotepassword": format!("Pw-{}", self.name),
            "start": false,
        }));
        for (name, value) in changes.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        input
    }

    /// Runs `syncctl` on the task.
    pub fn syncctl(&self, arguments: &[&str]) -> anyhow::Result<HelperOutcome> {
        self.sandbox.syncctl(&[arguments, &[&self.task()]].concat())
    }

    /// Runs the task to its end, whatever that is.
    pub fn run(&self) -> anyhow::Result<Run> {
        let outcome = self.syncctl(&["start"])?;
        let log = self.sandbox.log(&self.task());
        ensure!(!outcome.stderr.contains("panicked"), "{outcome:?}\n{log}");
        let report = std::fs::read(self.sandbox.task_file(&self.task(), "report"))
            .with_context(|| format!("no report: {outcome:?}"))?;
        Ok(Run {
            exit_code: outcome.exit_code,
            report: serde_json::from_slice(&report)?,
            log,
        })
    }

    /// The program of the container, as crond starts it; no one stands between it and the test.
    pub fn program(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let node = self.sandbox.node();
        let mut command = Command::new(node.container().join("root/usr/local/bin/syncctl"));
        command
            .env_clear()
            .envs(container::environment(node).context("the container does not run")?);
        command.args(arguments).arg(self.task());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(command)
    }

    /// Runs the task, which must end well and copy so many messages.
    pub fn run_copies(&self, messages: u64) -> anyhow::Result<Run> {
        let run = self.run()?;
        ensure!(run.exit_code == 0, "{}", run.log);
        ensure!(run.copied() == messages, "{messages} to copy:\n{}", run.log);
        Ok(run)
    }

    /// Both sides have the same folders, and in each the same messages as often.
    pub fn agree(&self) -> anyhow::Result<()> {
        let remote: BTreeMap<String, Vec<Identity>> = self
            .mailbox(Side::Remote)?
            .iter()
            .map(|(name, messages)| (turned(name), identities(messages)))
            .collect();
        let local: BTreeMap<String, Vec<Identity>> = self
            .mailbox(Side::Local)?
            .iter()
            .map(|(name, messages)| (name.clone(), identities(messages)))
            .collect();
        let names = |side: &BTreeMap<String, Vec<Identity>>| side.keys().cloned().collect::<Vec<_>>();
        ensure!(
            names(&remote) == names(&local),
            "remote {:?}\nlocal {:?}\n{}",
            names(&remote),
            names(&local),
            self.sandbox.log(&self.task())
        );
        for (name, messages) in &remote {
            let here = local.get(name).map(Vec::as_slice).unwrap_or_default();
            let only = |these: &[Identity], those: &[Identity]| -> Vec<Identity> {
                these
                    .iter()
                    .filter(|one| !those.contains(one))
                    .take(5)
                    .cloned()
                    .collect()
            };
            ensure!(
                messages == here,
                "{name}: {} and {} messages; only remote {:?}, only local {:?}\n{}",
                messages.len(),
                here.len(),
                only(messages, here),
                only(here, messages),
                self.sandbox.log(&self.task())
            );
        }
        Ok(())
    }

    /// The Message-Ids in a folder without brackets, sorted.
    pub fn ids(&self, side: Side, folder: &str) -> anyhow::Result<Vec<String>> {
        let mailbox = self.mailbox(side)?;
        let messages = mailbox.get(folder).map(Vec::as_slice).unwrap_or_default();
        let bare = |message: &Message| message.message_id.trim_matches(['<', '>']).to_owned();
        let mut ids: Vec<String> = messages.iter().map(bare).collect();
        ids.sort();
        Ok(ids)
    }

    /// The flags of a message.
    pub fn flags_of(&self, side: Side, folder: &str, id: &str) -> anyhow::Result<String> {
        let mailbox = self.mailbox(side)?;
        let found = mailbox[folder]
            .iter()
            .find(|message| message.message_id == format!("<{id}>"));
        Ok(found
            .with_context(|| format!("no {id} in {folder}"))?
            .flags
            .join(" "))
    }

    /// Removes messages for good, as their owner does. `which` is what SEARCH takes.
    pub fn expunge(&self, side: Side, folder: &str, which: &str) -> anyhow::Result<()> {
        self.store(side, folder, which, "+FLAGS (\\Deleted)")?;
        let mut imap = self.imap(side)?;
        imap.run(&format!("SELECT \"{folder}\""))?;
        imap.run("EXPUNGE")?;
        Ok(())
    }

    /// Changes flags, as the owner does.
    pub fn store(&self, side: Side, folder: &str, which: &str, change: &str) -> anyhow::Result<()> {
        let mut imap = self.imap(side)?;
        imap.run(&format!("SELECT \"{folder}\""))?;
        let uids = search(&mut imap, which)?;
        ensure!(!uids.is_empty(), "{folder} has nothing that is {which}");
        imap.run(&format!("UID STORE {} {change}", uids.join(",")))?;
        Ok(())
    }

    /// Gives a folder another UIDVALIDITY, as a server does that restored a backup.
    pub fn replace(&self, side: Side, folder: &str) -> anyhow::Result<()> {
        let user = self.user(side);
        let server = self.sandbox.server(side);
        let validity = server.doveadm_run(&[
            "-f",
            "tab",
            "mailbox",
            "status",
            "-u",
            &user,
            "uidvalidity",
            folder,
        ])?;
        let validity: u32 = validity.split_whitespace().last().unwrap_or_default().parse()?;
        let other = (validity + 1000).to_string();
        server.doveadm_run(&["mailbox", "update", "-u", &user, "--uid-validity", &other, folder])?;
        Ok(())
    }

    /// Only the record of what was delivered into the local mailbox goes.
    pub fn forget(&self) -> anyhow::Result<()> {
        let ledger = self
            .sandbox
            .node()
            .state()
            .join(format!("imapsync/.ledger/{}.db", self.name));
        std::fs::remove_file(&ledger).with_context(|| format!("no {}", ledger.display()))?;
        for extension in ["db-wal", "db-shm"] {
            let _ = std::fs::remove_file(ledger.with_extension(extension));
        }
        Ok(())
    }

    /// A folder of one side on the disk.
    pub fn maildir(&self, side: Side, folder: &str) -> std::path::PathBuf {
        let root = self.sandbox.server(side).maildir(&self.user(side));
        match folder {
            "INBOX" => root,
            folder => root.join(format!(".{folder}")),
        }
    }
}

impl Run {
    /// How many messages it copied.
    pub fn copied(&self) -> u64 {
        self.report["messages"]["copied"].as_u64().unwrap_or_default()
    }

    /// All reasons of its problems.
    pub fn reasons(&self) -> String {
        let problems = self.report["problems"].as_array().cloned().unwrap_or_default();
        problems
            .iter()
            .map(|problem| format!("{}: {}\n", problem["folder"], problem["reason"]))
            .collect()
    }

    /// It ended with this code.
    pub fn ended(self, exit_code: i32) -> anyhow::Result<Self> {
        ensure!(
            self.exit_code == exit_code,
            "not {exit_code} but {}: {}",
            self.exit_code,
            self.log
        );
        ensure!(self.report["exit_code"] == exit_code, "{}", self.report);
        Ok(self)
    }
}

/// The UIDs of what is found in the open folder.
pub fn search(imap: &mut Imap, which: &str) -> anyhow::Result<Vec<String>> {
    let found = imap.run(&format!("UID SEARCH {which}"))?;
    let line = found
        .iter()
        .find_map(|response| response.text.strip_prefix("* SEARCH"));
    Ok(line
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect())
}

/// A remote name as it should be locally: the separators change places.
pub fn turned(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            c => c,
        })
        .collect()
}

/// What must be the same, in its own order.
pub fn identities(messages: &[Message]) -> Vec<Identity> {
    let mut all: Vec<Identity> = messages
        .iter()
        .map(|message| {
            let (digest, flags, date) = message.identity();
            (digest.to_owned(), flags.to_vec(), date)
        })
        .collect();
    all.sort();
    all
}

/// Messages `PREFIX1@x` to `PREFIXn@x` in a folder.
pub fn mails(folder: &str, prefix: &str, count: usize) -> Vec<NewMail> {
    (1..=count)
        .map(|n| NewMail::new(&format!("{prefix}{n}@x")).folder(folder))
        .collect()
}

/// Changes the mode of a file or folder on a server's disk.
pub fn chmod(path: &std::path::Path, mode: &str) -> anyhow::Result<()> {
    let status = Command::new("chmod").arg(mode).arg(path).status()?;
    ensure!(status.success());
    Ok(())
}
