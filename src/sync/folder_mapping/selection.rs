// SPDX-License-Identifier: GPL-3.0-or-later
//! Which folders are pulled, and why the others are not.

use std::cell::Cell;
use std::fmt;

use super::side::Side;
use crate::imap::{Listed, Owner};
use crate::task::{FolderMode, FolderOptions, Match, Pattern};

/// Names on which a pattern may give up. Then it is not tried on further ones: an account may have thousands.
const TRIED_IN_VAIN: u32 = 20;

/// What is chosen from the remote folders.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The mode of the task.
    pub mode: FolderMode,
    /// Patterns left out, in [`FolderMode::Exclusion`].
    pub excluded: Vec<Pattern>,
    /// Where mail goes, and which mail that is.
    pub options: FolderOptions,
}

/// Why a folder is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Only the inbox is pulled.
    NotTheInbox,
    /// It is another user's.
    OtherUser,
    /// Several people share it.
    Shared,
    /// Its server makes it up of mail that is in other folders.
    Virtual,
    /// It holds appointments, contacts, notes or tasks.
    NoMail,
    /// A pattern hits it.
    Pattern(String),
    /// A pattern gave up on its name, and might hit it.
    PatternGaveUp(String),
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTheInbox => f.write_str("only the inbox is pulled"),
            Self::OtherUser => f.write_str("it belongs to another user"),
            Self::Shared => f.write_str("it is shared with other people"),
            Self::Virtual => f.write_str("it only shows mail of other folders"),
            Self::NoMail => f.write_str("Exchange keeps no mail in it"),
            Self::Pattern(pattern) => write!(f, "the pattern {pattern} excludes it"),
            Self::PatternGaveUp(pattern) => write!(
                f,
                "the pattern {pattern} takes too long to match its name; write the pattern without look-around and \
                 back-references"
            ),
        }
    }
}

/// What a pattern means among the folders of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The folder that is called so, and what is below it.
    Folder,
    /// The expression.
    Expression,
}

/// A selection among the folders of one side.
pub struct Chooser<'a> {
    selection: &'a Selection,
    side: &'a Side,
    meanings: Vec<Meaning>,
    /// On how many names each pattern gave up.
    in_vain: Vec<Cell<u32>>,
}

impl Selection {
    /// The selection among the folders of one side. A pattern with characters that mean something else that is literally
    /// the name of a folder there, or of one that has folders below it, means these.
    pub fn on<'a>(&'a self, side: &'a Side) -> Chooser<'a> {
        let is_named = |pattern: &Pattern| {
            pattern.has_metacharacters()
                && side
                    .folders
                    .iter()
                    .any(|(listed, _)| is_at_or_below(side, listed, pattern.text()))
        };
        let meanings = self.excluded.iter().map(|pattern| match is_named(pattern) {
            true => Meaning::Folder,
            false => Meaning::Expression,
        });
        Chooser {
            meanings: meanings.collect(),
            in_vain: vec![Cell::default(); self.excluded.len()],
            selection: self,
            side,
        }
    }

    /// Whether a listed folder is left out. For many folders of a side [`Selection::on`] is faster.
    pub fn leaves_out(&self, side: &Side, listed: &Listed) -> bool {
        self.on(side).reason(listed).is_some()
    }
}

impl Chooser<'_> {
    /// Why a folder is left out, if it is.
    pub fn reason(&self, listed: &Listed) -> Option<LeftOut> {
        match self.side.owner(&listed.mailbox) {
            Owner::OtherUser => return Some(LeftOut::OtherUser),
            Owner::Shared => return Some(LeftOut::Shared),
            Owner::FurtherPersonal if self.side.is_virtual(listed) => return Some(LeftOut::Virtual),
            Owner::Account | Owner::FurtherPersonal => {}
        }
        if self.side.is_no_mail(listed) {
            return Some(LeftOut::NoMail);
        }
        match self.selection.mode {
            FolderMode::All => None,
            FolderMode::Inbox => (!listed.mailbox.is_inbox()).then_some(LeftOut::NotTheInbox),
            FolderMode::Exclusion => self.pattern(listed),
        }
    }

    /// Whether a local folder is none of what this task may delete: left out, another one's, or called as other people's
    /// folders usually are.
    pub fn protects(&self, listed: &Listed) -> bool {
        let name = listed.mailbox.name();
        let first = self
            .side
            .separator_of(listed)
            .map_or(name, |separator| name.split(separator).next().unwrap_or(name));
        matches!(first, "Shared" | "Public")
            || !self.side.is_own(&listed.mailbox)
            || self.reason(listed).is_some()
    }

    fn pattern(&self, listed: &Listed) -> Option<LeftOut> {
        let mut gave_up = None;
        for at in 0..self.meanings.len() {
            let text = || self.selection.excluded[at].text().to_owned();
            match self.hit(at, listed) {
                Match::Yes => return Some(LeftOut::Pattern(text())),
                Match::GaveUp => gave_up = gave_up.or_else(|| Some(LeftOut::PatternGaveUp(text()))),
                Match::No => {}
            }
        }
        // What a pattern might hit is not copied: it may be what the administrator wants to keep away.
        gave_up
    }

    /// Whether a pattern, by its position, hits a folder.
    pub fn hit(&self, pattern: usize, listed: &Listed) -> Match {
        let (Some(meaning), Some(in_vain), Some(pattern)) = (
            self.meanings.get(pattern),
            self.in_vain.get(pattern),
            self.selection.excluded.get(pattern),
        ) else {
            return Match::No;
        };
        match meaning {
            Meaning::Expression if in_vain.get() >= TRIED_IN_VAIN => Match::GaveUp,
            Meaning::Expression => {
                let found = pattern.matches(listed.mailbox.name());
                in_vain.set(in_vain.get() + u32::from(found == Match::GaveUp));
                found
            }
            Meaning::Folder if is_at_or_below(self.side, listed, pattern.text()) => Match::Yes,
            Meaning::Folder => Match::No,
        }
    }

    /// What a pattern means here, by its position.
    pub fn meaning(&self, pattern: usize) -> Meaning {
        self.meanings.get(pattern).copied().unwrap_or(Meaning::Expression)
    }
}

/// Whether a folder has this name, or is below one that has it. The prefix of all folders may be left out.
fn is_at_or_below(side: &Side, listed: &Listed, name: &str) -> bool {
    let full = listed.mailbox.name();
    let separator = side.separator_of(listed);
    [full, side.bare(full)].into_iter().any(|listed| {
        listed.strip_prefix(name).is_some_and(|rest| {
            rest.is_empty() || separator.is_some_and(|separator| rest.starts_with(separator))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Mailbox;
    use crate::sync::folder_mapping::tests::{select, side};
    use crate::sync::folder_mapping::{Provider, Side};

    fn left_out(side: &Side, selection: &Selection) -> Vec<String> {
        let chooser = selection.on(side);
        side.folders
            .iter()
            .filter(|(listed, _)| chooser.reason(listed).is_some())
            .map(|(listed, _)| listed.mailbox.name().to_owned())
            .collect()
    }

    const GMAIL: [&str; 10] = [
        "INBOX",
        "[Gmail]/All Mail",
        "[Gmail]/All Mail Copy",
        "[Gmail]/Spam",
        "Familie",
        "Archiv",
        "Mail",
        "C++",
        "C++/Old",
        "a.b",
    ];

    #[test]
    fn a_pattern_that_is_a_folders_name_means_that_folder_and_what_is_below() {
        let remote = side("", '/', &GMAIL);
        for (pattern, out) in [
            ("[Gmail]/All Mail", &["[Gmail]/All Mail"][..]),
            (
                "[Gmail]",
                &["[Gmail]/All Mail", "[Gmail]/All Mail Copy", "[Gmail]/Spam"],
            ),
            ("C++", &["C++", "C++/Old"]),
            ("a.b", &["a.b"]),
            // All others keep their meaning.
            ("^Mail$", &["Mail"]),
            ("Mail", &["[Gmail]/All Mail", "[Gmail]/All Mail Copy", "Mail"]),
            (r"^\[Gmail\]/All Mail$", &["[Gmail]/All Mail"]),
            ("^a.", &["a.b"]),
            (
                "[FA]",
                &["[Gmail]/All Mail", "[Gmail]/All Mail Copy", "Familie", "Archiv"],
            ),
        ] {
            let selection = select(FolderMode::Exclusion, &[pattern]);
            assert_eq!(left_out(&remote, &selection), out, "{pattern}");
        }
    }

    #[test]
    fn the_prefix_of_all_folders_may_be_left_out_of_a_name() {
        let remote = side(
            "INBOX.",
            '.',
            &["INBOX", "INBOX.Work (old)", "INBOX.Work (old).2019", "INBOX.Work"],
        );
        let out = ["INBOX.Work (old)", "INBOX.Work (old).2019"];
        for pattern in ["Work (old)", "INBOX.Work (old)"] {
            let selection = select(FolderMode::Exclusion, &[pattern]);
            assert_eq!(left_out(&remote, &selection), out, "{pattern}");
        }
    }

    #[test]
    fn what_a_pattern_gives_up_on_is_left_out() {
        let long = "x".repeat(200);
        let remote = side("", '/', &["INBOX", &long]);
        let selection = select(FolderMode::Exclusion, &[r"(x+x+)+\1y"]);
        let chooser = selection.on(&remote);
        let reason = chooser.reason(&remote.folders[1].0);
        assert!(matches!(reason, Some(LeftOut::PatternGaveUp(_))), "{reason:?}");
        assert_eq!(chooser.reason(&remote.folders[0].0), None);
    }

    #[test]
    fn a_pattern_that_gives_up_again_and_again_is_not_tried_on_thousands_of_names() {
        let long: Vec<String> = (0..TRIED_IN_VAIN)
            .map(|n| format!("{}{n}", "x".repeat(200)))
            .collect();
        let mut names: Vec<&str> = long.iter().map(String::as_str).collect();
        names.push("INBOX");
        let remote = side("", '/', &names);
        let selection = select(FolderMode::Exclusion, &[r"(x+x+)+\1y"]);
        assert_eq!(left_out(&remote, &selection).len(), names.len());
    }

    #[test]
    fn only_exchange_has_folders_without_mail() {
        let names = ["INBOX", "Calendar", "Calendar/Birthdays", "Notizen", "Work/Notes"];
        let folders = side("", '/', &names).folders;
        let all = select(FolderMode::All, &[]);
        let exchange = Side::new(None, folders.clone(), Provider::Exchange);
        assert_eq!(
            left_out(&exchange, &all),
            ["Calendar", "Calendar/Birthdays", "Notizen"]
        );
        let other = Side::new(None, folders, Provider::Other);
        assert!(left_out(&other, &all).is_empty());
    }

    #[test]
    fn what_is_not_ones_own_is_protected_locally() {
        let local = side(
            "",
            '/',
            &["INBOX", "Public", "Shared/team", "Work", "Sharedthing"],
        );
        let selection = select(FolderMode::All, &[]);
        let chooser = selection.on(&local);
        let protected: Vec<_> = local
            .folders
            .iter()
            .filter(|(listed, _)| chooser.protects(listed))
            .map(|(listed, _)| listed.mailbox.clone())
            .collect();
        assert_eq!(
            protected,
            [Mailbox::from_name("Public"), Mailbox::from_name("Shared/team")]
        );
    }
}
