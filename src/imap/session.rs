// SPDX-License-Identifier: GPL-3.0-or-later
//! A connection after the login: commands, several in flight, and what comes back.

mod call;
mod introduction;
mod news;
mod receive;

use std::collections::VecDeque;
use std::time::Duration;

use super::answer_time::AnswerTime;
use super::begun::Begun;
use super::capability::{Capabilities, Capability, Literals};
use super::command::{Command, Part};
use super::error::{Error, Result};
use super::limits::{self, Budget};
use super::notices::Notices;
use super::response::Response;
use super::spool::Spool;
use super::throttle::Throttle;
use super::trace::Trace;
use super::uidset::UidSet;
use super::wire::Wire;
use super::workarounds::Workarounds;

pub(super) use call::accepted;

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
    /// No one relies on its answer.
    optional: bool,
}

/// One connection to one server, logged in (RFC 9051). Commands may be sent before the former ones are answered.
///
/// ```no_run
/// # async fn example() -> ns8_imapsync::imap::Result<()> {
/// use ns8_imapsync::imap::{self, Alerts, ConnectionInfo, Credentials, Encryption, Endpoint, Mailbox, Protocols, TlsShared, Trust};
///
/// let endpoint = Endpoint {
///     host: "imap.example.com".to_owned(),
///     port: 993,
///     encryption: Encryption::Tls,
///     trust: Trust::Authorities,
///     protocols: Protocols::Current,
///     tls: TlsShared::default(),
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
    /// The server was told to tell news, until it is told to stop.
    idles: bool,
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
    /// Opening the last mailbox failed: what was sent after that concerns no mailbox.
    open_refused: bool,
    /// What goes along with the first command is still to be sent.
    introduces: bool,
    /// The ID command whose answer no one has waited for yet.
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

/// The pause between two commands for a server that needs time after an answer before it listens again.
const REST: Duration = Duration::from_millis(250);

impl Session {
    /// A text of the server without the secret that it was told.
    pub(super) fn masked(&self, text: &str) -> String {
        self.notices.masked(text)
    }

    pub(super) fn new(wire: Wire, notices: Notices) -> Self {
        Self {
            wire,
            notices,
            pending: VecDeque::new(),
            pending_octets: 0,
            in_flight: VecDeque::new(),
            half_sent: false,
            idles: false,
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
            open_refused: false,
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

    /// Applies what was learnt about the server on other connections, and puts large messages into this spool.
    pub fn equip(&mut self, workarounds: Workarounds, spool: Spool) {
        self.trace.start(&self.greeting);
        self.workarounds = workarounds;
        self.wire.set_spool(spool);
    }

    /// What holds the reading back from here on.
    pub fn set_throttle(&mut self, throttle: Throttle) {
        self.wire.set_throttle(throttle);
    }

    /// Where is noted from here on how long the server takes to answer.
    pub fn set_answer_time(&mut self, answer_time: AnswerTime) {
        self.wire.set_answer_time(answer_time);
    }

    /// Sends what asks for the rest of a message, of which some came on another connection.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn send_rest(&mut self, command: Command, begun: Begun) -> Result<Tag> {
        self.wire.await_rest(begun);
        self.send(command).await
    }

    /// What came of the message at which the connection broke; of one whose rest did not come, what there was.
    pub fn take_begun(&mut self) -> Option<Begun> {
        self.wire.take_begun()
    }

    /// What this server turned out not to support.
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
            self.wire.ask();
            self.budget.renew();
        }
        self.in_flight.push_back(InFlight {
            tag,
            name: command.name(),
            ahead: !self.in_flight.is_empty(),
            optional: command.is_optional(),
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

    /// Whether searches ask for ranges (RFC 4731).
    pub(super) fn searches_extended(&self) -> bool {
        self.capabilities.has(Capability::Esearch) && !self.workarounds.searches_plainly()
    }

    /// What the server said last of the open mailbox: its messages, its next UID.
    pub(super) fn extent(&self) -> (u32, Option<u32>) {
        (self.messages, self.uid_next)
    }

    /// Whether a tag that the server sent back is this one.
    pub fn is(tag: Tag, answer: &str) -> bool {
        tag.matches(answer)
    }

    /// Rejects a search that finds more messages than there are, before its sets are gone through.
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
