// SPDX-License-Identifier: GPL-3.0-or-later
//! What is tried on each server.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use sandbox::{Case, Imap, Mailbox, Message, NewMail, Sandbox, Side, wait_until};
use serde_json::{Value, json};

use crate::mailbox::{fill, hard_cases};
use crate::source::Source;

/// Fills the mailbox and tries everything, into the sandbox's mail module.
pub(crate) fn all(sandbox: &Sandbox, name: &str, source: &Source) -> anyhow::Result<()> {
    Trial::new(sandbox, name, source, None)?.everything(name)
}

/// Fills the mailbox and tries everything, into another server that stands for the mail module's.
pub(crate) fn into(
    sandbox: &Sandbox,
    name: &str,
    source: &Source,
    destination: &Source,
) -> anyhow::Result<()> {
    Trial::new(sandbox, name, source, Some(destination))?.everything(name)
}

/// What is tried, and how it is called.
type Step = (&'static str, fn(&Trial<'_>) -> anyhow::Result<()>);

struct Trial<'a> {
    source: &'a Source,
    /// Where the mail goes, when that is not the sandbox's mail module.
    destination: Option<&'a Source>,
    case: Case<'a>,
    /// A task of its own for the inbox mode.
    inbox: Case<'a>,
}

impl<'a> Trial<'a> {
    fn new(
        sandbox: &'a Sandbox,
        name: &str,
        source: &'a Source,
        destination: Option<&'a Source>,
    ) -> anyhow::Result<Self> {
        let user = name.to_lowercase().replace([' ', '.'], "");
        let names = [user.clone(), format!("{user}-inbox")];
        sandbox.add_accounts(&names)?;
        for name in &names {
            wait_until(&format!("{name} to be known"), || {
                let known = ["auth", "test", name, &format!("Pw-{name}")];
                sandbox.local().doveadm_run(&known).is_ok()
            })?;
        }
        Ok(Self {
            source,
            destination,
            case: Case::new(sandbox, &names[0]),
            inbox: Case::new(sandbox, &names[1]),
        })
    }

    fn everything(&self, name: &str) -> anyhow::Result<()> {
        let refused = fill(
            &mut self.source.imap()?,
            &hard_cases(),
            self.source.prefix,
            self.source.separator,
        )?;
        for refused in refused {
            println!("{name}: the server does not take {refused}");
        }
        let steps: [Step; 11] = [
            ("validate", |trial| trial.validate()),
            ("count", |trial| trial.count()),
            ("copy", |trial| trial.copy()),
            ("rerun", |trial| trial.rerun()),
            ("verify --deep", |trial| trial.verify()),
            ("changes", |trial| trial.changes()),
            ("kill -9", |trial| trial.kill()),
            ("inbox", |trial| trial.inbox()),
            ("mirror", |trial| trial.mirror()),
            ("comparison without the ledger", |trial| trial.compare_again()),
            ("deletion on the source", |trial| trial.delete_remote()),
        ];
        let promised = match self.source.steady {
            true if !self.source.deletes => {
                println!("{name}: deletion on the source: not promised, see docs/servers.md");
                steps.len() - 1
            }
            true => steps.len(),
            // Its messages get other UIDs whenever something changes; until then all is as anywhere.
            false => {
                println!(
                    "{name}: no more than the first copy and what follows it without changes is promised"
                );
                self.touch()?;
                5
            }
        };
        for (step, run) in steps.into_iter().take(promised) {
            run(self).with_context(|| format!("{name}: {step}\n{}", self.told()))?;
            println!("{name}: {step}: ok");
        }
        Ok(())
    }

    /// Changes a flag in each folder and takes it back: only then do some servers give it its own generation.
    fn touch(&self) -> anyhow::Result<()> {
        let mut imap = self.source.imap()?;
        for folder in sandbox::mail::raw_names(&mut imap)? {
            imap.run(&format!("SELECT \"{folder}\""))?;
            if !sandbox::case::search(&mut imap, "ALL")?.is_empty() {
                imap.run("STORE 1 +FLAGS (\\Answered)")?;
            }
            imap.run("CLOSE")?;
        }
        Ok(())
    }

    /// The program of the container, with the mail server that the mail goes to.
    fn program(&self, case: &Case<'_>, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = case.program(arguments)?;
        if let Some(destination) = self.destination {
            command.env("MAIL_HOST", &destination.host);
            command.env("MAIL_PORT", destination.port.to_string());
            // Which is another one than create-task has met.
            let met = case.sandbox.node().state().join("imapsync/.local-server.json");
            if met.exists() {
                std::fs::remove_file(met)?;
            }
        }
        Ok(command)
    }

    fn run(&self, case: &Case<'_>) -> anyhow::Result<Value> {
        let status = self.program(case, &["start"])?.status()?;
        let log = case.sandbox.log(&case.task());
        ensure!(status.success(), "{status}:\n{log}");
        Ok(serde_json::from_slice(&std::fs::read(
            case.sandbox.task_file(&case.task(), "report"),
        )?)?)
    }

    fn run_copies(&self, case: &Case<'_>, messages: usize) -> anyhow::Result<()> {
        let report = self.run(case)?;
        ensure!(
            report["messages"]["copied"] == messages,
            "{messages} to copy: {report}\n{}",
            case.sandbox.log(&case.task())
        );
        Ok(())
    }

    fn local(&self, case: &Case<'_>) -> anyhow::Result<Mailbox> {
        match self.destination {
            None => case.mailbox(Side::Local),
            Some(server) => {
                let password = format!("Pw-{}", case.name);
                let mut imap = Imap::connect(&server.host, server.port, &case.name, &password)?;
                sandbox::mail::read_mailbox(&mut imap)
            }
        }
    }

    fn task(&self, case: &Case<'_>, changes: Value) -> Value {
        let mut input = case.input(json!({
            "remotehostname": self.source.host,
            "remoteport": self.source.port,
            "security": self.source.security,
            "remoteusername": self.source.user,
            "remotepassword": self.source.password,
        }));
        for (name, value) in changes.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        input
    }

    fn create(&self, case: &Case<'_>, changes: Value) -> anyhow::Result<()> {
        let outcome = case.sandbox.action("create-task", self.task(case, changes))?;
        ensure!(outcome.is_ok(), "{outcome:?}");
        Ok(())
    }

    fn validate(&self) -> anyhow::Result<()> {
        let input = self.task(&self.case, json!({}));
        let outcome = self.case.sandbox.action("validate-task", input.clone())?;
        ensure!(outcome.is_ok(), "{outcome:?}");
        let mut wrong = input;
        wrong["remotepassword"] = json!("no such password");
        let outcome = self.case.sandbox.action("validate-task", wrong)?;
        ensure!(
            format!("{outcome:?}").contains("bad_user_credentials"),
            "a wrong password: {outcome:?}"
        );
        Ok(())
    }

    fn count(&self) -> anyhow::Result<()> {
        self.create(&self.case, json!({}))?;
        let task = json!({"localuser": self.case.name, "task_id": "abc123"});
        let outcome = self.case.sandbox.action("list-informations", task)?;
        let counted = &outcome.output;
        let mailbox = self.source.mailbox()?;
        let messages: usize = mailbox.values().map(Vec::len).sum();
        ensure!(
            counted["host1Folders"] == mailbox.len(),
            "{} folders: {counted}",
            mailbox.len()
        );
        ensure!(
            counted["host1Messages"] == messages,
            "{messages} messages: {counted}"
        );
        Ok(())
    }

    fn copy(&self) -> anyhow::Result<()> {
        let messages: usize = self.source.mailbox()?.values().map(Vec::len).sum();
        self.run_copies(&self.case, messages)?;
        self.agree()
    }

    fn rerun(&self) -> anyhow::Result<()> {
        self.run_copies(&self.case, 0)?;
        self.agree()
    }

    fn verify(&self) -> anyhow::Result<()> {
        let mut command = self.program(&self.case, &["verify", "--deep"])?;
        let output = command.stdout(Stdio::piped()).output()?;
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        let differences = answer["differences"].as_array().context("no differences")?;
        let told = differences.iter().all(|difference| {
            let id = difference["message_id"].as_str().unwrap_or_default();
            self.source.altered.contains(&id)
        });
        ensure!(
            told && (answer["agree"] == true || !differences.is_empty()),
            "{answer:#}"
        );
        Ok(())
    }

    fn changes(&self) -> anyhow::Result<()> {
        let news = [
            NewMail::new("later@odd"),
            NewMail::new("later-too@odd").folder("Work").flags(&["\\Seen"]),
            NewMail::new("elsewhere@odd").folder("Made later"),
        ];
        self.add(&news)?;
        let mut imap = self.source.imap()?;
        imap.run("SELECT INBOX")?;
        imap.run("STORE 1 +FLAGS (\\Answered)")?;
        imap.run("STORE 2 -FLAGS (\\Seen)")?;
        drop(imap);
        self.run_copies(&self.case, 3)?;
        self.agree()
    }

    fn kill(&self) -> anyhow::Result<()> {
        let filler = vec![b'x'; 400];
        let many: Vec<NewMail> = (0..300)
            .map(|n| {
                let head = format!("Message-Id: <kill{n}@odd>\r\n\r\n");
                NewMail::new("")
                    .folder("Killed")
                    .content([head.as_bytes(), &filler[..], b"\r\n"].concat())
            })
            .collect();
        self.add(&many)?;
        let mut run = self.program(&self.case, &["start"])?.spawn()?;
        wait_until("the run to be in the middle", || {
            self.arrived().is_ok_and(|now| now > 20) || run.try_wait().is_ok_and(|ended| ended.is_some())
        })?;
        run.kill()?;
        run.wait()?;
        self.run(&self.case)?;
        self.agree()
    }

    fn inbox(&self) -> anyhow::Result<()> {
        let unread = |mailbox: &Mailbox| -> Vec<String> {
            let inbox = mailbox.get("INBOX").map(Vec::as_slice).unwrap_or_default();
            let unread = inbox.iter().filter(|message| {
                !message
                    .flags
                    .iter()
                    .any(|flag| flag == "\\Seen" || flag == "\\Deleted")
            });
            self.digests(unread)
        };
        let wanted = unread(&self.source.mailbox()?);
        ensure!(!wanted.is_empty(), "nothing is unread");
        let inbox = json!({"foldersynchronization": "inbox", "localuser": self.inbox.name});
        self.create(&self.inbox, inbox)?;
        self.run_copies(&self.inbox, wanted.len())?;
        self.run_copies(&self.inbox, 0)?;
        let local = self.local(&self.inbox)?;
        let arrived = self.digests(local["INBOX"].iter());
        ensure!(
            arrived == wanted,
            "{} of {} unread messages",
            arrived.len(),
            wanted.len()
        );
        let left = unread(&self.source.mailbox()?);
        ensure!(left.is_empty(), "{} are still unread on the source", left.len());
        let outcome = self.inbox.sandbox.action(
            "delete-task",
            json!({"localuser": self.inbox.name, "task_id": "abc123"}),
        )?;
        ensure!(outcome.is_ok(), "{outcome:?}");
        // What it marked is news to the other task.
        self.run(&self.case)?;
        self.agree()
    }

    /// The digests of messages, sorted.
    fn digests<'m>(&self, messages: impl Iterator<Item = &'m Message>) -> Vec<String> {
        let mut digests: Vec<String> = messages
            .map(|message| digest(message, self.source.altered).to_owned())
            .collect();
        digests.sort();
        digests
    }

    fn mirror(&self) -> anyhow::Result<()> {
        self.create(&self.case, json!({"delete_local": true}))?;
        self.run(&self.case)?;
        self.agree()?;
        let mut imap = self.source.imap()?;
        for (folder, which) in [("INBOX", "1:3"), (&self.wire("Killed"), "1:9")] {
            imap.run(&format!("SELECT \"{folder}\""))?;
            imap.run(&format!("STORE {which} +FLAGS (\\Deleted)"))?;
            imap.run("EXPUNGE")?;
        }
        drop(imap);
        let report = self.run(&self.case)?;
        ensure!(report["deleted_local"] == 12, "{report}\n{}", self.log());
        self.agree()
    }

    fn compare_again(&self) -> anyhow::Result<()> {
        self.create(&self.case, json!({}))?;
        self.case.forget()?;
        self.run_copies(&self.case, 0)?;
        self.agree()
    }

    fn delete_remote(&self) -> anyhow::Result<()> {
        let whole = self.source.mailbox()?;
        self.create(&self.case, json!({"delete_remote": true}))?;
        self.run(&self.case)?;
        let left: Vec<String> = self
            .source
            .mailbox()?
            .iter()
            .filter(|(_, messages)| !messages.is_empty())
            .map(|(name, messages)| format!("{name}: {}", messages.len()))
            .collect();
        ensure!(left.is_empty(), "{left:?} are still there\n{}", self.log());
        let local = self.local(&self.case)?;
        compare(&whole, &local, self.source.altered).with_context(|| self.log())?;
        self.run(&self.case)?;
        compare(&whole, &self.local(&self.case)?, self.source.altered)
    }

    fn add(&self, mails: &[NewMail]) -> anyhow::Result<()> {
        let mut imap = self.source.imap()?;
        // The folder may be there already, which is all that may be refused.
        for refused in fill(&mut imap, mails, self.source.prefix, self.source.separator)? {
            ensure!(refused.starts_with("CREATE"), "{refused}");
        }
        Ok(())
    }

    /// How many messages of the run that is to be killed have arrived.
    fn arrived(&self) -> anyhow::Result<usize> {
        let Some(server) = self.destination else {
            // On the disk, as another session that opens the folder disturbs the first one.
            let folder = self.case.maildir(Side::Local, "Killed");
            let files = |name: &str| folder.join(name).read_dir().map_or(0, Iterator::count);
            return Ok(files("new") + files("cur"));
        };
        let mut imap = server.imap()?;
        imap.run("EXAMINE Killed")?;
        Ok(sandbox::case::search(&mut imap, "ALL")?.len())
    }

    fn wire(&self, folder: &str) -> String {
        crate::mailbox::wire_name(&[folder.to_owned()], self.source.prefix, self.source.separator)
    }

    fn log(&self) -> String {
        self.case.sandbox.log(&self.case.task())
    }

    /// What all that took part said.
    fn told(&self) -> String {
        let sandbox = self.case.sandbox;
        [
            sandbox.remote().log(),
            sandbox.local().log(),
            sandbox.journal(),
            self.log(),
        ]
        .join("\n----\n")
    }

    fn agree(&self) -> anyhow::Result<()> {
        let source = self.source.mailbox()?;
        let local = self.local(&self.case)?;
        compare(&source, &local, self.source.altered).with_context(|| self.log())
    }
}

/// Both have the same folders with the same messages, flags and dates. Of messages that are `altered` the octets may differ.
fn compare(source: &Mailbox, local: &Mailbox, altered: &[&str]) -> anyhow::Result<()> {
    let names = |mailbox: &Mailbox| mailbox.keys().cloned().collect::<Vec<_>>();
    ensure!(
        names(source) == names(local),
        "source {:?}\nlocal  {:?}",
        names(source),
        names(local)
    );
    for (name, messages) in source {
        let (here, there) = (counted(messages, altered), counted(&local[name], altered));
        let only = |these: &Counted, those: &Counted| {
            let only = these.iter().filter(|&(one, count)| those.get(one) != Some(count));
            only.map(|(one, count)| format!("{count} x {one:?}"))
                .take(3)
                .collect::<Vec<_>>()
        };
        ensure!(
            here == there,
            "{name}: {} and {} messages; only on the source {:#?}, only local {:#?}",
            messages.len(),
            local[name].len(),
            only(&here, &there),
            only(&there, &here),
        );
    }
    Ok(())
}

/// Message-Id, digest, flags and date, and how often.
type Counted = BTreeMap<(String, String, Vec<String>, i64), usize>;

fn counted(messages: &[Message], altered: &[&str]) -> Counted {
    let mut counts = Counted::new();
    for message in messages {
        let key = (
            message.message_id.clone(),
            digest(message, altered).to_owned(),
            message.flags.clone(),
            message.date,
        );
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// The digest of a message, or the same word for all that are altered.
fn digest<'m>(message: &'m Message, altered: &[&str]) -> &'m str {
    match altered.contains(&message.message_id.as_str()) {
        true => "altered",
        false => &message.digest,
    }
}
