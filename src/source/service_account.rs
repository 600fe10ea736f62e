// SPDX-License-Identifier: GPL-3.0-or-later

use jsonwebtoken::EncodingKey;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::HttpsUrl;
use crate::secret::SecretText;
use crate::task::{Invalid, SecretString};

/// The key of a service account that acts for the users of a domain.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// The key file (JSON) as it was given.
    pub file: SecretString,
    /// Its address: whom a statement is from.
    pub email: String,
    /// Its number, which the domain's administrator authorizes.
    pub client_id: String,
    /// Which of its keys signs.
    pub key_id: String,
    /// That key (PEM).
    pub key: SecretString,
    /// Where tokens are issued.
    pub token_endpoint: Option<HttpsUrl>,
}

#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    private_key_id: String,
    private_key: SecretText,
    #[serde(default)]
    token_uri: Option<String>,
}

impl ServiceAccount {
    /// Reads a key file.
    ///
    /// # Errors
    /// What is wrong with it; never what is in it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |advice: &str| Invalid(advice.into());
        // What serde says may repeat a value, which may be the key.
        let file: KeyFile = serde_json::from_str(text).map_err(|_| {
            wrong("expected the key file of a service account: JSON with client_email and private_key")
        })?;
        let key = file.private_key.into_secret();
        EncodingKey::from_rsa_pem(key.expose_secret().as_bytes())
            .map_err(|_| wrong("expected an RSA key in PEM form as its private_key"))?;
        let token_endpoint = file.token_uri.as_deref().map(HttpsUrl::parse).transpose();
        Ok(Self {
            file: SecretString::from(text.trim()),
            email: file.client_email,
            client_id: file.client_id,
            key_id: file.private_key_id,
            key,
            token_endpoint: token_endpoint.map_err(|invalid| Invalid(format!("its token_uri: {invalid}")))?,
        })
    }
}
