// SPDX-License-Identifier: GPL-3.0-or-later
//! A node with a task that has run once, and a server that never answers, against which a run hangs.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use sandbox::{HelperOutcome, NewMail, Sandbox, wait_until};
use serde_json::{Value, json};

use crate::support::{TASK, USER};

pub struct World {
    pub sandbox: Sandbox,
    gate: TcpListener,
}

impl World {
    pub fn start() -> anyhow::Result<Self> {
        let sandbox = Sandbox::start()?;
        sandbox.remote().deliver(USER, &[NewMail::new("first@x")])?;
        sandbox.sync(sandbox.task_input())?;
        Ok(Self {
            sandbox,
            gate: TcpListener::bind("127.0.0.1:0")?,
        })
    }

    pub fn reference() -> Value {
        json!({"localuser": "u1", "task_id": "abc123"})
    }

    /// A file of the task.
    pub fn file(&self, ending: &str) -> std::path::PathBuf {
        self.sandbox.task_file(TASK, ending)
    }

    /// What must be as it was when a run did not take place, or was stopped.
    pub fn former(&self) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
        Ok((fs::read(self.file("log"))?, fs::read(self.file("status"))?))
    }

    /// The text of the task's file, with a server that never answers.
    pub fn hanging(&self) -> anyhow::Result<String> {
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
    pub fn hang(&self) -> anyhow::Result<()> {
        Ok(fs::write(self.file("env"), self.hanging()?)?)
    }

    /// Starts the hanging task with its action.
    pub fn run(&self) -> anyhow::Result<()> {
        let outcome = self.sandbox.action("start-task", Self::reference())?;
        ensure!(outcome.is_ok(), "{outcome:?}");
        wait_until("the run", || self.file("progress").exists())
    }

    pub fn syncctl(&self, words: &[&str]) -> anyhow::Result<HelperOutcome> {
        self.sandbox.syncctl(words)
    }

    /// Starts syncctl as a child of the test, with the container's environment.
    pub fn spawn(&self, words: &[&str]) -> anyhow::Result<Child> {
        let mut command = self.program()?;
        command.args(words).stdin(Stdio::null()).process_group(0);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().context("cannot run syncctl")
    }

    /// syncctl and its environment.
    pub fn program(&self) -> anyhow::Result<Command> {
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
