// SPDX-License-Identifier: GPL-3.0-or-later
//! What an action, an event or a helper left behind.

use std::time::Duration;

use serde_json::Value;

/// The end of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// 0, the step's own, or one of the agent's (8 to 31); -1 for a step ended by a signal.
    pub exit_code: i32,
    /// `completed`, `aborted` or `validation-failed`.
    pub status: &'static str,
    /// The standard output of all steps as JSON; null when there was none, a string when it was no JSON.
    pub output: Value,
    /// The same, as it was printed.
    pub stdout: String,
    /// The standard error of all steps: the journal.
    pub stderr: String,
    /// What came over the agent's descriptor, line by line, split into words.
    pub commands: Vec<Vec<String>>,
    /// How long all steps took.
    pub elapsed: Duration,
}

impl Outcome {
    /// The status of an action that succeeded.
    pub const COMPLETED: &'static str = "completed";
    /// The status of an action that failed.
    pub const ABORTED: &'static str = "aborted";
    /// The status of an action that refused its input.
    pub const VALIDATION_FAILED: &'static str = "validation-failed";

    /// The keys of a refusal, in the order given.
    pub fn errors(&self) -> Vec<String> {
        let Some(errors) = self.output.as_array() else {
            return Vec::new();
        };
        errors
            .iter()
            .filter_map(|error| error["error"].as_str())
            .map(str::to_owned)
            .collect()
    }

    /// Whether the action completed with exit code 0.
    pub fn is_ok(&self) -> bool {
        self.status == Self::COMPLETED && self.exit_code == 0
    }

    pub(super) fn ended(exit_code: i32, validation_failed: bool, stdout: &[u8], stderr: &[u8]) -> Self {
        let stdout = String::from_utf8_lossy(stdout).into_owned();
        let output = match stdout.trim() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(stdout.clone())),
        };
        let status = match (validation_failed, exit_code) {
            (true, _) => Self::VALIDATION_FAILED,
            (false, 0) => Self::COMPLETED,
            (false, _) => Self::ABORTED,
        };
        let stderr = String::from_utf8_lossy(stderr).into_owned();
        Self {
            exit_code,
            status,
            output,
            stdout,
            stderr,
            commands: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    pub(super) fn aborted(exit_code: i32) -> Self {
        Self::ended(exit_code, false, b"", b"")
    }

    pub(super) fn refused(exit_code: i32, errors: &Value) -> Self {
        Self::ended(exit_code, true, errors.to_string().as_bytes(), b"")
    }
}

/// The end of a helper or an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelperOutcome {
    /// Its exit code; -1 when a signal ended it.
    pub exit_code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it had to say.
    pub stderr: String,
}
