// SPDX-License-Identifier: GPL-3.0-or-later
//! What tests of several files share: the names of a sandbox's first task, and actions that must succeed.

use anyhow::ensure;
use sandbox::{MASTER_PASSWORD, Outcome, Sandbox};
use serde_json::Value;

/// The task that [`Sandbox::task_input`] describes.
pub(crate) const TASK: &str = "u1_abc123";
/// Its remote user.
pub(crate) const USER: &str = "r1@example.com";

/// What no action may say: passwords, and the words of a crash.
const NEVER_SAID: [&str; 6] = [
    "Pw-r1!",
    "Pw-r2!",
    "Not-the-one",
    MASTER_PASSWORD,
    "panicked",
    "RUST_BACKTRACE",
];

/// Runs an action that must succeed.
pub(crate) fn run_action(sandbox: &Sandbox, action: &str, input: Value) -> anyhow::Result<Outcome> {
    let outcome = sandbox.action(action, input)?;
    ensure!(outcome.is_ok(), "{action}: {outcome:#?}");
    tells_no_secret(&outcome)?;
    Ok(outcome)
}

/// Runs an action that must succeed, and gives its output.
pub(crate) fn action_output(sandbox: &Sandbox, action: &str, input: Value) -> anyhow::Result<Value> {
    Ok(run_action(sandbox, action, input)?.output)
}

/// No password and no panic in what an action says.
pub(crate) fn tells_no_secret(outcome: &Outcome) -> anyhow::Result<()> {
    for word in NEVER_SAID {
        ensure!(
            !outcome.stdout.contains(word) && !outcome.stderr.contains(word),
            "{word} in {outcome:#?}"
        );
    }
    Ok(())
}
