// SPDX-License-Identifier: GPL-3.0-or-later
//! From nothing to a greeting over a connection that is as protected as it has to be.

use std::time::Duration;

use tokio::time::timeout;

use super::first_words::{FirstWords, Overheard, Speaker};
use super::{ConnectionInfo, Encryption, Endpoint, read_capabilities_if_told};
use crate::imap::capability::Capability;
use crate::imap::command::Command;
use crate::imap::dial;
use crate::imap::error::{Error, Result};
use crate::imap::notices::Notices;
use crate::imap::quick_ack::QuickAck;
use crate::imap::response::{Code, Kind, Response, Untagged};
use crate::imap::session::Session;
use crate::imap::tls::{self, Trust};
use crate::imap::wire::{Stream, Wire};

/// Servers that look up who calls, or that let unknown clients wait, take half a minute.
const GREETING_LIMIT: Duration = Duration::from_secs(75);
/// A server that expects TLS keeps silent; after this long, a second connection finds out whether that is why.
const SILENCE_LIMIT: Duration = Duration::from_secs(2);
const PROBE_LIMIT: Duration = Duration::from_secs(5);
const TLS_LIMIT: Duration = Duration::from_secs(45);

/// What to do where another port is meant.
const PORTS: &str = "the ports of IMAP are 993 (SSL/TLS) and 143 (STARTTLS)";

/// Connects, protects, and reads the greeting.
pub(super) async fn open(
    endpoint: &Endpoint,
    notices: &Notices,
    info: &mut ConnectionInfo,
) -> Result<Session> {
    let direct = endpoint.encryption == Encryption::Tls
        || (endpoint.encryption == Encryption::Opportunistic && endpoint.port == 993);
    let tcp = dial::connect(&endpoint.host, endpoint.port, endpoint.proxy.as_ref()).await?;
    if direct {
        let stream = protect(Box::new(QuickAck::new(tcp)), endpoint, info).await?;
        return greet(stream, endpoint, notices, info)
            .await
            .map(|(session, _)| session);
    }
    if timeout(SILENCE_LIMIT, tcp.readable()).await.is_err() {
        refuse_strangers(endpoint).await?;
    }
    let (mut session, kind) = greet(Box::new(QuickAck::new(tcp)), endpoint, notices, info).await?;
    if session.capabilities().is_empty() {
        read_capabilities_if_told(&mut session).await?;
    }
    // RFC 8314: a session that is authenticated before TLS cannot be protected any more.
    if session.capabilities().has(Capability::StartTls) && kind != Kind::Preauth {
        return start_tls(session, endpoint, notices, info).await;
    }
    let Endpoint { host, port, .. } = endpoint;
    match endpoint.encryption {
        Encryption::Opportunistic if endpoint.trust.is_known() => Err(Error::StartTlsNotOffered(format!(
            "{host} port {port} does not offer STARTTLS any more: it did when its certificate was accepted, so nothing \
             is sent to it in plain text. If that is meant, delete the task and create it again"
        ))),
        Encryption::Opportunistic => Ok(session),
        Encryption::StartTls | Encryption::Tls => Err(Error::StartTlsNotOffered(format!(
            "{host} port {port} does not offer STARTTLS: use TLS on port 993"
        ))),
    }
}

async fn start_tls(
    mut session: Session,
    endpoint: &Endpoint,
    notices: &Notices,
    info: &mut ConnectionInfo,
) -> Result<Session> {
    let answer = session.call(Command::new("STARTTLS"), |_| {}).await?;
    if !answer.is_ok() {
        return Err(Error::Tls(format!("STARTTLS was refused: {answer}")));
    }
    let stream = protect(session.into_wire().into_stream(), endpoint, info).await?;
    let mut session = Session::new(Wire::new(stream, GREETING_LIMIT), notices.clone());
    // What was said in plain text may be an attacker's (RFC 9051, 6.2.1): asked again.
    read_capabilities_if_told(&mut session).await?;
    Ok(session)
}

async fn protect(
    stream: Box<dyn Stream>,
    endpoint: &Endpoint,
    info: &mut ConnectionInfo,
) -> Result<Box<dyn Stream>> {
    let host = dial::ascii_host(&endpoint.host)?;
    let (stream, words) = Overheard::new(stream);
    let handshake = tls::connect(
        &endpoint.tls,
        Box::new(stream),
        &host,
        &endpoint.trust,
        endpoint.protocols,
    );
    let protected = timeout(TLS_LIMIT, handshake)
        .await
        .map_err(|_| Error::Tls(format!("TLS with {host} was not answered in time")))?
        .map_err(|error| instead_of_tls(endpoint, &words).unwrap_or(error))?;
    info.tls = Some(protected.info);
    Ok(protected.stream)
}

/// What answered where TLS was expected.
fn instead_of_tls(endpoint: &Endpoint, words: &FirstWords) -> Option<Error> {
    let Endpoint { host, port, .. } = endpoint;
    match words.speaker()? {
        Speaker::Imap => Some(Error::Tls(format!(
            "{host} port {port} speaks IMAP in plain text, not TLS from the start: choose STARTTLS, or SSL/TLS on port 993"
        ))),
        Speaker::Other(name) => Some(no_imap(endpoint, name)),
        Speaker::Tls => None,
    }
}

fn no_imap(Endpoint { host, port, .. }: &Endpoint, name: &str) -> Error {
    Error::Unreachable(format!(
        "{host} port {port} is not an IMAP server, it speaks {name}: {PORTS}"
    ))
}

/// Looks with a second connection whether the other side waits for something else than IMAP.
async fn refuse_strangers(endpoint: &Endpoint) -> Result<()> {
    let Endpoint { host, port, .. } = endpoint;
    let mut words = FirstWords::default();
    let probe = async {
        let (stream, first) = Overheard::new(dial::connect(host, *port, endpoint.proxy.as_ref()).await?);
        words = first;
        let host = dial::ascii_host(host)?;
        tls::connect(
            &endpoint.tls,
            Box::new(stream),
            &host,
            &Trust::Any,
            endpoint.protocols,
        )
        .await
    };
    let protected = matches!(timeout(PROBE_LIMIT, probe).await, Ok(Ok(_)));
    match words.speaker() {
        Some(Speaker::Other(name)) => Err(no_imap(endpoint, name)),
        Some(Speaker::Tls) if protected => Err(Error::Unreachable(format!(
            "{host} port {port} expects TLS from the start: choose SSL/TLS, or port 143 for STARTTLS"
        ))),
        _ => Ok(()),
    }
}

async fn greet(
    stream: Box<dyn Stream>,
    endpoint: &Endpoint,
    notices: &Notices,
    info: &mut ConnectionInfo,
) -> Result<(Session, Kind)> {
    let (stream, words) = Overheard::new(stream);
    let mut session = Session::new(Wire::new(Box::new(stream), GREETING_LIMIT), notices.clone());
    let greeting = match session.receive().await {
        Err(Error::Timeout(text)) => {
            provoke(&mut session).await;
            Err(Error::Timeout(text))
        }
        other => other,
    };
    let status = match (greeting, words.speaker()) {
        (Ok(Response::Untagged(Untagged::Status(status))), _) => status,
        (_, Some(Speaker::Other(name))) => return Err(no_imap(endpoint, name)),
        (Ok(_), _) => return Err(Error::protocol("the server sent no IMAP greeting")),
        (Err(error), _) => return Err(error),
    };
    info.greeting.clone_from(&status.text);
    if let Some(Code::Capability(capabilities)) = &status.code {
        session.set_capabilities(capabilities.clone());
    }
    match status.kind {
        Kind::Ok | Kind::Preauth => Ok((session, status.kind)),
        _ => Err(Error::Unavailable(status.to_string())),
    }
}

/// Has a server say what it is that waits to be spoken to, as web servers do.
async fn provoke(session: &mut Session) {
    session.wire_mut().set_idle(PROBE_LIMIT);
    session.wire_mut().queue(b"A0 NOOP\r\n\r\n");
    // Whatever comes is overheard.
    if session.flush().await.is_ok() {
        let _ = session.receive().await;
    }
}
