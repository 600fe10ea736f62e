// SPDX-License-Identifier: GPL-3.0-or-later
//! What a server says it can do.

/// The longest lists of capabilities have some sixty; what comes after so many is not looked at.
const MOST: usize = 300;

/// The capabilities of a server, upper-cased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<String>);

impl Capabilities {
    /// Reads the words of a CAPABILITY response.
    pub fn parse(text: &str) -> Self {
        Self(
            text.split_ascii_whitespace()
                .take(MOST)
                .map(str::to_ascii_uppercase)
                .collect(),
        )
    }

    /// Whether a capability is offered; `name` in upper case.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|c| c == name)
    }

    /// The SASL mechanisms that are offered.
    pub fn sasl(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter_map(|name| name.strip_prefix("AUTH="))
            .collect()
    }

    /// Whether nothing is known yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names in the server's order.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// How literals may be sent without waiting (RFC 7888).
    pub fn literals(&self) -> Literals {
        if self.has("LITERAL+") {
            Literals::Plus
        } else if self.has("LITERAL-") || self.has("IMAP4REV2") {
            Literals::Minus
        } else {
            Literals::Synchronizing
        }
    }
}

/// How a server takes literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literals {
    /// Any literal without waiting.
    Plus,
    /// Up to 4096 octets without waiting.
    Minus,
    /// Only after the server said `+`.
    Synchronizing,
}

impl Literals {
    /// Whether a literal of this size needs no waiting.
    pub fn immediate(self, size: u64) -> bool {
        match self {
            Self::Plus => true,
            Self::Minus => size <= 4096,
            Self::Synchronizing => false,
        }
    }
}
