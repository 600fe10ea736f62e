// SPDX-License-Identifier: GPL-3.0-or-later
//! A connection after the login: commands, several in flight, and what comes back.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::timeout;

use super::capability::{Capabilities, Literals};
use super::command::{Command, Part};
use super::error::{Error, Result};
use super::limits::{self, Budget};
use super::notices::Notices;
use super::response::{Code, Kind, Response, StatusLine, Untagged};
use super::spool::Spool;
use super::trace::Trace;
use super::uidset::UidSet;
use super::wire::Wire;
use super::workarounds::Workarounds;

/// Names a command in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tag(u32);

impl Tag {
    fn matches(self, tag: &str) -> bool {
        tag.strip_prefix('A').and_then(|n| n.parse().ok()) == Some(self.0)
    }
}

/// A command whose outcome has not come yet.
struct InFlight {
    tag: Tag,
    name: &'static str,
    /// It was sent before the former one had its outcome.
    ahead: bool,
    /// Nobody relies on its answer.
    expendable: bool,
}

/// One connection to one server, logged in (RFC 9051). Commands may be sent before the former ones are answered.
///
/// ```no_run
/// # async fn example() -> ns8_imapsync::imap::Result<()> {
/// use ns8_imapsync::imap::{self, Alerts, ConnectionInfo, Credentials, Encryption, Endpoint, Mailbox, Trust};
///
/// let endpoint = Endpoint {
///     host: "imap.example.com".to_owned(),
///     port: 993,
///     encryption: Encryption::Tls,
///     trust: Trust::Authorities,
///     proxy: None,
///     alerts: Alerts::default(),
/// };
/// let credentials = Credentials::Password {
///     user: "ann".to_owned(),
///     password: "secret".to_owned().into(),
/// };
/// let mut session = imap::login(&endpoint, &credentials, &mut ConnectionInfo::default()).await?;
/// session.open(&Mailbox::inbox(), false).await?;
/// let unread = session.search("UNSEEN").await?;
/// println!("{} messages are unread: {unread}", unread.len());
/// session.logout().await;
/// # Ok(())
/// # }
/// ```
pub struct Session {
    wire: Wire,
    pending: VecDeque<Response>,
    /// Octets of what is pending.
    pending_octets: u64,
    in_flight: VecDeque<InFlight>,
    /// A command is half sent: nothing else may be.
    half_sent: bool,
    /// Asks a silent server whether it still listens.
    probe: Option<Tag>,
    /// Something came that makes no sense; the answer that is waited for may have been a part of it.
    garbled: bool,
    budget: Budget,
    workarounds: Workarounds,
    capabilities: Capabilities,
    literals: Literals,
    next_tag: u32,
    /// The most messages that any opened mailbox was said to have.
    most_messages: Option<u32>,
    /// What the server said last of the open mailbox: its messages, its next UID.
    messages: u32,
    uid_next: Option<u32>,
    /// What goes along with the first command is still to be sent.
    introduces: bool,
    /// The ID command whose answer nobody has waited for yet.
    introduction: Option<Tag>,
    server: Option<String>,
    greeting: String,
    notices: Notices,
    trace: Trace,
}

/// Commands in flight at most where there may be thousands; some servers stop reading before they have answered.
pub(super) const WINDOW: usize = 50;

/// Messages that may come between what a server says of a mailbox and what it finds there.
const NEWCOMERS: u64 = 1000;

/// What a server gets between two commands that takes time after an answer until it listens again.
const REST: Duration = Duration::from_millis(250);

/// A server that is silent so long, with commands unanswered that were sent ahead, may have dropped them.
const SILENCE: Duration = Duration::from_secs(10);

impl Session {
    pub(super) fn new(wire: Wire, notices: Notices) -> Self {
        Self {
            wire,
            notices,
            pending: VecDeque::new(),
            pending_octets: 0,
            in_flight: VecDeque::new(),
            half_sent: false,
            probe: None,
            garbled: false,
            budget: Budget::default(),
            workarounds: Workarounds::default(),
            capabilities: Capabilities::default(),
            literals: Literals::Synchronizing,
            next_tag: 0,
            most_messages: None,
            messages: 0,
            uid_next: None,
            introduces: false,
            introduction: None,
            server: None,
            greeting: String::new(),
            trace: Trace::default(),
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

    /// Has it heed what was learnt of the server on other connections, and put large messages into this spool.
    pub fn equip(&mut self, workarounds: Workarounds, spool: Spool) {
        self.trace.start(&self.greeting);
        self.workarounds = workarounds;
        self.wire.set_spool(spool);
    }

    /// What this server does not bear.
    pub fn workarounds(&self) -> &Workarounds {
        &self.workarounds
    }

    /// How many commands may be in flight where there are many.
    pub(super) fn window(&self) -> usize {
        match self.workarounds.is_sequential() {
            true => 1,
            false => WINDOW,
        }
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
    /// is waited for here, and so is the outcome of the former command where the server takes one at a time.
    pub async fn send(&mut self, command: Command) -> Result<Tag> {
        if std::mem::take(&mut self.introduces) {
            self.introduction().await?;
        }
        let (tag, begun) = self.begin(command).await?;
        if begun {
            self.wire.queue(b"\r\n");
            self.half_sent = false;
        }
        Ok(tag)
    }

    /// Queues a command without its end; `false` when the server refused it already.
    pub(super) async fn begin(&mut self, command: Command) -> Result<(Tag, bool)> {
        while self.workarounds.is_sequential() && !self.in_flight.is_empty() {
            self.take_in().await?;
        }
        if self.workarounds.is_unhurried() {
            tokio::time::sleep(REST).await;
        }
        self.next_tag += 1;
        let tag = Tag(self.next_tag);
        if self.in_flight.is_empty() {
            // The server owed nothing: its time begins now.
            self.wire.advance();
            self.budget.renew();
        }
        self.in_flight.push_back(InFlight {
            tag,
            name: command.name(),
            ahead: !self.in_flight.is_empty(),
            expendable: command.is_expendable(),
        });
        self.half_sent = true;
        self.wire.queue(format!("A{} ", tag.0).as_bytes());
        for part in command.into_parts() {
            match part {
                Part::Text(text) => {
                    self.trace.sent(&text);
                    self.wire.queue(&text);
                }
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

    /// Queues the end of a command that was begun.
    pub(super) async fn end(&mut self) -> Result<()> {
        self.wire.queue(b"\r\n");
        self.half_sent = false;
        self.wire.flush().await
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
            let (response, octets) = self.receive_sized().await?;
            match &response {
                Response::Continue(_) => return Ok(true),
                Response::Tagged { tag: other, .. } if tag.matches(other) => {
                    self.half_sent = false;
                    self.put_off(response, octets)?;
                    return Ok(false);
                }
                _ => self.put_off(response, octets)?,
            }
        }
    }

    /// Sends what is queued.
    pub async fn flush(&mut self) -> Result<()> {
        self.wire.flush().await
    }

    /// Receives a response for later.
    async fn take_in(&mut self) -> Result<()> {
        let (response, octets) = self.receive_sized().await?;
        self.put_off(response, octets)
    }

    fn put_off(&mut self, response: Response, octets: u64) -> Result<()> {
        self.pending_octets += octets;
        limits::may_wait(self.pending.len(), self.pending_octets)?;
        self.pending.push_back(response);
        Ok(())
    }

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
        Ok(self.receive_sized().await?.0)
    }

    /// The next response from the wire with its octets.
    async fn receive_sized(&mut self) -> Result<(Response, u64)> {
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
    async fn listen(&mut self) -> Result<super::scan::Raw> {
        let in_doubt = self.garbled || self.in_flight.iter().any(|command| command.ahead);
        if in_doubt && !self.half_sent && self.probe.is_none() && !self.wire.has_received() {
            self.wire.flush().await?;
            match timeout(SILENCE, self.wire.wait()).await {
                Ok(waited) => waited?,
                Err(_) => {
                    self.next_tag += 1;
                    self.wire.queue(format!("A{} NOOP\r\n", self.next_tag).as_bytes());
                    self.probe = Some(Tag(self.next_tag));
                }
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
            Untagged::Other => {}
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
        // Whether a message is understood is another matter than whether its command is.
        if status.kind != Kind::Bad || status.is_throttled() || command.name == "APPEND" || command.expendable
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
            let text = format!("the answer to {} cannot be made out", command.name);
            return Err(Error::protocol(text));
        }
        self.workarounds.ignores_pipelined();
        let text = "the server drops commands that are sent before it has answered the previous one; \
                    sending one at a time";
        Err(Error::Fallback(text.to_owned()))
    }

    /// Whether searches ask for ranges (RFC 4731).
    pub(super) fn searches_extended(&self) -> bool {
        self.capabilities.has("ESEARCH") && !self.workarounds.searches_plainly()
    }

    /// What the server said last of the open mailbox: its messages, its next UID.
    pub(super) fn extent(&self) -> (u32, Option<u32>) {
        (self.messages, self.uid_next)
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

    /// Like [`Session::finish_all`]; `take` is told with each piece of data how many commands, from the first one on, have
    /// their outcomes.
    pub(super) async fn finish_after(
        &mut self,
        tags: &[Tag],
        mut take: impl FnMut(Untagged, usize),
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
                    take(
                        data,
                        outcomes.iter().take_while(|outcome| outcome.is_some()).count(),
                    );
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
    pub(super) async fn call_all(
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

    /// Whether a tag that the server sent back is this one.
    pub fn is(tag: Tag, answer: &str) -> bool {
        tag.matches(answer)
    }

    /// Has the first command go out together with what tells who this is.
    pub(super) fn introduce(&mut self) {
        self.introduces = true;
    }

    /// What goes best in one round trip with whatever comes next: the client's name (RFC 2971), which some
    /// providers insist on before a mailbox is opened, and modification sequences (RFC 7162). UTF8=ACCEPT is not
    /// enabled: names travel as well in modified UTF-7, and messages with UTF-8 in their headers could not be appended
    /// without the same extension on the other side (RFC 6855, section 4).
    async fn introduction(&mut self) -> Result<()> {
        let mut commands = vec![];
        if self.capabilities.has("ID") {
            let version = env!("CARGO_PKG_VERSION");
            let id = format!("(\"name\" \"ns8-imapsync\" \"version\" \"{version}\")");
            commands.push(Command::new("ID").text(&id));
        }
        if self.capabilities.has("ENABLE") && self.capabilities.has("CONDSTORE") {
            commands.push(Command::new("ENABLE").text("CONDSTORE"));
        }
        for command in commands {
            let is_id = command.name() == "ID";
            let (tag, _) = self.begin(command).await?;
            self.wire.queue(b"\r\n");
            self.half_sent = false;
            if is_id {
                self.introduction = Some(tag);
            }
        }
        Ok(())
    }

    /// The server's name for itself, where it tells one.
    pub async fn server(&mut self) -> Result<Option<&str>> {
        if std::mem::take(&mut self.introduces) {
            self.introduction().await?;
        }
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
        if found.len() > limits::MESSAGES {
            return Err(Error::Limit(format!(
                "{} messages in one folder, more than {}",
                found.len(),
                limits::MESSAGES
            )));
        }
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
