// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::container::Container;
use ns8_imapsync::error::Result;
use ns8_imapsync::secret::SecretText;
use ns8_imapsync::sync::inspect::source_test::Report;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::fields::{mailbox_of, source_id};

/// Tests a source with one mailbox: a token, the login, the list of folders, the inbox.
pub(crate) struct TestSource;

/// Which source, and with which mailbox.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Its id.
    source_id: String,
    /// The mailbox.
    #[schemars(length(min = 1))]
    mailbox: String,
    /// The mailbox's password, where each task has its own.
    #[serde(default)]
    password: Option<SecretText>,
}

impl Action for TestSource {
    const NAME: &'static str = "test-source";
    const ABOUT: &'static str = "Tests a source with one mailbox, step by step; stores nothing";
    type Input = Input;
    type Output = Report;

    fn run(context: &Context, input: Input) -> Result<Report> {
        let source = context.sources.load(&source_id(&input.source_id)?)?;
        let mailbox = mailbox_of(&source, &input.mailbox)?;
        let password = input.password.map(SecretText::into_secret).unwrap_or_default();
        Container::find()?.test_source(&source.id, &mailbox, &password)
    }
}
