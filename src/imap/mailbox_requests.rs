// SPDX-License-Identifier: GPL-3.0-or-later
//! Many mailboxes opened one after the other and asked something, all of it sent ahead: few round trips for any number.

use std::collections::VecDeque;

use super::command::Command;
use super::error::{Error, Result};
use super::mailbox::Mailbox;
use super::opening::Selected;
use super::response::{Response, Untagged};
use super::session::{Session, Tag};

/// A mailbox to be opened, and what it is asked.
pub struct MailboxRequest {
    /// The mailbox.
    pub mailbox: Mailbox,
    /// Whether it is opened to write.
    pub write: bool,
    /// What is asked, or done, once it is open.
    pub questions: Vec<Command>,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a request ended. What came of one that did not end well is void.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// It was not sent, or its answers did not come to an end.
    Unanswered,
    /// The mailbox cannot be opened, or something of what it was asked was refused.
    Refused,
    /// All was answered, by a mailbox that opening showed like this.
    Answered(Selected),
}

impl MailboxRequest {
    /// For a mailbox that is only read.
    pub fn to_read(mailbox: &Mailbox, questions: Vec<Command>) -> Self {
        Self {
            mailbox: mailbox.clone(),
            write: false,
            questions,
            outcome: Outcome::Unanswered,
        }
    }

    /// For a mailbox that is changed. At its end the mailbox is opened again to be read: what is sent behind it
    /// changes nothing there, should the next mailbox not be opened and the server keep this one open.
    pub fn to_write(mailbox: &Mailbox, mut questions: Vec<Command>) -> Self {
        questions.push(Session::open_command(mailbox, false));
        Self {
            write: true,
            ..Self::to_read(mailbox, questions)
        }
    }
}

/// Commands in flight at most, and octets of them: what fits into the buffers on the way is taken whatever the server does.
const COMMANDS: usize = 150;
const OCTETS: usize = 32 * 1024;

/// A command whose outcome has not come yet.
struct Waiting {
    tag: Tag,
    request: usize,
    opens: bool,
    octets: usize,
}

/// Commands that are to be sent, by their requests.
struct ToSend(VecDeque<(usize, bool, Command)>);

impl ToSend {
    /// The next one, where there is room for it.
    fn next(&mut self, waiting: &VecDeque<Waiting>) -> Option<(usize, bool, Command)> {
        let octets: usize = waiting.iter().map(|command| command.octets).sum();
        let (_, _, next) = self.0.front()?;
        let has_room = waiting.len() < COMMANDS && octets + next.octets() <= OCTETS;
        if has_room || waiting.is_empty() {
            self.0.pop_front()
        } else {
            None
        }
    }
}

impl Session {
    /// Sends requests, with as many commands in flight as the server can take. `take` gets what each mailbox says
    /// once it is open, with the number of its request. After an error those that are unanswered may or may not have
    /// been carried out.
    pub async fn request_all(
        &mut self,
        requests: &mut [MailboxRequest],
        mut take: impl FnMut(usize, Untagged),
    ) -> Result<()> {
        let mut to_send = VecDeque::new();
        let mut progress = vec![];
        for (number, request) in requests.iter_mut().enumerate() {
            to_send.push_back((number, true, Self::open_command(&request.mailbox, request.write)));
            let questions = std::mem::take(&mut request.questions);
            progress.push(Progress::of(1 + questions.len()));
            to_send.extend(questions.into_iter().map(|question| (number, false, question)));
        }
        let mut to_send = ToSend(to_send);
        let mut waiting: VecDeque<Waiting> = VecDeque::new();
        loop {
            // Many together, and not one for each that is answered: they leave in one piece.
            if waiting.len() <= COMMANDS / 2 {
                while let Some((request, opens, command)) = to_send.next(&waiting) {
                    let octets = command.octets();
                    let tag = self.send(command).await?;
                    waiting.push_back(Waiting {
                        tag,
                        request,
                        opens,
                        octets,
                    });
                }
            }
            let Some(oldest) = waiting.front() else {
                return Ok(());
            };
            // No server opens a mailbox before it has answered what the former one was asked: what it says belongs to
            // the request of the oldest command.
            let (number, is_opening) = (oldest.request, oldest.opens);
            let response = match self.next().await {
                Ok(response) => response,
                Err(error) => return Err(self.suspect_opened(error, &waiting, requests)),
            };
            match response {
                Response::Untagged(data) if is_opening => {
                    if let Some(progress) = progress.get_mut(number) {
                        progress.selected.note(&data);
                    }
                }
                Response::Untagged(data) => take(number, data),
                Response::Tagged { tag, status } => {
                    let at = waiting.iter().position(|command| Self::is(command.tag, &tag));
                    let Some((at, command)) = at.and_then(|at| Some((at, waiting.remove(at)?))) else {
                        continue;
                    };
                    if at > 0 && command.request != number {
                        let text =
                            "it answered a question before it had answered what was asked of another folder";
                        return Err(Error::Inconsistent(text.to_owned()));
                    }
                    if status.is_throttled() && !status.is_ok() {
                        return Err(Error::Unavailable(status.to_string()));
                    }
                    if let (Some(progress), Some(request)) = (
                        progress.get_mut(command.request),
                        requests.get_mut(command.request),
                    ) {
                        request.outcome = progress.advance(status.is_ok());
                    }
                }
                Response::Continue(_) => {}
            }
        }
    }

    /// Notes at which mailbox a connection broke, where opening it may be the reason.
    fn suspect_opened(
        &self,
        error: Error,
        waiting: &VecDeque<Waiting>,
        requests: &[MailboxRequest],
    ) -> Error {
        if let Some(oldest) = waiting.front().filter(|oldest| oldest.opens && error.is_loss())
            && let Some(request) = requests.get(oldest.request)
        {
            self.workarounds().suspect(&request.mailbox);
        }
        error
    }
}

/// How far a request is.
struct Progress {
    /// Commands that have no outcome yet.
    left: usize,
    refused: bool,
    selected: Selected,
}

impl Progress {
    fn of(commands: usize) -> Self {
        Self {
            left: commands,
            refused: false,
            selected: Selected::default(),
        }
    }

    /// Takes in the outcome of one command.
    fn advance(&mut self, is_ok: bool) -> Outcome {
        self.left = self.left.saturating_sub(1);
        self.refused |= !is_ok;
        match self.left {
            0 if self.refused => Outcome::Refused,
            0 => Outcome::Answered(self.selected),
            _ => Outcome::Unanswered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::script::converse;

    fn request(name: &str) -> MailboxRequest {
        let question = Command::new("UID FETCH").text("1 (UID FLAGS)");
        MailboxRequest::to_read(&Mailbox::from_name(name), vec![question])
    }

    #[test]
    fn what_a_mailbox_says_belongs_to_its_request_and_a_refusal_to_no_other() {
        let script = [
            (
                "EXAMINE \"a\"",
                "* 1 EXISTS\n* OK [UIDVALIDITY 7] ok\n% OK [READ-ONLY] done",
            ),
            (
                "UID FETCH 1 (UID FLAGS)",
                "* 1 FETCH (UID 1 FLAGS (\\Seen))\n% OK done",
            ),
            ("EXAMINE \"b\"", "% NO [NONEXISTENT] no such mailbox"),
            ("UID FETCH 1 (UID FLAGS)", "% BAD No mailbox is selected"),
            (
                "EXAMINE \"c\"",
                "* 2 EXISTS\n* OK [UIDVALIDITY 9] ok\n% OK [READ-ONLY] done",
            ),
            ("UID FETCH 1 (UID FLAGS)", "* 1 FETCH (UID 1 FLAGS ())\n% OK done"),
        ];
        converse("", &script, async |session| {
            let mut requests = ["a", "b", "c"].map(request);
            let mut heard = vec![];
            session
                .request_all(&mut requests, |number, data| {
                    if let Untagged::Fetch(fetch) = data {
                        heard.push((number, fetch.flags.is_some_and(|flags| !flags.is_empty())));
                    }
                })
                .await
                .unwrap();
            assert_eq!(heard, [(0, true), (2, false)]);
            let validity = |request: &MailboxRequest| match request.outcome {
                Outcome::Answered(selected) => selected.uid_validity,
                Outcome::Refused | Outcome::Unanswered => None,
            };
            assert_eq!(
                requests.iter().map(validity).collect::<Vec<_>>(),
                [Some(7), None, Some(9)]
            );
            assert!(matches!(requests[1].outcome, Outcome::Refused));
            assert!(!session.workarounds().is_sequential(), "no reason to slow down");
        });
    }

    #[test]
    fn the_mailbox_that_was_changed_is_closed_to_what_follows() {
        let request = MailboxRequest::to_write(&Mailbox::from_name("a"), vec![]);
        assert!(request.write);
        assert_eq!(request.questions.last().map(Command::name), Some("EXAMINE"));
    }
}
