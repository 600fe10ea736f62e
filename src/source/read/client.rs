// SPDX-License-Identifier: GPL-3.0-or-later
//! The fields that describe the application: its id, and its secret or certificate.

use secrecy::SecretString;

use super::{Reader, plain};
use crate::error::{ErrorKey, Refusal};
use crate::source::client::{ClientCertificate, Mismatch};
use crate::source::fields::{given, secret};
use crate::source::{Client, ClientAuthentication, OAuth};
use crate::task::Invalid;

impl Reader<'_> {
    pub(super) fn client(&mut self, stored: Option<&OAuth>, must_authenticate: bool) -> Option<Client> {
        let fields = self.fields;
        let id = self.parse("client_id", given(&fields.client_id).unwrap_or_default(), plain)?;
        let stored = stored
            .and_then(OAuth::client)
            .filter(|stored| stored.id == id)
            .map(|stored| &stored.authentication);
        let authentication = match given(&fields.client_certificate) {
            Some(certificate) => self.client_certificate(certificate, stored)?,
            // One that has a secret does not lose it without a word, because it may not go where it would go now.
            None => {
                let must_authenticate = must_authenticate || self.had_secret.as_ref() == Some(&id);
                self.client_secret(stored, must_authenticate)?
            }
        };
        Some(Client { id, authentication })
    }

    fn client_certificate(
        &mut self,
        certificate: &str,
        stored: Option<&ClientAuthentication>,
    ) -> Option<ClientAuthentication> {
        let key = match (secret(&self.fields.client_key_password), stored) {
            (Some(key), _) => SecretString::from(key),
            (None, Some(ClientAuthentication::Certificate(stored))) => stored.key.clone(),
            (None, _) => {
                let advice = "give the private key of the certificate";
                self.refusals.push(Refusal::new(
                    "client_key_password",
                    ErrorKey::PasswordRequired,
                    advice,
                ));
                return None;
            }
        };
        match ClientCertificate::parse(certificate, &key) {
            Ok(certificate) => Some(ClientAuthentication::Certificate(Box::new(certificate))),
            Err(Mismatch::Certificate(invalid)) => {
                self.refuse("client_certificate", invalid.to_string());
                None
            }
            Err(Mismatch::Key(invalid)) => {
                self.refuse("client_key_password", invalid.to_string());
                None
            }
        }
    }

    fn client_secret(
        &mut self,
        stored: Option<&ClientAuthentication>,
        must_authenticate: bool,
    ) -> Option<ClientAuthentication> {
        let fields = self.fields;
        let basic = match given(&fields.client_authentication).unwrap_or("post") {
            "post" => false,
            "basic" => true,
            _ => {
                self.refuse("client_authentication", "expected post or basic");
                return None;
            }
        };
        let stored = match stored {
            Some(ClientAuthentication::Secret { secret, .. }) => Some(secret),
            _ => None,
        };
        let given_secret = secret(&fields.client_secret_password);
        if given_secret.is_none() && stored.is_none() && !must_authenticate {
            return Some(ClientAuthentication::None);
        }
        let advice = "give the application's secret, or its certificate with the private key";
        let secret = self.secret("client_secret_password", given_secret, stored, advice)?;
        let expires = match given(&fields.client_secret_expires) {
            None => None,
            Some(day) => Some(self.parse("client_secret_expires", day, |text| {
                text.parse()
                    .map_err(|_| Invalid("expected a day such as 2027-05-31".into()))
            })?),
        };
        Some(ClientAuthentication::Secret {
            secret,
            expires,
            basic,
        })
    }
}
