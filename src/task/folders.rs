// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

use super::patterns::{self, Pattern};
use super::text::{Invalid, free_of_control_characters, invalid};

/// Which folders of the remote account are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FolderMode {
    /// All of them.
    All,
    /// The unread messages of the inbox.
    Inbox,
    /// All but those that match an exclusion pattern.
    Exclusion,
}

impl FolderMode {
    /// Reads the field `foldersynchronization`.
    ///
    /// # Errors
    /// For any text that is none of the three.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "all" => Ok(Self::All),
            "inbox" => Ok(Self::Inbox),
            "exclusion" => Ok(Self::Exclusion),
            _ => invalid("expected one of all, inbox or exclusion"),
        }
    }

    /// The field `foldersynchronization`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Inbox => "inbox",
            Self::Exclusion => "exclusion",
        }
    }

    /// `FOLDER_INBOX` of a task file.
    pub fn as_option(self) -> &'static str {
        match self {
            Self::Inbox => r"--folder\ 'INBOX'",
            Self::All | Self::Exclusion => "",
        }
    }
}

impl fmt::Display for FolderMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Patterns of folder names that are left out: Perl-like expressions, unanchored, case-sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Exclusions(Vec<String>);

impl Exclusions {
    /// Reads the field `exclude`: patterns between commas; blanks around a comma don't count. A comma inside `{1,2}`,
    /// `[a,b]` or `(a,b)` is none of these.
    ///
    /// # Errors
    /// When a pattern is empty or no valid expression.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        free_of_control_characters(text)?;
        // The web page sends back what list-tasks gave it, with the leading comma as stored.
        let text = text.strip_prefix(',').unwrap_or(text);
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let patterns: Vec<String> = patterns::split(text)
            .into_iter()
            .map(|pattern| pattern.trim().to_owned())
            .collect();
        for pattern in &patterns {
            if pattern.is_empty() {
                return invalid(
                    "there is an empty pattern, which would exclude every folder; remove the comma",
                );
            }
            Pattern::compile(pattern)?;
        }
        Ok(Self(patterns))
    }

    /// Reads `EXCLUDE` of a task file. What an older version let through stays as it is: a pattern that is
    /// no expression is reported by [`Exclusions::matchers`], when the task runs.
    pub fn from_stored(text: &str) -> Self {
        let patterns = patterns::split(text.strip_prefix(',').unwrap_or(text))
            .into_iter()
            .map(str::trim)
            .filter(|pattern| !pattern.is_empty());
        Self(patterns.map(str::to_owned).collect())
    }

    /// `EXCLUDE` of a task file: every pattern with a comma before it.
    pub fn as_stored(&self) -> String {
        self.0.iter().map(|pattern| format!(",{pattern}")).collect()
    }

    /// The patterns.
    pub fn patterns(&self) -> &[String] {
        &self.0
    }

    /// The patterns, ready to match.
    ///
    /// # Errors
    /// When a pattern from an older file is no valid expression.
    pub fn matchers(&self) -> Result<Vec<Pattern>, Invalid> {
        self.0.iter().map(|pattern| Pattern::compile(pattern)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Match;

    #[test]
    fn patterns_are_kept_as_given_without_the_blanks_around_commas() {
        for (text, stored) in [
            ("", ""),
            ("folder1,folder2", ",folder1,folder2"),
            (" folder1 , ^folder3$ ", ",folder1,^folder3$"),
            (",Work,Spam", ",Work,Spam"),
            ("Gelöschte Objekte", ",Gelöschte Objekte"),
            ("Sp.{1,2}m, [a,b]", ",Sp.{1,2}m,[a,b]"),
        ] {
            let exclusions = Exclusions::parse(text).unwrap();
            assert_eq!(exclusions.as_stored(), stored);
            assert_eq!(Exclusions::from_stored(stored), exclusions);
        }
    }

    #[test]
    fn a_pattern_that_matches_everything_or_nothing_is_refused() {
        for text in ["a,,b", "a,", "a, ,b", "(", "[", "*", "a\nb"] {
            assert!(Exclusions::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn matching_is_unanchored_and_case_sensitive() {
        let exclusions = Exclusions::parse("Spam,^Work$").unwrap();
        let matchers = exclusions.matchers().unwrap();
        let hit = |name: &str| matchers.iter().any(|matcher| matcher.matches(name) == Match::Yes);
        assert!(hit("Old/Spam/2020") && hit("Work"));
        assert!(!hit("Work/Sub") && !hit("spam"));
    }
}
