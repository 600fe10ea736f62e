// SPDX-License-Identifier: GPL-3.0-or-later
//! What a server may cost. Whatever it sends, a run takes no more memory, disk or time than this.

use super::error::{Error, Result};
use super::response::{Response, Untagged};

/// Octets of a response's lines, literals aside.
pub const RESPONSE_OCTETS: usize = 256 * 1024;

/// Octets of a response that lists UIDs: a million of them, of eight octets each.
pub const SEARCH_OCTETS: usize = 8 * 1024 * 1024;

/// Octets of a response's lines, and of a literal, where only news is expected.
pub const NEWS_OCTETS: usize = 64 * 1024;

/// Responses between two checks of whether the server is still there, where only news is expected.
pub const NEWS: u32 = 50_000;

/// Literals of one response: a message, its header and a few names are all that is ever asked for.
pub const LITERALS: usize = 16;

/// Octets of one message.
pub const MESSAGE_OCTETS: u64 = 1024 * 1024 * 1024;

/// Messages of one folder. No known server serves as many.
pub const MESSAGES: u64 = 2_000_000;

/// Messages of one folder whose headers are held in memory.
pub const HEADERS: usize = 400_000;

/// Different sets of flags among them.
pub const FLAG_SETS: usize = 4096;

/// Folders of an account, and the octets of all their names.
const FOLDERS: u64 = 20_000;
const NAME_OCTETS: u64 = 1024 * 1024;

/// Answers to one search: RFC 3501 has one, some servers split it.
const SEARCHES: u64 = 1000;

/// Untagged responses to one command in an empty folder, and octets of their lines.
const RESPONSES: u64 = 200_000;
const OCTETS: u64 = 64 * 1024 * 1024;

/// Responses that wait until someone asks for them, and their octets.
const WAITING: usize = 4096;
const WAITING_OCTETS: u64 = 4 * 1024 * 1024;

/// The most octets that a literal may have in a message that is said to have `size`. Servers are wrong about sizes, by
/// line ends and by conversions (Exchange), but not by orders of magnitude.
pub fn literal_octets(size: Option<u64>) -> u64 {
    const SLACK: u64 = 16 * 1024 * 1024;
    let most = size.map_or(MESSAGE_OCTETS, |size| {
        size.saturating_mul(2).saturating_add(SLACK)
    });
    most.min(MESSAGE_OCTETS)
}

/// What came since the last command was answered.
#[derive(Debug, Default)]
pub struct Budget {
    responses: u64,
    octets: u64,
    searches: u64,
    search_octets: usize,
    listed: Names,
    subscribed: Names,
    statuses: Names,
}

#[derive(Debug, Default)]
struct Names {
    count: u64,
    octets: u64,
}

impl Names {
    fn spend(&mut self, name: &[u8]) -> Result<()> {
        self.count += 1;
        self.octets += name.len() as u64;
        if self.count > FOLDERS {
            return Err(Error::Limit(format!("more than {FOLDERS} folders")));
        }
        if self.octets > NAME_OCTETS {
            return Err(Error::Limit(format!(
                "more than {NAME_OCTETS} octets of folder names"
            )));
        }
        Ok(())
    }
}

impl Budget {
    /// A command was answered.
    pub fn renew(&mut self) {
        *self = Self::default();
    }

    /// Takes account of a response whose lines have so many octets; `messages` is what the server says the folder has.
    ///
    /// # Errors
    /// When that is more than any honest answer.
    pub fn spend(&mut self, response: &Response, octets: usize, messages: u64) -> Result<()> {
        let messages = messages.min(MESSAGES);
        self.responses += 1;
        self.octets += octets as u64;
        if self.responses > RESPONSES + 2 * messages || self.octets > OCTETS + 512 * messages {
            let (responses, octets) = (self.responses, self.octets);
            return Err(Error::Limit(format!(
                "{responses} responses of {octets} octets to one command"
            )));
        }
        match response {
            Response::Untagged(Untagged::List(item)) => self.listed.spend(item.mailbox.wire()),
            Response::Untagged(Untagged::Subscribed(item)) => self.subscribed.spend(item.mailbox.wire()),
            Response::Untagged(Untagged::MailboxStatus(mailbox, _)) => self.statuses.spend(mailbox.wire()),
            Response::Untagged(Untagged::Search(_)) => {
                self.searches += 1;
                self.search_octets += octets;
                match self.searches > SEARCHES || self.search_octets > SEARCH_OCTETS {
                    true => Err(Error::Limit(format!(
                        "{} answers of {} octets to one search",
                        self.searches, self.search_octets
                    ))),
                    false => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

/// Whether one more response may wait in addition to those that do.
///
/// # Errors
/// When too many wait.
pub fn may_wait(waiting: usize, octets: u64) -> Result<()> {
    match waiting >= WAITING || octets > WAITING_OCTETS {
        true => Err(Error::Limit(format!(
            "{waiting} responses of {octets} octets while a command was being sent"
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::scan::Raw;

    fn response(text: &str) -> Response {
        Response::parse(Raw {
            text: text.as_bytes().to_vec(),
            literals: vec![],
        })
    }

    /// How many responses like this one are taken.
    fn taken(text: &str, messages: u64) -> u64 {
        let (response, mut budget) = (response(text), Budget::default());
        let mut count = 0;
        while budget.spend(&response, text.len(), messages).is_ok() {
            count += 1;
        }
        count
    }

    #[test]
    fn endless_answers_come_to_an_end() {
        assert_eq!(taken("* LIST () \"/\" Work", 0), FOLDERS);
        assert_eq!(taken("* LSUB () \"/\" Work", 0), FOLDERS);
        assert_eq!(taken("* STATUS Work (MESSAGES 1)", 0), FOLDERS);
        assert_eq!(taken("* SEARCH 1", 0), SEARCHES);
        assert_eq!(taken("* OK still working", 0), RESPONSES);
        assert_eq!(taken("* 1 FETCH (UID 1)", 500_000), RESPONSES + 1_000_000);
        // What a server claims is no licence.
        assert_eq!(taken("* 1 FETCH (UID 1)", u64::MAX), RESPONSES + 2 * MESSAGES);
    }

    #[test]
    fn long_names_count_by_their_length() {
        let name = "x".repeat(100_000);
        assert_eq!(
            taken(&format!("* LIST () \"/\" {name}"), 0),
            NAME_OCTETS / 100_000
        );
    }

    #[test]
    fn a_literal_is_held_against_the_size_of_its_message() {
        assert!(literal_octets(Some(100)) < 20_000_000);
        assert!(literal_octets(Some(60_000_000)) > 90_000_000);
        assert_eq!(literal_octets(Some(u64::MAX)), MESSAGE_OCTETS);
        assert_eq!(literal_octets(None), MESSAGE_OCTETS);
    }
}
