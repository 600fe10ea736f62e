// SPDX-License-Identifier: GPL-3.0-or-later
//! Every field of every action with what must never be in it: a refusal that names the field and changes nothing,
//! or a task that works with exactly that value.
//!
//! The forms of each field of create-task are tested next to its types; here is what the agent and the mail servers
//! make of them.

mod fields;
mod names;
mod settings;
mod values;

use anyhow::ensure;
use sandbox::{Outcome, Sandbox};
use serde_json::{Value, json};

use crate::support::{action_output, tells_no_secret};

/// Paths, globs, words of shells and regular expressions, quotes, blanks, control characters: none is a name.
const NO_NAMES: [&str; 42] = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/etc/passwd",
    "a\\b",
    "*",
    "a?",
    "[a]",
    "{a,b}",
    "a b",
    " a",
    "a ",
    "$(id)",
    "${HOME}",
    "`id`",
    "a;b",
    "a|b",
    "a&b",
    "a'b",
    "a\"b",
    "a%b",
    "-a",
    ".a",
    "a<b",
    "a>b",
    "a,b",
    "a#b",
    "~",
    "!",
    "^a$",
    "(a)",
    "::1",
    "a\nb",
    "a\rb",
    "a\tb",
    "a\0b",
    "\u{1b}[2J",
    "a\u{85}b",
    "a\u{2028}b",
    "\u{7f}",
];
const LONG: usize = 5000;

/// The actions with input, each of which a test below is about, or one of `sources::describing`.
const WITH_INPUT: [&str; 34] = [
    "assess-batch",
    "begin-sign-in",
    "browse-folders",
    "check-domains",
    "compare-again",
    "complete-sign-in",
    "configure-module",
    "confirm-deletions",
    "create-task",
    "delete-source",
    "delete-task",
    "get-batch",
    "get-batch-report",
    "get-history",
    "get-job",
    "get-log",
    "get-progress",
    "get-verification",
    "import-tasks",
    "list-informations",
    "list-tasks",
    "preview-task",
    "save-source",
    "set-batch-step",
    "start-batch",
    "start-task",
    "stop-batch-job",
    "stop-job",
    "stop-task",
    "test-source",
    "update-tasks",
    "validate-task",
    "verify-batch",
    "verify-task",
];

#[test]
fn no_action_with_input_is_forgotten() -> anyhow::Result<()> {
    let mut found = Vec::new();
    for entry in sandbox::project().join("imageroot/actions").read_dir()? {
        let action = entry?;
        if action.path().join("validate-input.json").exists() {
            found.push(action.file_name().to_string_lossy().into_owned());
        }
    }
    found.sort();
    assert_eq!(found, WITH_INPUT);
    Ok(())
}

/// [`NO_NAMES`], and one that is too long.
pub(crate) fn no_names() -> Vec<String> {
    let long = "x".repeat(LONG);
    NO_NAMES.into_iter().map(str::to_owned).chain([long]).collect()
}

/// The input with another value in one field.
pub(crate) fn with(input: &Value, field: &str, value: Value) -> Value {
    let mut input = input.clone();
    input[field] = value;
    input
}

/// Runs an action that must refuse this field by its own key.
pub(crate) fn refused(
    sandbox: &Sandbox,
    action: &str,
    input: &Value,
    field: &str,
) -> anyhow::Result<Outcome> {
    let outcome = sandbox.action(action, input.clone())?;
    ensure!(
        outcome.status == Outcome::VALIDATION_FAILED && outcome.exit_code != 0,
        "{action} {input}: {outcome:#?}"
    );
    let named = outcome.output.as_array().into_iter().flatten().any(|refusal| {
        refusal["parameter"] == field && refusal["error"].as_str().is_some_and(|key| !key.is_empty())
    });
    ensure!(named, "{action} {input} does not name {field}: {outcome:#?}");
    tells_no_secret(&outcome)?;
    Ok(outcome)
}

/// Types that a text is not.
pub(crate) fn no_texts() -> [Value; 5] {
    [json!(1), json!(1.5), json!(true), json!([]), json!({})]
}

/// A sandbox with the task `u1_abc123`, which never ran.
pub(crate) fn with_a_task() -> anyhow::Result<Sandbox> {
    let sandbox = Sandbox::start()?;
    action_output(
        &sandbox,
        "create-task",
        sandbox.task_with(json!({"start": false})),
    )?;
    Ok(sandbox)
}
