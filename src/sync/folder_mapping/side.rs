// SPDX-License-Identifier: GPL-3.0-or-later
//! One side's folders as listed: whose they are, and what they show.

use std::collections::HashMap;

use super::special_use::SpecialUse;
use super::well_known;
use crate::imap::{Listed, Mailbox, MailboxStatus, Namespace, Namespaces, Owner};

/// A server whose folders mean something else than usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// Gmail: folders are labels, of which a message has any number.
    Gmail,
    /// Exchange: some folders hold something else than mail.
    Exchange,
    /// Any other.
    #[default]
    Other,
}

/// One side's folders as listed.
#[derive(Debug, Default)]
pub struct Side {
    /// Whose folders have which prefixes, where the server tells.
    told: Option<Namespaces>,
    /// Where it does not tell: the prefix that all folders but the inbox have.
    guessed: Option<Namespace>,
    provider: Provider,
    /// The folders.
    pub folders: Vec<(Listed, Option<MailboxStatus>)>,
    /// How many more the server listed in a way that cannot be read.
    pub unreadable: u64,
    /// The server lists a folder under several spellings of its name.
    pub has_spellings: bool,
}

/// Folders of other people where the server does not tell its namespaces.
const SHARED_BY_NAME: [&str; 6] = [
    "Shared",
    "Public",
    "Other Users",
    "Shared Folders",
    "Public Folders",
    "#shared",
];

impl Side {
    /// A side as its server shows it.
    pub fn new(
        told: Option<Namespaces>,
        folders: Vec<(Listed, Option<MailboxStatus>)>,
        provider: Provider,
    ) -> Self {
        let guessed = match told.as_ref().and_then(Namespaces::primary) {
            Some(_) => None,
            None => guess_namespace(&folders),
        };
        Self {
            told,
            guessed,
            provider,
            folders,
            unreadable: 0,
            has_spellings: false,
        }
    }

    /// Pairs of listed names that may be two spellings of one folder, as its state is the same.
    pub fn alike(&self) -> Vec<(Mailbox, Mailbox)> {
        let mut seen = HashMap::new();
        let mut alike = vec![];
        for (listed, status) in &self.folders {
            let Some(state) = status.filter(MailboxStatus::is_valid) else {
                continue;
            };
            let numbers = (state.uid_validity, state.uid_next, state.messages);
            let first = *seen.entry((spelling(listed), numbers)).or_insert(&listed.mailbox);
            if *first != listed.mailbox {
                alike.push((first.clone(), listed.mailbox.clone()));
            }
        }
        alike
    }

    /// Leaves out a name that is another spelling of a folder.
    pub fn forget(&mut self, mailbox: &Mailbox) {
        self.folders.retain(|(listed, _)| listed.mailbox != *mailbox);
        self.has_spellings = true;
    }

    /// What the list says of a folder's state.
    pub fn status(&self, mailbox: &Mailbox) -> Option<MailboxStatus> {
        let mut folders = self.folders.iter();
        folders.find(|(listed, _)| listed.mailbox == *mailbox)?.1
    }

    fn primary(&self) -> Option<&Namespace> {
        let told = self.told.as_ref().and_then(Namespaces::primary);
        told.or(self.guessed.as_ref())
    }

    /// The separator of the account's own folders.
    pub fn separator(&self) -> Option<char> {
        let listed = self.folders.iter().find_map(|(listed, _)| listed.separator);
        self.primary().and_then(|space| space.separator).or(listed)
    }

    /// The separator in a folder's name.
    pub fn separator_of(&self, listed: &Listed) -> Option<char> {
        listed.separator.or(self.separator())
    }

    /// The prefix of the account's own folders, as people read it.
    pub fn prefix(&self) -> String {
        match self.primary().map(|space| space.prefix.clone()) {
            Some(wire) if !wire.is_empty() => Mailbox::from_wire(wire).name().to_owned(),
            _ => String::new(),
        }
    }

    /// A folder's name without the prefix of the account's own folders.
    pub fn bare<'a>(&self, name: &'a str) -> &'a str {
        let prefix = self.prefix();
        match name.split_at_checked(prefix.len()) {
            // Servers write INBOX in any case, also as the prefix of other names.
            Some((head, rest)) if !rest.is_empty() && head.eq_ignore_ascii_case(&prefix) => rest,
            _ => name,
        }
    }

    /// Whose a folder is. Where the server does not tell, the names that are usual for other people's folders decide
    /// (contract section 5).
    pub fn owner(&self, mailbox: &Mailbox) -> Owner {
        if let Some(told) = &self.told {
            return told.owner(mailbox);
        }
        let name = mailbox.name();
        let first = self
            .separator()
            .map_or(name, |separator| name.split(separator).next().unwrap_or(name));
        if SHARED_BY_NAME.contains(&first) {
            Owner::Shared
        } else {
            Owner::Account
        }
    }

    /// Whether a folder is the account's own and no view of others.
    pub fn is_own(&self, mailbox: &Mailbox) -> bool {
        self.owner(mailbox) == Owner::Account
    }

    /// Whether the server is Gmail.
    pub fn is_gmail(&self) -> bool {
        self.provider == Provider::Gmail
    }

    /// Whether a folder may show mail that is in other folders as well: one of a special use that gathers mail, or one of
    /// a further personal namespace. Gmail's Starred and Important are labels like others.
    pub fn is_view(&self, listed: &Listed) -> bool {
        let gathers = match SpecialUse::of(listed) {
            Some(SpecialUse::All) => true,
            Some(special) => special.is_view() && !self.is_gmail(),
            None => false,
        };
        gathers || self.owner(&listed.mailbox) == Owner::FurtherPersonal
    }

    /// Whether a folder is in a namespace that its server makes up of searches, as Dovecot's plugin "virtual" does.
    pub fn is_virtual(&self, listed: &Listed) -> bool {
        let name = listed.mailbox.name();
        let first = self
            .separator_of(listed)
            .map_or(name, |separator| name.split(separator).next().unwrap_or(name));
        self.owner(&listed.mailbox) == Owner::FurtherPersonal
            && first.to_ascii_lowercase().contains("virtual")
    }

    /// Whether a folder holds something else than mail.
    pub fn is_no_mail(&self, listed: &Listed) -> bool {
        if self.provider != Provider::Exchange {
            return false;
        }
        let bare = self.bare(listed.mailbox.name());
        let first = self
            .separator_of(listed)
            .map_or(bare, |separator| bare.split(separator).next().unwrap_or(bare));
        well_known::is_no_mail(first)
    }
}

/// Where the server does not tell (RFC 2342 is an extension): the prefix that all folders but the inbox have.
fn guess_namespace(folders: &[(Listed, Option<MailboxStatus>)]) -> Option<Namespace> {
    let separator = folders.iter().find_map(|(listed, _)| listed.separator)?;
    let prefix = format!("INBOX{separator}");
    let mut others = folders
        .iter()
        .map(|(listed, _)| listed)
        .filter(|listed| !listed.mailbox.is_inbox())
        .peekable();
    others.peek()?;
    let below = |listed: &Listed| {
        let head = listed.mailbox.wire().get(..prefix.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    others.all(below).then(|| Namespace {
        prefix: prefix.into_bytes(),
        separator: Some(separator),
    })
}

/// What a name may stand for in another spelling: INBOX in any case, also in front of others, a separator at the end, a name
/// as UTF-8 and in modified UTF-7.
fn spelling(listed: &Listed) -> String {
    let name = listed.mailbox.name();
    let name = match listed
        .separator
        .and_then(|separator| name.strip_suffix(separator))
    {
        Some(rest) if !rest.is_empty() => rest,
        _ => name,
    };
    match name.split_at_checked(5) {
        Some((head, rest)) if head.eq_ignore_ascii_case("INBOX") => format!("INBOX{rest}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str) -> Listed {
        Listed {
            mailbox: Mailbox::from_name(name),
            attributes: vec![],
            separator: Some('.'),
        }
    }

    fn guess(names: &[&str]) -> Option<String> {
        let folders: Vec<_> = names.iter().map(|name| (listed(name), None)).collect();
        let found = guess_namespace(&folders)?;
        Some(String::from_utf8_lossy(&found.prefix).into_owned())
    }

    #[test]
    fn a_prefix_is_one_only_when_all_folders_have_it() {
        assert_eq!(
            guess(&["INBOX", "INBOX.Sent", "inbox.Work"]),
            Some("INBOX.".to_owned())
        );
        assert_eq!(guess(&["INBOX", "INBOX.Sent", "Work"]), None);
        assert_eq!(guess(&["INBOX"]), None);
        assert_eq!(guess(&["INBOX", "IN"]), None);
    }

    #[test]
    fn spellings_of_a_name_in_one_state_may_be_one_folder() {
        let status = |messages| MailboxStatus {
            messages: Some(messages),
            uid_next: Some(9),
            uid_validity: Some(1),
            ..MailboxStatus::default()
        };
        let of = |names: [(&str, u64); 2]| {
            let folders = names.map(|(name, messages)| (listed(name), Some(status(messages))));
            Side::new(None, folders.to_vec(), Provider::Other).alike().len()
        };
        assert_eq!(of([("INBOX.Sent", 3), ("Inbox.Sent", 3)]), 1);
        assert_eq!(of([("INBOX.Sent", 3), ("Inbox.Sent", 4)]), 0);
        assert_eq!(of([("INBOX.Sent", 3), ("INBOX.sent", 3)]), 0);
        assert_eq!(of([("Both", 3), ("Both.", 3)]), 1);
    }

    #[test]
    fn without_namespaces_the_usual_names_decide() {
        let side = Side::new(None, vec![(listed("Work"), None)], Provider::Other);
        for (name, owner) in [
            ("Public", Owner::Shared),
            ("Shared.team", Owner::Shared),
            ("INBOX.Public", Owner::Account),
            ("Sharedthing", Owner::Account),
            ("Work.Shared", Owner::Account),
        ] {
            assert_eq!(side.owner(&Mailbox::from_name(name)), owner, "{name}");
        }
    }
}
