// SPDX-License-Identifier: GPL-3.0-or-later
//! From nothing to a logged-in session: connect, protect, authenticate, learn what the server can do.

use std::time::Duration;

use base64::Engine as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::timeout;

use super::capability::Capabilities;
use super::command::Command;
use super::dial;
use super::error::{Error, Result};
use super::response::{Code, Kind, Response, StatusLine, Untagged};
use super::session::Session;
use super::tls::{self, TlsInfo, Trust};
use super::wire::{Stream, Wire};

/// How a connection is to be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// STARTTLS where it is offered, TLS on port 993, plain text only where nothing better is to be had.
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
}

/// How to prove who one is.
pub enum Credentials {
    /// User name and password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// An OAuth 2.0 access token (SASL XOAUTH2).
    Token {
        /// The user.
        user: String,
        /// The token.
        token: SecretString,
    },
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

const GREETING_LIMIT: Duration = Duration::from_secs(30);
/// A server that awaits TLS keeps silent; so long it may think before that is looked into.
const SILENCE_LIMIT: Duration = Duration::from_secs(2);
const TLS_LIMIT: Duration = Duration::from_secs(20);
const LOGIN_LIMIT: Duration = Duration::from_secs(60);
const IDLE_LIMIT: Duration = Duration::from_secs(180);

/// Connects and logs in. What is learnt is written to `info` step by step, so that it is known as well
/// when a later step fails.
pub async fn login(
    endpoint: &Endpoint,
    credentials: &Credentials,
    info: &mut ConnectionInfo,
) -> Result<Session> {
    let mut session = open(endpoint, info).await?;
    session.wire_mut().set_idle(LOGIN_LIMIT);
    authenticate(&mut session, credentials).await?;
    info.capabilities = session.capabilities().names().to_vec();
    session.introduce().await?;
    session.wire_mut().set_idle(IDLE_LIMIT);
    Ok(session)
}

enum State {
    Fresh,
    LoggedIn,
}

struct Greeted {
    session: Session,
    state: State,
}

async fn open(endpoint: &Endpoint, info: &mut ConnectionInfo) -> Result<Session> {
    let Endpoint { host, port, .. } = endpoint;
    let direct = endpoint.encryption == Encryption::Tls
        || (endpoint.encryption == Encryption::Opportunistic && *port == 993);
    let tcp = dial::connect(host, *port).await?;
    if direct {
        let stream = protect(Box::new(tcp), endpoint, info).await?;
        return greet(stream, info, GREETING_LIMIT)
            .await
            .map(|greeted| greeted.session);
    }
    let greeted = match timeout(SILENCE_LIMIT, tcp.readable()).await {
        Ok(_) => greet(Box::new(tcp), info, GREETING_LIMIT).await?,
        Err(_) => {
            if speaks_tls(endpoint).await {
                return Err(Error::Unreachable(format!(
                    "{host} port {port} expects TLS from the start: choose SSL/TLS, or port 143 for STARTTLS"
                )));
            }
            greet(Box::new(tcp), info, GREETING_LIMIT).await?
        }
    };
    let Greeted { mut session, state } = greeted;
    if session.capabilities().is_empty() {
        read_capabilities(&mut session).await?;
    }
    let offered = session.capabilities().has("STARTTLS");
    if !offered || matches!(state, State::LoggedIn) {
        // RFC 8314: a session that is authenticated before TLS cannot be protected any more.
        return if endpoint.encryption == Encryption::StartTls {
            Err(Error::StartTlsNotOffered(format!(
                "{host} port {port} does not offer STARTTLS: use TLS on port 993"
            )))
        } else {
            Ok(session)
        };
    }
    start_tls(session, endpoint, info).await
}

async fn start_tls(mut session: Session, endpoint: &Endpoint, info: &mut ConnectionInfo) -> Result<Session> {
    let answer = session.call(Command::new("STARTTLS"), |_| {}).await?;
    if !answer.is_ok() {
        return Err(Error::Tls(format!("STARTTLS was refused: {answer}")));
    }
    let stream = protect(session.into_wire().into_stream(), endpoint, info).await?;
    let mut session = Session::new(Wire::new(stream, GREETING_LIMIT));
    // What was said in plain text may be an attacker's (RFC 9051, 6.2.1): asked again.
    read_capabilities(&mut session).await?;
    Ok(session)
}

async fn protect(
    stream: Box<dyn Stream>,
    endpoint: &Endpoint,
    info: &mut ConnectionInfo,
) -> Result<Box<dyn Stream>> {
    let host = dial::ascii_host(&endpoint.host)?;
    let protected = timeout(TLS_LIMIT, tls::connect(stream, &host, &endpoint.trust))
        .await
        .map_err(|_| Error::Tls(format!("TLS with {host} was not answered in time")))??;
    info.tls = Some(protected.info);
    Ok(protected.stream)
}

/// Whether a second connection to the same port completes a TLS handshake.
async fn speaks_tls(endpoint: &Endpoint) -> bool {
    let probe = async {
        let tcp = dial::connect(&endpoint.host, endpoint.port).await?;
        let host = dial::ascii_host(&endpoint.host)?;
        tls::connect(Box::new(tcp), &host, &Trust::Any).await
    };
    matches!(timeout(Duration::from_secs(5), probe).await, Ok(Ok(_)))
}

async fn greet(stream: Box<dyn Stream>, info: &mut ConnectionInfo, limit: Duration) -> Result<Greeted> {
    let mut session = Session::new(Wire::new(stream, limit));
    let Response::Untagged(Untagged::Status(status)) = Response::parse(session.wire_mut().receive().await?)
    else {
        return Err(Error::protocol("the server sent no IMAP greeting"));
    };
    info.greeting.clone_from(&status.text);
    if let Some(Code::Capability(capabilities)) = &status.code {
        session.set_capabilities(capabilities.clone());
    }
    match status.kind {
        Kind::Ok => Ok(Greeted {
            session,
            state: State::Fresh,
        }),
        Kind::Preauth => Ok(Greeted {
            session,
            state: State::LoggedIn,
        }),
        _ => Err(Error::Unavailable(status.to_string())),
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

async fn authenticate(session: &mut Session, credentials: &Credentials) -> Result<()> {
    if session.capabilities().is_empty() {
        read_capabilities(session).await?;
    }
    let capabilities = session.capabilities().clone();
    let mut learnt = None;
    let answer = match credentials {
        Credentials::Password { user, password } => {
            let may_login = !capabilities.has("LOGINDISABLED");
            let plain = capabilities.has("AUTH=PLAIN");
            let mut answer = None;
            if plain {
                let message = SecretString::from(format!("\0{user}\0{}", password.expose_secret()));
                let said = sasl(session, "PLAIN", &[message], &mut learnt).await?;
                // What is offered and not understood is no word about the password.
                answer =
                    Some(said).filter(|said| said.kind != Kind::Bad || said.is_temporary() || !may_login);
            } else if !may_login && capabilities.has("AUTH=LOGIN") {
                let messages = [SecretString::from(user.clone()), password.clone()];
                answer = Some(sasl(session, "LOGIN", &messages, &mut learnt).await?);
            } else if !may_login {
                return Err(Error::Tls(
                    "the server takes passwords only over an encrypted connection".to_owned(),
                ));
            }
            if let Some(answer) = answer {
                answer
            } else {
                let command = Command::new("LOGIN")
                    .string(user.as_bytes())
                    .string(password.expose_secret().as_bytes());
                session
                    .call(command, |data| note_capabilities(data, &mut learnt))
                    .await?
            }
        }
        Credentials::Token { user, token } => {
            let message = format!("user={user}\x01auth=Bearer {}\x01\x01", token.expose_secret());
            sasl(session, "XOAUTH2", &[SecretString::from(message)], &mut learnt).await?
        }
    };
    if !answer.is_ok() {
        return Err(refusal(without_secret(answer, credentials)));
    }
    if let Some(Code::Capability(capabilities)) = answer.code {
        learnt = Some(capabilities);
    }
    // Capabilities of before the login are void (RFC 3501, 6.2.2).
    match learnt {
        Some(capabilities) => session.set_capabilities(capabilities),
        None => read_capabilities(session).await?,
    }
    Ok(())
}

fn note_capabilities(data: Untagged, learnt: &mut Option<Capabilities>) {
    if let Untagged::Capability(capabilities) = data {
        *learnt = Some(capabilities);
    }
}

/// Answers one challenge after the other with `messages`; what comes beyond them gets an empty answer.
async fn sasl(
    session: &mut Session,
    mechanism: &str,
    messages: &[SecretString],
    learnt: &mut Option<Capabilities>,
) -> Result<StatusLine> {
    let coded = |message: &SecretString| {
        let coded = base64::engine::general_purpose::STANDARD.encode(message.expose_secret());
        SecretString::from(coded)
    };
    let mut messages = messages.iter().map(coded);
    let mut command = Command::new("AUTHENTICATE").text(mechanism);
    // RFC 4959: the first message along with the command. LOGIN's server speaks first.
    if session.capabilities().has("SASL-IR")
        && mechanism != "LOGIN"
        && let Some(first) = messages.next()
    {
        command = command.text(first.expose_secret());
    }
    let tag = session.send(command).await?;
    loop {
        match session.next().await? {
            Response::Continue(_) => {
                // A challenge too many carries an error of the mechanism; an empty answer gets its outcome.
                let line = messages.next().unwrap_or_default();
                let line = SecretString::from(format!("{}\r\n", line.expose_secret()));
                session.wire_mut().queue(line.expose_secret().as_bytes());
                session.flush().await?;
            }
            Response::Tagged { tag: other, status } if Session::is(tag, &other) => return Ok(status),
            Response::Tagged { .. } => {}
            Response::Untagged(data) => note_capabilities(data, learnt),
        }
    }
}

/// Servers that do not understand a command may repeat it.
fn without_secret(answer: StatusLine, credentials: &Credentials) -> StatusLine {
    let (Credentials::Password { password: secret, .. } | Credentials::Token { token: secret, .. }) =
        credentials;
    match secret.expose_secret() {
        "" => answer,
        secret => StatusLine {
            text: answer.text.replace(secret, "…"),
            ..answer
        },
    }
}

/// Why a login was refused: RFC 5530 tells a wrong password from a server in trouble.
fn refusal(answer: StatusLine) -> Error {
    let text = answer.to_string();
    if answer.has_code("PRIVACYREQUIRED") {
        Error::Tls(text)
    } else if !answer.has_code("AUTHENTICATIONFAILED")
        && (answer.kind == Kind::No && answer.is_temporary() || answer.is_throttled())
    {
        Error::Unavailable(text)
    } else {
        Error::Credentials(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::script::converse;

    fn log_in(capabilities: &str, script: &[(&str, &str)]) -> Result<()> {
        let credentials = Credentials::Password {
            user: "ann".to_owned(),
            password: SecretString::from("s3cret"),
        };
        converse(capabilities, script, async |session| {
            authenticate(session, &credentials).await
        })
    }

    #[test]
    fn sasl_plain_goes_along_or_waits_to_be_asked() {
        let answer = "% OK [CAPABILITY IMAP4rev1] in";
        log_in(
            "AUTH=PLAIN SASL-IR",
            &[("AUTHENTICATE PLAIN AGFubgBzM2NyZXQ=", answer)],
        )
        .unwrap();
        log_in(
            "AUTH=PLAIN",
            &[
                ("AUTHENTICATE PLAIN", "+ "),
                ("AGFubgBzM2NyZXQ=", "A1 OK [CAPABILITY IMAP4rev1] in"),
            ],
        )
        .unwrap();
    }

    #[test]
    fn sasl_login_where_nothing_else_is_left() {
        let script = [
            ("AUTHENTICATE LOGIN", "+ VXNlcm5hbWU6"),
            ("YW5u", "+ UGFzc3dvcmQ6"),
            ("czNjcmV0", "A1 OK [CAPABILITY IMAP4rev1] in"),
        ];
        log_in("LOGINDISABLED AUTH=LOGIN", &script).unwrap();
        assert!(matches!(log_in("LOGINDISABLED", &[]), Err(Error::Tls(_))));
    }

    #[test]
    fn a_mechanism_that_is_not_understood_leaves_login() {
        let script = [
            ("AUTHENTICATE PLAIN AGFubgBzM2NyZXQ=", "% BAD unknown command"),
            ("LOGIN \"ann\" \"s3cret\"", "% OK [CAPABILITY IMAP4rev1] in"),
        ];
        log_in("AUTH=PLAIN SASL-IR", &script).unwrap();
    }

    #[test]
    fn a_refused_password_is_told_from_a_busy_server() {
        let refused = |answer| log_in("IMAP4rev1", &[("LOGIN \"ann\" \"s3cret\"", answer)]);
        assert!(matches!(
            refused("% NO LOGIN failed."),
            Err(Error::Credentials(_))
        ));
        let busy = "% NO [UNAVAILABLE] Temporary authentication failure.";
        assert!(matches!(refused(busy), Err(Error::Unavailable(_))));
        let busy = "% NO [ALERT] Too many simultaneous connections. (Failure)";
        assert!(matches!(refused(busy), Err(Error::Unavailable(_))));
        let wrong = "% NO [AUTHENTICATIONFAILED] Too many login failures";
        assert!(matches!(refused(wrong), Err(Error::Credentials(_))));
    }

    #[test]
    fn a_server_that_repeats_the_command_tells_nobody_the_password() {
        let answer = "% BAD Cannot parse: LOGIN \"ann\" \"s3cret\"";
        let error = log_in("IMAP4rev1", &[("LOGIN \"ann\" \"s3cret\"", answer)]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("Cannot parse") && !text.contains("s3cret"),
            "{text}"
        );
    }
}
