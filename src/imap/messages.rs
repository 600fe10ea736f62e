// SPDX-License-Identifier: GPL-3.0-or-later
//! What a session does with messages: find, append, mark, remove.

use super::command::Command;
use super::date::InternalDate;
use super::error::{Error, Result};
use super::flags::Flags;
use super::literal::Literal;
use super::mailbox::Mailbox;
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
        let mut found = UidSet::default();
        self.run(self.search_command(criteria), |data| {
            if let Untagged::Search(set) = data {
                found = found.iter().chain(set.iter()).collect();
            }
        })
        .await?;
        Ok(found)
    }

    /// Those of `uids` that exist.
    pub async fn search_among(&mut self, uids: &UidSet) -> Result<UidSet> {
        let mut found = UidSet::default();
        for chunk in uids.chunks(usize::MAX) {
            let there = self.search(&format!("UID {chunk}")).await?;
            found = found.iter().chain(there.iter()).collect();
        }
        Ok(found)
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
            let mut reader = message.body.reader().map_err(Error::Spill)?;
            while let Some(chunk) = reader.next_chunk().map_err(Error::Spill)? {
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

    /// Removes messages that are marked `\Deleted`: only these where the server can (RFC 4315).
    pub async fn expunge(&mut self, uids: &UidSet) -> Result<()> {
        if self.capabilities().has("UIDPLUS") || self.capabilities().has("IMAP4REV2") {
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
}
