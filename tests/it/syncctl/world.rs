// SPDX-License-Identifier: GPL-3.0-or-later
//! A node with a task that has run once, and a server that never answers, against which a run hangs.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use sandbox::{HelperOutcome, MAIL_MODULE_UUID, NewMail, Sandbox, wait_until};
use serde_json::{Value, json};

use crate::support::{TASK, USER};

pub(super) struct World {
    pub sandbox: Sandbox,
    gate: TcpListener,
}

impl World {
    pub(super) fn start() -> anyhow::Result<Self> {
        Self::with(Sandbox::start()?)
    }

    /// The same with a supervisor, which runs so many tasks at once.
    pub(super) fn supervised(at_once: usize) -> anyhow::Result<Self> {
        let sandbox = Sandbox::builder().supervised().unconfigured().start()?;
        let host = sandbox.local().address().to_string();
        let input = json!({
            "mail_server": MAIL_MODULE_UUID, "mail_host": host, "max_concurrent_syncs": at_once,
        });
        let outcome = sandbox.action("configure-module", input)?;
        ensure!(outcome.is_ok(), "{outcome:?}");
        Self::with(sandbox)
    }

    fn with(sandbox: Sandbox) -> anyhow::Result<Self> {
        sandbox.remote().deliver(USER, &[NewMail::new("first@x")])?;
        sandbox.sync(sandbox.task_input())?;
        Ok(Self {
            sandbox,
            gate: TcpListener::bind("127.0.0.1:0")?,
        })
    }

    pub(super) fn reference() -> Value {
        json!({"localuser": "u1", "task_id": "abc123"})
    }

    /// A file of the task.
    pub(super) fn file(&self, ending: &str) -> std::path::PathBuf {
        self.sandbox.task_file(TASK, ending)
    }

    /// What must be as it was when a run did not take place, or was stopped.
    pub(super) fn former(&self) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
        Ok((fs::read(self.file("log"))?, fs::read(self.file("status"))?))
    }

    /// The text of the task's file, with a server that never answers.
    pub(super) fn hanging(&self) -> anyhow::Result<String> {
        let remote = self.sandbox.remote();
        let text = fs::read_to_string(self.file("env"))?;
        Ok(text
            .replace(
                &format!("REMOTEHOSTNAME={}\n", remote.address()),
                "REMOTEHOSTNAME=127.0.0.1\n",
            )
            .replace(
                &format!("REMOTEPORT={}\n", remote.port()),
                &format!("REMOTEPORT={}\n", self.gate.local_addr()?.port()),
            ))
    }

    /// Lets the task hang from now on.
    pub(super) fn hang(&self) -> anyhow::Result<()> {
        Ok(fs::write(self.file("env"), self.hanging()?)?)
    }

    /// Copies the task: another one of `user` and for that user's remote account, who has to exist where it is to get in.
    pub(super) fn another(&self, user: &str, env: &str) -> anyhow::Result<String> {
        let name = format!("{user}_x");
        let env = env
            .replace("TASK_ID=abc123\n", "TASK_ID=x\n")
            .replace("LOCALUSER=u1\n", &format!("LOCALUSER={user}\n"))
            .replace(
                &format!("REMOTEUSERNAME={USER}\n"),
                &format!("REMOTEUSERNAME={user}@example.com\n"),
            );
        fs::write(self.sandbox.task_file(&name, "pwd"), format!("Pw-{user}"))?;
        fs::copy(self.file("json"), self.sandbox.task_file(&name, "json"))?;
        fs::write(self.sandbox.task_file(&name, "env"), env)?;
        Ok(name)
    }

    /// What list-tasks says of a task.
    pub(super) fn listed(&self, task: &str) -> anyhow::Result<Value> {
        let listing = self.sandbox.action("list-tasks", json!({}))?;
        let mut entries = listing.output["user_properties"].as_array().into_iter().flatten();
        let wanted = |entry: &&Value| {
            let part = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            format!("{}_{}", part("localuser"), part("task_id")) == task
        };
        let found = entries.find(wanted).cloned();
        found.with_context(|| format!("{task} is not listed"))
    }

    /// Calls systemctl for the service.
    pub(super) fn service(&self, verb: &str) -> anyhow::Result<()> {
        let words = ["--user", verb, "imapsync.service"];
        let outcome = self.sandbox.helper("systemctl", &words)?;
        ensure!(outcome.exit_code == 0, "{outcome:?}");
        Ok(())
    }

    /// Starts the hanging task with its action.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let outcome = self.sandbox.action("start-task", Self::reference())?;
        ensure!(outcome.is_ok(), "{outcome:?}");
        wait_until("the run", || self.file("progress").exists())
    }

    pub(super) fn syncctl(&self, words: &[&str]) -> anyhow::Result<HelperOutcome> {
        self.sandbox.syncctl(words)
    }

    /// Starts syncctl as a child of the test, with the container's environment.
    pub(super) fn spawn(&self, words: &[&str]) -> anyhow::Result<Child> {
        let mut command = self.program()?;
        command.args(words).stdin(Stdio::null()).process_group(0);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().context("cannot run syncctl")
    }

    /// syncctl and its environment.
    pub(super) fn program(&self) -> anyhow::Result<Command> {
        let container = self.sandbox.node().container();
        let mut command = Command::new(container.join("root/usr/local/bin/syncctl"));
        command.env_clear();
        for line in fs::read_to_string(container.join("running"))?.lines() {
            let (name, value) = line.split_once('=').context("no variable")?;
            command.env(name, value);
        }
        Ok(command)
    }
}
