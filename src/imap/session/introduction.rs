// SPDX-License-Identifier: GPL-3.0-or-later
//! Who this is, and who the server says it is.

use super::Session;
use crate::imap::capability::Capability;
use crate::imap::command::Command;
use crate::imap::error::Result;

impl Session {
    /// Has the first command go out together with what tells who this is.
    pub(in crate::imap) fn introduce(&mut self) {
        self.introduces = true;
    }

    /// What goes best in one round trip with whatever comes next: the client's name (RFC 2971), which some
    /// providers insist on before a mailbox is opened, and modification sequences (RFC 7162). UTF8=ACCEPT is not
    /// enabled: names travel as well in modified UTF-7, and messages with UTF-8 in their headers could not be appended
    /// without the same extension on the other side (RFC 6855, section 4).
    pub(super) async fn introduction(&mut self) -> Result<()> {
        let mut commands = vec![];
        if self.capabilities.has(Capability::Id) {
            let version = env!("CARGO_PKG_VERSION");
            let id = format!("(\"name\" \"ns8-imapsync\" \"version\" \"{version}\")");
            commands.push(Command::new("ID").text(&id));
        }
        if self.capabilities.has(Capability::Enable) && self.capabilities.has(Capability::Condstore) {
            // Whatever needs it enables it, too (RFC 7162, section 3.1).
            commands.push(Command::new("ENABLE").text("CONDSTORE").optional());
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
        self.capabilities.has(Capability::Gmail)
    }

    /// Whether this is Exchange, by its greeting or by what it has told of itself so far.
    pub fn is_exchange(&self) -> bool {
        [self.greeting.as_str(), self.server.as_deref().unwrap_or_default()]
            .iter()
            .any(|words| words.to_ascii_lowercase().contains("exchange"))
    }

    /// Keeps the words with which the server greeted.
    pub(in crate::imap) fn set_greeting(&mut self, greeting: &str) {
        greeting.clone_into(&mut self.greeting);
    }
}
