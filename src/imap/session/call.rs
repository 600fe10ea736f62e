// SPDX-License-Identifier: GPL-3.0-or-later
//! Commands and their outcomes, one by one and many together.

use super::{Session, Tag};
use crate::imap::command::Command;
use crate::imap::error::{Error, Result};
use crate::imap::response::{Response, StatusLine, Untagged};

impl Session {
    /// Waits for one command's outcome and hands its data to `take`. No other command may be in flight
    /// whose outcome somebody still waits for.
    pub async fn finish(&mut self, tag: Tag, mut take: impl FnMut(Untagged)) -> Result<StatusLine> {
        loop {
            match self.next().await? {
                Response::Tagged { tag: other, status } => {
                    if tag.matches(&other) {
                        return Ok(status);
                    }
                }
                Response::Untagged(data) => take(data),
                Response::Continue(_) => {}
            }
        }
    }

    /// Waits for the outcomes of several commands, in whatever order the server gives them (RFC 3501, 5.5); they come
    /// in the order of `tags`.
    pub async fn finish_all(
        &mut self,
        tags: &[Tag],
        mut take: impl FnMut(Untagged),
    ) -> Result<Vec<StatusLine>> {
        self.finish_after(tags, |data, _, _| take(data)).await
    }

    /// Like [`Session::finish_all`]; `take` is told with each piece of data how many commands, from the first one on, have
    /// their outcomes, and whether the last of these is a good one.
    pub(in crate::imap) async fn finish_after(
        &mut self,
        tags: &[Tag],
        mut take: impl FnMut(Untagged, usize, bool),
    ) -> Result<Vec<StatusLine>> {
        let mut outcomes: Vec<Option<StatusLine>> = vec![None; tags.len()];
        let mut left = tags.len();
        while left > 0 {
            match self.next().await? {
                Response::Tagged { tag: other, status } => {
                    let at = tags.iter().position(|tag| tag.matches(&other));
                    if let Some(outcome) = at.and_then(|at| outcomes.get_mut(at))
                        && outcome.replace(status).is_none()
                    {
                        left -= 1;
                    }
                }
                Response::Untagged(data) => {
                    let answered = outcomes.iter().map_while(Option::as_ref);
                    let (count, is_ok) = answered.fold((0, true), |(count, _), one| (count + 1, one.is_ok()));
                    take(data, count, is_ok);
                }
                Response::Continue(_) => {}
            }
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// Sends a command and waits for its outcome.
    pub async fn call(&mut self, command: Command, take: impl FnMut(Untagged)) -> Result<StatusLine> {
        let tag = self.send(command).await?;
        self.finish(tag, take).await
    }

    /// Like [`Session::call`], with a refusal as an error.
    pub async fn run(&mut self, command: Command, take: impl FnMut(Untagged)) -> Result<StatusLine> {
        let name = command.name();
        let answer = self.call(command, take).await?;
        accepted(name, answer)
    }

    /// Runs commands of which none waits for another's outcome, several in flight. All of them are done; the first
    /// refusal is the error.
    pub async fn run_all(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
        mut take: impl FnMut(Untagged),
    ) -> Result<()> {
        let mut commands = commands.into_iter().peekable();
        let mut outcome = Ok(());
        while commands.peek().is_some() {
            let group: Vec<Command> = commands.by_ref().take(self.window()).collect();
            let names: Vec<_> = group.iter().map(Command::name).collect();
            let answers = self.call_all(group, &mut take).await?;
            for (name, answer) in names.into_iter().zip(answers) {
                outcome = outcome.and(accepted(name, answer).map(drop));
            }
        }
        outcome
    }

    /// Sends some commands together, or one after the other where the server takes one at a time, and waits for their
    /// outcomes.
    pub(in crate::imap) async fn call_all(
        &mut self,
        commands: Vec<Command>,
        mut take: impl FnMut(Untagged),
    ) -> Result<Vec<StatusLine>> {
        let mut answers = vec![];
        let mut tags = vec![];
        for command in commands {
            if !tags.is_empty() && self.workarounds.is_sequential() {
                answers.extend(self.finish_all(&tags, &mut take).await?);
                tags.clear();
            }
            tags.push(self.send(command).await?);
        }
        answers.extend(self.finish_all(&tags, &mut take).await?);
        Ok(answers)
    }
}

/// The answer to a command, with a refusal as an error.
pub(in crate::imap) fn accepted(command: &'static str, answer: StatusLine) -> Result<StatusLine> {
    if answer.is_ok() {
        Ok(answer)
    } else if answer.is_throttled() {
        Err(Error::Unavailable(answer.to_string()))
    } else {
        Err(Error::Command { command, answer })
    }
}
