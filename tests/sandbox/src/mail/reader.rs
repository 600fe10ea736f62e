// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads a whole mailbox, without the product's code: the judge of all tests.

use anyhow::Context;
use jiff::fmt::strtime;
use sha2::{Digest, Sha256};

use super::imap::{Imap, Response};
use super::{Mailbox, Message, utf7};

/// The names of all folders that can be opened, as they go over the wire.
pub fn raw_names(imap: &mut Imap) -> anyhow::Result<Vec<String>> {
    let mut folders = Vec::new();
    for response in imap.run("LIST \"\" *")? {
        let Some(list) = response.text.strip_prefix("* LIST (") else {
            continue;
        };
        let (attributes, rest) = list
            .split_once(") ")
            .context("a LIST response without attributes")?;
        let (_, name) = rest.split_once(' ').context("a LIST response without a name")?;
        let attributes = attributes.to_lowercase();
        if attributes.contains("\\noselect") || attributes.contains("\\nonexistent") {
            continue;
        }
        let raw = match response.literals.first() {
            Some(literal) => String::from_utf8_lossy(literal).into_owned(),
            None => unquote(name),
        };
        folders.push(raw);
    }
    Ok(folders)
}

/// Reads every folder and message.
pub fn read_mailbox(imap: &mut Imap) -> anyhow::Result<Mailbox> {
    let mut mailbox = Mailbox::new();
    for raw in raw_names(imap)? {
        let quoted = raw.replace('\\', "\\\\").replace('"', "\\\"");
        imap.run(&format!("EXAMINE \"{quoted}\""))?;
        let mut messages = Vec::new();
        for response in imap.run("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")? {
            if response.text.contains(" FETCH (") && !response.literals.is_empty() {
                messages.push(message(&response)?);
            }
        }
        messages.sort_by_key(|message| message.uid);
        mailbox.insert(utf7::decode(&raw), messages);
    }
    Ok(mailbox)
}

fn unquote(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => name.to_owned(),
    }
}

fn message(response: &Response) -> anyhow::Result<Message> {
    let text = &response.text;
    let between = |start: &str, end: &str| -> anyhow::Result<&str> {
        let (_, rest) = text
            .split_once(start)
            .with_context(|| format!("no {start} in {text}"))?;
        Ok(rest.split(end).next().unwrap_or_default())
    };
    let content = response.literals.first().context("a message without content")?;
    let mut flags: Vec<String> = between("FLAGS (", ")")?
        .split_ascii_whitespace()
        .filter(|&flag| flag != "\\Recent")
        .map(str::to_owned)
        .collect();
    flags.sort();
    let date = strtime::parse("%d-%b-%Y %H:%M:%S %z", between("INTERNALDATE \"", "\"")?.trim())?;
    Ok(Message {
        message_id: message_id(content),
        flags,
        date: date.to_timestamp()?.as_second(),
        size: between("RFC822.SIZE ", " ")?.trim_end_matches(')').parse()?,
        digest: Sha256::digest(content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        uid: between("UID ", " ")?.trim_end_matches(')').parse()?,
    })
}

fn message_id(content: &[u8]) -> String {
    let end = content
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or(content.len());
    let header = String::from_utf8_lossy(&content[..end]).into_owned();
    for line in header.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("message-id")
        {
            return value.trim().to_owned();
        }
    }
    String::new()
}
