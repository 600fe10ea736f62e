// SPDX-License-Identifier: GPL-3.0-or-later
//! What a session does with messages: find, append, mark, remove.

use super::command::Command;
use super::date::InternalDate;
use super::error::{Error, Result};
use super::flags::Flags;
use super::limits;
use super::literal::Literal;
use super::mailbox::Mailbox;
use super::opening::Selected;
use super::response::Untagged;
use super::session::{Session, Tag};
use super::uidset::UidSet;
use crate::imap::capability::Capability;

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
        Ok(self.search_all(among(uids)).await?.intersection(uids))
    }

    /// The UIDs that match one of these, asked together.
    async fn search_all<T: AsRef<str>>(&mut self, criteria: impl IntoIterator<Item = T>) -> Result<UidSet> {
        let criteria: Vec<T> = criteria.into_iter().collect();
        let mut found = Found::default();
        self.run_all(self.search_commands(&criteria), |data| found.note(data))
            .await?;
        let found = self.answered_search(found, &criteria).await?;
        self.uids_of(found).await
    }

    /// Opens a mailbox and finds the UIDs that match one of these, in one round trip.
    pub async fn open_and_search<T: AsRef<str>>(
        &mut self,
        mailbox: &Mailbox,
        write: bool,
        criteria: impl IntoIterator<Item = T>,
    ) -> Result<(Selected, UidSet)> {
        let criteria: Vec<T> = criteria.into_iter().collect();
        let searches = self.search_commands(&criteria);
        let mut found = Found::default();
        let selected = self
            .open_and_ask(mailbox, write, searches, |data| found.note(data))
            .await?;
        let found = self.answered_search(found, &criteria).await?;
        Ok((selected, self.uids_of(found).await?))
    }

    /// What was found, asked for again where a search was answered without telling. RFC 3501, 6.4.4, does not allow that; some
    /// servers do it wherever they find nothing.
    async fn answered_search<T: AsRef<str>>(&mut self, mut found: Found, criteria: &[T]) -> Result<UidSet> {
        let (messages, _) = self.extent();
        if found.answers < criteria.len() && messages > 0 && !self.workarounds().leaves_search_unanswered() {
            found.answers = 0;
            self.run_all(self.search_commands(criteria), |data| found.note(data))
                .await?;
            if found.answers < criteria.len() {
                self.workarounds().search_unanswered();
            }
        }
        Ok(found.uids)
    }

    /// What a search found, as UIDs. Some servers answer UID SEARCH with the numbers of the messages.
    async fn uids_of(&mut self, found: UidSet) -> Result<UidSet> {
        self.check_found(&found)?;
        if found.is_empty() || !self.finds_numbers().await? {
            return Ok(found);
        }
        let mut uids = vec![];
        let questions = found
            .chunks(usize::MAX)
            .map(|numbers| Command::new("FETCH").text(&format!("{numbers} (UID)")));
        self.run_all(questions, |data| {
            if let Untagged::Fetch(fetch) = data
                && uids.len() as u64 <= limits::MESSAGES
            {
                uids.extend(fetch.uid);
            }
        })
        .await?;
        let uids = uids.into_iter().collect();
        self.check_found(&uids)?;
        Ok(uids)
    }

    /// Whether the server answers UID SEARCH with the numbers of the messages. It is asked once, in the first folder where
    /// the two differ, about the last message.
    async fn finds_numbers(&mut self) -> Result<bool> {
        if self.searches_extended() {
            return Ok(false);
        }
        if let Some(known) = self.workarounds().finds_numbers() {
            return Ok(known);
        }
        let (messages, next) = self.extent();
        if messages == 0 || next.is_none_or(|next| next <= messages.saturating_add(1)) {
            return Ok(false);
        }
        let mut last = None;
        let fetch = Command::new("UID FETCH").text("* (UID)");
        self.call(fetch, |data| {
            if let Untagged::Fetch(fetch) = data {
                last = fetch.uid;
            }
        })
        .await?;
        let Some(last) = last.filter(|&uid| uid > messages) else {
            return Ok(false);
        };
        let mut found = Found::default();
        let search = self.search_command(&format!("UID {last}"));
        self.run(search, |data| found.note(data)).await?;
        let numbers = !found.uids.is_empty() && !found.uids.contains(last);
        self.workarounds().set_finds_numbers(numbers);
        Ok(numbers)
    }

    /// Whether what [`Session::search_command`] finds is known to be UIDs.
    pub fn finds_uids(&self) -> bool {
        self.searches_extended() || self.workarounds().finds_numbers() == Some(false)
    }

    fn search_commands<T: AsRef<str>>(&self, criteria: &[T]) -> Vec<Command> {
        let criteria = criteria.iter();
        criteria.map(|one| self.search_command(one.as_ref())).collect()
    }

    /// The command of [`Session::search`], for use in a pipeline.
    pub fn search_command(&self, criteria: &str) -> Command {
        let command = Command::new("UID SEARCH");
        // RFC 4731: ranges instead of every single number.
        let command = if self.searches_extended() {
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
        self.end().await?;
        Ok(tag)
    }

    /// Whether several messages may go into one APPEND.
    pub fn has_multiappend(&self) -> bool {
        self.capabilities().has(Capability::MultiAppend)
    }

    /// Whether an EXPUNGE can be limited to some messages (RFC 4315).
    pub fn expunges_some(&self) -> bool {
        self.capabilities().has(Capability::UidPlus) || self.capabilities().has(Capability::Imap4Rev2)
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
    chunks.map(|chunk| format!("UID {chunk}")).collect()
}

/// What searches that were asked together found.
#[derive(Default)]
struct Found {
    uids: UidSet,
    /// How often the server told what it found.
    answers: usize,
}

impl Found {
    fn note(&mut self, data: Untagged) {
        let Untagged::Search(set) = data else { return };
        self.answers += 1;
        // Beyond what any folder holds it is an error anyway, see `Session::check_found`.
        if self.uids.len() <= limits::MESSAGES {
            self.uids = self.uids.union(&set);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::script::converse;
    use crate::imap::spool::Spool;

    #[test]
    fn a_server_that_finds_numbers_is_asked_for_their_uids() {
        let script = [
            (
                "EXAMINE \"INBOX\"",
                "* 3 EXISTS\n* OK [UIDVALIDITY 7] ok\n* OK [UIDNEXT 51] ok\n% OK [READ-ONLY] done",
            ),
            ("UID SEARCH UNSEEN", "* SEARCH 2 3\n% OK done"),
            ("UID FETCH * (UID)", "* 3 FETCH (UID 50)\n% OK done"),
            ("UID SEARCH UID 50", "* SEARCH 3\n% OK done"),
            (
                "FETCH 2:3 (UID)",
                "* 2 FETCH (UID 40)\n* 3 FETCH (UID 50)\n% OK done",
            ),
            ("UID SEARCH UID 40,60", "* SEARCH 2\n% OK done"),
            ("FETCH 2 (UID)", "* 2 FETCH (UID 40)\n% OK done"),
        ];
        converse("", &script, async |session| {
            let (_, found) = session
                .open_and_search(&Mailbox::inbox(), false, ["UNSEEN"])
                .await
                .unwrap();
            assert_eq!(found.to_string(), "40,50");
            let among: UidSet = [40, 60].into_iter().collect();
            assert_eq!(session.search_among(&among).await.unwrap().to_string(), "40");
        });
    }

    #[test]
    fn a_server_that_finds_uids_is_believed_from_then_on() {
        let script = [
            (
                "EXAMINE \"INBOX\"",
                "* 3 EXISTS\n* OK [UIDNEXT 51] ok\n% OK [READ-ONLY] done",
            ),
            ("UID SEARCH UNSEEN", "* SEARCH 2 3\n% OK done"),
            ("UID FETCH * (UID)", "* 3 FETCH (UID 50)\n% OK done"),
            ("UID SEARCH UID 50", "* SEARCH 50\n% OK done"),
            ("UID SEARCH ALL", "* SEARCH 2 3 50\n% OK done"),
        ];
        converse("", &script, async |session| {
            let (_, found) = session
                .open_and_search(&Mailbox::inbox(), false, ["UNSEEN"])
                .await
                .unwrap();
            assert_eq!(found.to_string(), "2:3");
            assert_eq!(session.search("ALL").await.unwrap().to_string(), "2:3,50");
        });
    }

    #[test]
    fn a_search_that_is_answered_without_its_line_is_asked_again() {
        let opened = "* 3 EXISTS\n* OK [UIDNEXT 4] ok\n% OK [READ-ONLY] done";
        let script = [
            ("EXAMINE \"INBOX\"", opened),
            ("UID SEARCH UNSEEN", "% OK done"),
            ("UID SEARCH UNSEEN", "* SEARCH 2\n% OK done"),
            ("UID SEARCH SEEN", "% OK done"),
            ("UID SEARCH SEEN", "% OK done"),
            ("UID SEARCH DELETED", "% OK done"),
        ];
        converse("", &script, async |session| {
            let (_, found) = session
                .open_and_search(&Mailbox::inbox(), false, ["UNSEEN"])
                .await
                .unwrap();
            assert_eq!(found.to_string(), "2");
            assert!(!session.workarounds().leaves_search_unanswered());
            // A server that says twice that way that there is nothing does so at every search.
            assert!(session.search("SEEN").await.unwrap().is_empty());
            assert!(session.workarounds().leaves_search_unanswered());
            assert!(session.search("DELETED").await.unwrap().is_empty());
        });
    }

    #[test]
    fn nothing_is_found_in_an_empty_mailbox_however_that_is_told() {
        let script = [
            ("EXAMINE \"INBOX\"", "* 0 EXISTS\n% OK [READ-ONLY] done"),
            ("UID SEARCH UNSEEN", "% OK done"),
        ];
        converse("", &script, async |session| {
            let (_, found) = session
                .open_and_search(&Mailbox::inbox(), false, ["UNSEEN"])
                .await
                .unwrap();
            assert!(found.is_empty() && !session.workarounds().leaves_search_unanswered());
        });
    }

    #[test]
    fn a_server_that_refuses_esearch_is_asked_without_it() {
        let refused = [("UID SEARCH RETURN (ALL) ALL", "% BAD extra arguments")];
        let known = converse("ESEARCH", &refused, async |session| {
            assert!(matches!(session.search("ALL").await, Err(Error::Fallback(_))));
            session.workarounds().clone()
        });
        let plain = [("UID SEARCH ALL", "* SEARCH 4\n% OK done")];
        converse("ESEARCH", &plain, async |session| {
            session.equip(known, Spool::default());
            assert_eq!(session.search("ALL").await.unwrap().to_string(), "4");
        });
    }
}
