// SPDX-License-Identifier: GPL-3.0-or-later
//! A connection after the login: commands, several in flight, and what comes back.

use std::collections::VecDeque;

use super::capability::{Capabilities, Literals};
use super::command::{Command, Part};
use super::error::{Error, Result};
use super::notices::Notices;
use super::response::{Kind, Response, StatusLine, Untagged};
use super::uidset::UidSet;
use super::wire::Wire;

/// Names a command in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tag(u32);

impl Tag {
    fn matches(self, tag: &str) -> bool {
        tag.strip_prefix('A').and_then(|n| n.parse().ok()) == Some(self.0)
    }
}

/// One connection to one server.
pub struct Session {
    wire: Wire,
    pending: VecDeque<Response>,
    capabilities: Capabilities,
    literals: Literals,
    next_tag: u32,
    /// The most messages that any opened mailbox was said to have.
    most_messages: Option<u32>,
    /// The ID command whose answer nobody has waited for yet.
    introduction: Option<Tag>,
    server: Option<String>,
    greeting: String,
    notices: Notices,
}

/// Commands in flight at most where there may be thousands; some servers stop reading before they have answered.
pub(super) const WINDOW: usize = 50;

/// Messages that may come between what a server says of a mailbox and what it finds there.
const NEWCOMERS: u64 = 1000;

impl Session {
    pub(super) fn new(wire: Wire, notices: Notices) -> Self {
        Self {
            wire,
            notices,
            pending: VecDeque::new(),
            capabilities: Capabilities::default(),
            literals: Literals::Synchronizing,
            next_tag: 0,
            most_messages: None,
            introduction: None,
            server: None,
            greeting: String::new(),
        }
    }

    pub(super) fn into_wire(self) -> Wire {
        self.wire
    }

    pub(super) fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }

    pub(super) fn set_capabilities(&mut self, capabilities: Capabilities) {
        self.literals = capabilities.literals();
        self.capabilities = capabilities;
    }

    /// How many octets were sent so far.
    pub fn sent(&self) -> u64 {
        self.wire.sent()
    }

    /// What the server says it can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Queues a command; it goes out with the next flush or wait. A literal that needs the server's consent
    /// is waited for here.
    pub async fn send(&mut self, command: Command) -> Result<Tag> {
        let (tag, begun) = self.begin(command).await?;
        if begun {
            self.wire.queue(b"\r\n");
        }
        Ok(tag)
    }

    /// Queues a command without its end; `false` when the server refused it already.
    pub(super) async fn begin(&mut self, command: Command) -> Result<(Tag, bool)> {
        self.next_tag += 1;
        let tag = Tag(self.next_tag);
        self.wire.queue(format!("A{} ", tag.0).as_bytes());
        for part in command.into_parts() {
            match part {
                Part::Text(text) => self.wire.queue(&text),
                Part::Literal(data) => {
                    if !self.literal_mark(data.len() as u64, tag).await? {
                        return Ok((tag, false));
                    }
                    self.wire.queue(&data);
                }
            }
        }
        Ok((tag, true))
    }

    /// Announces a literal; `false` when the server refused the command instead of taking it.
    pub(super) async fn literal_mark(&mut self, size: u64, tag: Tag) -> Result<bool> {
        if self.literals.immediate(size) {
            self.wire.queue(format!("{{{size}+}}\r\n").as_bytes());
            return Ok(true);
        }
        self.wire.queue(format!("{{{size}}}\r\n").as_bytes());
        self.wire.flush().await?;
        loop {
            let response = self.receive().await?;
            match &response {
                Response::Continue(_) => return Ok(true),
                Response::Tagged { tag: other, .. } if tag.matches(other) => {
                    self.pending.push_back(response);
                    return Ok(false);
                }
                _ => self.pending.push_back(response),
            }
        }
    }

    /// Sends what is queued.
    pub async fn flush(&mut self) -> Result<()> {
        self.wire.flush().await
    }

    /// The next response.
    pub async fn next(&mut self) -> Result<Response> {
        let response = match self.pending.pop_front() {
            Some(response) => response,
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
            Response::Untagged(Untagged::Exists(count)) => {
                self.most_messages = self.most_messages.max(Some(*count));
            }
            Response::Untagged(Untagged::Id(fields)) => self.server = name_of(fields),
            // Whoever waits for another command may be the one to see the answer.
            Response::Tagged { tag, .. } if self.introduction.is_some_and(|ours| ours.matches(tag)) => {
                self.introduction = None;
            }
            _ => {}
        }
        Ok(response)
    }

    /// The next response from the wire.
    pub(super) async fn receive(&mut self) -> Result<Response> {
        let mut response = Response::parse(self.wire.receive().await?);
        self.notices.hear(&mut response);
        Ok(response)
    }

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
        self.finish_after(tags, |data, _| take(data)).await
    }

    /// Like [`Session::finish_all`]; `take` is told with each piece of data whether the first command has its outcome.
    pub(super) async fn finish_after(
        &mut self,
        tags: &[Tag],
        mut take: impl FnMut(Untagged, bool),
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
                Response::Untagged(data) => take(data, matches!(outcomes.first(), Some(Some(_)))),
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
            let mut tags = vec![];
            let mut names = vec![];
            for command in commands.by_ref().take(WINDOW) {
                names.push(command.name());
                tags.push(self.send(command).await?);
            }
            let answers = self.finish_all(&tags, &mut take).await?;
            for (name, answer) in names.into_iter().zip(answers) {
                outcome = outcome.and(accepted(name, answer).map(drop));
            }
        }
        outcome
    }

    /// Whether a tag that the server sent back is this one.
    pub fn is(tag: Tag, answer: &str) -> bool {
        tag.matches(answer)
    }

    /// What goes best in one round trip with whatever comes next: the client's name (RFC 2971), which some
    /// providers insist on before a mailbox is opened, and modification sequences (RFC 7162). UTF8=ACCEPT is not
    /// enabled: names travel as well in modified UTF-7, and messages with UTF-8 in their headers could not be appended
    /// without the same extension on the other side (RFC 6855, section 4).
    pub(super) async fn introduce(&mut self) -> Result<()> {
        if self.capabilities.has("ID") {
            let version = env!("CARGO_PKG_VERSION");
            let id = format!("(\"name\" \"ns8-imapsync\" \"version\" \"{version}\")");
            self.introduction = Some(self.send(Command::new("ID").text(&id)).await?);
        }
        if self.capabilities.has("ENABLE") && self.capabilities.has("CONDSTORE") {
            self.send(Command::new("ENABLE").text("CONDSTORE")).await?;
        }
        Ok(())
    }

    /// The server's name for itself, where it tells one.
    pub async fn server(&mut self) -> Result<Option<&str>> {
        if let Some(tag) = self.introduction.take() {
            self.finish(tag, |_| {}).await?;
        }
        Ok(self.server.as_deref())
    }

    /// Whether this is Gmail, whose folders are labels of messages.
    pub fn is_gmail(&self) -> bool {
        self.capabilities.has("X-GM-EXT-1")
    }

    /// Whether this is Exchange, by its greeting or by what it has told of itself so far.
    pub fn is_exchange(&self) -> bool {
        [self.greeting.as_str(), self.server.as_deref().unwrap_or_default()]
            .iter()
            .any(|words| words.to_ascii_lowercase().contains("exchange"))
    }

    /// Keeps the words with which the server greeted.
    pub(super) fn set_greeting(&mut self, greeting: &str) {
        greeting.clone_into(&mut self.greeting);
    }

    /// A server that finds more messages than there are is not to be believed, nor are its sets to be gone through.
    ///
    /// # Errors
    /// When it finds more than it said there were.
    pub fn check_found(&self, found: &UidSet) -> Result<()> {
        match self.most_messages {
            Some(most) if found.len() > u64::from(most) + NEWCOMERS => Err(Error::Inconsistent(format!(
                "the search found {} messages in a folder of {most}",
                found.len()
            ))),
            _ => Ok(()),
        }
    }

    /// Says goodbye; a server that has gone already does not matter.
    pub async fn logout(mut self) {
        if self.send(Command::new("LOGOUT")).await.is_ok() {
            let _ = self.flush().await;
        }
    }
}

/// The answer to a command, with a refusal as an error.
pub(super) fn accepted(command: &'static str, answer: StatusLine) -> Result<StatusLine> {
    if answer.is_ok() {
        Ok(answer)
    } else if answer.is_throttled() {
        Err(Error::Unavailable(answer.to_string()))
    } else {
        Err(Error::Command { command, answer })
    }
}

fn name_of(fields: &[(String, String)]) -> Option<String> {
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    match (field("name"), field("version")) {
        (Some(name), Some(version)) => Some(format!("{name} {version}")),
        (name, _) => name,
    }
}
