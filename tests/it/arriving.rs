// SPDX-License-Identifier: GPL-3.0-or-later
//! A task whose source is listened to, as its administrator, its owner and its server see it.

use anyhow::Context as _;
use sandbox::{NewMail, Sandbox, Side, wait_until};
use serde_json::{Value, json};

/// The task `USER_abc123` of a local user, and the remote mailbox that it pulls.
pub(crate) struct Arriving<'a> {
    pub sandbox: &'a Sandbox,
    pub user: &'a str,
    pub mailbox: &'a str,
}

impl<'a> Arriving<'a> {
    pub(crate) fn of(sandbox: &'a Sandbox, user: &'a str, mailbox: &'a str) -> Self {
        Self {
            sandbox,
            user,
            mailbox,
        }
    }

    /// Has its source listened to, and waits until it is.
    pub(crate) fn begin(&self) -> anyhow::Result<()> {
        self.sandbox.listen_to(self.user, "abc123", true)?;
        self.wait_for("watching")
    }

    /// What list-tasks says of the task.
    pub(crate) fn listed(&self) -> anyhow::Result<Value> {
        let question = json!({"tasks": [{"localuser": self.user, "task_id": "abc123"}]});
        let listing = self.sandbox.action("list-tasks", question)?;
        let found = listing.output["user_properties"].get(0).cloned();
        found.with_context(|| format!("the task of {} is not listed: {listing:?}", self.user))
    }

    /// Waits until list-tasks says so of its source.
    pub(crate) fn wait_for(&self, state: &str) -> anyhow::Result<()> {
        wait_until(&format!("the task of {} to be {state}", self.user), || {
            self.listed().is_ok_and(|task| task["listening"] == state)
        })
        .with_context(|| self.sandbox.journal())
    }

    /// Puts a message into a folder of the remote mailbox: delivers it, or does what its owner does in other folders.
    pub(crate) fn append(&self, folder: &str, id: &str) -> anyhow::Result<()> {
        if folder == "INBOX" {
            return self
                .sandbox
                .add_mail(Side::Remote, self.mailbox, &[NewMail::new(id)]);
        }
        let text = format!("Message-ID: <{id}>\r\nFrom: a@x\r\nSubject: {id}\r\n\r\n{id}\r\n");
        let mut owner = self.sandbox.remote().imap(self.mailbox)?;
        owner.append(folder, "", text.as_bytes())
    }

    /// How often a message is at the destination.
    pub(crate) fn copies(&self, folder: &str, id: &str) -> usize {
        let mail = self.sandbox.mailbox(Side::Local, self.user).unwrap_or_default();
        let messages = mail.get(folder).map(Vec::as_slice).unwrap_or_default();
        messages
            .iter()
            .filter(|message| format!("{message:?}").contains(id))
            .count()
    }

    /// Puts a message into a remote folder, and waits until it is at the destination.
    pub(crate) fn arrives(&self, folder: &str, id: &str) -> anyhow::Result<()> {
        self.append(folder, id)?;
        wait_until(&format!("{id} to arrive"), || self.copies(folder, id) == 1)
            .with_context(|| self.sandbox.journal())
    }

    /// Connections of the mailbox at its server.
    pub(crate) fn connections(&self) -> usize {
        let who = self.sandbox.remote().doveadm_run(&["who", "-1", self.mailbox]);
        let who = who.unwrap_or_default();
        who.lines().filter(|line| line.contains("imap")).count()
    }

    /// Waits until there is none.
    pub(crate) fn left(&self) -> anyhow::Result<()> {
        wait_until("the source to be left", || self.connections() == 0)
    }

    /// Has the server end them.
    pub(crate) fn kick(&self) -> anyhow::Result<()> {
        self.sandbox
            .remote()
            .doveadm_run(&["kick", self.mailbox])
            .map(drop)
    }
}
