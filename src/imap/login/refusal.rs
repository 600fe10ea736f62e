// SPDX-License-Identifier: GPL-3.0-or-later
//! What the answer to a login means: whether another way in is worth a try, and what a person is told.

use super::credentials::Credentials;
use crate::imap::capability::Capabilities;
use crate::imap::error::Error;
use crate::imap::response::{Kind, StatusLine};

/// What an answer says about the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginAnswer {
    /// The login works.
    LoggedIn,
    /// The server does not know this way in; the credentials were not looked at.
    NotThisWay,
    /// The credentials were refused, or the way in: the server does not tell which.
    Refused,
    /// Another try changes nothing, or makes it worse: locked, throttled, more to be done by a person.
    Final,
}

/// Accounts that are kept closed for other reasons than a wrong password; each further try may prolong it.
const CLOSED: [&str; 17] = [
    "lock",
    "too many",
    "blocked",
    "suspended",
    "disabled account",
    "account disabled",
    "account is disabled",
    "account has been disabled",
    "expired",
    "try again later",
    "application-specific password",
    "web login required",
    "attempts",
    "banned",
    "access is disabled",
    "access disabled",
    "not enabled for imap",
];

/// A way in that the server does not take, in words.
const NO_WAY: [&str; 6] = [
    "mechanism",
    "not supported",
    "unsupported",
    "unknown command",
    "not implemented",
    "unrecognized",
];

pub(super) fn judge(answer: &StatusLine) -> LoginAnswer {
    let text = answer.text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let final_codes = [
        "NOPERM",
        "PRIVACYREQUIRED",
        "EXPIRED",
        "ALERT",
        "WEBALERT",
        "REFERRAL",
        "AUTHORIZATIONFAILED",
    ];
    if answer.is_ok() {
        LoginAnswer::LoggedIn
    } else if answer.kind == Kind::Bad && says(&["argument", "parameter"]) {
        // It did not understand the command: an initial response, for one.
        LoginAnswer::NotThisWay
    } else if final_codes.iter().any(|code| answer.has_code(code)) || answer.is_temporary() || says(&CLOSED) {
        LoginAnswer::Final
    } else if answer.kind == Kind::Bad || answer.has_code("CANNOT") || says(&NO_WAY) {
        LoginAnswer::NotThisWay
    } else {
        LoginAnswer::Refused
    }
}

/// The error for a refused login. RFC 5530 tells a wrong password from a server in trouble.
pub(super) fn error(
    answer: &StatusLine,
    reason: Option<&str>,
    credentials: &Credentials,
    capabilities: &Capabilities,
) -> Error {
    let text = match reason {
        Some(reason) => format!("{answer} ({reason})"),
        None => answer.to_string(),
    };
    if answer.has_code("PRIVACYREQUIRED") {
        Error::Tls(text)
    } else if !answer.has_code("AUTHENTICATIONFAILED")
        && (answer.kind == Kind::No && answer.is_temporary() || answer.is_throttled())
    {
        Error::Unavailable(text)
    } else if matches!(credentials, Credentials::Token { .. }) {
        Error::Token(text)
    } else {
        Error::Credentials(format!("{text}{}", hint(answer, credentials, capabilities)))
    }
}

/// What else may be wrong than the password.
fn hint(answer: &StatusLine, credentials: &Credentials, capabilities: &Capabilities) -> String {
    let offered = capabilities.sasl();
    let oauth = takes_tokens(capabilities);
    let passwords = ["PLAIN", "LOGIN"].iter().any(|name| offered.contains(name));
    if !offered.is_empty() && !passwords {
        format!("; {}", ways(&offered, credentials))
    } else if oauth && !answer.has_code("AUTHENTICATIONFAILED") {
        "; the server also signs in with OAuth 2.0, and may take no passwords at all for this account"
            .to_owned()
    } else {
        String::new()
    }
}

/// Whether the server signs in with OAuth 2.0.
fn takes_tokens(capabilities: &Capabilities) -> bool {
    capabilities.has_sasl("XOAUTH2") || capabilities.has_sasl("OAUTHBEARER")
}

/// The error where the server has no way in for these credentials.
pub(super) fn no_way_in(credentials: &Credentials, capabilities: &Capabilities, encrypted: bool) -> Error {
    let offered = capabilities.sasl();
    match credentials {
        Credentials::Token { .. } => Error::NoWayIn(format!(
            "the server does not sign in with OAuth 2.0: {}",
            ways(&offered, credentials)
        )),
        Credentials::Delegated { .. } => Error::NoWayIn(format!(
            "an administrator opens mailboxes by SASL PLAIN, which the server does not offer: {}",
            ways(&offered, credentials)
        )),
        Credentials::Password { .. } if !encrypted && offered.is_empty() => {
            Error::Tls("the server takes passwords only over an encrypted connection".to_owned())
        }
        Credentials::Password { .. } => Error::NoWayIn(format!(
            "the server takes no password: {}",
            ways(&offered, credentials)
        )),
    }
}

/// What a server offers, and what to do about it. It makes up the names, from what it was told before, too.
fn ways(offered: &[&str], credentials: &Credentials) -> String {
    let advice = |names: &[&str], advice: &'static str| {
        let any = offered.iter().any(|offer| names.contains(offer));
        any.then_some(advice)
    };
    let advice = [
        advice(
            &["XOAUTH2", "OAUTHBEARER"],
            "sign in with OAuth 2.0 (a source), or with an app password if the provider has such",
        ),
        advice(
            &["NTLM", "GSSAPI", "GSS-SPNEGO", "SPNEGO", "KERBEROS_V4"],
            "have Basic authentication (PLAIN) switched on there for IMAP",
        ),
        advice(
            &["CRAM-MD5", "DIGEST-MD5", "APOP"],
            "have PLAIN over TLS switched on there: these outdated mechanisms are not spoken here",
        ),
    ];
    let advice: Vec<&str> = advice.into_iter().flatten().collect();
    let mask = credentials.mask();
    let names: Vec<_> = offered.iter().map(|&name| mask.apply(name)).collect();
    let names = names.join(", ");
    match (offered, advice.as_slice()) {
        ([], _) => "it offers no way to log in".to_owned(),
        (_, []) => format!("it offers {names} only"),
        (_, advice) => format!("it offers {names} only: {}", advice.join("; or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mechanism_that_is_the_secret_is_not_named() {
        let credentials = Credentials::Password {
            user: "ann".to_owned(),
            password: "TopSecret77-abc".to_owned().into(),
        };
        let capabilities = Capabilities::parse("IMAP4rev1 LOGINDISABLED AUTH=TopSecret77-abc AUTH=NTLM");
        let error = no_way_in(&credentials, &capabilities, true).to_string();
        assert!(error.contains("it offers …, NTLM only"), "{error}");
        assert!(!error.contains("SECRET"), "{error}");
    }
}
