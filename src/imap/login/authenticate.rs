// SPDX-License-Identifier: GPL-3.0-or-later
//! Which way in is tried, in which order, and how often. A wrong password is tried as rarely as possible: accounts
//! are locked after a few tries.

use secrecy::ExposeSecret as _;

use super::credentials::{Credentials, oauthbearer, plain, xoauth2};
use super::refusal::{self, LoginAnswer};
use super::sasl::{self, Ended, Message, Scripted};
use super::scram::{HASHES, Hash, Scram};
use super::{Endpoint, read_capabilities, read_capabilities_if_told};
use crate::imap::capability::Capabilities;
use crate::imap::capability::Capability;
use crate::imap::charset;
use crate::imap::command::Command;
use crate::imap::error::{Error, Result};
use crate::imap::response::{Code, Untagged};
use crate::imap::session::Session;

/// A way in.
#[derive(Clone, Copy)]
enum Way {
    /// SASL PLAIN.
    Plain(Form),
    /// The LOGIN command.
    Login(Form),
    /// SASL LOGIN.
    SaslLogin(Form),
    /// SASL SCRAM.
    Scram(&'static Hash),
    /// SASL OAUTHBEARER.
    OauthBearer,
    /// SASL XOAUTH2.
    Xoauth2,
}

/// How names and passwords beyond ASCII become octets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As they were given, in UTF-8.
    AsGiven,
    /// With each umlaut in one piece, as most keyboards give them.
    Composed,
    /// In what some servers, such as Exchange, compare with.
    Latin1,
}

impl Form {
    /// The text's octets; `None` where the form lacks a character.
    fn encode(self, text: &str) -> Option<Message> {
        match self {
            Self::AsGiven => Some(Message::new(text.as_bytes().to_vec())),
            Self::Composed => Some(Message::new(charset::composed(text).as_bytes().to_vec())),
            Self::Latin1 => charset::latin1(text),
        }
    }

    /// Those in which name or password have other octets than as they were given.
    fn others(user: &str, password: &str) -> Vec<Self> {
        let differs = |form: Self| {
            let coded = [user, password].map(|text| Some(form.encode(text)?.as_slice() != text.as_bytes()));
            matches!(coded, [Some(one), Some(other)] if one || other)
        };
        [Self::Composed, Self::Latin1]
            .into_iter()
            .filter(|&form| differs(form))
            .collect()
    }
}

/// Logs in. Afterwards the session knows what the server can do now.
pub(super) async fn authenticate(
    session: &mut Session,
    credentials: &Credentials,
    endpoint: &Endpoint,
    encrypted: bool,
) -> Result<()> {
    if session.capabilities().is_empty() {
        read_capabilities_if_told(session).await?;
    }
    let capabilities = session.capabilities().clone();
    let ways = ways(credentials, &capabilities);
    if ways.is_empty() {
        return Err(refusal::no_way_in(credentials, &capabilities, encrypted));
    }
    let mut learnt = None;
    let mut refused: Option<(LoginAnswer, Error)> = None;
    for way in ways {
        if let Some((meaning, _)) = &refused
            && !worth_trying(way, *meaning)
        {
            continue;
        }
        let ended = match attempt(session, way, credentials, endpoint, &mut learnt).await {
            Ok(ended) => ended,
            // A server that hangs up after a refusal has said what there is to say.
            Err(error) => return Err(refused.map_or(error, |(_, refused)| refused)),
        };
        let meaning = match refusal::judge(&ended.answer) {
            // A server that tells why has looked at them.
            LoginAnswer::NotThisWay if ended.reason.is_some() => LoginAnswer::Refused,
            meaning => meaning,
        };
        let error = refusal::error(&ended.answer, ended.reason.as_deref(), credentials, &capabilities);
        match meaning {
            LoginAnswer::LoggedIn => {
                if let Some(Code::Capability(capabilities)) = ended.answer.code {
                    learnt = Some(capabilities);
                }
                // Capabilities of before the login are void (RFC 3501, 6.2.2).
                match learnt {
                    Some(capabilities) => session.set_capabilities(capabilities),
                    None => read_capabilities(session).await?,
                }
                return Ok(());
            }
            LoginAnswer::Final => return Err(error),
            // What is not understood is no word about the password: a refusal before it says more.
            LoginAnswer::NotThisWay if refused.is_some() => {}
            LoginAnswer::NotThisWay | LoginAnswer::Refused => refused = Some((meaning, error)),
        }
    }
    Err(refused.map_or_else(
        || refusal::no_way_in(credentials, &capabilities, encrypted),
        |(_, error)| error,
    ))
}

/// The ways in, in the order in which they are tried: at most two that send the same octets, and three in all.
fn ways(credentials: &Credentials, capabilities: &Capabilities) -> Vec<Way> {
    let offers = |name: &str| capabilities.has_sasl(name);
    match credentials {
        Credentials::Token { .. } => [("OAUTHBEARER", Way::OauthBearer), ("XOAUTH2", Way::Xoauth2)]
            .into_iter()
            .filter_map(|(name, way)| offers(name).then_some(way))
            .collect(),
        Credentials::Delegated { .. } if offers("PLAIN") => vec![Way::Plain(Form::AsGiven)],
        Credentials::Delegated { .. } => vec![],
        Credentials::Password { user, password } => {
            let may_login = !capabilities.has(Capability::LoginDisabled);
            let scram = HASHES.iter().find(|hash| offers(hash.name)).map(Way::Scram);
            let command = may_login.then_some(Way::Login(Form::AsGiven));
            let asked = offers("LOGIN").then_some(Way::SaslLogin(Form::AsGiven));
            let mut ways: Vec<Way> = match (offers("PLAIN"), scram) {
                (true, _) => [Some(Way::Plain(Form::AsGiven)), command.or(asked)]
                    .into_iter()
                    .flatten()
                    .collect(),
                (false, Some(scram)) if asked.is_none() => {
                    [Some(scram), command].into_iter().flatten().collect()
                }
                (false, _) => command.or(asked).or(scram).into_iter().collect(),
            };
            let others = Form::others(user, password.expose_secret());
            if others.contains(&Form::Composed) {
                // Where the one is refused, the other is the better guess than the same once more.
                ways.truncate(1);
            }
            ways.extend(others.into_iter().filter_map(|form| match may_login {
                true => Some(Way::Login(form)),
                false if offers("PLAIN") => Some(Way::Plain(form)),
                false => offers("LOGIN").then_some(Way::SaslLogin(form)),
            }));
            ways
        }
    }
}

/// Whether a way makes sense after this refusal.
fn worth_trying(way: Way, meaning: LoginAnswer) -> bool {
    match way {
        Way::Login(Form::Latin1) | Way::Plain(Form::Latin1) | Way::SaslLogin(Form::Latin1) => {
            meaning == LoginAnswer::Refused
        }
        // A token that one mechanism has refused is no better in the other.
        Way::Xoauth2 => meaning == LoginAnswer::NotThisWay,
        _ => true,
    }
}

async fn attempt(
    session: &mut Session,
    way: Way,
    credentials: &Credentials,
    endpoint: &Endpoint,
    learnt: &mut Option<Capabilities>,
) -> Result<Ended> {
    let secret = credentials.secret();
    let (authorization, authentication) = credentials.identities();
    let octets = |form: Form, text: &str| form.encode(text).unwrap_or_default();
    match way {
        Way::Login(form) => {
            let command = Command::new("LOGIN")
                .string(&octets(form, authentication))
                .string(&octets(form, secret.expose_secret()));
            let answer = session
                .call(command, |data| note_capabilities(data, learnt))
                .await?;
            Ok(Ended { answer, reason: None })
        }
        Way::Plain(form) => {
            let message = plain(authorization, authentication, secret);
            let message = match form {
                Form::AsGiven => message,
                form => octets(form, &String::from_utf8_lossy(&message)),
            };
            sasl::converse(session, &mut Scripted::once("PLAIN", message, b""), learnt).await
        }
        Way::SaslLogin(form) => {
            let messages = [authentication, secret.expose_secret()].map(|text| octets(form, text));
            let mut mechanism = Scripted::asked("LOGIN", messages.into());
            sasl::converse(session, &mut mechanism, learnt).await
        }
        Way::Scram(hash) => {
            let mut mechanism = Scram::new(hash, authentication, secret)?;
            sasl::converse(session, &mut mechanism, learnt).await
        }
        Way::OauthBearer => {
            let message = oauthbearer(authentication, &endpoint.host, endpoint.port, secret);
            // RFC 7628, 3.2.3: this acknowledges an error.
            sasl::converse(
                session,
                &mut Scripted::once("OAUTHBEARER", message, b"\x01"),
                learnt,
            )
            .await
        }
        Way::Xoauth2 => {
            let message = xoauth2(authentication, secret);
            sasl::converse(session, &mut Scripted::once("XOAUTH2", message, b""), learnt).await
        }
    }
}

/// Takes over what the server says it can do while it lets somebody in.
pub(super) fn note_capabilities(data: Untagged, learnt: &mut Option<Capabilities>) {
    if let Untagged::Capability(capabilities) = data {
        *learnt = Some(capabilities);
    }
}

#[cfg(test)]
mod tests;
