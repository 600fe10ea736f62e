// SPDX-License-Identifier: GPL-3.0-or-later
//! What each exclusion pattern hits, for the person who wrote it.

use serde::{Deserialize, Serialize};

use super::selection::{Meaning, Selection};
use super::side::Side;
use crate::task::{FolderMode, Match};

/// Folders named one by one; beyond, they are counted.
const NAMED: usize = 200;

/// What a pattern hits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PatternHits {
    /// The pattern as it was written.
    pub pattern: String,
    /// Whether it is taken for a folder's name, and means that folder and what is below it, or for an expression.
    pub is_name: bool,
    /// Folders that it leaves out, by name; at most 200.
    pub folders: Vec<String>,
    /// How many these are.
    pub count: u64,
    /// How many folders there are.
    pub of: u64,
}

impl PatternHits {
    /// What is odd about the pattern, if anything is.
    pub fn warning(&self) -> Option<String> {
        let Self {
            pattern, count, of, ..
        } = self;
        if *count == 0 {
            Some(format!("the pattern {pattern} matches no folder"))
        } else if *count * 2 > *of {
            Some(format!(
                "the pattern {pattern} leaves out {count} of {of} folders"
            ))
        } else {
            None
        }
    }
}

/// What each pattern of a selection hits among the account's own folders.
pub fn pattern_hits(remote: &Side, selection: &Selection) -> Vec<PatternHits> {
    if selection.mode != FolderMode::Exclusion {
        return vec![];
    }
    let chooser = selection.on(remote);
    let own: Vec<_> = remote
        .folders
        .iter()
        .map(|(listed, _)| listed)
        .filter(|listed| !listed.has("\\Noselect") && remote.is_own(&listed.mailbox))
        .collect();
    let hits = |(at, pattern): (usize, &crate::task::Pattern)| {
        let hit: Vec<_> = own
            .iter()
            .filter(|listed| chooser.hit(at, listed) != Match::No)
            .map(|listed| listed.mailbox.name().to_owned())
            .collect();
        PatternHits {
            pattern: pattern.text().to_owned(),
            is_name: chooser.meaning(at) == Meaning::Folder,
            count: hit.len() as u64,
            of: own.len() as u64,
            folders: hit.into_iter().take(NAMED).collect(),
        }
    };
    selection.excluded.iter().enumerate().map(hits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::folder_mapping::tests::{select, side};

    #[test]
    fn a_pattern_that_hits_nothing_or_too_much_is_told() {
        let remote = side(
            "",
            '/',
            &["INBOX", "Spam", "[Gmail]/Spam", "[Gmail]/All Mail", "Work"],
        );
        let selection = select(FolderMode::Exclusion, &["[Gmail]", "^spam$", "^Work$", "a|o|I"]);
        let hits = pattern_hits(&remote, &selection);
        assert_eq!(hits[0].folders, ["[Gmail]/Spam", "[Gmail]/All Mail"]);
        assert!(hits[0].is_name && hits[0].warning().is_none());
        assert_eq!(hits[1].warning().unwrap(), "the pattern ^spam$ matches no folder");
        assert_eq!(hits[2].warning(), None);
        assert_eq!(
            hits[3].warning().unwrap(),
            "the pattern a|o|I leaves out 5 of 5 folders"
        );
        assert!(pattern_hits(&remote, &select(FolderMode::All, &["x"])).is_empty());
    }
}
