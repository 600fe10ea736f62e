// SPDX-License-Identifier: GPL-3.0-or-later
//! A connection after the login: commands, several in flight, and what comes back.

use std::collections::VecDeque;

use super::capability::{Capabilities, Literals};
use super::command::{Command, Part};
use super::date::InternalDate;
use super::error::{Error, Result};
use super::flags::Flags;
use super::literal::Literal;
use super::mailbox::Mailbox;
use super::response::{Code, Kind, Listed, MailboxStatus, Namespace, Response, StatusLine, Untagged};
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
}

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
                _ => {}
            },
            _ => {}
        }
    }
}

/// One message for [`Session::append`].
pub struct Message<'a> {
    /// Its flags.
    pub flags: &'a Flags,
    /// Its date of arrival.
    pub date: Option<&'a InternalDate>,
    /// Its octets.
    pub body: &'a Literal,
}

impl Session {
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            pending: VecDeque::new(),
            capabilities: Capabilities::default(),
            literals: Literals::Synchronizing,
            next_tag: 0,
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

    /// What the server says it can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn tag(&mut self) -> Tag {
        self.next_tag += 1;
        Tag(self.next_tag)
    }

    /// Queues a command; it goes out with the next flush or wait. A literal that needs the server's consent
    /// is waited for here.
    pub async fn send(&mut self, command: Command) -> Result<Tag> {
        let tag = self.tag();
        self.wire.queue(format!("A{} ", tag.0).as_bytes());
        for part in command.into_parts() {
            match part {
                Part::Text(text) => self.wire.queue(&text),
                Part::Literal(data) => {
                    if !self.literal_mark(data.len() as u64, tag).await? {
                        return Ok(tag);
                    }
                    self.wire.queue(&data);
                }
            }
        }
        self.wire.queue(b"\r\n");
        Ok(tag)
    }

    /// Announces a literal; `false` when the server refused the command instead of taking it.
    async fn literal_mark(&mut self, size: u64, tag: Tag) -> Result<bool> {
        if self.literals.immediate(size) {
            self.wire.queue(format!("{{{size}+}}\r\n").as_bytes());
            return Ok(true);
        }
        self.wire.queue(format!("{{{size}}}\r\n").as_bytes());
        self.wire.flush().await?;
        loop {
            let response = Response::parse(self.wire.receive().await?);
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
            None => Response::parse(self.wire.receive().await?),
        };
        if let Response::Untagged(Untagged::Status(status)) = &response
            && status.kind == Kind::Bye
        {
            return Err(if status.is_throttled() {
                Error::Refused(status.to_string())
            } else {
                Error::Lost(format!("the server said {status}"))
            });
        }
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

    /// Sends a command and waits for its outcome.
    pub async fn call(&mut self, command: Command, take: impl FnMut(Untagged)) -> Result<StatusLine> {
        let tag = self.send(command).await?;
        self.finish(tag, take).await
    }

    /// Like [`Session::call`], with a refusal as an error.
    pub async fn run(&mut self, command: Command, take: impl FnMut(Untagged)) -> Result<StatusLine> {
        let name = command.name();
        let answer = self.call(command, take).await?;
        if answer.is_ok() {
            Ok(answer)
        } else {
            Err(Error::Command {
                command: name,
                answer,
            })
        }
    }

    /// Whether a tag that the server sent back is this one.
    pub fn is(tag: Tag, answer: &str) -> bool {
        tag.matches(answer)
    }

    /// Prefix and separator of the account's own mailboxes.
    pub async fn namespace(&mut self) -> Result<Option<Namespace>> {
        let mut found = None;
        if self.capabilities.has("NAMESPACE") {
            self.call(Command::new("NAMESPACE"), |data| {
                if let Untagged::Namespace(namespace) = data {
                    found = namespace;
                }
            })
            .await?;
        }
        Ok(found)
    }

    /// All mailboxes with their status: one round trip with LIST-STATUS (RFC 5819), else one for the list and
    /// one for all statuses, which go out together.
    pub async fn list_status(&mut self) -> Result<Vec<(Listed, Option<MailboxStatus>)>> {
        let mut items = "MESSAGES UIDNEXT UIDVALIDITY".to_owned();
        if self.capabilities.has("CONDSTORE") || self.capabilities.has("QRESYNC") {
            items.push_str(" HIGHESTMODSEQ");
        }
        // RFC 8438 and IMAP4rev2; elsewhere the sizes have to be summed up.
        if self.has_status_size() {
            items.push_str(" SIZE");
        }
        let special = self.capabilities.has("SPECIAL-USE");
        let extended = self.capabilities.has("LIST-STATUS") && self.capabilities.has("LIST-EXTENDED");
        let list = if extended {
            let special = if special { "SPECIAL-USE " } else { "" };
            Command::new("LIST").text(&format!("\"\" \"*\" RETURN ({special}STATUS ({items}))"))
        } else {
            Command::new("LIST").text("\"\" \"*\"")
        };
        let mut listed: Vec<Listed> = vec![];
        let mut statuses = vec![];
        self.run(list, |data| match data {
            Untagged::List(item) => listed.push(item),
            Untagged::MailboxStatus(mailbox, status) => statuses.push((mailbox, status)),
            _ => {}
        })
        .await?;
        listed.retain(|item| !item.has("\\NonExistent"));
        if !extended {
            // Some servers answer only to a window of outstanding commands.
            for group in listed.chunks(50) {
                let mut last = None;
                for item in group.iter().filter(|item| !item.has("\\Noselect")) {
                    last = Some(
                        self.send(
                            Command::new("STATUS")
                                .mailbox(&item.mailbox)
                                .text(&format!("({items})")),
                        )
                        .await?,
                    );
                }
                let Some(last) = last else { continue };
                self.finish(last, |data| {
                    if let Untagged::MailboxStatus(mailbox, status) = data {
                        statuses.push((mailbox, status));
                    }
                })
                .await?;
            }
        }
        let mut by_mailbox: std::collections::HashMap<Mailbox, MailboxStatus> =
            statuses.into_iter().collect();
        Ok(listed
            .into_iter()
            .map(|item| {
                let status = by_mailbox.remove(&item.mailbox);
                (item, status)
            })
            .collect())
    }

    /// Whether STATUS tells sizes.
    pub fn has_status_size(&self) -> bool {
        self.capabilities.has("STATUS=SIZE") || self.capabilities.has("IMAP4REV2")
    }

    /// The subscribed mailboxes.
    pub async fn subscribed(&mut self) -> Result<Vec<Mailbox>> {
        let mut found = vec![];
        self.call(Command::new("LSUB").text("\"\" \"*\""), |data| {
            if let Untagged::List(item) = data
                && !item.has("\\Noselect")
            {
                found.push(item.mailbox);
            }
        })
        .await?;
        Ok(found)
    }

    /// Opens a mailbox, to write (`SELECT`) or only to read (`EXAMINE`).
    pub async fn open(&mut self, mailbox: &Mailbox, write: bool) -> Result<Selected> {
        let mut selected = Selected::default();
        self.run(Self::open_command(mailbox, write), |data| selected.note(&data))
            .await?;
        Ok(selected)
    }

    /// The command of [`Session::open`], for use in a pipeline.
    pub fn open_command(mailbox: &Mailbox, write: bool) -> Command {
        Command::new(if write { "SELECT" } else { "EXAMINE" }).mailbox(mailbox)
    }

    /// The UIDs that match.
    pub async fn search(&mut self, criteria: &str) -> Result<UidSet> {
        let mut found = UidSet::default();
        self.run(self.search_command(criteria), |data| {
            if let Untagged::Search(set) = data {
                found = found.iter().chain(set.iter()).collect();
            }
        })
        .await?;
        Ok(found)
    }

    /// The command of [`Session::search`], for use in a pipeline.
    pub fn search_command(&self, criteria: &str) -> Command {
        let command = Command::new("UID SEARCH");
        // RFC 4731: ranges instead of every single number.
        let command = if self.capabilities.has("ESEARCH") {
            command.text("RETURN (ALL)")
        } else {
            command
        };
        command.text(criteria)
    }

    /// Starts an APPEND of one or, where the server takes several at once (RFC 3502), more messages. The outcome
    /// comes as a tagged response.
    pub async fn append(&mut self, mailbox: &Mailbox, messages: &[Message<'_>]) -> Result<Tag> {
        let tag = self.tag();
        self.wire.queue(format!("A{} ", tag.0).as_bytes());
        for part in Command::new("APPEND").mailbox(mailbox).into_parts() {
            match part {
                Part::Text(text) => self.wire.queue(&text),
                Part::Literal(data) => {
                    if !self.literal_mark(data.len() as u64, tag).await? {
                        return Ok(tag);
                    }
                    self.wire.queue(&data);
                }
            }
        }
        for message in messages {
            self.wire.queue(b" ");
            if !message.flags.is_empty() {
                self.wire.queue(format!("({}) ", message.flags).as_bytes());
            }
            if let Some(date) = message.date {
                self.wire.queue(format!("\"{date}\" ").as_bytes());
            }
            if !self.literal_mark(message.body.canonical_len(), tag).await? {
                return Ok(tag);
            }
            let mut reader = message.body.reader().map_err(Error::Spill)?;
            while let Some(chunk) = reader.next_chunk().map_err(Error::Spill)? {
                if chunk.len() < 16 * 1024 {
                    self.wire.queue(chunk);
                } else {
                    self.wire.send(chunk).await?;
                }
            }
        }
        self.wire.queue(b"\r\n");
        self.wire.flush().await?;
        Ok(tag)
    }

    /// Whether several messages may go into one APPEND.
    pub fn has_multiappend(&self) -> bool {
        self.capabilities.has("MULTIAPPEND")
    }

    /// Removes messages that are marked `\Deleted`: only these where the server can (RFC 4315).
    pub async fn expunge(&mut self, uids: &UidSet) -> Result<()> {
        if self.capabilities.has("UIDPLUS") || self.capabilities.has("IMAP4REV2") {
            for chunk in uids.chunks(usize::MAX) {
                self.run(Command::new("UID EXPUNGE").text(&chunk.to_string()), |_| {})
                    .await?;
            }
            return Ok(());
        }
        // Without UIDPLUS an EXPUNGE takes whatever is marked; what others marked is spared by unmarking it
        // meanwhile.
        let marked = self.search("DELETED").await?;
        let others: UidSet = marked.iter().filter(|&uid| !uids.contains(uid)).collect();
        for chunk in others.chunks(usize::MAX) {
            self.run(
                Command::new("UID STORE").text(&format!("{chunk} -FLAGS.SILENT (\\Deleted)")),
                |_| {},
            )
            .await?;
        }
        let expunged = self.run(Command::new("EXPUNGE"), |_| {}).await;
        for chunk in others.chunks(usize::MAX) {
            self.run(
                Command::new("UID STORE").text(&format!("{chunk} +FLAGS.SILENT (\\Deleted)")),
                |_| {},
            )
            .await?;
        }
        expunged.map(|_| ())
    }

    /// Adds or removes flags; the server keeps quiet about the result.
    pub async fn store(&mut self, uids: &UidSet, sign: char, flags: &str) -> Result<()> {
        for chunk in uids.chunks(usize::MAX) {
            let command = Command::new("UID STORE").text(&format!("{chunk} {sign}FLAGS.SILENT ({flags})"));
            self.run(command, |_| {}).await?;
        }
        Ok(())
    }

    /// Says goodbye; a server that has gone already does not matter.
    pub async fn logout(mut self) {
        if self.send(Command::new("LOGOUT")).await.is_ok() {
            let _ = self.flush().await;
        }
    }
}
