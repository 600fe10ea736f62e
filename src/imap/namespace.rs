// SPDX-License-Identifier: GPL-3.0-or-later
//! Whose mailboxes a server shows (RFC 2342).

use super::mailbox::Mailbox;
use super::scan::{Scanner, Value};

/// Prefix and separator of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Prefix of the names, as on the wire.
    pub prefix: Vec<u8>,
    /// The separator.
    pub separator: Option<char>,
}

/// The namespaces of an account, each class in the server's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// The account's own mailboxes.
    pub personal: Vec<Namespace>,
    /// Mailboxes of other users.
    pub other_users: Vec<Namespace>,
    /// Mailboxes that several people share.
    pub shared: Vec<Namespace>,
}

/// Whose a mailbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The account's own, where new mailboxes are made.
    Account,
    /// The account's own by the server's word, in a further namespace: another storage, or a view of mail that is
    /// elsewhere as well.
    FurtherPersonal,
    /// Another user's.
    OtherUser,
    /// Shared by several people.
    Shared,
}

const INBOX: &[u8] = b"INBOX";

impl Namespace {
    /// How much of a name is this namespace's prefix; `None` when the name is not in it. The node above all its
    /// mailboxes is in it.
    fn covers(&self, wire: &[u8]) -> Option<usize> {
        if starts_with(wire, &self.prefix) {
            return Some(self.prefix.len());
        }
        let mut utf8 = [0; 4];
        let separator: &[u8] = match self.separator {
            Some(separator) => separator.encode_utf8(&mut utf8).as_bytes(),
            None => b"",
        };
        let root = self.prefix.strip_suffix(separator)?;
        let is_root = root.len() < self.prefix.len() && root.len() == wire.len() && starts_with(wire, root);
        is_root.then_some(root.len())
    }
}

/// Servers write INBOX in any case, also as the beginning of other names.
fn starts_with(wire: &[u8], prefix: &[u8]) -> bool {
    let Some(head) = wire.get(..prefix.len()) else {
        return false;
    };
    let inbox = INBOX.len().min(prefix.len());
    if prefix[..inbox].eq_ignore_ascii_case(INBOX) {
        head[..inbox].eq_ignore_ascii_case(INBOX) && head[inbox..] == prefix[inbox..]
    } else {
        head == prefix
    }
}

impl Namespaces {
    /// Reads what follows `* NAMESPACE`.
    pub(super) fn parse(scanner: &mut Scanner<'_>) -> Self {
        let mut class = || scanner.value().map(namespaces).unwrap_or_default();
        Self {
            personal: class(),
            other_users: class(),
            shared: class(),
        }
    }

    /// Whether the server told nothing.
    pub fn is_empty(&self) -> bool {
        self.personal.is_empty() && self.other_users.is_empty() && self.shared.is_empty()
    }

    /// The personal namespace that holds the inbox and what belongs to it.
    pub fn primary(&self) -> Option<&Namespace> {
        let of_inbox = self.personal.iter().find(|space| space.covers(INBOX).is_some());
        of_inbox.or_else(|| self.personal.first())
    }

    /// Whose a mailbox is: the longest prefix decides. What no namespace covers is the account's own.
    pub fn owner(&self, mailbox: &Mailbox) -> Owner {
        if mailbox.is_inbox() {
            return Owner::Account;
        }
        let primary = self.primary();
        let classes = [
            (&self.personal, Owner::FurtherPersonal),
            (&self.other_users, Owner::OtherUser),
            (&self.shared, Owner::Shared),
        ];
        let mut best = (None, Owner::Account);
        for (spaces, owner) in classes {
            for space in spaces {
                let length = space.covers(mailbox.wire());
                if length.is_some() && length > best.0 {
                    let is_primary = Some(space) == primary && owner == Owner::FurtherPersonal;
                    best = (length, if is_primary { Owner::Account } else { owner });
                }
            }
        }
        best.1
    }
}

fn namespaces(class: Value) -> Vec<Namespace> {
    let Value::List(spaces) = class else {
        return vec![];
    };
    spaces.into_iter().filter_map(namespace).collect()
}

/// One namespace; what extensions add behind its separator (RFC 5255) does not matter here.
fn namespace(value: Value) -> Option<Namespace> {
    let Value::List(words) = value else { return None };
    let mut words = words.into_iter();
    let prefix = words.next()?.into_bytes()?;
    let separator = words
        .next()
        .and_then(Value::into_text)
        .and_then(|text| text.chars().next());
    Some(Namespace { prefix, separator })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Namespaces {
        Namespaces::parse(&mut Scanner::new(text.as_bytes(), vec![]))
    }

    fn owner(spaces: &Namespaces, name: &str) -> Owner {
        spaces.owner(&Mailbox::from_wire(name.as_bytes().to_vec()))
    }

    #[test]
    fn all_classes_with_several_prefixes_are_read() {
        let told = parse(
            r##"(("" "/")("#mh/" "/" "X-PARAM" ("FLAG1" "FLAG2"))) (("~" "/")) (("#shared/" "/")("#news." "."))"##,
        );
        let prefixes = |spaces: &[Namespace]| -> Vec<String> {
            spaces
                .iter()
                .map(|space| String::from_utf8_lossy(&space.prefix).into_owned())
                .collect()
        };
        assert_eq!(prefixes(&told.personal), ["", "#mh/"]);
        assert_eq!(prefixes(&told.other_users), ["~"]);
        assert_eq!(prefixes(&told.shared), ["#shared/", "#news."]);
        assert_eq!(told.shared[1].separator, Some('.'));
        assert_eq!(parse("NIL NIL NIL"), Namespaces::default());
        assert_eq!(parse(r#"(("" NIL))"#).personal[0].separator, None);
        assert!(parse("").is_empty() && parse("((").is_empty());
    }

    #[test]
    fn the_longest_prefix_decides() {
        let dovecot =
            parse(r#"(("" "/")("virtual/" "/")) (("Other Users/" "/")) (("Team/" "/")("Public/" "/"))"#);
        for (name, whose) in [
            ("INBOX", Owner::Account),
            ("Work/Team", Owner::Account),
            ("Teams", Owner::Account),
            ("Team", Owner::Shared),
            ("Team/Board", Owner::Shared),
            ("Public/x/y", Owner::Shared),
            ("Other Users", Owner::OtherUser),
            ("Other Users/boss", Owner::OtherUser),
            ("virtual/All", Owner::FurtherPersonal),
        ] {
            assert_eq!(owner(&dovecot, name), whose, "{name}");
        }
        let cyrus = parse(r#"(("INBOX." ".")) (("user." ".")) (("" "."))"#);
        for (name, whose) in [
            ("inbox", Owner::Account),
            ("INBOX.Sent", Owner::Account),
            ("inbox.Sent", Owner::Account),
            ("user.boss.Sent", Owner::OtherUser),
            ("user", Owner::OtherUser),
            ("users", Owner::Shared),
            ("bulletin", Owner::Shared),
        ] {
            assert_eq!(owner(&cyrus, name), whose, "{name}");
        }
    }

    #[test]
    fn the_namespace_of_the_inbox_is_the_first() {
        let told = parse(r#"(("virtual/" "/")("" "/")) NIL NIL"#);
        assert_eq!(told.primary().map(|space| space.prefix.len()), Some(0));
        assert_eq!(owner(&told, "virtual/All"), Owner::FurtherPersonal);
        assert_eq!(owner(&told, "Work"), Owner::Account);
        let mail = parse(r#"(("mail/" "/")) NIL NIL"#);
        assert_eq!(owner(&mail, "mail/Work"), Owner::Account);
        assert_eq!(owner(&mail, "elsewhere"), Owner::Account);
    }
}
