// SPDX-License-Identifier: GPL-3.0-or-later
//! The name of a mailbox: as the server writes it and as people read it.

use std::fmt;

use super::utf7;

/// A mailbox name. The wire form is kept, so that what a server listed is what it is asked for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mailbox {
    wire: Vec<u8>,
    name: String,
}

impl Mailbox {
    /// The inbox, which every account has.
    pub fn inbox() -> Self {
        Self::from_name("INBOX")
    }

    /// A name as a server sent it: modified UTF-7, or raw octets of a server that breaks the rule, which are UTF-8 or,
    /// where they are not, Latin-1.
    pub fn from_wire(wire: Vec<u8>) -> Self {
        if wire.eq_ignore_ascii_case(b"INBOX") {
            return Self {
                wire: b"INBOX".to_vec(),
                name: "INBOX".to_owned(),
            };
        }
        let name = utf7::decode(&wire).unwrap_or_else(|| match std::str::from_utf8(&wire) {
            Ok(name) => name.to_owned(),
            Err(_) => wire.iter().map(|&octet| char::from(octet)).collect(),
        });
        Self { wire, name }
    }

    /// A name as people write it.
    pub fn from_name(name: &str) -> Self {
        Self::from_wire(utf7::encode(name).into_bytes())
    }

    /// The decoded name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The octets for the wire.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// Whether this is the inbox.
    pub fn is_inbox(&self) -> bool {
        self.wire == b"INBOX"
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_servers_that_break_the_rule_are_read() {
        for (wire, name) in [
            (&b"Entw&APw-rfe"[..], "Entwürfe"),
            ("Entwürfe".as_bytes(), "Entwürfe"),
            (b"Entw\xfcrfe", "Entwürfe"),
            (b"broken &A", "broken &A"),
        ] {
            let mailbox = Mailbox::from_wire(wire.to_vec());
            assert_eq!(mailbox.name(), name);
            assert_eq!(mailbox.wire(), wire, "the server is asked for what it listed");
        }
    }

    #[test]
    fn only_the_inbox_is_the_inbox() {
        assert!(Mailbox::from_wire(b"iNbOx".to_vec()).is_inbox());
        // A needless modified UTF-7, which servers take for another mailbox.
        assert!(!Mailbox::from_wire(b"&AEkATgBCAE8AWA-".to_vec()).is_inbox());
    }
}
