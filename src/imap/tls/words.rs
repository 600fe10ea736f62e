// SPDX-License-Identifier: GPL-3.0-or-later
//! What a failed handshake means, for the person who has to do something about it.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use crate::text::io_reason;

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
            _ => io_reason(error),
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
        Error::AlertReceived(alert) => {
            let number = u8::from(*alert);
            match meaning(*alert) {
                Some(meaning) => format!("the server ended the handshake: {meaning} (TLS alert {number})"),
                None => format!("the server ended the handshake with TLS alert {number}"),
            }
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "the server's signature does not match its certificate; it may have been changed on the way".to_owned()
        }
        Error::InvalidCertificate(CertificateError::BadEncoding) => {
            format!("the server's certificate cannot be read; {ADVICE}")
        }
        Error::InvalidCertificate(_) => {
            format!("the server's certificate is of an outdated or unusual kind; {ADVICE}")
        }
        Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::DecryptError => {
            "the server does not keep to the rules of TLS; it may be broken, or something on the way changes what it sends"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// What an alert of the server says (RFC 8446, 6.2).
fn meaning(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::CloseNotify | AlertDescription::UserCanceled => "it closed the connection",
        AlertDescription::InternalError => "it has an internal error",
        AlertDescription::AccessDenied => "it denies access",
        AlertDescription::UnrecognisedName => "it does not know this host name",
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "it wants a client certificate, which this module does not have"
        }
        AlertDescription::UnexpectedMessage
        | AlertDescription::DecodeError
        | AlertDescription::DecryptError => "it could not read what it was sent",
        _ => return None,
    })
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
        for (alert, words) in [
            (
                AlertDescription::InternalError,
                "it has an internal error (TLS alert 80)",
            ),
            (
                AlertDescription::Unknown(200),
                "ended the handshake with TLS alert 200",
            ),
        ] {
            let error = io::Error::other(Error::AlertReceived(alert));
            let said = explain(&error, None);
            assert!(said.ends_with(words), "{said}");
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
