// SPDX-License-Identifier: GPL-3.0-or-later
//! Signed statements (JWT, RFC 7523) by which an application or a service account shows who it is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::TokenError;
use crate::source::{ClientCertificate, HttpsUrl, ServiceAccount};

/// As long as a statement is good. Providers take up to an hour, and compare it with their own clock.
const LIFE: i64 = 10 * 60;
/// Clocks differ; a statement is good from a little before now.
const LEEWAY: i64 = 60;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// The statement of an application that has a certificate; `now` is the provider's.
///
/// # Errors
/// When the key cannot sign.
pub fn of_client(
    client_id: &str,
    certificate: &ClientCertificate,
    audience: &HttpsUrl,
    now: i64,
) -> Result<SecretString, TokenError> {
    let header = Header {
        x5t_s256: Some(URL_SAFE_NO_PAD.encode(certificate.sha256)),
        ..Header::new(Algorithm::PS256)
    };
    let claims = Claims {
        iss: client_id,
        sub: client_id,
        aud: audience.as_str(),
        scope: None,
        // Each is used once.
        jti: Some(oauth2::CsrfToken::new_random().into_secret()),
        iat: now - LEEWAY,
        nbf: now - LEEWAY,
        exp: now + LIFE,
    };
    sign(&header, &claims, &certificate.key)
}

/// The statement by which a service account acts for a mailbox; `now` is the provider's.
///
/// # Errors
/// When the key cannot sign.
pub fn of_service_account(
    account: &ServiceAccount,
    mailbox: &str,
    scope: &str,
    audience: &HttpsUrl,
    now: i64,
) -> Result<SecretString, TokenError> {
    let header = Header {
        kid: Some(account.key_id.clone()).filter(|id| !id.is_empty()),
        ..Header::new(Algorithm::RS256)
    };
    let claims = Claims {
        iss: &account.email,
        sub: mailbox,
        aud: audience.as_str(),
        scope: Some(scope),
        jti: None,
        iat: now - LEEWAY,
        nbf: now - LEEWAY,
        exp: now + LIFE,
    };
    sign(&header, &claims, &account.key)
}

fn sign(header: &Header, claims: &Claims<'_>, key: &SecretString) -> Result<SecretString, TokenError> {
    EncodingKey::from_rsa_pem(key.expose_secret().as_bytes())
        .and_then(|key| jsonwebtoken::encode(header, claims, &key))
        .map(SecretString::from)
        .map_err(|error| TokenError::Failed(format!("the private key of the source cannot sign: {error}")))
}
