// SPDX-License-Identifier: GPL-3.0-or-later

use jiff::civil::Date;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use x509_parser::pem::parse_x509_pem;

use crate::task::{Invalid, SecretString};

/// An application at a provider.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// How it shows who it is.
    pub authentication: ClientAuthentication,
}

/// How an application shows who it is.
#[derive(Debug, Clone)]
pub enum ClientAuthentication {
    /// Not at all: a public client.
    None,
    /// By a secret.
    Secret {
        /// The secret.
        secret: SecretString,
        /// The last day on which it is good, where that is known.
        expires: Option<Date>,
        /// Whether it goes along in the head of a request (HTTP Basic) instead of its body.
        basic: bool,
    },
    /// By a statement signed with the key of a certificate (RFC 7523).
    Certificate(Box<ClientCertificate>),
}

/// A certificate with its private key.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate (PEM).
    pub certificate: String,
    /// Its private key (PEM).
    pub key: SecretString,
    /// SHA-256 of its DER form.
    pub sha256: [u8; 32],
    /// Whom it names.
    pub subject: String,
    /// Until when it is good, in seconds since 1970.
    pub not_after: i64,
}

impl ClientCertificate {
    /// Reads a certificate and its key.
    ///
    /// # Errors
    /// What is wrong with either, and which of both it is; never the key.
    pub fn parse(certificate: &str, key: &SecretString) -> Result<Self, Mismatch> {
        let wrong = |advice: &str| Mismatch::Certificate(Invalid(advice.into()));
        let (_, pem) = parse_x509_pem(certificate.as_bytes())
            .map_err(|_| wrong("expected a certificate in PEM form (-----BEGIN CERTIFICATE-----)"))?;
        let parsed = pem
            .parse_x509()
            .map_err(|_| wrong("expected an X.509 certificate"))?;
        let mismatch = |advice: &str| Mismatch::Key(Invalid(advice.into()));
        let signing = EncodingKey::from_rsa_pem(key.expose_secret().as_bytes())
            .map_err(|_| mismatch("expected a private RSA key in PEM form (-----BEGIN PRIVATE KEY-----)"))?;
        let public = DecodingKey::from_rsa_der(&parsed.public_key().subject_public_key.data);
        let probe = b"one pair";
        let pair = jsonwebtoken::crypto::sign(probe, &signing, Algorithm::PS256)
            .and_then(|signature| jsonwebtoken::crypto::verify(&signature, probe, &public, Algorithm::PS256));
        if !pair.unwrap_or(false) {
            return Err(mismatch("expected the private key of that certificate"));
        }
        Ok(Self {
            sha256: Sha256::digest(&pem.contents).into(),
            subject: parsed.subject().to_string(),
            not_after: parsed.validity().not_after.timestamp(),
            certificate: certificate.trim().to_owned(),
            key: key.clone(),
        })
    }
}

/// Which of certificate and key is wrong.
#[derive(Debug)]
pub enum Mismatch {
    /// The certificate.
    Certificate(Invalid),
    /// The key.
    Key(Invalid),
}
