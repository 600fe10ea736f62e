// SPDX-License-Identifier: GPL-3.0-or-later
//! What a session does with messages: find, append, mark, remove.

use super::command::Command;
use super::date::InternalDate;
use super::error::{Error, Result};
use super::flags::Flags;
use super::literal::Literal;
use super::mailbox::Mailbox;
use super::mailboxes::Selected;
use super::response::Untagged;
use super::session::{Session, Tag};
use super::uidset::UidSet;

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
    /// The UIDs that match.
    pub async fn search(&mut self, criteria: &str) -> Result<UidSet> {
        self.search_all([criteria]).await
    }

    /// Those of `uids` that exist.
    pub async fn search_among(&mut self, uids: &UidSet) -> Result<UidSet> {
        self.search_all(among(uids)).await
    }

    /// The UIDs that match one of these, asked together.
    async fn search_all<T: AsRef<str>>(&mut self, criteria: impl IntoIterator<Item = T>) -> Result<UidSet> {
        let searches = self.search_commands(criteria);
        let mut found = UidSet::default();
        self.run_all(searches, |data| note_found(data, &mut found))
            .await?;
        self.check_found(&found)?;
        Ok(found)
    }

    /// Opens a mailbox and finds the UIDs that match one of these, in one round trip.
    pub async fn open_and_search<T: AsRef<str>>(
        &mut self,
        mailbox: &Mailbox,
        write: bool,
        criteria: impl IntoIterator<Item = T>,
    ) -> Result<(Selected, UidSet)> {
        let searches = self.search_commands(criteria);
        let mut found = UidSet::default();
        let selected = self
            .open_and_ask(mailbox, write, searches, |data| note_found(data, &mut found))
            .await?;
        self.check_found(&found)?;
        Ok((selected, found))
    }

    fn search_commands<T: AsRef<str>>(&self, criteria: impl IntoIterator<Item = T>) -> Vec<Command> {
        let criteria = criteria.into_iter();
        criteria.map(|one| self.search_command(one.as_ref())).collect()
    }

    /// The command of [`Session::search`], for use in a pipeline.
    pub fn search_command(&self, criteria: &str) -> Command {
        let command = Command::new("UID SEARCH");
        // RFC 4731: ranges instead of every single number.
        let command = if self.capabilities().has("ESEARCH") {
            command.text("RETURN (ALL)")
        } else {
            command
        };
        command.text(criteria)
    }

    /// Starts an APPEND of one or, where the server takes several at once (RFC 3502), more messages. The outcome
    /// comes as a tagged response.
    pub async fn append(&mut self, mailbox: &Mailbox, messages: &[Message<'_>]) -> Result<Tag> {
        let (tag, begun) = self.begin(Command::new("APPEND").mailbox(mailbox)).await?;
        if !begun {
            return Ok(tag);
        }
        for message in messages {
            self.wire_mut().queue(b" ");
            if !message.flags.is_empty() {
                self.wire_mut().queue(format!("({}) ", message.flags).as_bytes());
            }
            if let Some(date) = message.date {
                self.wire_mut().queue(format!("\"{date}\" ").as_bytes());
            }
            if !self.literal_mark(message.body.canonical_len(), tag).await? {
                return Ok(tag);
            }
            let mut reader = message.body.reader().map_err(Error::Spool)?;
            while let Some(chunk) = reader.next_chunk().map_err(Error::Spool)? {
                if chunk.len() < 16 * 1024 {
                    self.wire_mut().queue(chunk);
                } else {
                    self.wire_mut().send(chunk).await?;
                }
            }
        }
        self.wire_mut().queue(b"\r\n");
        self.wire_mut().flush().await?;
        Ok(tag)
    }

    /// Whether several messages may go into one APPEND.
    pub fn has_multiappend(&self) -> bool {
        self.capabilities().has("MULTIAPPEND")
    }

    /// Whether an EXPUNGE can be limited to some messages (RFC 4315).
    pub fn expunges_some(&self) -> bool {
        self.capabilities().has("UIDPLUS") || self.capabilities().has("IMAP4REV2")
    }

    /// Adds or removes flags; the server keeps quiet about the result.
    pub async fn store(&mut self, uids: &UidSet, sign: char, flags: &str) -> Result<()> {
        self.run_all(Self::store_commands(uids, sign, flags), |_| {})
            .await
    }

    /// The commands of [`Session::store`], for use in a pipeline.
    pub fn store_commands(uids: &UidSet, sign: char, flags: &str) -> Vec<Command> {
        let store = |chunk| format!("{chunk} {sign}FLAGS.SILENT ({flags})");
        let chunks = uids.chunks(usize::MAX);
        let texts = chunks.into_iter().map(store);
        texts.map(|text| Command::new("UID STORE").text(&text)).collect()
    }
}

/// What to search for to learn which of `uids` exist.
pub fn among(uids: &UidSet) -> Vec<String> {
    let chunks = uids.chunks(usize::MAX);
    chunks.iter().map(|chunk| format!("UID {chunk}")).collect()
}

fn note_found(data: Untagged, found: &mut UidSet) {
    if let Untagged::Search(set) = data {
        *found = found.union(&set);
    }
}
