// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

use serde::{Deserialize, Serialize};

use super::FileKind;
use super::LocalUser;
use super::text::{Invalid, fit_for_a_file_name, free_of_control_characters, invalid};

/// A task's id, made by the one who creates the task; unique among the tasks of one user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(String);

impl TaskId {
    /// The longest id, in bytes.
    pub const LONGEST: usize = 64;

    /// Reads an id.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        fit_for_a_file_name(text, Self::LONGEST)?;
        Ok(Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a task's files: `<localuser>_<task_id>` (contract section 4).
///
/// It cannot be split again: both parts may hold an underscore. Who a task belongs to stands in its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskName(String);

impl TryFrom<String> for TaskName {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<TaskName> for String {
    fn from(name: TaskName) -> Self {
        name.0
    }
}

impl TaskName {
    /// The name that user and id make.
    pub fn new(user: &LocalUser, id: &TaskId) -> Self {
        Self(format!("{user}_{id}"))
    }

    /// Reads a name as it was typed or found in a folder; it need not follow today's rules for its parts,
    /// only be a plain file name.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        free_of_control_characters(text)?;
        if text.is_empty() {
            return invalid("the name of the task is empty");
        }
        if text.contains('/') || text.starts_with(['.', '-']) {
            return invalid("the name of a task has no slash in it and starts with neither a dot nor a dash");
        }
        if text.len() > LocalUser::LONGEST + TaskId::LONGEST + 1 {
            return invalid("the name of the task is too long");
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether some user and id make that name, so that it may stand in a command line.
    pub fn is_sound(&self) -> bool {
        self.0.match_indices('_').any(|(at, _)| {
            LocalUser::parse(&self.0[..at]).is_ok() && TaskId::parse(&self.0[at + 1..]).is_ok()
        })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of one of the task's files.
    pub fn file(&self, kind: FileKind) -> String {
        format!("{}.{kind}", self.0)
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_pairs_can_make_one_name() {
        let name = |user, id| TaskName::new(&LocalUser::parse(user).unwrap(), &TaskId::parse(id).unwrap());
        assert_eq!(name("a_b", "c"), name("a", "b_c"));
        assert_eq!(name("a", "b").file(FileKind::Env), "a_b.env");
    }

    #[test]
    fn a_name_that_nothing_makes_is_not_sound() {
        for (text, sound) in [
            ("u1_x", true),
            ("a_b_c", true),
            ("jörg@x.test_a1", true),
            ("u1", false),
            ("u1_", false),
            ("u1_x; touch pwned #", false),
            ("$(id)_x", false),
        ] {
            assert_eq!(TaskName::parse(text).unwrap().is_sound(), sound, "{text}");
        }
    }

    #[test]
    fn a_name_is_never_a_path() {
        for text in ["", "a/b", "..", "-x", "a\0b"] {
            assert!(TaskName::parse(text).is_err(), "{text:?} was accepted");
        }
        assert_eq!(TaskName::parse("foo_a1j44r").unwrap().as_str(), "foo_a1j44r");
    }
}
