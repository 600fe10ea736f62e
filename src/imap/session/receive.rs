// SPDX-License-Identifier: GPL-3.0-or-later
//! What comes back: responses, the outcomes of commands, and what breaks and silence tell of the server.

use std::time::Duration;

use super::{Session, Tag};
use crate::imap::error::{Error, Result};
use crate::imap::response::{Code, Kind, Response, StatusLine, Untagged};
use crate::imap::scan::Raw;

/// A server that is silent so long, with commands unanswered that were sent ahead, may have dropped them.
const SILENCE: Duration = Duration::from_secs(10);

impl Session {
    /// The next response.
    pub async fn next(&mut self) -> Result<Response> {
        let response = match self.pending.pop_front() {
            Some(response) => {
                if self.pending.is_empty() {
                    self.pending_octets = 0;
                }
                response
            }
            None => self.receive().await?,
        };
        match &response {
            Response::Untagged(Untagged::Status(status)) if status.kind == Kind::Bye => {
                return Err(if status.is_temporary() {
                    Error::Unavailable(status.to_string())
                } else {
                    Error::Lost(format!("the server said {status}"))
                });
            }
            Response::Untagged(Untagged::Id(fields)) => self.server = name_of(fields),
            // Code that waits for another command may be the one to see the answer.
            Response::Tagged { tag, .. } if self.introduction.is_some_and(|ours| ours.matches(tag)) => {
                self.introduction = None;
            }
            _ => {}
        }
        Ok(response)
    }

    /// The next response from the wire.
    pub(in crate::imap) async fn receive(&mut self) -> Result<Response> {
        Ok(self.receive_sized().await?.0)
    }

    /// The next response from the wire with its octets.
    pub(super) async fn receive_sized(&mut self) -> Result<(Response, u64)> {
        let raw = match self.listen().await {
            Ok(raw) => raw,
            Err(error) => return Err(self.broken(error)),
        };
        self.trace.received(&raw.text);
        let octets = raw.text.len();
        let total = octets as u64 + raw.literals.iter().map(|literal| literal.len()).sum::<u64>();
        let mut response = Response::parse(raw);
        self.notices.hear(&mut response);
        let messages = u64::from(self.most_messages.unwrap_or(0));
        self.budget.spend(&response, octets, messages)?;
        match &response {
            Response::Untagged(data) => self.observe(data, octets as u64),
            Response::Tagged { tag, status } => self.answered(tag, status)?,
            Response::Continue(_) => {}
        }
        Ok((response, total))
    }

    /// The next response as octets. A server that keeps silent about what was sent ahead is asked whether it listens.
    async fn listen(&mut self) -> Result<Raw> {
        let in_doubt = self.garbled || self.in_flight.iter().any(|command| command.ahead);
        if in_doubt && !self.half_sent && self.probe.is_none() && !self.wire.has_received() {
            self.wire.flush().await?;
            if !self.wire.wait_within(SILENCE).await? {
                self.next_tag += 1;
                self.wire.queue(format!("A{} NOOP\r\n", self.next_tag).as_bytes());
                self.probe = Some(Tag(self.next_tag));
            }
        }
        self.wire.receive().await
    }

    /// What an error of the wire tells of commands sent ahead.
    fn broken(&self, error: Error) -> Error {
        let ahead = self.in_flight.iter().any(|command| command.ahead);
        match &error {
            Error::Timeout(_) if ahead => self.workarounds.ignores_pipelined(),
            Error::Lost(_) if !self.in_flight.is_empty() => self.workarounds.lost(ahead),
            _ => {}
        }
        error
    }

    /// What is remembered of what the server says.
    fn observe(&mut self, data: &Untagged, octets: u64) {
        match data {
            Untagged::Exists(count) => {
                self.messages = *count;
                self.most_messages = self.most_messages.max(Some(*count));
            }
            Untagged::Status(status) => {
                if let Some(Code::UidNext(next)) = status.code {
                    self.uid_next = Some(next);
                }
            }
            Untagged::Unreadable => self.garbled = true,
            // Words that keep a connection alive bring nothing further.
            Untagged::Other | Untagged::Quota(_) => {}
            _ => self.wire.credit(octets),
        }
    }

    /// A command has its outcome.
    fn answered(&mut self, answered: &str, status: &StatusLine) -> Result<()> {
        if let Some(probe) = self.probe.take_if(|probe| probe.matches(answered)) {
            self.wire.advance();
            return self.probed(probe, status);
        }
        let at = self
            .in_flight
            .iter()
            .position(|command| command.tag.matches(answered));
        let Some(command) = at.and_then(|at| self.in_flight.remove(at)) else {
            self.garbled = true;
            return Ok(());
        };
        self.garbled &= !self.in_flight.is_empty();
        self.budget.renew();
        self.wire.advance();
        if matches!(command.name, "SELECT" | "EXAMINE") {
            self.open_refused = !status.is_ok();
        }
        let is_about_none = self.open_refused && command.ahead && is_about_open_mailbox(command.name);
        // Whether a message is understood is another matter than whether its command is.
        if status.kind != Kind::Bad
            || status.is_throttled()
            || command.name == "APPEND"
            || command.optional
            || is_about_none
        {
            if command.ahead && status.is_ok() {
                self.workarounds.took_pipelined();
            }
            return Ok(());
        }
        if self.workarounds.refused(command.name, command.ahead) {
            return Err(Error::Fallback(format!(
                "the server refused {}, which was sent before it had answered the previous command: {status}; sending \
                 one at a time",
                command.name
            )));
        }
        if command.name == "UID SEARCH" && self.searches_extended() && self.workarounds.search_plainly() {
            return Err(Error::Fallback(format!(
                "the server offers ESEARCH and refused it: {status}; searching without it"
            )));
        }
        Ok(())
    }

    /// A server that was silent has told that it still listens: what was sent before is not going to be answered.
    fn probed(&self, probe: Tag, status: &StatusLine) -> Result<()> {
        let mut unanswered = self.in_flight.iter().filter(|command| command.tag.0 < probe.0);
        let Some(command) = unanswered.next().filter(|_| status.is_ok()) else {
            return Ok(());
        };
        if self.garbled {
            let text = format!("the answer to {} is not valid IMAP", command.name);
            return Err(Error::protocol(text));
        }
        self.workarounds.ignores_pipelined();
        let text = "the server drops commands that are sent before it has answered the previous one; \
                    sending one at a time";
        Err(Error::Fallback(text.to_owned()))
    }
}

/// Whether a command makes sense only while a mailbox is open.
fn is_about_open_mailbox(name: &str) -> bool {
    matches!(
        name,
        "FETCH" | "UID FETCH" | "UID SEARCH" | "UID STORE" | "UID EXPUNGE"
    )
}

fn name_of(fields: &[(String, String)]) -> Option<String> {
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    match (field("name"), field("version")) {
        (Some(name), Some(version)) => Some(format!("{name} {version}")),
        (name, _) => name,
    }
}
