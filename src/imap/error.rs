// SPDX-License-Identifier: GPL-3.0-or-later
//! What can go wrong on a connection, told in sentences.

use std::fmt;
use std::io;

use super::certificate::Certificate;
use super::response::StatusLine;
use crate::error::ErrorKey;
use crate::text::io_reason;

/// A failure of one connection or one command.
#[derive(Debug)]
pub enum Error {
    /// No address, no TCP connection, or no answer.
    Unreachable(String),
    /// TLS could not be agreed on.
    Tls(String),
    /// The certificate is not good enough for what was accepted before.
    CertificateRefused(Box<CertificateRefused>),
    /// STARTTLS is asked for and the server does not offer it.
    StartTlsNotOffered(String),
    /// The server refused user name or password.
    Credentials(String),
    /// The server refused the token: it has expired, or is not good for this mailbox.
    Token(String),
    /// There is nothing to log in with, such as a token that the provider does not issue.
    NoCredentials {
        /// The key that the web page translates.
        key: ErrorKey,
        /// The same as a sentence.
        message: String,
    },
    /// The server has no way to log in with what there is; what it offers is told.
    NoWayIn(String),
    /// The server is there but does not serve this client now: `BYE`, throttled, too many connections.
    Unavailable(String),
    /// The connection broke after it was established.
    Lost(String),
    /// The server keeps dropping the connection, so that another one would not help.
    Unstable(String),
    /// The server did not answer within the time limit.
    Timeout(String),
    /// The server said something that is not IMAP.
    Protocol(String),
    /// The server's answers contradict each other or come in an impossible order.
    Inconsistent(String),
    /// The server sends more than any honest answer would.
    Limit(String),
    /// The server cannot cope with how it was asked: ask again in another way, on a new connection.
    Fallback(String),
    /// A command was answered with `NO` or `BAD`.
    Command {
        /// The command's name, without arguments.
        command: &'static str,
        /// The server's answer.
        answer: StatusLine,
    },
    /// A message too large for memory could not be spooled to disk.
    Spool(io::Error),
}

/// A certificate that is not good enough, for people to judge.
#[derive(Debug)]
pub struct CertificateRefused {
    /// The server that showed it.
    pub host: String,
    /// What it showed.
    pub shown: Certificate,
    /// What was accepted before.
    pub accepted: Accepted,
}

/// What a server's certificate has to come up to.
#[derive(Debug, PartialEq, Eq)]
pub enum Accepted {
    /// An authority vouched for it.
    Authorities,
    /// It had this fingerprint.
    Fingerprint(String),
    /// The server is met for the first time.
    Nothing,
}

impl fmt::Display for CertificateRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            shown,
            accepted,
        } = self;
        let (complaint, sha256) = (shown.complaint(), &shown.sha256);
        match accepted {
            Accepted::Authorities => write!(
                f,
                "the certificate of {host} has changed: {complaint}, while an authority vouched for the accepted one. \
                 Its fingerprint is {sha256}; accept it only if the server's administrator confirms that"
            ),
            Accepted::Fingerprint(pin) => write!(
                f,
                "the certificate of {host} has changed ({complaint}): its fingerprint is {sha256}, the accepted one is {pin}"
            ),
            Accepted::Nothing => write!(
                f,
                "no authority vouches for the certificate of {host}: {complaint}. Its fingerprint is {sha256}; accept it \
                 if the server's administrator confirms that"
            ),
        }
    }
}

/// Result of this module's operations.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Whether a new connection may do better.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Lost(_)
                | Self::Timeout(_)
                | Self::Unavailable(_)
                | Self::Unreachable(_)
                | Self::Protocol(_)
                | Self::Inconsistent(_)
                | Self::Limit(_)
                | Self::Fallback(_)
                | Self::NoCredentials {
                    key: ErrorKey::TokenServerUnreachable,
                    ..
                }
        )
    }

    /// Whether the connection broke or fell silent.
    pub fn is_break(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Timeout(_))
    }

    /// Whether what the server was doing may be to blame: the connection broke, or its answer made no sense.
    pub fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::Lost(_) | Self::Timeout(_) | Self::Protocol(_) | Self::Limit(_)
        )
    }

    /// Whether the server has judged the credentials, or has no use for them: another connection changes nothing.
    pub fn is_about_credentials(&self) -> bool {
        matches!(self, Self::Credentials(_) | Self::Token(_) | Self::NoWayIn(_))
            || matches!(self, Self::NoCredentials { key, .. } if *key != ErrorKey::TokenServerUnreachable)
    }

    /// The same error once more; of one that is not about credentials, its text.
    pub fn repeated(&self) -> Self {
        match self {
            Self::Token(text) => Self::Token(text.clone()),
            Self::NoWayIn(text) => Self::NoWayIn(text.clone()),
            Self::Credentials(text) => Self::Credentials(text.clone()),
            Self::NoCredentials { key, message } => Self::NoCredentials {
                key: *key,
                message: message.clone(),
            },
            other => Self::Unstable(other.to_string()),
        }
    }

    pub(crate) fn protocol(what: impl Into<String>) -> Self {
        Self::Protocol(what.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text)
            | Self::Tls(text)
            | Self::StartTlsNotOffered(text)
            | Self::NoWayIn(text) => f.write_str(text),
            Self::CertificateRefused(refused) => refused.fmt(f),
            Self::NoCredentials { message, .. } => f.write_str(message),
            Self::Credentials(text) => write!(f, "the server refused the login: {text}"),
            Self::Token(text) => write!(f, "the server refused the sign-in: {text}"),
            Self::Unavailable(text) => write!(f, "the server is unavailable: {text}"),
            Self::Lost(text) => write!(f, "the connection was lost: {text}"),
            Self::Unstable(text) => write!(f, "the server keeps dropping the connection; giving up: {text}"),
            Self::Timeout(text) => write!(f, "the server did not answer in time: {text}"),
            Self::Protocol(text) => write!(f, "invalid IMAP response: {text}"),
            Self::Inconsistent(text) => write!(f, "inconsistent IMAP responses: {text}"),
            Self::Limit(text) => write!(f, "the server sends too much: {text}"),
            Self::Fallback(text) => f.write_str(text),
            Self::Command { command, answer } => write!(f, "{command} was refused: {answer}"),
            Self::Spool(error) => {
                write!(
                    f,
                    "a large message could not be spooled to disk: {}",
                    io_reason(error)
                )
            }
        }
    }
}

impl std::error::Error for Error {}
