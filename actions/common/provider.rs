// SPDX-License-Identifier: GPL-3.0-or-later
//! What the actions say that talk to a provider of tokens.

use anyhow::anyhow;
use ns8_imapsync::error::{Error, ErrorKey, Refusal};
use ns8_imapsync::source::oauth::discovery::DiscoveryError;
use ns8_imapsync::source::oauth::flow::FlowError;
use ns8_imapsync::source::oauth::{Network, TokenError};

/// The way to providers, as the instance's settings have it.
pub(crate) fn network() -> Network {
    Network::of_settings(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// A sign-in that cannot go on, as an error of an action.
pub(crate) fn flow_error(error: FlowError) -> Error {
    match error {
        FlowError::NoSignIn => Refusal::new(
            "source_id",
            ErrorKey::Invalid("source_id"),
            "the owners of this source's mailboxes need not sign in: leave that step out",
        )
        .into(),
        FlowError::Redirect(invalid) => Refusal::new(
            "redirect_uri",
            ErrorKey::Invalid("redirect_uri"),
            invalid.to_string(),
        )
        .into(),
        FlowError::Return(invalid) => {
            Refusal::new("address", ErrorKey::Invalid("address"), invalid.to_string()).into()
        }
        FlowError::Token(error) => token_error("source_id", error),
    }
}

/// A provider whose endpoints are not known, as an error of an action.
pub(crate) fn discovery_error(error: DiscoveryError) -> Error {
    match error {
        DiscoveryError::Issuer(invalid) => {
            Refusal::new("issuer", ErrorKey::Invalid("issuer"), invalid.to_string()).into()
        }
        DiscoveryError::Provider(error) => token_error("issuer", error),
    }
}

fn token_error(parameter: &'static str, error: TokenError) -> Error {
    match error {
        TokenError::Failed(reason) => anyhow!(reason).into(),
        error => Refusal::new(parameter, error.key(), error.to_string()).into(),
    }
}
