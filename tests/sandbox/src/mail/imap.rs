// SPDX-License-Identifier: GPL-3.0-or-later
//! A small IMAP client, on Dovecot's own IMAP process or a server's port: what people do with their mail program while
//! tests look on.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

/// A session of a user who is logged in.
pub struct Imap {
    child: Option<Child>,
    to: Option<Box<dyn Write + Send>>,
    from: BufReader<Box<dyn Read + Send>>,
}

/// One response: its text, where literals are replaced by `{}`, and the literals.
#[derive(Clone, Debug)]
pub struct Response {
    /// The text.
    pub text: String,
    /// The literals.
    pub literals: Vec<Vec<u8>>,
}

impl Imap {
    /// Starts the pre-authenticated session that `command` is (`doveadm exec imap -u USER`).
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start doveadm")?;
        let to = child.stdin.take().context("no standard input")?;
        let from = child.stdout.take().context("no standard output")?;
        let mut imap = Self {
            child: Some(child),
            to: Some(Box::new(to)),
            from: BufReader::new(Box::new(from)),
        };
        imap.response()?;
        Ok(imap)
    }

    /// Logs in at a server that takes passwords in plain text.
    pub fn connect(host: &str, port: u16, user: &str, password: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect((host, port))?;
        stream.set_nodelay(true)?;
        let mut imap = Self {
            child: None,
            to: Some(Box::new(stream.try_clone()?)),
            from: BufReader::new(Box::new(stream)),
        };
        imap.response()?;
        imap.run(&format!("LOGIN \"{user}\" \"{password}\""))?;
        Ok(imap)
    }

    /// Adds a message to a folder, whose name is as it goes over the wire.
    pub fn append(&mut self, folder: &str, flags: &str, content: &[u8]) -> anyhow::Result<()> {
        self.append_with(folder, &format!("({flags})"), content)
    }

    /// Adds a message with what APPEND takes between the folder and the message: flags, and a date.
    pub fn append_with(&mut self, folder: &str, what: &str, content: &[u8]) -> anyhow::Result<()> {
        let to = self.to.as_mut().context("the session is over")?;
        write!(to, "x APPEND \"{folder}\" {what} {{{}}}\r\n", content.len())?;
        loop {
            let response = self.response()?;
            if response.text.starts_with('+') {
                break;
            }
            if let Some(result) = response.text.strip_prefix("x ") {
                bail!("APPEND: {result}");
            }
        }
        let to = self.to.as_mut().context("the session is over")?;
        to.write_all(content)?;
        to.write_all(b"\r\n")?;
        self.answers("APPEND").map(drop)
    }

    /// Runs a command and gives its untagged responses.
    pub fn run(&mut self, command: &str) -> anyhow::Result<Vec<Response>> {
        // In one piece: a server may take what comes in several for several commands.
        let line = format!("x {command}\r\n");
        self.to
            .as_mut()
            .context("the session is over")?
            .write_all(line.as_bytes())?;
        self.answers(command)
    }

    fn answers(&mut self, command: &str) -> anyhow::Result<Vec<Response>> {
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

impl Drop for Imap {
    fn drop(&mut self) {
        // The end of its input ends the session.
        drop(self.to.take());
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
    }
}

impl fmt::Debug for Imap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap")
            .field("child", &self.child)
            .finish_non_exhaustive()
    }
}
