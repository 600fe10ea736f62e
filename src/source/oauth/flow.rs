// SPDX-License-Identifier: GPL-3.0-or-later
//! How the owner of a mailbox signs in at the provider: what the page is told, and what it brings back.

use oauth2::{CsrfToken, PkceCodeChallenge};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use url::Url;

use super::http::Http;
use super::pending::{self, Kept, Pending};
use super::reply::DeviceReply;
use super::request::{self, Voucher};
use super::{Explained, Network, TokenError, Tokens, explain};
use crate::clock::now;
use crate::source::{Grant, Kind, OAuth, Source, Sources};
use crate::task::{Invalid, RemoteUser, SourceId};

/// So long somebody may take at the provider's page.
const SIGN_IN_SECONDS: i64 = 30 * 60;
/// RFC 8628 section 3.5.
const SLOWER: u64 = 5;
/// Where a browser ends up whose address is copied back by hand.
const NOWHERE: &str = "http://localhost";

/// What the owner of a mailbox has to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// `device-code` or `authorization-code`.
    pub sign_in: Kind,
    /// Names this sign-in; complete-sign-in wants it.
    pub state: String,
    /// Until when it can be completed, in seconds since 1970.
    pub expires_at: i64,
    /// device-code: what to enter at the address.
    pub user_code: Option<String>,
    /// device-code: the address.
    pub verification_uri: Option<String>,
    /// device-code: the address that has the code in it, where the provider gives one.
    pub verification_uri_complete: Option<String>,
    /// device-code: how many seconds to wait between two questions whether it is done.
    pub interval: Option<u64>,
    /// authorization-code: where to sign in.
    pub authorization_url: Option<String>,
    /// authorization-code: where the provider sends the browser afterwards.
    pub redirect_uri: Option<String>,
}

/// Where a sign-in stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInProgress {
    /// Where it stands.
    pub status: Status,
    /// The mailbox.
    pub mailbox: String,
    /// The same as a sentence.
    pub message: String,
    /// What to do at the provider; empty where there is nothing to do.
    pub advice: String,
    /// The provider's own code, such as `AADSTS65001` or `access_denied`; empty where there is none.
    pub provider_code: String,
    /// pending: how many seconds to wait before the next question.
    pub interval: Option<u64>,
}

/// Where a sign-in stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The owner has not finished yet.
    Pending,
    /// Tasks can open the mailbox now.
    SignedIn,
    /// The owner or the provider said no.
    Refused,
    /// It took too long, or was never begun; begin again.
    Expired,
}

/// Why a sign-in cannot go on.
#[derive(Debug)]
pub enum FlowError {
    /// No one signs in to this source.
    NoSignIn,
    /// The address to come back to is none.
    Redirect(Invalid),
    /// What the browser brought back does not belong to this sign-in.
    Return(Invalid),
    /// The provider.
    Token(TokenError),
}

impl From<TokenError> for FlowError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

/// Begins a sign-in for a mailbox. Blocks.
///
/// # Errors
/// A source without persons, an unsound address, or the provider's no.
pub fn begin(
    sources: &Sources,
    source: &Source,
    mailbox: &RemoteUser,
    redirect: Option<&str>,
    network: &Network,
) -> Result<Begun, FlowError> {
    pending::sweep(sources);
    let oauth = source.oauth().ok_or(FlowError::NoSignIn)?;
    let state = CsrfToken::new_random().into_secret();
    let (begun, kept) = match oauth.grant {
        Grant::DeviceCode(_) => by_device(oauth, &state, network)?,
        Grant::AuthorizationCode(_) => by_browser(oauth, &state, mailbox, redirect)?,
        Grant::Application(_) | Grant::ServiceAccount(_) => return Err(FlowError::NoSignIn),
    };
    let interval = begun.interval.unwrap_or_default();
    let pending = Pending {
        source: source.id.to_string(),
        mailbox: mailbox.to_string(),
        expires_at: begun.expires_at,
        next_question: now() + i64::try_from(interval).unwrap_or_default(),
        interval,
        kept,
    };
    pending::write(sources, &state, &pending)?;
    Ok(begun)
}

fn by_device(oauth: &OAuth, state: &str, network: &Network) -> Result<(Begun, Kept), FlowError> {
    let endpoint = oauth.endpoints.device.as_ref().ok_or(FlowError::NoSignIn)?;
    let client = oauth.client().ok_or(FlowError::NoSignIn)?;
    let http = Http::new(endpoint, &oauth.authorities, network)?;
    let mut form = request::authenticate(client, oauth, now())?;
    if !form.iter().any(|(name, _)| *name == "client_id") {
        form.push(("client_id", client.id.as_str().into()));
    }
    form.push(("scope", oauth.scope.as_str().into()));
    let answer = request::post(&http, endpoint, oauth, &form)?;
    if let Some(refusal) = request::refusal(&answer, endpoint.host(), &request::mask(oauth, &form))? {
        return Err(TokenError::Denied(refusal.denial(oauth)).into());
    }
    let Some(codes) = DeviceReply::read(&answer) else {
        return Err(answer.nonsense(endpoint.host()).into());
    };
    let begun = Begun {
        sign_in: Kind::DeviceCode,
        state: state.to_owned(),
        expires_at: now() + codes.life,
        user_code: Some(codes.code),
        verification_uri: Some(codes.address),
        verification_uri_complete: codes.whole_address,
        interval: Some(codes.interval),
        authorization_url: None,
        redirect_uri: None,
    };
    Ok((begun, Kept::Device(codes.device)))
}

fn by_browser(
    oauth: &OAuth,
    state: &str,
    mailbox: &RemoteUser,
    redirect: Option<&str>,
) -> Result<(Begun, Kept), FlowError> {
    let redirect = redirect
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .unwrap_or(NOWHERE);
    check_redirect(redirect).map_err(FlowError::Redirect)?;
    let endpoint = oauth
        .endpoints
        .authorization
        .as_ref()
        .ok_or(FlowError::NoSignIn)?;
    let client = oauth.client().ok_or(FlowError::NoSignIn)?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let mut url = endpoint.url().clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &client.id)
        .append_pair("redirect_uri", redirect)
        .append_pair("scope", &oauth.scope)
        .append_pair("state", state)
        .append_pair("code_challenge", challenge.as_str())
        .append_pair("code_challenge_method", challenge.method().as_str())
        .append_pair("login_hint", mailbox.as_str());
    // Providers give what the next token is got with only when asked: Google by both of these, OpenID providers by the
    // scope and the second one. Microsoft goes by the scope alone; asked to consent again, people whose administrator
    // consented for them could not get any further.
    if oauth.authority.is_empty() {
        url.query_pairs_mut()
            .append_pair("access_type", "offline")
            .append_pair("prompt", "consent");
    }
    let begun = Begun {
        sign_in: Kind::AuthorizationCode,
        state: state.to_owned(),
        expires_at: now() + SIGN_IN_SECONDS,
        user_code: None,
        verification_uri: None,
        verification_uri_complete: None,
        interval: None,
        authorization_url: Some(url.into()),
        redirect_uri: Some(redirect.to_owned()),
    };
    let kept = Kept::Browser {
        verifier: verifier.secret().as_str().into(),
        redirect: redirect.to_owned(),
    };
    Ok((begun, kept))
}

/// RFC 8252 section 7.3: over plain HTTP a code goes to the same machine only.
fn check_redirect(text: &str) -> Result<(), Invalid> {
    let wrong = || Invalid("expected an https:// address, or http://localhost".into());
    let url = Url::parse(text).map_err(|_| wrong())?;
    let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback => Ok(()),
        _ => Err(wrong()),
    }
}

/// What the browser brought back.
#[derive(Debug, Default)]
pub struct Return {
    /// The code that the provider gave.
    pub code: Option<SecretString>,
    /// The whole address that the browser ended at.
    pub address: Option<SecretString>,
}

/// Completes a sign-in, or tells that it is not done yet. Blocks.
///
/// # Errors
/// What does not belong to the sign-in, or a provider that cannot be asked. The provider's no is an answer.
pub fn complete(
    sources: &Sources,
    state: &str,
    came_back: Return,
    network: &Network,
) -> Result<SignInProgress, FlowError> {
    let Some(pending) = pending::read(sources, state)? else {
        return Ok(SignInProgress::expired(String::new()));
    };
    if pending.expires_at < now() {
        pending::remove(sources, state);
        return Ok(SignInProgress::expired(pending.mailbox));
    }
    let gone = |_| {
        FlowError::Token(TokenError::Failed(
            "the source was changed or deleted meanwhile; begin again".to_owned(),
        ))
    };
    let id = SourceId::parse(&pending.source).map_err(gone)?;
    let source = sources.load(&id).map_err(|_| gone(Invalid(String::new())))?;
    let mailbox = RemoteUser::parse(&pending.mailbox).map_err(gone)?;
    let oauth = source.oauth().ok_or(FlowError::NoSignIn)?;
    let tokens = Tokens::of(sources, &source, &mailbox, network).ok_or(FlowError::NoSignIn)?;
    let code;
    let voucher = match &pending.kept {
        Kept::Device(_) if now() < pending.next_question => return Ok(SignInProgress::pending(&pending)),
        Kept::Device(device) => Voucher::Device(device),
        Kept::Browser { verifier, redirect } => {
            code = match given(came_back, redirect, state)? {
                Given::Code(code) => code,
                Given::Nothing => return Ok(SignInProgress::pending(&pending)),
                Given::Refusal(explained) => {
                    pending::remove(sources, state);
                    return Ok(SignInProgress::refused(pending.mailbox, explained));
                }
            };
            Voucher::Code {
                code: &code,
                verifier,
                redirect,
            }
        }
    };
    let refusal = match request::ask(oauth, &voucher, network) {
        Ok(Ok(issued)) => {
            tokens.sign_in(&issued)?;
            pending::remove(sources, state);
            return Ok(SignInProgress::signed_in(pending.mailbox));
        }
        Ok(Err(refusal)) => refusal,
        // RFC 8628, 3.5: after a connection that timed out, a client asks less often.
        Err(TokenError::Unreachable(reason)) if matches!(pending.kept, Kept::Device(_)) => {
            let pending = pending.postponed(SLOWER);
            pending::write(sources, state, &pending)?;
            return Ok(SignInProgress {
                message: reason,
                ..SignInProgress::pending(&pending)
            });
        }
        Err(error) => return Err(error.into()),
    };
    match refusal.error.as_str() {
        "authorization_pending" | "slow_down" => {
            let slower = if refusal.error == "slow_down" { SLOWER } else { 0 };
            let pending = pending.postponed(slower);
            pending::write(sources, state, &pending)?;
            Ok(SignInProgress::pending(&pending))
        }
        "expired_token" => {
            pending::remove(sources, state);
            Ok(SignInProgress::expired(pending.mailbox))
        }
        _ => {
            pending::remove(sources, state);
            Ok(SignInProgress::refused(pending.mailbox, refusal.explained))
        }
    }
}

enum Given {
    Code(SecretString),
    Refusal(Explained),
    Nothing,
}

fn given(came_back: Return, redirect: &str, state: &str) -> Result<Given, FlowError> {
    if let Some(code) = came_back.code {
        return Ok(Given::Code(code));
    }
    let Some(address) = came_back.address else {
        return Ok(Given::Nothing);
    };
    let wrong = |advice: &str| FlowError::Return(Invalid(advice.into()));
    let url = Url::parse(address.expose_secret().trim()).map_err(|_| {
        wrong("expected an address: copy the whole address of the page that the browser ended at")
    })?;
    let expected = Url::parse(redirect).map_err(|_| wrong("the sign-in is damaged; begin again"))?;
    let bare = |url: &Url| {
        (
            url.scheme().to_owned(),
            url.host_str().map(str::to_owned),
            url.path().to_owned(),
        )
    };
    if bare(&url) != bare(&expected) {
        return Err(wrong(
            "it is not the address that the provider sends the browser to at the end",
        ));
    }
    let value = |name: &str| {
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    if value("state").as_deref() != Some(state) {
        return Err(wrong("it belongs to another sign-in; begin again"));
    }
    match (value("code"), value("error")) {
        (Some(code), None) => Ok(Given::Code(code.into())),
        (_, Some(error)) => {
            let description = value("error_description").unwrap_or_default();
            Ok(Given::Refusal(explain::explain(&error, &description)))
        }
        (None, None) => Err(wrong(
            "it holds no code; copy the whole address of the page that the browser ended at",
        )),
    }
}

impl SignInProgress {
    fn new(status: Status, mailbox: String, message: &str) -> Self {
        Self {
            status,
            mailbox,
            message: message.to_owned(),
            advice: String::new(),
            provider_code: String::new(),
            interval: None,
        }
    }

    fn pending(pending: &Pending) -> Self {
        Self {
            interval: Some(pending.interval.max(1)),
            ..Self::new(
                Status::Pending,
                pending.mailbox.clone(),
                "no one has signed in yet",
            )
        }
    }

    fn signed_in(mailbox: String) -> Self {
        Self::new(Status::SignedIn, mailbox, "tasks can open the mailbox now")
    }

    fn refused(mailbox: String, explained: Explained) -> Self {
        Self {
            advice: explained.advice,
            provider_code: explained.provider_code,
            ..Self::new(Status::Refused, mailbox, &explained.message)
        }
    }

    fn expired(mailbox: String) -> Self {
        Self {
            advice: "begin again".to_owned(),
            ..Self::new(
                Status::Expired,
                mailbox,
                "the sign-in took too long, or was completed before",
            )
        }
    }
}
