// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::error::Result;
use ns8_imapsync::source::oauth::flow::{self, Begun};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::fields::{mailbox, source_id};
use crate::common::provider;

/// Begins the sign-in of a mailbox's owner at the provider.
pub(crate) struct BeginSignIn;

/// Whose mailbox.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The source.
    source_id: String,
    /// The mailbox.
    #[schemars(length(min = 1))]
    mailbox: String,
    /// authorization-code: where the provider sends the browser afterwards, as the application has it registered.
    #[serde(default)]
    redirect_uri: Option<String>,
}

impl Action for BeginSignIn {
    const NAME: &'static str = "begin-sign-in";
    const ABOUT: &'static str = "Begins the sign-in of a mailbox's owner at the provider";
    type Input = Input;
    type Output = Begun;

    fn run(context: &Context, input: Input) -> Result<Begun> {
        let source = context.sources.load(&source_id(&input.source_id)?)?;
        let mailbox = mailbox(&input.mailbox)?;
        let redirect = input.redirect_uri.as_deref();
        flow::begin(
            &context.sources,
            &source,
            &mailbox,
            redirect,
            &provider::network(),
        )
        .map_err(provider::flow_error)
    }
}
