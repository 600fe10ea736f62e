// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::container::Container;
use ns8_imapsync::control::candidate::Candidate;
use ns8_imapsync::error::Result;
use ns8_imapsync::sync::inspect::login_test::LoginTestReport;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::fields::TaskFields;

/// Tests settings without storing them. It answers a question, so a login that fails is an answer, too.
pub struct ValidateTask;

impl Action for ValidateTask {
    const NAME: &'static str = "validate-task";
    const ABOUT: &'static str = "Tests the login of a task's settings on both sides; stores nothing";
    type Input = TaskFields;
    type Output = LoginTestReport;

    fn run(context: &Context, fields: TaskFields) -> Result<LoginTestReport> {
        let candidate = Candidate::complete(&context.store, fields.parse(&context.sources)?)?;
        Container::find()?.validate(&candidate.wire())
    }
}
