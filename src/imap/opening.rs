// SPDX-License-Identifier: GPL-3.0-or-later
//! Opening mailboxes: one to work in, with questions in the same round trip, or many to see their state.

use std::collections::VecDeque;

use super::command::Command;
use super::error::{Error, Result};
use super::mailbox::Mailbox;
use super::mailbox_id::MailboxId;
use super::response::{Code, MailboxStatus, Response, Untagged};
use super::session::{Session, Tag, WINDOW, accepted};

/// What SELECT or EXAMINE told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selected {
    /// Messages in the mailbox.
    pub messages: u32,
    /// The UIDVALIDITY.
    pub uid_validity: Option<u32>,
    /// The next UID.
    pub uid_next: Option<u32>,
    /// The highest modification sequence.
    pub highest_modseq: Option<u64>,
    /// Its identity (RFC 8474), where the server tells.
    pub id: Option<MailboxId>,
}

impl Selected {
    /// Takes in one piece of what SELECT answers.
    pub fn note(&mut self, data: &Untagged) {
        match data {
            Untagged::Exists(count) => self.messages = *count,
            Untagged::Status(status) => match status.code {
                Some(Code::UidNext(n)) => self.uid_next = Some(n),
                Some(Code::UidValidity(n)) => self.uid_validity = Some(n),
                Some(Code::HighestModseq(n)) => self.highest_modseq = Some(n),
                Some(Code::MailboxId(id)) => self.id = Some(id),
                _ => {}
            },
            _ => {}
        }
    }
}

impl From<Selected> for MailboxStatus {
    fn from(selected: Selected) -> Self {
        Self {
            messages: Some(u64::from(selected.messages)),
            uid_next: selected.uid_next,
            uid_validity: selected.uid_validity,
            highest_modseq: selected.highest_modseq,
            size: None,
            id: selected.id,
            has_wrong_id: false,
        }
        .plausible()
    }
}

impl Session {
    /// The state of mailboxes as opening them shows it, asked together. Those that cannot be opened are left out.
    pub async fn examine_all(&mut self, mailboxes: &[&Mailbox]) -> Result<Vec<(Mailbox, MailboxStatus)>> {
        let mut found = vec![];
        for group in self.groups(mailboxes) {
            let mut waiting = VecDeque::new();
            for &mailbox in &group {
                let tag = self.send(Self::open_command(mailbox, false)).await?;
                waiting.push_back((tag, mailbox));
            }
            // No server opens two mailboxes at once: what it says belongs to the oldest command.
            let mut selected = Selected::default();
            while let Some(&(tag, mailbox)) = waiting.front() {
                match self
                    .next()
                    .await
                    .map_err(|error| self.note_loss(error, &waiting))?
                {
                    Response::Untagged(data) => selected.note(&data),
                    Response::Tagged { tag: other, status } if Self::is(tag, &other) => {
                        let opened = std::mem::take(&mut selected);
                        waiting.pop_front();
                        if status.is_ok() {
                            found.push((mailbox.clone(), opened.into()));
                        }
                    }
                    Response::Tagged { .. } | Response::Continue(_) => {}
                }
            }
            self.note_answered(&group);
        }
        Ok(found)
    }

    /// Mailboxes to be asked for together. Those at which a connection broke come first, each alone; those at which
    /// that happens every time are left out.
    pub(super) fn groups<'a>(&self, mailboxes: &[&'a Mailbox]) -> Vec<Vec<&'a Mailbox>> {
        let known = self.workarounds();
        let hopeful = mailboxes
            .iter()
            .copied()
            .filter(|mailbox| !known.is_hopeless(mailbox));
        let (suspects, others): (Vec<_>, Vec<_>) = hopeful.partition(|mailbox| known.is_suspect(mailbox));
        let alone = suspects.into_iter().map(|mailbox| vec![mailbox]);
        let together = others.chunks(self.window()).map(<[_]>::to_vec);
        alone.chain(together).collect()
    }

    /// Notes at which mailbox a connection broke: the one that the server was at.
    pub(super) fn note_loss(&self, error: Error, waiting: &VecDeque<(Tag, &Mailbox)>) -> Error {
        if let (true, Some((_, mailbox))) = (error.is_loss(), waiting.front()) {
            match waiting.len() {
                1 => self.workarounds().lost_at(mailbox),
                _ => self.workarounds().suspect(mailbox),
            };
        }
        error
    }

    /// Clears a mailbox that was asked for alone of suspicion.
    pub(super) fn note_answered(&self, group: &[&Mailbox]) {
        if let [mailbox] = group {
            self.workarounds().answered(mailbox);
        }
    }

    /// Opens a mailbox, to write (`SELECT`) or only to read (`EXAMINE`).
    pub async fn open(&mut self, mailbox: &Mailbox, write: bool) -> Result<Selected> {
        let mut selected = Selected::default();
        self.run(Self::open_command(mailbox, write), |data| selected.note(&data))
            .await?;
        Ok(selected)
    }

    /// Opens a mailbox and asks it something in the same round trip. What `take` got is void when this fails, or when the
    /// mailbox is not the one that was meant.
    pub async fn open_and_ask(
        &mut self,
        mailbox: &Mailbox,
        write: bool,
        questions: impl IntoIterator<Item = Command>,
        mut take: impl FnMut(Untagged),
    ) -> Result<Selected> {
        if self.workarounds().is_sequential() {
            let selected = self.open(mailbox, write).await?;
            self.run_all(questions, take).await?;
            return Ok(selected);
        }
        let mut questions = questions.into_iter();
        let open = Self::open_command(mailbox, write);
        let (mut names, mut tags) = (vec![], vec![]);
        for command in std::iter::once(open).chain(questions.by_ref().take(WINDOW)) {
            names.push(command.name());
            tags.push(self.send(command).await?);
        }
        let mut selected = Selected::default();
        let answers = self
            .finish_after(&tags, |data, answered, _| match answered {
                0 => selected.note(&data),
                _ => take(data),
            })
            .await?;
        for (name, answer) in names.into_iter().zip(answers) {
            accepted(name, answer)?;
        }
        self.run_all(questions, take).await?;
        Ok(selected)
    }

    /// The command of [`Session::open`], for use in a pipeline.
    pub fn open_command(mailbox: &Mailbox, write: bool) -> Command {
        Command::new(if write { "SELECT" } else { "EXAMINE" }).mailbox(mailbox)
    }
}
