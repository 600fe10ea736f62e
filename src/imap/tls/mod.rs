// SPDX-License-Identifier: GPL-3.0-or-later
//! TLS: who is trusted, how a connection becomes protected.
//!
//! [`verifier`]: looks at the certificate · [`old`]: for servers that cannot be updated · [`words`]: what a failed
//! handshake means.

mod old;
mod verifier;
mod words;

use std::sync::{Arc, Mutex};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsConnector;

use self::verifier::Verifier;
use super::certificate::Certificate;
use super::error::{Accepted, CertificateRefused, Error, Result};
use super::wire::Stream;

/// Which certificates are good enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Only one that the world's authorities vouch for: what was trusted is not replaced by less.
    Authorities,
    /// One that the authorities vouch for, else this very one (SHA-256 of its DER form, hex).
    Pinned(String),
    /// This very one, or one that the authorities vouch for under a name that this one had: the server is reached under
    /// an address that no certificate names.
    Renewable {
        /// The SHA-256 of its DER form, hex.
        pin: String,
        /// Its names.
        names: Vec<String>,
    },
    /// One that the authorities vouch for; another is shown to the person, who may accept it.
    Ask,
    /// One that the authorities vouch for, else any; the caller decides what to do with what it learns.
    Learn,
    /// Any: only whether TLS is spoken is of interest.
    Any,
}

impl Trust {
    /// Whether the server has been trusted before, so that it is known to speak TLS.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Authorities | Self::Pinned(_) | Self::Renewable { .. })
    }

    /// Whether this certificate is good enough.
    fn accepts(&self, shown: &Certificate) -> bool {
        match self {
            Self::Any | Self::Learn => true,
            Self::Authorities | Self::Ask => shown.trusted,
            Self::Pinned(pin) | Self::Renewable { pin, .. } => {
                shown.trusted || pin.eq_ignore_ascii_case(&shown.sha256)
            }
        }
    }

    fn refusal(&self, host: &str, shown: Certificate) -> Error {
        Error::CertificateRefused(Box::new(CertificateRefused {
            host: host.to_owned(),
            shown,
            accepted: match self {
                Self::Authorities => Accepted::Authorities,
                Self::Pinned(pin) | Self::Renewable { pin, .. } => Accepted::Fingerprint(pin.clone()),
                Self::Ask | Self::Learn | Self::Any => Accepted::Nothing,
            },
        }))
    }
}

/// How a connection is protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TlsInfo {
    /// `TLSv1.3` or `TLSv1.2`, an older one where old encryption is allowed; empty where the handshake was broken off.
    pub version: String,
    /// The server's certificate.
    pub certificate: Option<Certificate>,
}

/// Which encryption is good enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocols {
    /// TLS 1.2 and later, with what is held to be safe.
    #[default]
    Current,
    /// Whatever there has been since TLS 1.0: others may be able to read along.
    Old,
}

/// A connection after the handshake.
pub struct Protected {
    /// The encrypted stream.
    pub stream: Box<dyn Stream>,
    /// How it is protected.
    pub info: TlsInfo,
}

/// What the connections to one server have in common: those after the first one go on with its keys (RFC 8446, 2.2).
/// Copies share it.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<Option<Client>>>);

/// How connections are made on these terms.
#[derive(Clone, Debug)]
struct Client {
    trust: Trust,
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
}

impl Client {
    fn new(roots: Arc<RootCertStore>, trust: &Trust) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Verifier::new(roots, trust.clone(), provider.clone())?);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Tls(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        Ok(Self {
            trust: trust.clone(),
            config: Arc::new(config),
            verifier,
        })
    }
}

impl Shared {
    /// The client of these terms. Where the caller decides what to do with a certificate, each connection has its own: it
    /// tells what this very connection was shown.
    fn client(&self, roots: Arc<RootCertStore>, trust: &Trust) -> Result<Client> {
        let mut shared = match self.0.lock() {
            Ok(shared) if trust.is_known() => shared,
            _ => return Client::new(roots, trust),
        };
        match &*shared {
            Some(client) if client.trust == *trust => Ok(client.clone()),
            _ => Ok(shared.insert(Client::new(roots, trust)?).clone()),
        }
    }
}

/// Does the handshake over `stream`.
pub async fn connect(
    shared: &Shared,
    stream: Box<dyn Stream>,
    host: &str,
    trust: &Trust,
    protocols: Protocols,
) -> Result<Protected> {
    let client = shared.client(verifier::roots(), trust)?;
    connect_with(client, stream, host, protocols).await
}

/// The same with this client.
async fn connect_with(
    client: Client,
    stream: Box<dyn Stream>,
    host: &str,
    protocols: Protocols,
) -> Result<Protected> {
    let Client {
        trust,
        config,
        verifier,
    } = client;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Error::Tls(format!("{host} is not a name that a certificate can carry")))?;
    if protocols == Protocols::Old {
        return old::connect(stream, host, &name, &trust, &verifier).await;
    }
    let stream = TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|error| match verifier.seen() {
            Some(shown) if !trust.accepts(&shown) => trust.refusal(host, shown),
            _ => Error::Tls(format!(
                "TLS with {host} failed: {}",
                words::explain(&error, verifier.weakness().as_deref())
            )),
        })?;
    let version = match stream.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
        _ => "TLS of an unknown version".to_owned(),
    };
    Ok(Protected {
        stream: Box::new(stream),
        info: TlsInfo {
            version,
            certificate: verifier.seen(),
        },
    })
}

#[cfg(test)]
mod tests;
