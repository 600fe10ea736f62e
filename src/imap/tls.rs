// SPDX-License-Identifier: GPL-3.0-or-later
//! TLS with rustls: who is trusted, what a certificate says.

use std::sync::{Arc, Mutex, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsConnector;

use super::certificate::Certificate;
use super::error::{ChangedCertificate, Error, Result};
use super::wire::Stream;

/// Which certificates are good enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// One that the world's authorities vouch for, else this very one (SHA-256 of its DER form, hex).
    Pinned(String),
    /// One that the authorities vouch for, else any; the caller decides what to do with what it learns.
    Learn,
    /// Any: the peer is reached over a private network under an address that no certificate names.
    Any,
}

impl Trust {
    /// Whether the server has shown a certificate before.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Pinned(_))
    }
}

/// How a connection is protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TlsInfo {
    /// `TLSv1.3` or `TLSv1.2`; empty where the handshake was broken off.
    pub version: String,
    /// The server's certificate.
    pub certificate: Option<Certificate>,
}

/// A connection after the handshake.
pub struct Protected {
    /// The encrypted stream.
    pub stream: Box<dyn Stream>,
    /// How it is protected.
    pub info: TlsInfo,
}

/// Does the handshake over `stream`.
pub async fn connect(stream: Box<dyn Stream>, host: &str, trust: &Trust) -> Result<Protected> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Verifier::new(trust.clone(), provider.clone())?);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Error::Tls(format!("{host} is no name that a certificate can carry")))?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| match (verifier.seen(), trust) {
            (Some(shown), Trust::Pinned(pin)) if !shown.trusted && &shown.sha256 != pin => {
                Error::CertificateChanged(Box::new(ChangedCertificate {
                    host: host.to_owned(),
                    shown,
                    accepted: pin.clone(),
                }))
            }
            _ => Error::Tls(format!("TLS with {host} failed: {error}")),
        })?;
    let version = match stream.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
        other => format!("{other:?}"),
    };
    Ok(Protected {
        stream: Box::new(stream),
        info: TlsInfo {
            version,
            certificate: verifier.seen(),
        },
    })
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    seen: Mutex<Option<Certificate>>,
}

impl Verifier {
    fn new(trust: Trust, provider: Arc<CryptoProvider>) -> Result<Self> {
        let authorities = match trust {
            Trust::Any => None,
            Trust::Pinned(_) | Trust::Learn => Some(
                WebPkiServerVerifier::builder_with_provider(roots(), provider.clone())
                    .build()
                    .map_err(|error| Error::Tls(error.to_string()))?,
            ),
        };
        Ok(Self {
            trust,
            provider,
            authorities,
            seen: Mutex::new(None),
        })
    }

    fn seen(&self) -> Option<Certificate> {
        self.seen.lock().ok().and_then(|seen| seen.clone())
    }
}

/// The authorities built in and those of the system; read once.
fn roots() -> Arc<RootCertStore> {
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

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verified = match &self.authorities {
            Some(authorities) => authorities
                .verify_server_cert(end_entity, intermediates, server_name, ocsp, now)
                .map(|_| ()),
            None => Ok(()),
        };
        let certificate = describe(end_entity, self.authorities.is_some() && verified.is_ok());
        let accepted = match &self.trust {
            Trust::Any | Trust::Learn => Ok(()),
            Trust::Pinned(pin) if pin.eq_ignore_ascii_case(&certificate.sha256) => Ok(()),
            Trust::Pinned(_) => verified,
        };
        if let Ok(mut seen) = self.seen.lock() {
            *seen = Some(certificate);
        }
        accepted.map(|()| ServerCertVerified::assertion())
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

fn describe(der: &CertificateDer<'_>, trusted: bool) -> Certificate {
    let sha256 = hex(&Sha256::digest(der));
    match x509_parser::parse_x509_certificate(der) {
        Ok((_, parsed)) => Certificate {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            not_before: moment(parsed.validity().not_before.timestamp()),
            not_after: moment(parsed.validity().not_after.timestamp()),
            sha256,
            trusted,
        },
        Err(_) => Certificate {
            subject: String::new(),
            issuer: String::new(),
            not_before: String::new(),
            not_after: String::new(),
            sha256,
            trusted,
        },
    }
}

fn moment(unix: i64) -> String {
    jiff::Timestamp::from_second(unix)
        .map(|t| t.to_string())
        .unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
