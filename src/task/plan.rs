// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.plan`: what an administrator decided about a task in addition to its settings. It is changed while the task runs, and
//! stops no run.

use serde::{Deserialize, Serialize};

use super::Bandwidth;
use super::text::{Invalid, free_of_control_characters, invalid};

/// The longest name of a batch, in bytes.
const LONGEST_BATCH: usize = 128;

/// The name of the batch that a task belongs to; empty for none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchName(String);

impl BatchName {
    /// Reads a name as people write it.
    ///
    /// # Errors
    /// When it is too long, or has a control character in it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        free_of_control_characters(text)?;
        match text.len() > LONGEST_BATCH {
            true => invalid(format!("it is longer than {LONGEST_BATCH} bytes")),
            false => Ok(Self(text.to_owned())),
        }
    }

    /// The name; empty for none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a task's schedule waits, which tasks it belongs to, and how much of the line it may take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// Whether the schedule starts nothing until somebody says so; it stays what it is.
    pub on_hold: bool,
    /// The tasks that are moved together.
    pub batch: BatchName,
    /// How much its run may pull in a second; a run at work follows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<Bandwidth>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_a_short_line() {
        assert_eq!(BatchName::parse(" Week 12 ").unwrap().as_str(), "Week 12");
        assert_eq!(BatchName::parse("").unwrap(), BatchName::default());
        assert!(BatchName::parse("a\nb").is_err());
        assert!(BatchName::parse(&"a".repeat(LONGEST_BATCH + 1)).is_err());
    }

    #[test]
    fn what_is_missing_is_the_usual() {
        assert_eq!(serde_json::from_str::<Plan>("{}").unwrap(), Plan::default());
    }
}
