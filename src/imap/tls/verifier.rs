// SPDX-License-Identifier: GPL-3.0-or-later
//! Looks at the certificate that a server shows, on behalf of rustls.

use std::sync::{Arc, Mutex, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Version;

use super::Trust;
use crate::imap::certificate::{Certificate, Fault};
use crate::imap::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    certificate: Option<Certificate>,
    weakness: Option<String>,
}

impl Verifier {
    pub(super) fn new(
        roots: Arc<RootCertStore>,
        trust: Trust,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self> {
        let authorities = match trust {
            Trust::Any => None,
            Trust::Authorities | Trust::Pinned(_) | Trust::Renewable { .. } | Trust::Ask | Trust::Learn => {
                Some(
                    WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
                        .build()
                        .map_err(|error| Error::Tls(error.to_string()))?,
                )
            }
        };
        Ok(Self {
            trust,
            provider,
            authorities,
            seen: Mutex::default(),
        })
    }

    /// What the server has shown.
    pub(super) fn seen(&self) -> Option<Certificate> {
        self.seen.lock().ok().and_then(|seen| seen.certificate.clone())
    }

    /// What rustls cannot do with it.
    pub(super) fn weakness(&self) -> Option<String> {
        self.seen.lock().ok().and_then(|seen| seen.weakness.clone())
    }
}

/// The authorities built in and those of the system; read once.
pub(super) fn roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    ROOTS
        .get_or_init(|| {
            let mut store = RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            };
            // A system without a certificate store, as in a minimal container, has the built-in ones alone.
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            Arc::new(store)
        })
        .clone()
}

fn fault(error: &rustls::Error) -> Fault {
    let rustls::Error::InvalidCertificate(error) = error else {
        return Fault::Unverifiable;
    };
    match error {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Fault::OtherName
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Fault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Fault::NotYetValid,
        CertificateError::Revoked => Fault::Revoked,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Fault::OtherPurpose
        }
        // Its signer has the name of an authority at most.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Fault::UnknownAuthority,
        _ => Fault::Unverifiable,
    }
}

/// What of a certificate rustls with ring cannot work with, in words.
fn weakness(der: &[u8]) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
    if parsed.version() != X509Version::V3 {
        return Some(format!("X.509 version {} is outdated", parsed.version().0 + 1));
    }
    // Those of RFC 5280 that webpki knows.
    let unknown = parsed
        .extensions()
        .iter()
        .find(|extension| extension.critical && !extension.oid.to_id_string().starts_with("2.5.29."));
    if let Some(extension) = unknown {
        return Some(format!(
            "its critical extension {} is unknown",
            extension.oid.to_id_string()
        ));
    }
    match parsed.public_key().parsed().ok()? {
        PublicKey::RSA(key) if key.key_size() < 2048 => {
            Some(format!("its RSA key of {} bits is too short", key.key_size()))
        }
        PublicKey::EC(point) if ![256, 384].contains(&point.key_size()) => Some(format!(
            "its elliptic curve of {} bits is an unusual algorithm",
            point.key_size()
        )),
        PublicKey::DSA(_) => Some("its DSA key is of an outdated algorithm".to_owned()),
        _ => None,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let unknown = || Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer));
        let verified = self.authorities.as_ref().map_or_else(unknown, |authorities| {
            let under = |name: &ServerName<'_>| {
                let verified = authorities.verify_server_cert(end_entity, intermediates, name, ocsp, now);
                verified.map(drop)
            };
            let Trust::Renewable { names, .. } = &self.trust else {
                return under(server_name);
            };
            let names = names
                .iter()
                .filter_map(|name| ServerName::try_from(name.as_str()).ok());
            names
                .map(|name| under(&name))
                .fold(unknown(), std::result::Result::or)
        });
        let certificate = Certificate::new(end_entity, verified.as_ref().map(drop).map_err(fault));
        let accepted = match self.trust.accepts(&certificate) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(verified.err().unwrap_or(rustls::Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ))),
        };
        if let Ok(mut seen) = self.seen.lock() {
            *seen = Seen {
                certificate: Some(certificate),
                weakness: weakness(end_entity),
            };
        }
        accepted
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
