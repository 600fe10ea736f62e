// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::container::Container;
use ns8_imapsync::control::settings::TaskSettings;
use ns8_imapsync::error::{ErrorKey, Result};
use ns8_imapsync::sync::inspect::login_test::LoginTestReport;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::fields::TaskFields;
use crate::common::mail_server;

/// Tests settings without storing them. It answers a question, so a login that fails is an answer, too.
pub(crate) struct ValidateTask;

impl Action for ValidateTask {
    const NAME: &'static str = "validate-task";
    const ABOUT: &'static str = "Tests the login of a task's settings on both sides; stores nothing";
    type Input = TaskFields;
    type Output = LoginTestReport;

    fn run(context: &Context, fields: TaskFields) -> Result<LoginTestReport> {
        let settings = TaskSettings::complete(&context.store, fields.parse(&context.sources)?)?;
        let mut report = Container::find()?.validate(&settings.candidate())?;
        let unknown = ErrorKey::LocalUserUnknown.to_string();
        if report.local.status == unknown
            && mail_server::is_mailbox(context, settings.task().local_user.as_str())
        {
            report.local.status = ErrorKey::MasterCredentialsRefused.to_string();
            report.local.message = mail_server::MASTER_REFUSED.to_owned();
        }
        Ok(report)
    }
}
