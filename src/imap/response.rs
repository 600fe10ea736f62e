// SPDX-License-Identifier: GPL-3.0-or-later
//! Responses as types. Unknown or malformed untagged ones are ignored, as servers send much that no one asked for;
//! what a command's outcome depends on is read strictly.

use super::capability::Capabilities;
use super::date::InternalDate;
use super::flags::Flags;
use super::listed::Listed;
use super::literal::Literal;
use super::mailbox::Mailbox;
use super::mailbox_id::MailboxId;
use super::namespace::Namespaces;
use super::quota::StorageQuota;
use super::scan::{Raw, Scanner, Value};
use super::status::printable;
pub use super::status::{Code, Kind, StatusLine};
use super::uidset::UidSet;

/// One response.
#[derive(Debug)]
pub enum Response {
    /// `+`: the server waits for what the command announced.
    Continue(String),
    /// The outcome of a command.
    Tagged {
        /// The command's tag.
        tag: String,
        /// The outcome.
        status: StatusLine,
    },
    /// Data.
    Untagged(Untagged),
}

/// Data that a server sends, asked or not.
#[derive(Debug)]
pub enum Untagged {
    /// `OK`, `NO`, `BAD`, `BYE`, `PREAUTH` without a tag.
    Status(StatusLine),
    /// Capabilities.
    Capability(Capabilities),
    /// One mailbox of a LIST.
    List(Listed),
    /// One mailbox of an LSUB.
    Subscribed(Listed),
    /// One mailbox's STATUS.
    MailboxStatus(Mailbox, MailboxStatus),
    /// One message's data.
    Fetch(Box<Fetch>),
    /// UIDs found, of SEARCH or ESEARCH.
    Search(UidSet),
    /// Whose mailboxes have which prefixes (RFC 2342).
    Namespace(Namespaces),
    /// How many messages the selected mailbox has.
    Exists(u32),
    /// A message of the selected mailbox is gone.
    Expunged,
    /// The server's name for itself (RFC 2971).
    Id(Vec<(String, String)>),
    /// How much room there is (RFC 9208).
    Quota(StorageQuota),
    /// Data about a message that cannot be read.
    Unreadable,
    /// A line of LIST that cannot be read.
    UnreadableList,
    /// Anything else.
    Other,
}

/// What STATUS tells of a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailboxStatus {
    /// Messages in it.
    pub messages: Option<u64>,
    /// The next UID.
    pub uid_next: Option<u32>,
    /// The UIDVALIDITY.
    pub uid_validity: Option<u32>,
    /// The highest modification sequence.
    pub highest_modseq: Option<u64>,
    /// Octets of all messages.
    pub size: Option<u64>,
    /// Its identity (RFC 8474), where the server tells.
    pub id: Option<MailboxId>,
    /// It told something that is no identity.
    pub has_wrong_id: bool,
}

impl MailboxStatus {
    /// Whether it tells all that a mailbox must have.
    pub fn is_valid(&self) -> bool {
        self.messages.is_some() && self.uid_next.is_some() && self.uid_validity.is_some()
    }

    /// Without a next UID that is impossibly small: messages are looked for only below it.
    pub(super) fn plausible(self) -> Self {
        let messages = self.messages.unwrap_or(0);
        Self {
            uid_next: self.uid_next.filter(|&next| u64::from(next) > messages),
            ..self
        }
    }
}

/// What FETCH tells of a message.
#[derive(Debug, Default)]
pub struct Fetch {
    /// The UID.
    pub uid: Option<u32>,
    /// The flags.
    pub flags: Option<Flags>,
    /// The date of arrival.
    pub date: Option<InternalDate>,
    /// The size that the server claims.
    pub size: Option<u64>,
    /// The message's identity in the whole account: EMAILID (RFC 8474), or Gmail's X-GM-MSGID.
    pub identity: Option<String>,
    /// The message or the part that was asked for.
    pub body: Option<Literal>,
    /// The body is the whole message, and not a part of it (RFC 3501, 7.4.2).
    pub is_whole: bool,
    /// Whether the server answered the body with NIL: it has none to give.
    pub body_nil: bool,
}

impl Response {
    /// Reads a response.
    pub fn parse(raw: Raw) -> Self {
        let Raw { text, literals } = raw;
        let mut scanner = Scanner::new(&text, literals);
        if scanner.eat(b'+') {
            return Self::Continue(printable(scanner.rest()));
        }
        let tag = scanner.word().to_owned();
        scanner.blanks();
        if tag == "*" {
            return Self::Untagged(untagged(scanner).unwrap_or(Untagged::Other));
        }
        let kind = Kind::parse(scanner.word()).unwrap_or(Kind::Bad);
        scanner.blanks();
        Self::Tagged {
            tag,
            status: StatusLine::parse(kind, scanner.rest()),
        }
    }
}

fn untagged(mut scanner: Scanner<'_>) -> Option<Untagged> {
    let word = scanner.word();
    scanner.blanks();
    if let Some(kind) = Kind::parse(word) {
        return Some(Untagged::Status(StatusLine::parse(kind, scanner.rest())));
    }
    if let Ok(number) = word.parse::<u32>() {
        let name = scanner.word();
        if name.eq_ignore_ascii_case("EXISTS") {
            return Some(Untagged::Exists(number));
        }
        if name.eq_ignore_ascii_case("EXPUNGE") {
            return Some(Untagged::Expunged);
        }
        if name.eq_ignore_ascii_case("FETCH") {
            return Some(match fetch(&mut scanner) {
                Some(fetch) => Untagged::Fetch(Box::new(fetch)),
                None => Untagged::Unreadable,
            });
        }
        return None;
    }
    Some(match word.to_ascii_uppercase().as_str() {
        "CAPABILITY" => Untagged::Capability(Capabilities::parse(&String::from_utf8_lossy(scanner.rest()))),
        "LIST" => Listed::read(&mut scanner).map_or(Untagged::UnreadableList, Untagged::List),
        "LSUB" => Untagged::Subscribed(Listed::read(&mut scanner)?),
        "STATUS" => {
            let name = scanner.value()?.into_bytes()?;
            Untagged::MailboxStatus(Mailbox::from_wire(name), status(scanner.value()?)?)
        }
        "SEARCH" => {
            let words = scanner.rest().split(|&b| b == b' ');
            Untagged::Search(
                words
                    .filter_map(|w| std::str::from_utf8(w).ok()?.parse().ok())
                    .collect(),
            )
        }
        "ESEARCH" => esearch(&mut scanner),
        "NAMESPACE" => Untagged::Namespace(Namespaces::parse(&mut scanner)),
        "QUOTA" => Untagged::Quota(StorageQuota::parse(&mut scanner)?),
        "ID" => Untagged::Id(id(scanner.value()?)),
        _ => Untagged::Other,
    })
}

fn status(value: Value) -> Option<MailboxStatus> {
    let Value::List(items) = value else { return None };
    let mut status = MailboxStatus::default();
    for pair in items.chunks(2) {
        let [Value::Atom(name), value] = pair else {
            continue;
        };
        match name.to_ascii_uppercase().as_str() {
            "MESSAGES" => status.messages = value.number(),
            "UIDNEXT" => status.uid_next = value.number().filter(|&n| n > 0),
            // Zero is no UIDVALIDITY (RFC 3501, section 9: nz-number).
            "UIDVALIDITY" => status.uid_validity = value.number().filter(|&n| n > 0),
            "HIGHESTMODSEQ" => status.highest_modseq = value.number().filter(|&n| n > 0),
            "SIZE" => status.size = value.number(),
            "MAILBOXID" => {
                status.id = mailbox_id(value);
                status.has_wrong_id = status.id.is_none();
            }
            _ => {}
        }
    }
    Some(status.plausible())
}

/// `MAILBOXID (F2212ea87-6097-4256-9d51-71338625)`.
fn mailbox_id(value: &Value) -> Option<MailboxId> {
    match value {
        Value::List(words) => words.first().and_then(mailbox_id),
        Value::Atom(text) => MailboxId::parse(text),
        _ => None,
    }
}

/// `* ESEARCH (TAG "a1") UID ALL 1:5,9` (RFC 4731); nothing found has no ALL.
fn esearch(scanner: &mut Scanner<'_>) -> Untagged {
    if scanner.peek() == Some(b'(') {
        scanner.value();
    }
    loop {
        scanner.blanks();
        let word = scanner.word();
        if word.is_empty() {
            return Untagged::Search(UidSet::default());
        }
        if word.eq_ignore_ascii_case("ALL") {
            scanner.blanks();
            return UidSet::parse(scanner.word().as_bytes()).map_or(Untagged::Other, Untagged::Search);
        }
    }
}

fn id(value: Value) -> Vec<(String, String)> {
    let Value::List(words) = value else { return vec![] };
    let mut words = words.into_iter();
    let mut out = vec![];
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        if let (Some(name), Some(value)) = (name.into_text(), value.into_bytes()) {
            out.push((name.to_ascii_lowercase(), printable(&value)));
        }
    }
    out
}

fn fetch(scanner: &mut Scanner<'_>) -> Option<Fetch> {
    scanner.blanks();
    if !scanner.eat(b'(') {
        return None;
    }
    let mut fetch = Fetch::default();
    loop {
        scanner.blanks();
        if scanner.eat(b')') {
            scanner.blanks();
            // What follows is the rest of something that a literal of the wrong length has cut off.
            return scanner.rest().is_empty().then_some(fetch);
        }
        let name = scanner.item_name().to_ascii_uppercase();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        if name == "FLAGS"
            && let Some(words) = scanner.words_in_parentheses()
        {
            let mut flags = Flags::default();
            for word in words {
                let quoted = word.strip_prefix(b"\"").and_then(|word| word.strip_suffix(b"\""));
                flags.insert(&String::from_utf8_lossy(quoted.unwrap_or(word)));
            }
            fetch.flags = Some(flags);
            continue;
        }
        let value = scanner.value()?;
        match name.as_str() {
            "UID" => fetch.uid = value.number().filter(|&uid| uid > 0),
            "INTERNALDATE" => fetch.date = value.into_text().and_then(|text| InternalDate::parse(&text)),
            "RFC822.SIZE" => fetch.size = value.number(),
            "EMAILID" | "X-GM-MSGID" => fetch.identity = identity(value),
            // Two bodies are two messages that ran into each other, after a literal of the wrong length.
            name if name.starts_with("BODY[") && (fetch.body.is_some() || fetch.body_nil) => return None,
            name if name.starts_with("BODY[") || name == "RFC822" || name == "RFC822.HEADER" => {
                fetch.is_whole = matches!(name, "BODY[]" | "RFC822");
                match value {
                    Value::Literal(literal) => fetch.body = Some(literal),
                    Value::Quoted(bytes) => fetch.body = Some(Literal::memory(bytes)),
                    _ => fetch.body_nil = true,
                }
            }
            _ => {}
        }
    }
}

/// `EMAILID (M6d99ac3275bb4e)`, `X-GM-MSGID 1278455344230334865`.
fn identity(value: Value) -> Option<String> {
    match value {
        Value::List(words) => words.into_iter().next()?.into_text(),
        value => value.into_text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str, literals: &[&[u8]]) -> Response {
        let literals = literals.iter().map(|l| Literal::memory(l.to_vec())).collect();
        Response::parse(Raw {
            text: text.as_bytes().to_vec(),
            literals,
        })
    }

    #[test]
    fn fetch_with_a_literal_in_any_order() {
        let text = "* 12 FETCH (BODY[HEADER.FIELDS (MESSAGE-ID \"RECEIVED\")] {5}\r\n UID 7 FLAGS (\\Seen Junk) MODSEQ (12) \
                    INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 4286)";
        let Response::Untagged(Untagged::Fetch(fetch)) = parse(text, &[b"hello"]) else {
            panic!("no fetch")
        };
        assert_eq!(fetch.uid, Some(7));
        assert_eq!(fetch.size, Some(4286));
        assert_eq!(fetch.flags.unwrap().to_string(), "Junk \\Seen");
        assert_eq!(fetch.date.unwrap().to_string(), "17-Jul-1996 02:44:25 -0700");
        assert_eq!(fetch.body.unwrap().as_memory().unwrap(), b"hello");
    }

    #[test]
    fn a_message_is_told_by_its_identity() {
        for (text, identity) in [
            (
                "* 1 FETCH (UID 7 X-GM-MSGID 1278455344230334865)",
                "1278455344230334865",
            ),
            ("* 1 FETCH (EMAILID (M6d99ac3275bb4e) UID 7)", "M6d99ac3275bb4e"),
        ] {
            let Response::Untagged(Untagged::Fetch(fetch)) = parse(text, &[]) else {
                panic!("{text}")
            };
            assert_eq!((fetch.uid, fetch.identity.as_deref()), (Some(7), Some(identity)));
        }
    }

    #[test]
    fn a_quota_is_told_in_units_of_1024_octets() {
        let parsed = parse("* QUOTA \"User quota\" (MESSAGE 3 100 STORAGE 10 512)", &[]);
        let Response::Untagged(Untagged::Quota(quota)) = parsed else {
            panic!("no quota")
        };
        assert_eq!(
            (quota.used, quota.limit, quota.free()),
            (10_240, 524_288, 514_048)
        );
        for text in [
            "* QUOTA \"\" ()",
            "* QUOTA x",
            "* QUOTA x (STORAGE 1)",
            "* QUOTA x (STORAGE a b)",
        ] {
            assert!(
                matches!(parse(text, &[]), Response::Untagged(Untagged::Other)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_a_literal_of_the_wrong_length_leaves_is_no_message() {
        for rest in [
            " \\Draft \\*)] Limited",
            " 4 FETCH)",
            ") OK done",
            " OK Fetched",
            "",
        ] {
            let response = parse(&format!("* 3 FETCH (UID 3 BODY[] {{5}}\r\n{rest}"), &[b"hello"]);
            assert!(
                matches!(response, Response::Untagged(Untagged::Unreadable)),
                "{rest}"
            );
        }
        let response = parse("* 3 FETCH (BODY[] {5}\r\n UID 3) ", &[b"hello"]);
        assert!(matches!(response, Response::Untagged(Untagged::Fetch(_))));
    }

    #[test]
    fn status_lines_and_codes() {
        let Response::Tagged { tag, status } = parse("A3 OK [APPENDUID 38505 3955:3957] done", &[]) else {
            panic!()
        };
        assert_eq!(tag, "A3");
        assert_eq!(
            status.code,
            Some(Code::AppendUid {
                validity: 38505,
                uids: UidSet::range(3955..=3957)
            })
        );
        let Response::Tagged { status, .. } = parse("A4 NO [OVERQUOTA] full", &[]) else {
            panic!()
        };
        assert!(status.is_over_quota());
        assert_eq!(status.to_string(), "NO [OVERQUOTA] full");
    }

    #[test]
    fn one_odd_word_among_flags_costs_no_other() {
        for odd in ["]x", "{x", "\"open", "~{3}", "NIL", "a\"b", "{3}"] {
            let text = format!("* 1 FETCH (FLAGS (\\Seen {odd} \"Junk\") UID 7)");
            let Response::Untagged(Untagged::Fetch(fetch)) = parse(&text, &[]) else {
                panic!("{odd}")
            };
            let flags = fetch.flags.unwrap();
            assert!(
                flags.contains("\\Seen") && flags.contains("Junk") && fetch.uid == Some(7),
                "{odd}"
            );
            assert!(flags.dropped().is_some() || flags.contains(odd), "{odd}");
        }
    }

    #[test]
    fn lists_statuses_and_searches() {
        let Response::Untagged(Untagged::List(listed)) =
            parse("* LIST (\\HasNoChildren \\Sent) \".\" {3}\r\n", &[b"a\"b"])
        else {
            panic!()
        };
        assert!(listed.has("\\sent"));
        assert_eq!((listed.separator, listed.mailbox.name()), (Some('.'), "a\"b"));
        let Response::Untagged(Untagged::MailboxStatus(_, status)) = parse(
            "* STATUS INBOX (MESSAGES 231 UIDNEXT 44292 HIGHESTMODSEQ 0 SIZE 77)",
            &[],
        ) else {
            panic!()
        };
        assert_eq!(
            (status.messages, status.uid_next, status.highest_modseq),
            (Some(231), Some(44292), None)
        );
        let text = "* STATUS INBOX (UIDNEXT 231 MESSAGES 231)";
        let Response::Untagged(Untagged::MailboxStatus(_, status)) = parse(text, &[]) else {
            panic!()
        };
        assert_eq!((status.messages, status.uid_next), (Some(231), None));
        for (text, expected) in [
            ("* SEARCH 2 3 6", "2:3,6"),
            ("* SEARCH", ""),
            ("* ESEARCH (TAG \"A1\") UID ALL 1:5,9", "1:5,9"),
            ("* ESEARCH (TAG \"A1\") UID", ""),
        ] {
            let Response::Untagged(Untagged::Search(set)) = parse(text, &[]) else {
                panic!("{text}")
            };
            assert_eq!(set.to_string(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_parse_to_something(text in proptest::collection::vec(any::<u8>(), 0..120), star in any::<bool>()) {
            let mut line = if star { b"* ".to_vec() } else { vec![] };
            line.extend(text);
            Response::parse(Raw { text: line, literals: vec![] });
        }
    }
}
