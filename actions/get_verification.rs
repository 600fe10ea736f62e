// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::error::Result;
use ns8_imapsync::sync::inspect::verify::report::VerifyReport;
use schemars::JsonSchema;
use serde::Serialize;

use crate::common::action::Action;
use crate::common::answer::Answer;
use crate::common::batch_report;
use crate::common::context::Context;
use crate::common::selection::TaskReference;

/// Tells what the last comparison of a task with its batch found, from what is stored.
pub(crate) struct GetVerification;

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verification {
    /// When both sides were compared, in seconds since 1970; null where they were not.
    at: Option<i64>,
    /// What was found, or why there is no answer; null where nothing was compared.
    answer: Option<Answer<VerifyReport>>,
}

impl Action for GetVerification {
    const NAME: &'static str = "get-verification";
    const ABOUT: &'static str = "Tells what the last comparison of a task found";
    type Input = TaskReference;
    type Output = Verification;

    fn run(context: &Context, task: TaskReference) -> Result<Verification> {
        let name = task.find_if_there(&context.store)?;
        let found = name.and_then(|name| batch_report::verification(&context.store, &name));
        let (at, answer) = found.map(|found| (found.at, found.answer)).unzip();
        Ok(Verification { at, answer })
    }
}
