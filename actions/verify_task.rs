// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::container::Container;
use ns8_imapsync::error::Result;
use ns8_imapsync::sync::inspect::verify::report::VerifyReport;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::common::action::Action;
use crate::common::answer::Answer;
use crate::common::context::Context;
use crate::common::selection::TaskReference;

/// Compares both sides message by message.
pub(crate) struct VerifyTask;

/// Which task, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Whose it is.
    localuser: String,
    /// Which one.
    task_id: String,
    /// Whether every octet of every message is compared.
    #[serde(default)]
    deep: Option<bool>,
}

impl Action for VerifyTask {
    const NAME: &'static str = "verify-task";
    const ABOUT: &'static str = "Compares both sides of a task message by message";
    type Input = Input;
    type Output = Answer<VerifyReport>;

    fn run(context: &Context, input: Input) -> Result<Answer<VerifyReport>> {
        let Input {
            localuser,
            task_id,
            deep,
        } = input;
        let name = TaskReference { localuser, task_id }.find(&context.store)?;
        let mut words = vec!["verify"];
        if deep == Some(true) {
            words.push("--deep");
        }
        words.push(name.as_str());
        Container::find()?.answer(&words, None)
    }
}
