// SPDX-License-Identifier: GPL-3.0-or-later
//! Commands as they go out.

use super::mailbox::Mailbox;

/// A command without its tag. It has no `Debug`: its arguments may be secret.
pub struct Command {
    name: &'static str,
    parts: Vec<Part>,
    /// No one relies on its answer.
    optional: bool,
}

pub(super) enum Part {
    Text(Vec<u8>),
    Literal(Vec<u8>),
}

impl Command {
    /// A command that starts with these words.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            parts: vec![Part::Text(name.as_bytes().to_vec())],
            optional: false,
        }
    }

    /// Adds text as it is, after a blank.
    pub fn text(mut self, text: &str) -> Self {
        self.raw(b" ");
        self.raw(text.as_bytes());
        self
    }

    /// Adds a string: quoted where that is possible, else as a literal.
    pub fn string(mut self, value: &[u8]) -> Self {
        self.raw(b" ");
        if value.iter().all(|&b| (0x20..0x7f).contains(&b)) && value.len() < 1000 {
            self.raw(&quoted(value));
        } else {
            self.parts.push(Part::Literal(value.to_vec()));
        }
        self
    }

    /// Adds a mailbox name. Names that a server listed with raw 8-bit octets go back quoted the same way.
    pub fn mailbox(mut self, mailbox: &Mailbox) -> Self {
        self.raw(b" ");
        self.name_of(mailbox);
        self
    }

    fn name_of(&mut self, mailbox: &Mailbox) {
        if mailbox.wire().iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
            self.parts.push(Part::Literal(mailbox.wire().to_vec()));
        } else {
            self.raw(&quoted(mailbox.wire()));
        }
    }

    /// Adds a mailbox name within parentheses that are open.
    pub(super) fn listed(mut self, mailbox: &Mailbox, first: bool) -> Self {
        if !first {
            self.raw(b" ");
        }
        self.name_of(mailbox);
        self
    }

    /// Adds text as it is, without a blank.
    pub(super) fn closed(mut self, text: &str) -> Self {
        self.raw(text.as_bytes());
        self
    }

    /// The name, for messages.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Marks the command as one whose refusal says nothing about what the server supports: its mailbox may be gone.
    pub(super) fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    pub(super) fn is_optional(&self) -> bool {
        self.optional
    }

    /// How long it is, about.
    pub(super) fn octets(&self) -> usize {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(data) | Part::Literal(data) => data.len(),
        });
        parts.sum()
    }

    pub(super) fn into_parts(self) -> Vec<Part> {
        self.parts
    }

    fn raw(&mut self, bytes: &[u8]) {
        match self.parts.last_mut() {
            Some(Part::Text(text)) => text.extend_from_slice(bytes),
            _ => self.parts.push(Part::Text(bytes.to_vec())),
        }
    }
}

fn quoted(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 2);
    out.push(b'"');
    for &byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
    out
}
