// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::error::Result;
use ns8_imapsync::secret::SecretText;
use ns8_imapsync::source::oauth::flow::{self, Return, SignInProgress};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::provider;

/// Asks whether a sign-in is done, or completes it with what the provider gave the browser.
pub(crate) struct CompleteSignIn;

/// Which sign-in, and what the browser brought back. With neither code nor address a device code is asked about.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// What begin-sign-in named it.
    state: String,
    /// authorization-code: the code that the provider gave.
    #[serde(default)]
    code: Option<SecretText>,
    /// authorization-code: the whole address that the browser ended at, instead of the code.
    #[serde(default)]
    address: Option<SecretText>,
}

impl Action for CompleteSignIn {
    const NAME: &'static str = "complete-sign-in";
    const ABOUT: &'static str = "Asks whether a sign-in at the provider is done, or completes it";
    type Input = Input;
    type Output = SignInProgress;

    fn run(context: &Context, input: Input) -> Result<SignInProgress> {
        let secret = |text: Option<SecretText>| {
            text.filter(|text| !text.expose().is_empty())
                .map(SecretText::into_secret)
        };
        let came_back = Return {
            code: secret(input.code),
            address: secret(input.address),
        };
        flow::complete(&context.sources, &input.state, came_back, &provider::network())
            .map_err(provider::flow_error)
    }
}
