// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked at the token endpoint, on each grant.

use secrecy::{ExposeSecret as _, SecretString};

use super::http::{Answer, Field, Http};
use super::reply::{ErrorReply, TokenReply};
use super::{Denial, Network, TokenError, assertion, explain};
use crate::clock::now;
use crate::imap::Mask;
use crate::source::{Client, ClientAuthentication, Grant, HttpsUrl, OAuth};

const BY_JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// A provider that does not tell how long a token is good is asked again soon.
const UNKNOWN_LIFE: i64 = 5 * 60;
/// Clocks that differ less than this are no reason for a refusal.
const CLOCKS: i64 = 30;

/// What was issued.
#[derive(Debug)]
pub struct Issued {
    /// The access token.
    pub access: SecretString,
    /// Until when it is good, by the clock of this machine, in seconds since 1970.
    pub expires_at: i64,
    /// What the next one is got with.
    pub refresh: Option<SecretString>,
}

/// What is handed in for a token.
#[derive(Debug)]
pub enum Voucher<'a> {
    /// Nothing: the application itself, or the service account, asks for itself or for a mailbox.
    Own {
        /// The mailbox.
        mailbox: &'a str,
    },
    /// What the last token came with.
    Refresh(&'a SecretString),
    /// The code that the provider gave the browser.
    Code {
        /// The code.
        code: &'a SecretString,
        /// Shows that it is we who sent the browser there (PKCE, RFC 7636).
        verifier: &'a SecretString,
        /// Where the browser came back to.
        redirect: &'a str,
    },
    /// The code of the device flow.
    Device(&'a SecretString),
}

/// An answer that is no token: the provider's error, and what it means.
#[derive(Debug)]
pub struct Refusal {
    /// The error's code by the standard.
    pub error: String,
    /// What it means.
    pub explained: super::Explained,
}

/// Asks for a token.
///
/// # Errors
/// The provider's refusal, or that it cannot be asked.
pub fn ask(
    oauth: &OAuth,
    voucher: &Voucher<'_>,
    network: &Network,
) -> Result<Result<Issued, Refusal>, TokenError> {
    let http = Http::new(&oauth.endpoints.token, &oauth.authorities, network)?;
    let asked_at = now();
    let form = form(oauth, voucher, asked_at)?;
    let answer = post(&http, &oauth.endpoints.token, oauth, &form)?;
    // Signed statements are looked at by the provider's clock: where ours is wrong, theirs is taken.
    let answer = match answer.date {
        Some(theirs) if answer.status >= 400 && is_signed(oauth) && (theirs - asked_at).abs() > CLOCKS => {
            let form = self::form(oauth, voucher, theirs)?;
            post(&http, &oauth.endpoints.token, oauth, &form)?
        }
        _ => answer,
    };
    let mask = mask(oauth, &form);
    read(&answer, oauth.endpoints.token.host(), asked_at, &mask)
}

fn is_signed(oauth: &OAuth) -> bool {
    match &oauth.grant {
        Grant::ServiceAccount(_) => true,
        _ => oauth
            .client()
            .is_some_and(|client| matches!(client.authentication, ClientAuthentication::Certificate(_))),
    }
}

/// Sends a form with what shows who the application is.
///
/// # Errors
/// [`TokenError::Unreachable`].
pub fn post(http: &Http, url: &HttpsUrl, oauth: &OAuth, form: &[Field]) -> Result<Answer, TokenError> {
    let basic = oauth.client().and_then(|client| match &client.authentication {
        ClientAuthentication::Secret {
            secret, basic: true, ..
        } => Some((client.id.as_str(), secret)),
        _ => None,
    });
    http.post(url, form, basic)
}

/// What shows who the application is, as far as it belongs in the form.
///
/// # Errors
/// When its key cannot sign.
pub fn authenticate(client: &Client, oauth: &OAuth, now: i64) -> Result<Vec<Field>, TokenError> {
    let id = ("client_id", SecretString::from(client.id.as_str()));
    Ok(match &client.authentication {
        ClientAuthentication::None => vec![id],
        ClientAuthentication::Secret { basic: true, .. } => vec![],
        ClientAuthentication::Secret { secret, .. } => vec![id, ("client_secret", secret.clone())],
        ClientAuthentication::Certificate(certificate) => vec![
            id,
            ("client_assertion_type", BY_JWT.into()),
            (
                "client_assertion",
                assertion::of_client(&client.id, certificate, &oauth.endpoints.token, now)?,
            ),
        ],
    })
}

fn form(oauth: &OAuth, voucher: &Voucher<'_>, now: i64) -> Result<Vec<Field>, TokenError> {
    let mut form = match oauth.client() {
        Some(client) => authenticate(client, oauth, now)?,
        None => vec![],
    };
    let scope = || ("scope", SecretString::from(oauth.scope.as_str()));
    match (voucher, &oauth.grant) {
        (Voucher::Own { mailbox }, Grant::ServiceAccount(account)) => {
            let endpoint = &oauth.endpoints.token;
            let statement = assertion::of_service_account(account, mailbox, &oauth.scope, endpoint, now)?;
            form.extend([("grant_type", JWT_BEARER.into()), ("assertion", statement)]);
        }
        (Voucher::Own { .. }, _) => {
            form.push(("grant_type", "client_credentials".into()));
            if !oauth.scope.is_empty() {
                form.push(scope());
            }
        }
        (Voucher::Refresh(token), _) => {
            form.extend([
                ("grant_type", "refresh_token".into()),
                ("refresh_token", (*token).clone()),
            ]);
        }
        (
            Voucher::Code {
                code,
                verifier,
                redirect,
            },
            _,
        ) => form.extend([
            ("grant_type", "authorization_code".into()),
            ("code", (*code).clone()),
            ("code_verifier", (*verifier).clone()),
            ("redirect_uri", (*redirect).into()),
        ]),
        (Voucher::Device(code), _) => {
            form.extend([
                ("grant_type", DEVICE_CODE.into()),
                ("device_code", (*code).clone()),
            ]);
        }
    }
    Ok(form)
}

/// Hides everything secret that was sent, in case the provider repeats it.
pub fn mask(oauth: &OAuth, form: &[Field]) -> Mask {
    let open = [
        "grant_type",
        "scope",
        "client_id",
        "redirect_uri",
        "client_assertion_type",
    ];
    let sent = form
        .iter()
        .filter(|(name, _)| !open.contains(name))
        .map(|(_, value)| value.expose_secret());
    let own = oauth.client().and_then(|client| match &client.authentication {
        ClientAuthentication::Secret { secret, .. } => Some(secret.expose_secret()),
        _ => None,
    });
    Mask::new(sent.chain(own), [] as [&[u8]; 0])
}

fn read(
    answer: &Answer,
    host: &str,
    asked_at: i64,
    mask: &Mask,
) -> Result<Result<Issued, Refusal>, TokenError> {
    if let Some(refusal) = refusal(answer, host, mask)? {
        return Ok(Err(refusal));
    }
    let Some(issued) = TokenReply::read(answer) else {
        return Err(answer.nonsense(host));
    };
    Ok(Ok(Issued {
        access: issued.access,
        expires_at: asked_at + issued.life.unwrap_or(UNKNOWN_LIFE),
        refresh: issued.refresh,
    }))
}

/// The error that an answer tells, if it does.
///
/// # Errors
/// [`TokenError::Unreachable`] where the provider says that it is in trouble.
pub fn refusal(answer: &Answer, host: &str, mask: &Mask) -> Result<Option<Refusal>, TokenError> {
    let Some(told) = ErrorReply::read(answer) else {
        return Ok(None);
    };
    let explained = explain::explain(&mask.apply(&told.error), &mask.apply(&told.description));
    if told.is_temporary() {
        return Err(TokenError::Unreachable(format!(
            "{host} is in trouble: {explained}"
        )));
    }
    Ok(Some(Refusal {
        error: told.error,
        explained,
    }))
}

impl Refusal {
    /// As the reason why there is no token.
    pub fn denial(self, oauth: &OAuth) -> Denial {
        // Whatever is wrong with a person's grant, the person can mend it; what is wrong with the application not.
        let lost = [
            "invalid_grant",
            "interaction_required",
            "login_required",
            "consent_required",
        ];
        Denial {
            sign_in_needed: oauth.needs_person() && lost.contains(&self.error.as_str()),
            explained: self.explained,
        }
    }
}
