// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers described once, and signing in there with a real authorization server.

mod connect;
mod describing;
mod keeping_secrets;
mod keeping_tokens;
mod listening;
mod outdated;
mod provider_errors;
mod signing_in;

use anyhow::{Context as _, ensure};
use sandbox::{Issuer, NewMail, Outcome, Sandbox, Side};
use serde_json::{Value, json};

use crate::support::action_output;

/// A sandbox with an issuer whose tokens the remote server takes.
struct World {
    issuer: Issuer,
    sandbox: Sandbox,
}

/// The remote mailbox of each local user.
const ANN: &str = "ann@example.com";

impl World {
    fn start() -> anyhow::Result<Self> {
        Self::around(Sandbox::start()?)
    }

    fn around(sandbox: Sandbox) -> anyhow::Result<Self> {
        let issuer = Issuer::start(&sandbox)?;
        Ok(Self { issuer, sandbox })
    }

    /// With a source of that kind.
    fn with(kind: &str) -> anyhow::Result<Self> {
        Self::start()?.add(kind)
    }

    /// The same with a supervisor.
    fn supervised(kind: &str) -> anyhow::Result<Self> {
        Self::around(Sandbox::builder().supervised().start()?)?.add(kind)
    }

    fn add(self, kind: &str) -> anyhow::Result<Self> {
        self.save(self.issuer.source(kind)?)?;
        Ok(self)
    }

    fn save(&self, fields: Value) -> anyhow::Result<Value> {
        action_output(&self.sandbox, "save-source", fields)
    }

    /// Puts so many messages into a remote mailbox.
    fn deliver(&self, mailbox: &str, messages: usize) -> anyhow::Result<()> {
        let mails: Vec<NewMail> = (0..messages)
            .map(|number| NewMail::new(&format!("{number}.{messages}@{mailbox}")))
            .collect();
        self.sandbox.add_mail(Side::Remote, mailbox, &mails)
    }

    /// The input of create-task for a mailbox of a source.
    fn task(&self, source: &str, localuser: &str, mailbox: &str) -> Value {
        let mut task = self.sandbox.task_with(json!({
            "source": source,
            "localuser": localuser,
            "remoteusername": mailbox,
            "start": false,
        }));
        if let Some(fields) = task.as_object_mut() {
            for name in ["remotehostname", "remoteport", "remotepassword", "security"] {
                fields.remove(name);
            }
        }
        task
    }

    fn create(&self, source: &str, localuser: &str, mailbox: &str) -> anyhow::Result<Outcome> {
        self.sandbox
            .action("create-task", self.task(source, localuser, mailbox))
    }

    /// Runs a task to its end; exit code and report.
    fn run(&self, localuser: &str) -> anyhow::Result<(i32, Value)> {
        let name = format!("{localuser}_abc123");
        let outcome = self.sandbox.syncctl(&["start", &name])?;
        let report = std::fs::read(self.sandbox.task_file(&name, "report")).context("no report")?;
        Ok((outcome.exit_code, serde_json::from_slice(&report)?))
    }

    /// Runs a task that must copy so many messages.
    fn run_copies(&self, localuser: &str, messages: u64) -> anyhow::Result<()> {
        let (code, report) = self.run(localuser)?;
        let log = self.sandbox.log(&format!("{localuser}_abc123"));
        ensure!(code == 0, "{log}");
        ensure!(report["messages"]["copied"] == messages, "{report}\n{log}");
        Ok(())
    }

    /// Begins a sign-in for a mailbox.
    fn begin(&self, source: &str, mailbox: &str) -> anyhow::Result<Value> {
        let question = json!({"source_id": source, "mailbox": mailbox});
        action_output(&self.sandbox, "begin-sign-in", question)
    }

    fn complete(&self, answer: Value) -> anyhow::Result<Value> {
        action_output(&self.sandbox, "complete-sign-in", answer)
    }

    /// A person signs in with a device code.
    fn sign_in_by_device(&self, mailbox: &str) -> anyhow::Result<()> {
        let begun = self.begin("device-code", mailbox)?;
        let address = begun["verification_uri_complete"]
            .as_str()
            .context("no address")?;
        self.issuer.browse(address, mailbox, false)?;
        let mut standing = json!({"status": "pending"});
        sandbox::wait_until("the sign-in", || {
            standing = self
                .complete(json!({"state": begun["state"]}))
                .unwrap_or_default();
            standing["status"] != "pending"
        })?;
        ensure!(standing["status"] == "signed-in", "{standing}");
        Ok(())
    }

    /// What list-tasks says about the only task.
    fn listed(&self) -> anyhow::Result<Value> {
        let listing = action_output(&self.sandbox, "list-tasks", json!({}))?;
        Ok(listing["user_properties"][0].clone())
    }

    /// Makes the stored tokens look as if they had been got a while ago.
    fn age_tokens(&self) -> anyhow::Result<()> {
        self.shift_tokens(600, 0)
    }

    /// Makes the stored tokens look as if they had ended.
    fn end_tokens(&self) -> anyhow::Result<()> {
        self.shift_tokens(7200, 7200)
    }

    fn shift_tokens(&self, obtained: i64, expires: i64) -> anyhow::Result<()> {
        for name in self.sandbox.state_files()?.into_keys() {
            if name.contains(".tokens/") && name.ends_with(".json") {
                let path = self.sandbox.node().state().join(name);
                let mut stored: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
                for (field, seconds) in [("obtained_at", obtained), ("expires_at", expires)] {
                    let moment = stored[field].as_i64().context("no token")?;
                    stored[field] = (moment - seconds).into();
                }
                std::fs::write(&path, stored.to_string())?;
            }
        }
        Ok(())
    }

    /// The secrets of the tokens that are stored now.
    fn stored_tokens(&self) -> anyhow::Result<Vec<String>> {
        let mut tokens = vec![];
        for (name, file) in self.sandbox.state_files()? {
            if name.contains(".tokens/") && name.ends_with(".json") {
                let stored: Value = serde_json::from_str(&file.text)?;
                for field in ["access", "refresh"] {
                    tokens.extend(stored[field].as_str().map(str::to_owned));
                }
            }
        }
        Ok(tokens)
    }
}

/// The keys of a refusal.
fn keys(outcome: &Outcome) -> Vec<String> {
    let list = outcome.output.as_array().cloned().unwrap_or_default();
    list.iter()
        .filter_map(|refusal| Some(refusal["error"].as_str()?.to_owned()))
        .collect()
}
