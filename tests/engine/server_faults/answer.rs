// SPDX-License-Identifier: GPL-3.0-or-later
//! What the server says of its model.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::Digest as _;

use crate::server_faults::command::{self, Word};
use crate::server_faults::fault::Faults;
use crate::server_faults::model::{Folder, Model, Stored};
use crate::server_faults::server::lock;
use crate::server_faults::session::{Closed, Selected, Session, Step, mailbox};

/// The capability that a command needs and the server does not offer.
pub(super) fn missing(faults: &Faults, verb: &str, words: &[Word]) -> Option<&'static str> {
    let asks = |item: &str| words.iter().any(|word| contains(word, item));
    let needed: &[&'static str] = match verb {
        "ID" => &["ID"],
        "ENABLE" => &["ENABLE"],
        "NAMESPACE" => &["NAMESPACE"],
        "UID EXPUNGE" => &["UIDPLUS"],
        "FILTER" => &["FILTER=SIEVE"],
        "AUTHENTICATE" if words.len() > 1 => &["AUTH=PLAIN", "SASL-IR"],
        "AUTHENTICATE" => &["AUTH=PLAIN"],
        "LIST" if asks("RETURN") => &["LIST-EXTENDED", "LIST-STATUS"],
        "UID SEARCH" if asks("RETURN") => &["ESEARCH"],
        "UID FETCH" if asks("CHANGEDSINCE") => &["CONDSTORE"],
        _ => &[],
    };
    let mut needed = needed.to_vec();
    for (item, capability) in [
        ("HIGHESTMODSEQ", "CONDSTORE"),
        ("SIZE", "STATUS=SIZE"),
        ("SPECIAL-USE", "SPECIAL-USE"),
    ] {
        if matches!(verb, "LIST" | "STATUS") && asks(item) {
            needed.push(capability);
        }
    }
    needed.into_iter().find(|capability| !faults.has(capability))
}

fn contains(word: &Word, item: &str) -> bool {
    word.is(item) || word.list().iter().any(|word| contains(word, item))
}

pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// LIST, LSUB and STATUS; `None` when there is no such mailbox.
pub(super) fn listing(model: &Model, faults: &Faults, verb: &str, words: &[Word]) -> Option<String> {
    let mut connections = String::new();
    if verb == "STATUS" {
        let name = mailbox(&words[0]);
        let folder = model.folders.get(&name)?;
        return Some(status(
            &name,
            told(&name, folder, faults),
            faults,
            words[1].list(),
        ));
    }
    let items = words
        .iter()
        .position(|word| word.is("RETURN"))
        .and_then(|at| words.get(at + 1));
    let items = items.map(Word::list).unwrap_or_default();
    let statuses = items
        .iter()
        .position(|word| word.is("STATUS"))
        .and_then(|at| items.get(at + 1));
    for (name, folder) in &model.folders {
        if verb == "LSUB" && !folder.subscribed {
            continue;
        }
        let special = folder
            .special
            .filter(|_| faults.has("SPECIAL-USE"))
            .unwrap_or_default();
        if faults.garbled.is_some_and(|text| name.contains(text)) {
            let _ = write!(connections, "* {verb} (\\HasNoChildren {}\r\n", quoted(name));
            continue;
        }
        let again = if name == "INBOX" { "Inbox" } else { name };
        for name in [name.as_str(), again]
            .iter()
            .take(1 + usize::from(faults.listed_twice))
        {
            let _ = write!(
                connections,
                "* {verb} (\\HasNoChildren {special}) {} {}\r\n",
                quoted(&model.separator.to_string()),
                quoted(name)
            );
            if let Some(items) = statuses {
                connections += &status(name, told(name, folder, faults), faults, items.list());
            }
        }
    }
    Some(connections)
}

/// The mailbox that STATUS tells of.
fn told<'a>(name: &str, folder: &'a Folder, faults: &'a Faults) -> &'a Folder {
    let former = faults.stale_status.as_ref();
    former.and_then(|model| model.folders.get(name)).unwrap_or(folder)
}

/// The mailbox that an open one shows.
pub(super) fn shown<'a>(model: &'a Model, faults: &'a Faults, name: &str) -> Option<&'a Folder> {
    let former = faults.stale_view.as_ref();
    former.unwrap_or(model).folders.get(name)
}

fn status(name: &str, folder: &Folder, faults: &Faults, items: &[Word]) -> String {
    let mut found = vec![];
    let octets: usize = folder.messages.iter().map(|m| m.body.len()).sum();
    for item in items {
        if item.text() == "MAILBOXID" && faults.has("OBJECTID") {
            found.push(match faults.freed_ids {
                false => format!("MAILBOXID (F{})", folder.id),
                true => freed_id(),
            });
            continue;
        }
        let value = match item.text().as_str() {
            "MESSAGES" if faults.empty_status => 0,
            "MESSAGES" => folder.messages.len() as u64,
            "UIDNEXT" if faults.no_uid_next => continue,
            "UIDNEXT" if faults.first_uid_next => 1,
            "UIDNEXT" => u64::from(folder.uid_next),
            "UIDVALIDITY" => u64::from(folder.uid_validity),
            "HIGHESTMODSEQ" => highest(folder),
            "SIZE" => octets as u64,
            other => panic!("STATUS {other} was asked for"),
        };
        found.push(format!("{} {value}", item.text()));
    }
    format!("* STATUS {} ({})\r\n", quoted(name), found.join(" "))
}

/// What Cyrus 3.10 prints: memory that was freed, which now and then looks like an identity.
fn freed_id() -> String {
    static PRINTED: AtomicUsize = AtomicUsize::new(0);
    let at = PRINTED.fetch_add(1, Ordering::Relaxed);
    match at % 3 {
        0 => format!("MAILBOXID (Q{at}U)"),
        1 => format!("MAILBOXID ()\u{17}{at}U)"),
        _ => format!("MAILBOXID (\u{19}{at}\u{17}U)"),
    }
}

fn highest(folder: &Folder) -> u64 {
    folder.messages.iter().map(|m| m.modseq).max().unwrap_or(1)
}

/// What SELECT says before its OK.
pub(super) fn opening(model: &Model, folder: &Folder, faults: &Faults) -> String {
    let mut connections = format!(
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* {} EXISTS\r\n* 0 RECENT\r\n\
         * OK [UIDVALIDITY {}] UIDs valid\r\n",
        folder.messages.len(),
        folder.uid_validity
    );
    let more = if faults.no_keywords { "" } else { " \\*" };
    let _ = write!(
        connections,
        "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft{more})] Limited\r\n"
    );
    if !faults.no_uid_next && folder.uid_next > 0 {
        let next = if faults.first_uid_next { 1 } else { folder.uid_next };
        let _ = write!(connections, "* OK [UIDNEXT {next}] Next\r\n");
    }
    if faults.has("OBJECTID") {
        let _ = write!(connections, "* OK [MAILBOXID (F{})] Ok\r\n", folder.id);
    }
    if faults.has("CONDSTORE") {
        let _ = write!(
            connections,
            "* OK [HIGHESTMODSEQ {}] Highest\r\n",
            highest(folder).max(model.modseq)
        );
    }
    connections
}

/// What tells a message in the whole account.
fn identity(body: &[u8]) -> u64 {
    let digest = sha2::Sha256::digest(body);
    u64::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

/// Year, month and day of a date of IMAP.
fn day(date: &str) -> (u32, usize, u32) {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut parts = date.split_whitespace().next().unwrap_or_default().split('-');
    let mut part = || parts.next().unwrap_or_default();
    let (day, month, year) = (part(), part(), part());
    let month = MONTHS.iter().position(|name| *name == month).expect("a month");
    (year.parse().expect("a year"), month, day.parse().expect("a day"))
}

/// SEARCH, or ESEARCH when it was asked for.
pub(super) fn search(folder: &Folder, words: &[Word], finds_numbers: bool) -> String {
    let existing: Vec<u32> = folder.messages.iter().map(|m| m.uid).collect();
    let (extended, criteria) = match words {
        [first, _, rest @ ..] if first.is("RETURN") => (true, rest),
        rest => (false, rest),
    };
    let mut found: Vec<&Stored> = folder.messages.iter().collect();
    let mut criteria = criteria.iter();
    while let Some(word) = criteria.next() {
        let mut argument = || criteria.next().map(Word::text).unwrap_or_default();
        match word.text().as_str() {
            "ALL" => {}
            "UNSEEN" => found.retain(|m| !m.has("\\Seen")),
            "DELETED" => found.retain(|m| m.has("\\Deleted")),
            "UNDELETED" => found.retain(|m| !m.has("\\Deleted")),
            "NOT" if argument() == "SMALLER" => {
                let limit: usize = argument().parse().unwrap();
                found.retain(|m| m.body.len() >= limit);
            }
            "LARGER" => {
                let limit: usize = argument().parse().unwrap();
                found.retain(|m| m.body.len() > limit);
            }
            "SMALLER" => {
                let limit: usize = argument().parse().unwrap();
                found.retain(|m| m.body.len() < limit);
            }
            "KEYWORD" => {
                let keyword = argument();
                found.retain(|m| m.has(&keyword));
            }
            "UNKEYWORD" => {
                let keyword = argument();
                found.retain(|m| !m.has(&keyword));
            }
            "SINCE" => {
                let date = argument();
                found.retain(|m| day(&m.date) >= day(&date));
            }
            "BEFORE" => {
                let date = argument();
                found.retain(|m| day(&m.date) < day(&date));
            }
            "UID" => {
                let among = command::uids(&argument(), &existing);
                found.retain(|m| among.contains(&m.uid));
            }
            other => panic!("SEARCH {other} was asked for"),
        }
    }
    let number = |uid: u32| match finds_numbers {
        true => existing.iter().filter(|&&other| other <= uid).count() as u32,
        false => uid,
    };
    let uids: Vec<u32> = found.iter().map(|m| number(m.uid)).collect();
    match (extended, uids.is_empty()) {
        (true, true) => "* ESEARCH (TAG \"x\") UID\r\n".to_owned(),
        (true, false) => format!("* ESEARCH (TAG \"x\") UID ALL {}\r\n", command::set(&uids)),
        (false, _) => format!("* SEARCH {}\r\n", command::set(&uids).replace(',', " ")),
    }
}

/// How often any server gave a message that is made anew at each look.
static LOOKS: AtomicUsize = AtomicUsize::new(100_000);

/// FETCH, with everything that can be wrong with it.
pub(super) fn fetch(session: &mut Session<'_>, words: &[Word], selected: &Selected) -> Step<String> {
    let faults = lock(&session.shared().faults).clone();
    let since = words.iter().find_map(|word| match word.list() {
        [name, value] if name.is("CHANGEDSINCE") => value.text().parse::<u64>().ok(),
        _ => None,
    });
    let messages: Vec<Stored> = {
        let model = lock(&session.shared().model);
        let Some(folder) = shown(&model, &faults, &selected.name) else {
            return Ok("NO [NONEXISTENT] The mailbox was deleted".to_owned());
        };
        let existing: Vec<u32> = folder.messages.iter().map(|m| m.uid).collect();
        let among = command::uids(&words[0].text(), &existing);
        folder
            .messages
            .iter()
            .filter(|m| among.contains(&m.uid))
            .cloned()
            .collect()
    };
    let items = words[1].list();
    let body = items.iter().map(Word::text).find(|item| item.starts_with("BODY"));
    let mut unreadable = 0;
    let silenced = faults.silences.filter(|text| {
        let of = |message: &Stored| memchr::memmem::find(&message.body, text.as_bytes()).is_some();
        body.as_deref() == Some("BODY.PEEK[]") && messages.iter().any(of)
    });
    if silenced.is_some() {
        return Ok("OK Fetched".to_owned());
    }
    let with_flags = items.iter().any(|item| item.is("FLAGS"));
    for mut message in messages {
        if let Some(text) = faults.boundary.filter(|_| body.is_some()) {
            let look = LOOKS.fetch_add(1, Ordering::Relaxed);
            let other = format!("{look:0width$}", width = text.len());
            message.body = replaced(&message.body, text.as_bytes(), other.as_bytes());
        }
        let marked = |text: Option<&str>| {
            text.is_some_and(|text| memchr::memmem::find(&message.body, text.as_bytes()).is_some())
        };
        let number = selected.view.iter().position(|&uid| uid == message.uid);
        let Some(number) = number.filter(|_| since.is_none_or(|since| message.modseq > since)) else {
            continue;
        };
        if body.is_some() && marked(faults.unreadable) {
            unreadable += 1;
            continue;
        }
        if body.is_some() && marked(faults.forgotten) {
            continue;
        }
        let instead = faults
            .instead
            .filter(|&(text, ..)| body.as_deref() == Some("BODY.PEEK[]") && marked(Some(text)))
            .filter(|_| with_flags || !faults.instead_with_flags);
        let mut parts = vec![];
        for item in items.iter().map(Word::text) {
            let value = match item.as_str() {
                "UID" => message.uid.to_string(),
                "FLAGS" => format!(
                    "({})",
                    message.flags.iter().cloned().collect::<Vec<_>>().join(" ")
                ),
                "INTERNALDATE" => quoted(&message.date),
                "X-GM-MSGID" if faults.has("X-GM-EXT-1") => identity(&message.body).to_string(),
                "EMAILID" if faults.has("OBJECTID") => format!("(M{})", identity(&message.body)),
                "RFC822.SIZE" if instead.is_some_and(|(.., claimed)| claimed) => {
                    instead.map_or(0, |(_, given, _)| given.len()).to_string()
                }
                "RFC822.SIZE" => (message.body.len() as i64 + faults.size).to_string(),
                _ => continue,
            };
            parts.push(format!("{item} {value}").into_bytes());
        }
        if let Some(item) = &body {
            let mut content = match (instead, part(item)) {
                (Some((_, given, _)), _) => given.to_vec(),
                (None, Some(range)) if faults.other_parts => vec![b'?'; range.len()],
                (None, Some(range)) => message.body.get(range).unwrap_or_default().to_vec(),
                (None, None) => section(item, &message.body),
            };
            let whole = item == "BODY.PEEK[]";
            if whole && faults.varies {
                let look = LOOKS.fetch_add(1, Ordering::Relaxed);
                content.extend_from_slice(format!("Look {look}\r\n").as_bytes());
            }
            let nil = whole && marked(faults.bodiless);
            let longer = faults.literal.filter(|&(text, _)| whole && marked(Some(text)));
            let size = content.len() as i64 + longer.map_or(0, |(_, by)| by);
            let mut part = match part(item) {
                Some(range) => format!("BODY[]<{}>", range.start).into_bytes(),
                None => item.replace(".PEEK", "").into_bytes(),
            };
            if marked(faults.breaks.filter(|_| whole)) || marked(faults.breaks_at_header.filter(|_| !whole)) {
                session.put(format!("* {} FETCH (UID {} ", number + 1, message.uid).as_bytes())?;
                session.put(&part)?;
                session.put(format!(" {{{size}}}\r\n").as_bytes())?;
                session.put(&content[..content.len() / 2])?;
                session.flush()?;
                return Err(Closed);
            }
            if nil {
                part.extend_from_slice(b" NIL");
            } else {
                part.extend_from_slice(format!(" {{{size}}}\r\n").as_bytes());
                part.extend_from_slice(&content);
            }
            parts.push(part);
        }
        if faults.chatter && number % 2 == 1 {
            parts.reverse();
        }
        session.put(format!("* {} FETCH (", number + 1).as_bytes())?;
        session.put(&parts.join(&b' '))?;
        session.put(b")\r\n")?;
        session.chatter(Some(message.uid))?;
    }
    Ok(match unreadable {
        0 => "OK Fetched".to_owned(),
        _ => "NO [SERVERBUG] Some messages could not be read".to_owned(),
    })
}

/// A message with another text of the same length in the place of one.
fn replaced(body: &[u8], text: &[u8], other: &[u8]) -> Vec<u8> {
    let mut made = body.to_vec();
    for at in memchr::memmem::find_iter(body, text) {
        made[at..at + other.len()].copy_from_slice(other);
    }
    made
}

/// The octets that `BODY.PEEK[]<offset.octets>` is about.
fn part(item: &str) -> Option<std::ops::Range<usize>> {
    let (offset, octets) = item
        .strip_prefix("BODY.PEEK[]<")?
        .strip_suffix('>')?
        .split_once('.')?;
    let (offset, octets): (usize, usize) = (offset.parse().ok()?, octets.parse().ok()?);
    Some(offset..offset + octets)
}

fn section(item: &str, body: &[u8]) -> Vec<u8> {
    let end = memchr::memmem::find(body, b"\r\n\r\n").map(|at| at + 4);
    let end = end.or_else(|| memchr::memmem::find(body, b"\n\n").map(|at| at + 2));
    let header = &body[..end.unwrap_or(body.len())];
    match item {
        "BODY.PEEK[]" => body.to_vec(),
        "BODY.PEEK[HEADER]" => header.to_vec(),
        other => match asked_fields(other) {
            Some(names) => fields(header, names),
            None => panic!("{other} was asked for"),
        },
    }
}

/// The names in `BODY.PEEK[HEADER.FIELDS (…)]`.
fn asked_fields(item: &str) -> Option<&str> {
    item.strip_prefix("BODY.PEEK[HEADER.FIELDS (")?.strip_suffix(")]")
}

fn fields(header: &[u8], names: &str) -> Vec<u8> {
    let is_asked = |name: &[u8]| {
        names
            .split(' ')
            .any(|asked| name.eq_ignore_ascii_case(asked.as_bytes()))
    };
    let mut out = vec![];
    let mut keep = false;
    for line in header.split_inclusive(|&b| b == b'\n') {
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            keep = is_asked(line.split(|&b| b == b':').next().unwrap_or_default());
        }
        if keep {
            out.extend_from_slice(line);
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}
