// SPDX-License-Identifier: GPL-3.0-or-later
//! What a server does wrong, or does not do at all.

use std::time::Duration;

use crate::server_faults::model::Model;

/// Everything that a server of this time offers, and this one too unless told otherwise.
pub(super) const CAPABILITIES: [&str; 16] = [
    "LITERAL+",
    "SASL-IR",
    "AUTH=PLAIN",
    "ID",
    "ENABLE",
    "NAMESPACE",
    "CHILDREN",
    "UIDPLUS",
    "MULTIAPPEND",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "STATUS=SIZE",
    "SPECIAL-USE",
    "CONDSTORE",
    "ESEARCH",
    "IDLE",
];

/// How a server behaves. The default is a correct server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// Capabilities that it lacks.
    pub without: Vec<&'static str>,
    /// Capabilities that it has besides.
    pub with: Vec<&'static str>,
    /// It closes every connection, or only the first one, after so much.
    pub cut: Option<Cut>,
    /// It thinks so long before each answer.
    pub delay: Duration,
    /// It says what no one asked for, wherever that is allowed.
    pub chatter: bool,
    /// What it does to single commands.
    pub rules: Vec<Rule>,
    /// Messages with this text cannot be read: `NO` after the others.
    pub unreadable: Option<&'static str>,
    /// The connection breaks in the middle of messages with this text.
    pub breaks: Option<&'static str>,
    /// The connection breaks when the headers of messages with this text are read.
    pub breaks_at_header: Option<&'static str>,
    /// Messages with this text have the body `NIL`.
    pub bodiless: Option<&'static str>,
    /// Of messages with this text comes this instead of the whole, of its own size or, when `false`, of the message's.
    pub instead: Option<(&'static str, &'static [u8], bool)>,
    /// What comes instead comes only when flags are asked for along with it.
    pub instead_with_flags: bool,
    /// This text in messages is another one, of the same length, whenever any of their content is given.
    pub boundary: Option<&'static str>,
    /// Messages are made anew at each look: their last line is another one every time.
    pub varies: bool,
    /// Messages with this text are left out of what FETCH answers.
    pub forgotten: Option<&'static str>,
    /// What is asked for along with messages with this text is not given either, and the answer is `OK`.
    pub silences: Option<&'static str>,
    /// The literals of messages with this text are announced so much longer.
    pub literal: Option<(&'static str, i64)>,
    /// Who asks for a part of a message gets as many octets of something else.
    pub other_parts: bool,
    /// RFC822.SIZE and STATUS SIZE are off by so much.
    pub size: i64,
    /// So many times STATUS (of LIST or alone) claims that a mailbox is empty.
    pub empty_status: bool,
    /// STATUS (of LIST or alone) tells of the mailboxes as they were when this was ordered.
    pub stale_status: Option<Model>,
    /// SELECT, SEARCH and FETCH show the mailboxes as they were when this was ordered. A UIDNEXT of 0 is not told.
    pub stale_view: Option<Model>,
    /// LIST names every mailbox twice, the second time INBOX as `Inbox`.
    pub listed_twice: bool,
    /// It stores line ends and the end of a message as Dovecot does, which drops a CR there.
    pub one_cr: bool,
    /// It stores messages with dates of its own.
    pub own_dates: bool,
    /// The lines of LIST for mailboxes with this text in their names cannot be read.
    pub garbled: Option<&'static str>,
    /// STATUS tells anything as the identity of a mailbox.
    pub freed_ids: bool,
    /// UID SEARCH finds the numbers of messages instead of their UIDs.
    pub finds_numbers: bool,
    /// STATUS and SELECT tell no UIDNEXT.
    pub no_uid_next: bool,
    /// STATUS and SELECT tell the UIDNEXT of an empty mailbox.
    pub first_uid_next: bool,
    /// Everything is open to read only.
    pub read_only: bool,
    /// Only system flags are taken.
    pub no_keywords: bool,
    /// This keyword is refused, with all that comes along with it.
    pub refused_keyword: Option<&'static str>,
    /// It says yes to STORE of `\Deleted` and does not do it.
    pub keeps_everything: bool,
    /// APPEND of messages with this text is confirmed, and they are not there afterwards.
    pub loses: Option<&'static str>,
    /// More octets than this do not fit.
    pub quota: Option<usize>,
    /// A literal larger than this is refused when it is announced.
    pub largest: Option<usize>,
    /// More connections at once are one too many.
    pub connections: Option<usize>,
    /// What becomes of those.
    pub one_too_many: OneTooMany,
}

/// How a server says that there are too many connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OneTooMany {
    /// By its greeting.
    #[default]
    TurnedAway,
    /// As if the password were wrong.
    Refused,
    /// By BYE when a folder is opened.
    Ended,
    /// Not at all: it closes the connection when a folder is opened.
    Closed,
    /// It closes the connection when a message is asked for.
    ClosedLater,
}

/// Where a connection ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub after: After,
    /// Only this connection, counted from 0; `None` for all.
    pub connection: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum After {
    /// So many octets of the server's output.
    Octets(u64),
    /// So many commands were received; the last one is not executed.
    Commands(usize),
}

/// What happens to certain commands.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// The command's name: `APPEND`, `UID FETCH`; empty for any.
    pub verb: &'static str,
    /// What its arguments contain, literals included.
    pub with: &'static str,
    /// So many of these are spared.
    pub skip: usize,
    /// So many are treated.
    pub times: usize,
    pub act: Act,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// It answers this instead of doing it; a mailbox that was open stays open, as with some servers.
    Answer(&'static str),
    /// It says this and closes.
    Bye(&'static str),
    /// It closes and does nothing.
    Close,
    /// It does it and closes without a word.
    DoAndClose,
    /// It does it and answers this.
    DoAndAnswer(&'static str),
    /// It does it, closes without a word, and closes every connection from then on before it has said anything.
    DoAndDie,
    /// It does it, or not, and then waits, without an answer, until [`Server::release`] lets it close.
    ///
    /// [`Server::release`]: crate::server_faults::server::Server::release
    Hold { done: bool },
    /// It closes without a word, and stores the messages only after so many more commands: a server that had the whole
    /// APPEND when the connection broke, and was slow.
    Late { commands: usize },
    /// Another program has stored the same just before, an APPEND.
    AfterAnother,
    /// The same, and it has marked the message at the source since, so that it comes with that mark.
    AfterAnotherThatMarked,
    /// As [`Act::AfterAnother`], and it closes without a word.
    AfterAnotherAndClose,
    /// Another program has stored the same, and the rest is as with [`Act::Late`].
    LateAfterAnother { commands: usize },
    /// The mailbox is deleted just before.
    DeleteMailbox(&'static str),
    /// The mailbox is replaced just before: see [`Model::replace`].
    ReplaceMailbox(&'static str),
    /// This backup comes back just before: see [`Model::restore`].
    Restore(Box<Model>),
}

/// For ever.
pub(super) const ALWAYS: usize = usize::MAX;

impl Rule {
    pub(crate) fn once(verb: &'static str, with: &'static str, act: Act) -> Self {
        Self::times(1, verb, with, act)
    }

    pub(crate) fn times(times: usize, verb: &'static str, with: &'static str, act: Act) -> Self {
        Self {
            verb,
            with,
            skip: 0,
            times,
            act,
        }
    }

    pub(crate) fn after(mut self, skip: usize) -> Self {
        self.skip = skip;
        self
    }
}

impl Faults {
    pub(crate) fn rule(rule: Rule) -> Self {
        Self {
            rules: vec![rule],
            ..Self::default()
        }
    }

    pub(crate) fn without(names: &[&'static str]) -> Self {
        Self {
            without: names.to_vec(),
            ..Self::default()
        }
    }

    pub(crate) fn cut(after: After, connection: Option<usize>) -> Self {
        Self {
            cut: Some(Cut { after, connection }),
            ..Self::default()
        }
    }

    /// Whether it takes no such flag.
    pub(crate) fn refuses(&self, flag: &str) -> bool {
        !flag.starts_with('\\') && (self.no_keywords || self.refused_keyword == Some(flag))
    }

    pub(crate) fn has(&self, capability: &str) -> bool {
        (CAPABILITIES.contains(&capability) || self.with.contains(&capability))
            && !self.without.contains(&capability)
    }

    /// What to do with a command, if anything is wrong with it.
    pub(crate) fn act(&mut self, verb: &str, text: &[u8]) -> Option<Act> {
        for rule in &mut self.rules {
            let hit = (rule.verb.is_empty() || rule.verb == verb)
                && rule.times > 0
                && (rule.with.is_empty() || memchr::memmem::find(text, rule.with.as_bytes()).is_some());
            if !hit {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times -= 1;
            return Some(rule.act.clone());
        }
        None
    }
}
