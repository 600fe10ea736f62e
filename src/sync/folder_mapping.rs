// SPDX-License-Identifier: GPL-3.0-or-later
//! Which remote folders are pulled, and what they are called locally.

use std::collections::{HashMap, HashSet};

use fancy_regex::Regex;

use crate::imap::{Listed, Mailbox, MailboxStatus, Namespace};
use crate::task::FolderMode;

/// One side's folders as listed.
pub struct Side {
    /// Prefix and separator of the account's own folders.
    pub namespace: Option<Namespace>,
    /// The folders.
    pub folders: Vec<(Listed, Option<MailboxStatus>)>,
}

impl Side {
    fn separator(&self) -> Option<char> {
        let listed = self.folders.iter().find_map(|(listed, _)| listed.separator);
        self.namespace.as_ref().and_then(|n| n.separator).or(listed)
    }

    /// The prefix of the account's own folders.
    pub fn prefix(&self) -> String {
        let wire = self
            .namespace
            .as_ref()
            .map(|n| n.prefix.clone())
            .unwrap_or_default();
        if wire.is_empty() {
            String::new()
        } else {
            Mailbox::from_wire(wire).name().to_owned()
        }
    }
}

/// What is chosen from the remote folders.
pub struct Selection {
    /// The mode of the task.
    pub mode: FolderMode,
    /// Patterns left out, in [`FolderMode::Exclusion`].
    pub excluded: Vec<Regex>,
    /// Whether the remote side is Gmail, whose system folders have a parent of their own.
    pub gmail: bool,
}

/// A remote folder and where its mail goes.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The remote folder.
    pub remote: Mailbox,
    /// The local folder.
    pub local: Mailbox,
    /// What it is called when the local server refuses that name.
    pub fallback: Mailbox,
    /// The remote folder's status at the start.
    pub source: MailboxStatus,
    /// The local folder's; `None` when it does not exist yet.
    pub destination: Option<MailboxStatus>,
    /// Another remote folder goes to the same local one, so that neither decides what does not belong there.
    pub joined: bool,
}

impl Selection {
    /// Whether a remote folder is left out.
    pub fn excludes(&self, name: &str, separator: Option<char>, prefix: &str) -> bool {
        let bare = strip(name, prefix);
        let first = separator.map_or(bare, |s| bare.split(s).next().unwrap_or(bare));
        // Other people's mail; always left out (contract section 5).
        if matches!(first, "Shared" | "Public") {
            return true;
        }
        match self.mode {
            FolderMode::All => false,
            FolderMode::Inbox => name != "INBOX",
            // An expression that gives up on a name (back-tracking limit) does not match it.
            FolderMode::Exclusion => self
                .excluded
                .iter()
                .any(|regex| regex.is_match(name).unwrap_or(false)),
        }
    }

    /// Whether a listed remote folder is left out.
    pub fn leaves_out(&self, side: &Side, listed: &Listed) -> bool {
        self.excludes(
            listed.mailbox.name(),
            listed.separator.or(side.separator()),
            &side.prefix(),
        )
    }
}

/// Pairs every selected remote folder with its local one: the inbox first, Gmail's all-embracing folder last.
pub fn pair(remote: &Side, local: &Side, selection: &Selection) -> Vec<Pair> {
    let mut taken: HashMap<String, usize> = HashMap::new();
    let here: HashMap<&Mailbox, _> = local.folders.iter().map(|one| (&one.0.mailbox, one)).collect();
    let mut pairs = vec![];
    for (listed, status) in &remote.folders {
        if listed.has("\\Noselect") || selection.leaves_out(remote, listed) {
            continue;
        }
        let separator = listed.separator.or(remote.separator());
        let name = translate(
            listed.mailbox.name(),
            separator,
            &remote.prefix(),
            local,
            selection.gmail,
        );
        let fallback = Mailbox::from_name(&sanitize(&name, local.separator(), &local.prefix()));
        let mut target = Mailbox::from_name(&name);
        // A name that the local server refused earlier lives on under its sanitized form.
        if !here.contains_key(&target) && here.contains_key(&fallback) {
            target = fallback.clone();
        }
        *taken.entry(target.name().to_owned()).or_default() += 1;
        // A node that only holds others is no folder yet.
        let found = here.get(&target).filter(|(listed, _)| !listed.has("\\Noselect"));
        pairs.push(Pair {
            remote: listed.mailbox.clone(),
            joined: false,
            destination: found.map(|&&(_, status)| status.unwrap_or_default()),
            local: target,
            fallback,
            source: status.unwrap_or_default(),
        });
    }
    for pair in &mut pairs {
        pair.joined = taken.get(pair.local.name()).is_some_and(|&n| n > 1);
    }
    let all_mail: HashSet<&Mailbox> = remote
        .folders
        .iter()
        .filter(|(listed, _)| listed.has("\\All"))
        .map(|(listed, _)| &listed.mailbox)
        .collect();
    pairs.sort_by_key(|pair| {
        (
            all_mail.contains(&pair.remote),
            !pair.remote.is_inbox(),
            pair.remote.clone(),
        )
    });
    pairs
}

/// What every remote folder is or would be called locally, left out or not.
pub fn local_names(remote: &Side, local: &Side, selection: &Selection) -> HashSet<String> {
    let mut names = HashSet::new();
    for (listed, _) in &remote.folders {
        let separator = listed.separator.or(remote.separator());
        let name = translate(
            listed.mailbox.name(),
            separator,
            &remote.prefix(),
            local,
            selection.gmail,
        );
        names.insert(sanitize(&name, local.separator(), &local.prefix()));
        names.insert(name);
    }
    names
}

/// Whether a folder has a special use (RFC 6154), so that its owner's mail programs rely on it.
pub fn is_special(listed: &Listed) -> bool {
    special_use(listed).is_some()
}

/// The special use of a folder.
pub fn special_use(listed: &Listed) -> Option<&str> {
    const USES: [&str; 8] = [
        "\\All",
        "\\Archive",
        "\\Drafts",
        "\\Flagged",
        "\\Junk",
        "\\Sent",
        "\\Trash",
        "\\Important",
    ];
    listed
        .attributes
        .iter()
        .map(String::as_str)
        .find(|a| USES.iter().any(|u| u.eq_ignore_ascii_case(a)))
}

fn strip<'a>(name: &'a str, prefix: &str) -> &'a str {
    match name.split_at_checked(prefix.len()) {
        // Servers write INBOX in any case, also as the prefix of other names.
        Some((head, rest)) if !rest.is_empty() && head.eq_ignore_ascii_case(prefix) => rest,
        _ => name,
    }
}

/// The local name of a remote folder. The two separators change places, so that a name with the local
/// separator in it stays one name, and no two names become one.
fn translate(name: &str, separator: Option<char>, prefix: &str, local: &Side, gmail: bool) -> String {
    if name.eq_ignore_ascii_case("INBOX") {
        return "INBOX".to_owned();
    }
    let mut bare = strip(name, prefix);
    if gmail {
        for root in ["[Gmail]/", "[Google Mail]/"] {
            bare = bare.strip_prefix(root).unwrap_or(bare);
        }
    }
    let turned: String = match (separator, local.separator()) {
        (Some(from), Some(to)) if from != to => bare
            .chars()
            .map(|c| {
                if c == from {
                    to
                } else if c == to {
                    from
                } else {
                    c
                }
            })
            .collect(),
        (None, Some(to)) => bare.chars().map(|c| if c == to { '_' } else { c }).collect(),
        _ => bare.to_owned(),
    };
    format!("{}{turned}", local.prefix())
}

/// A form of a name that every server takes.
fn sanitize(name: &str, separator: Option<char>, prefix: &str) -> String {
    let (head, bare) = name.split_at(if name.starts_with(prefix) { prefix.len() } else { 0 });
    let sanitized = bare.chars().map(|c| match c {
        c if Some(c) == separator => c,
        '.' | '/' | '\\' | '*' | '%' | '~' | '"' => '_',
        c if c.is_control() => '_',
        c => c,
    });
    format!("{head}{}", sanitized.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn side(prefix: &str, separator: char, names: &[&str]) -> Side {
        let listed = |name: &&str| Listed {
            mailbox: Mailbox::from_name(name),
            attributes: vec![],
            separator: Some(separator),
        };
        Side {
            namespace: Some(Namespace {
                prefix: prefix.as_bytes().to_vec(),
                separator: Some(separator),
            }),
            folders: names.iter().map(|n| (listed(n), None)).collect(),
        }
    }

    fn select(mode: FolderMode, patterns: &[&str]) -> Selection {
        Selection {
            mode,
            excluded: patterns.iter().map(|p| Regex::new(p).unwrap()).collect(),
            gmail: false,
        }
    }

    fn names(remote: &Side, local: &Side, selection: &Selection) -> Vec<(String, String)> {
        pair(remote, local, selection)
            .into_iter()
            .map(|p| (p.remote.name().to_owned(), p.local.name().to_owned()))
            .collect()
    }

    #[test]
    fn prefixes_and_separators() {
        let remote = side(
            "INBOX.",
            '.',
            &["INBOX.Work.Sub", "inbox", "INBOX.a/b", "INBOX.Entwürfe"],
        );
        let local = side("", '/', &["INBOX"]);
        let expected = [
            ("INBOX", "INBOX"),
            ("INBOX.Entwürfe", "Entwürfe"),
            ("INBOX.Work.Sub", "Work/Sub"),
            ("INBOX.a/b", "a.b"),
        ];
        let mut got = names(&remote, &local, &select(FolderMode::All, &[]));
        got.sort();
        assert_eq!(got, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        let back = side("INBOX.", '.', &[]);
        assert_eq!(translate("a.b", Some('/'), "", &back, false), "INBOX.a/b");
        assert_eq!(sanitize("INBOX.a/b", Some('.'), "INBOX."), "INBOX.a_b");
    }

    #[test]
    fn modes_choose() {
        let remote = side(
            "",
            '/',
            &[
                "INBOX",
                "Work",
                "Work/Old",
                "Shared/x",
                "Public",
                "Sharedthing",
                "Spam.1",
            ],
        );
        let local = side("", '/', &[]);
        let chosen = |selection: &Selection| {
            names(&remote, &local, selection)
                .into_iter()
                .map(|(r, _)| r)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            chosen(&select(FolderMode::All, &["Work"])),
            ["INBOX", "Sharedthing", "Spam.1", "Work", "Work/Old"]
        );
        assert_eq!(chosen(&select(FolderMode::Inbox, &[])), ["INBOX"]);
        assert_eq!(
            chosen(&select(FolderMode::Exclusion, &["Work", "^Spam$"])),
            ["INBOX", "Sharedthing", "Spam.1"]
        );
    }

    proptest! {
        #[test]
        fn turning_separators_loses_nothing(a in "[a-c./_]{1,8}", b in "[a-c./_]{1,8}") {
            let local = side("", '/', &[]);
            let turn = |name: &str| translate(name, Some('.'), "", &local, false);
            prop_assert_eq!(a == b, turn(&a) == turn(&b));
        }
    }
}
