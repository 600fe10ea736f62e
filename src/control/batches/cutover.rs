// SPDX-License-Identifier: GPL-3.0-or-later
//! What has been done on the way from the old server to the new one.

use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::control::state_files::StateFiles;
use crate::error::Result;
use crate::files;
use crate::task::{BatchName, Store};

/// Another step that is noted takes no longer.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// A step of the cut-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// All tasks have run once more.
    LastDelta,
    /// Others remember the MX record for minutes only.
    LowerTtl,
    /// The MX record names the new server.
    ChangeMx,
    /// All tasks have run after that.
    FinalDelta,
    /// Both sides were compared.
    Verify,
    /// No schedule starts anything any more.
    EndSchedules,
    /// The old server is not needed any more.
    Done,
}

/// When each step was done, in seconds since 1970; null for those to come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Cutover {
    last_delta: Option<i64>,
    lower_ttl: Option<i64>,
    change_mx: Option<i64>,
    final_delta: Option<i64>,
    verify: Option<i64>,
    end_schedules: Option<i64>,
    done: Option<i64>,
}

impl Cutover {
    /// That of a batch, to be shown: of one that cannot be read, no step is done.
    pub fn of(store: &Store, batch: &BatchName) -> Self {
        stored(store, batch).show().unwrap_or_default()
    }

    fn step(&mut self, step: Step) -> &mut Option<i64> {
        match step {
            Step::LastDelta => &mut self.last_delta,
            Step::LowerTtl => &mut self.lower_ttl,
            Step::ChangeMx => &mut self.change_mx,
            Step::FinalDelta => &mut self.final_delta,
            Step::Verify => &mut self.verify,
            Step::EndSchedules => &mut self.end_schedules,
            Step::Done => &mut self.done,
        }
    }
}

fn stored(store: &Store, batch: &BatchName) -> StateFiles {
    super::stored(store, batch, "cutover")
}

/// Notes when a step was done, or that it is not.
///
/// # Errors
/// Whatever the file system says. What cannot be read is not written over: it holds the other steps.
pub fn note(store: &Store, batch: &BatchName, step: Step, at: Option<i64>) -> Result<()> {
    let stored = stored(store, batch);
    let lock = stored.open_lock()?;
    files::lock(&lock, LOCK_WAIT).context("another process notes a step of this batch; try again")?;
    let mut cutover: Cutover = stored.read()?.unwrap_or_default();
    *cutover.step(step) = at;
    stored.write(&cutover)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Layout;

    #[test]
    fn steps_are_kept_with_their_batch() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Layout::in_container(folder.path()));
        let [one, other] = ["Week 12", "Week 13"].map(|name| BatchName::parse(name).unwrap());
        assert_eq!(Cutover::of(&store, &one), Cutover::default());
        note(&store, &one, Step::LastDelta, Some(5)).unwrap();
        note(&store, &one, Step::Verify, Some(6)).unwrap();
        note(&store, &one, Step::LastDelta, None).unwrap();
        let expected = Cutover {
            verify: Some(6),
            ..Cutover::default()
        };
        assert_eq!(Cutover::of(&store, &one), expected);
        assert_eq!(Cutover::of(&store, &other), Cutover::default());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Layout::in_container(folder.path()));
        let batch = BatchName::parse("Week 12").unwrap();
        note(&store, &batch, Step::LastDelta, Some(5)).unwrap();
        let file = stored(&store, &batch).file("json");
        std::fs::write(&file, "{\"last_delta\":5,").unwrap();
        let error = note(&store, &batch, Step::Verify, Some(6)).unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"last_delta\":5,");
        assert_eq!(Cutover::of(&store, &batch), Cutover::default());
    }
}
