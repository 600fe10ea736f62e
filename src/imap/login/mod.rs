// SPDX-License-Identifier: GPL-3.0-or-later
//! From nothing to a logged-in session.
//!
//! [`connect`]: to a greeting over a protected connection · [`first_words`]: what else than IMAP may answer there ·
//! [`authenticate`]: which way in, how often ([`credentials`], [`sasl`], [`scram`]) · [`refusal`], [`token_reason`]: what a
//! refusal means.

mod authenticate;
mod connect;
mod credentials;
mod first_words;
mod refusal;
mod sasl;
mod scram;
mod token_reason;

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

pub use self::credentials::Credentials;

use self::credentials::{oauthbearer, xoauth2};
use super::capability::Capabilities;
use super::command::Command;
use super::error::{Error, Result};
use super::mask::Mask;
use super::notices::{Alerts, Notices};
use super::response::Untagged;
use super::session::Session;
use super::tls::{self, Protocols, TlsInfo, Trust};

/// How a connection is to be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// STARTTLS where it is offered, TLS on port 993, plain text only where nothing better is to be had, and never to a
    /// server that is known to speak TLS.
    Opportunistic,
    /// STARTTLS or nothing.
    StartTls,
    /// TLS from the first octet.
    Tls,
}

/// Where to connect and whom to trust there.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Protection.
    pub encryption: Encryption,
    /// Acceptable certificates.
    pub trust: Trust,
    /// Acceptable encryption.
    pub protocols: Protocols,
    /// What its connections have in common.
    pub tls: tls::Shared,
    /// The proxy on the way to the server, as an address; it may hold a password.
    pub proxy: Option<SecretString>,
    /// Where the server's alerts are collected.
    pub alerts: Alerts,
}

impl Endpoint {
    /// Hides what this server is told at a login, in every message that carries it.
    pub fn mask(&self, credentials: &Credentials) -> Mask {
        match credentials {
            Credentials::Token { user, token } => {
                let messages = [
                    xoauth2(user, token),
                    oauthbearer(user, &self.host, self.port, token),
                ];
                let messages = messages.iter().map(|message| message.as_slice());
                Mask::new([token.expose_secret()], messages)
            }
            Credentials::Password { .. } | Credentials::Delegated { .. } => credentials.mask(),
        }
    }
}

/// What was learnt on the way in.
#[derive(Clone, Debug, Default)]
pub struct ConnectionInfo {
    /// The greeting's text.
    pub greeting: String,
    /// How the connection is protected.
    pub tls: Option<TlsInfo>,
    /// Capabilities after the login.
    pub capabilities: Vec<String>,
}

const LOGIN_LIMIT: Duration = Duration::from_secs(60);
/// Three attempts of a run at a server that leads nowhere take less than ten minutes.
const IDLE_LIMIT: Duration = Duration::from_secs(150);

/// Connects and logs in. What is learnt is written to `info` step by step, so that it is known as well
/// when a later step fails.
pub async fn login(
    endpoint: &Endpoint,
    credentials: &Credentials,
    info: &mut ConnectionInfo,
) -> Result<Session> {
    let notices = Notices::new(endpoint.mask(credentials), endpoint.alerts.clone());
    let mut session = connect::open(endpoint, &notices, info).await?;
    session.set_greeting(&info.greeting);
    session.wire_mut().set_idle(LOGIN_LIMIT);
    authenticate::authenticate(&mut session, credentials, endpoint, info.tls.is_some()).await?;
    info.capabilities = session
        .capabilities()
        .names()
        .iter()
        .map(|name| notices.masked(name))
        .collect();
    session.introduce();
    session.wire_mut().set_idle(IDLE_LIMIT);
    Ok(session)
}

/// Asks what the server can do. Some tell it to those only who have logged in: LOGIN is always there.
async fn read_capabilities_if_told(session: &mut Session) -> Result<()> {
    match read_capabilities(session).await {
        Err(Error::Command { .. }) => Ok(()),
        outcome => outcome,
    }
}

async fn read_capabilities(session: &mut Session) -> Result<()> {
    let mut found = Capabilities::default();
    session
        .run(Command::new("CAPABILITY"), |data| {
            if let Untagged::Capability(capabilities) = data {
                found = capabilities;
            }
        })
        .await?;
    session.set_capabilities(found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn each_message_of_a_token_is_hidden() {
        let endpoint = Endpoint {
            host: "imap.example.com".to_owned(),
            port: 993,
            encryption: Encryption::Tls,
            trust: Trust::Authorities,
            protocols: Protocols::Current,
            tls: tls::Shared::default(),
            proxy: None,
            alerts: Alerts::default(),
        };
        let token = SecretString::from("ya29.t0ken");
        let messages = [
            xoauth2("ann", &token),
            oauthbearer("ann", &endpoint.host, endpoint.port, &token),
        ];
        let mask = endpoint.mask(&Credentials::Token {
            user: "ann".to_owned(),
            token,
        });
        for message in messages {
            let coded = STANDARD.encode(message.as_slice());
            assert_eq!(mask.apply(&format!("? {coded} ?")), "? … ?");
            assert_eq!(mask.apply(&coded[..9]), "…");
        }
    }
}
