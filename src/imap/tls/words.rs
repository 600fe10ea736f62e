// SPDX-License-Identifier: GPL-3.0-or-later
//! What a failed handshake means, for the person who has to do something about it.

use std::io;

use rustls::{AlertDescription, Error, PeerIncompatible};

/// What an administrator can do about a server that is too old for rustls.
const ADVICE: &str = "have the server updated; where that cannot be done, a source may allow old encryption";

/// What broke a handshake off; `weakness` is what the server's certificate lacks.
pub(super) fn explain(error: &io::Error, weakness: Option<&str>) -> String {
    if let Some(weakness) = weakness {
        return format!(
            "the server's certificate is outdated, or of an unusual kind that cannot be checked: {weakness}; {ADVICE}"
        );
    }
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    let Some(cause) = cause else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                format!(
                    "the server closed the connection during the handshake; it may speak only protocols older than TLS 1.2 \
                 ({ADVICE}), or none on this port"
                )
            }
            _ => error.to_string(),
        };
    };
    match cause {
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => format!("the server speaks only outdated protocols, older than TLS 1.2; {ADVICE}"),
        Error::AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity
            | AlertDescription::IllegalParameter,
        )
        | Error::PeerIncompatible(_) => format!(
            "there is no cipher suite, key exchange or signature algorithm that both sides know: the server has \
             outdated ones only; {ADVICE}"
        ),
        Error::InvalidMessage(_) => "the server does not answer with TLS on this port".to_owned(),
        Error::AlertReceived(alert) => format!("the server broke the handshake off ({alert:?})"),
        Error::InvalidCertificate(certificate) => {
            format!("the server's certificate is of an outdated or unusual kind ({certificate:?}); {ADVICE}")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_name_what_is_missing() {
        for (error, words) in [
            (
                Error::AlertReceived(AlertDescription::ProtocolVersion),
                "older than TLS 1.2",
            ),
            (
                Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
                "older than TLS 1.2",
            ),
            (
                Error::AlertReceived(AlertDescription::HandshakeFailure),
                "no cipher suite",
            ),
        ] {
            let said = explain(&io::Error::new(io::ErrorKind::InvalidData, error), None);
            assert!(said.contains(words) && said.contains(ADVICE), "{said}");
        }
        let closed = explain(&io::ErrorKind::UnexpectedEof.into(), None);
        assert!(closed.contains("TLS 1.2"), "{closed}");
        let weak = explain(
            &io::Error::other("x"),
            Some("its RSA key of 1024 bits is too short"),
        );
        assert!(weak.contains("1024 bits"), "{weak}");
    }
}
