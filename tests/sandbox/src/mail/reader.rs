// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads a whole mailbox through Dovecot's own IMAP process, without the product's code: the judge of all tests.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use jiff::fmt::strtime;
use sha2::{Digest, Sha256};

use super::{Mailbox, Message, utf7};

/// Reads every folder and message over the pre-authenticated IMAP session that `command` starts
/// (`doveadm exec imap -u USER`).
pub fn read_mailbox(mut command: Command) -> anyhow::Result<Mailbox> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start doveadm")?;
    let mut session = Session {
        to: child.stdin.take().context("no standard input")?,
        from: BufReader::new(child.stdout.take().context("no standard output")?),
    };
    let mailbox = session.read();
    drop(session);
    child.wait()?;
    mailbox
}

struct Session<W, R> {
    to: W,
    from: R,
}

/// One response: its text, where literals are replaced by `{}`, and the literals.
struct Response {
    text: String,
    literals: Vec<Vec<u8>>,
}

impl<W: Write, R: BufRead> Session<W, R> {
    fn read(&mut self) -> anyhow::Result<Mailbox> {
        self.response()?;
        let mut mailbox = Mailbox::new();
        let mut folders = Vec::new();
        for response in self.run("LIST \"\" *")? {
            let Some(list) = response.text.strip_prefix("* LIST (") else {
                continue;
            };
            let (attributes, rest) = list
                .split_once(") ")
                .context("a LIST response without attributes")?;
            let (_, name) = rest.split_once(' ').context("a LIST response without a name")?;
            if attributes.contains("\\Noselect") || attributes.contains("\\NonExistent") {
                continue;
            }
            let raw = match response.literals.first() {
                Some(literal) => String::from_utf8_lossy(literal).into_owned(),
                None => unquote(name),
            };
            folders.push(raw);
        }
        for raw in folders {
            let quoted = raw.replace('\\', "\\\\").replace('"', "\\\"");
            self.run(&format!("EXAMINE \"{quoted}\""))?;
            let mut messages = Vec::new();
            for response in self.run("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")? {
                if response.text.contains(" FETCH (") && !response.literals.is_empty() {
                    messages.push(message(&response)?);
                }
            }
            messages.sort_by_key(|message| message.uid);
            mailbox.insert(utf7::decode(&raw), messages);
        }
        Ok(mailbox)
    }

    /// Runs a command and gives its untagged responses.
    fn run(&mut self, command: &str) -> anyhow::Result<Vec<Response>> {
        write!(self.to, "x {command}\r\n")?;
        self.to.flush()?;
        let mut responses = Vec::new();
        loop {
            let response = self.response()?;
            if let Some(result) = response.text.strip_prefix("x ") {
                if !result.starts_with("OK") {
                    bail!("{command}: {result}");
                }
                return Ok(responses);
            }
            responses.push(response);
        }
    }

    fn response(&mut self) -> anyhow::Result<Response> {
        let mut text = String::new();
        let mut literals = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.from.read_until(b'\n', &mut line)? == 0 {
                bail!("the IMAP session ended early");
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            let literal = line.strip_suffix('}').and_then(|line| line.rsplit_once('{'));
            let Some((before, size)) = literal.and_then(|(before, size)| Some((before, size.parse().ok()?)))
            else {
                text.push_str(line);
                return Ok(Response { text, literals });
            };
            text.push_str(before);
            text.push_str("{}");
            let mut literal = vec![0; size];
            self.from.read_exact(&mut literal)?;
            literals.push(literal);
        }
    }
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
