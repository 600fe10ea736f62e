// SPDX-License-Identifier: GPL-3.0-or-later
//! Flags and keywords of a message.

use std::collections::BTreeSet;
use std::fmt;

/// The five system flags that travel; `\Recent` belongs to the server (RFC 3501, 2.3.2).
const SYSTEM: [&str; 5] = ["\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen"];

/// Keywords of one message, and the octets of one. Servers of this world stop at far less.
const MOST: usize = 128;
const LONGEST: usize = 128;

/// The flags of a message that can be stored on another server.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flags(BTreeSet<String>);

impl Flags {
    /// Adds a flag; what cannot travel (`\Recent`, unknown system flags, no atom) is left out.
    pub fn insert(&mut self, flag: &str) {
        if let Some(system) = SYSTEM.iter().find(|s| s.eq_ignore_ascii_case(flag)) {
            self.0.insert((*system).to_owned());
        } else if (1..=LONGEST).contains(&flag.len())
            && self.0.len() < MOST
            && flag.bytes().all(is_keyword_byte)
        {
            self.0.insert(flag.to_owned());
        }
    }

    /// Reads a list separated by blanks, as [`Flags`] displays itself.
    pub fn parse(text: &str) -> Self {
        let mut flags = Self::default();
        for flag in text.split_ascii_whitespace() {
            flags.insert(flag);
        }
        flags
    }

    /// The flags, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether a flag is set; keywords are compared without case, as servers do.
    pub fn contains(&self, flag: &str) -> bool {
        self.0.iter().any(|f| f.eq_ignore_ascii_case(flag))
    }

    /// The flags of `self` that `other` lacks.
    pub fn minus(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|f| !other.contains(f)).cloned().collect())
    }

    /// The system flags alone, for a server that takes no keywords.
    pub fn system_only(&self) -> Self {
        Self(self.0.iter().filter(|f| f.starts_with('\\')).cloned().collect())
    }

    /// How many flags are set.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no flag is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_keyword_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, flag) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(flag)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_can_travel() {
        let flags = Flags::parse("\\seen \\Recent $Forwarded \\Weird bad\"one Junk");
        assert_eq!(flags.to_string(), "$Forwarded Junk \\Seen");
        assert_eq!(Flags::parse(&flags.to_string()), flags);
        assert_eq!(
            flags.minus(&Flags::parse("junk")).to_string(),
            "$Forwarded \\Seen"
        );
        assert_eq!(flags.system_only().to_string(), "\\Seen");
    }
}
