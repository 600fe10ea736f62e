// SPDX-License-Identifier: GPL-3.0-or-later
//! The fields of a source that signs in with OAuth 2.0.

use super::{Reader, plain};
use crate::error::{ErrorKey, Refusal};
use crate::source::fields::{given, secret};
use crate::source::{Endpoints, Grant, HttpsUrl, Kind, OAuth, ServiceAccount, Source};
use crate::task::Invalid;

/// The longest certificate, chain of certificates or key, in bytes.
const LONGEST_PEM: usize = 64 * 1024;

impl Reader<'_> {
    pub(super) fn oauth(&mut self, kind: Kind, former: Option<&Source>) -> Option<OAuth> {
        let fields = self.fields;
        let stored = former.and_then(Source::oauth);
        let account = match kind {
            Kind::ServiceAccount => Some(self.service_account(stored)?),
            _ => None,
        };
        let endpoints = self.endpoints(kind, account.as_ref());
        // A secret goes to where tokens are issued, and nowhere else.
        let stored = stored.filter(|stored| {
            endpoints.as_ref().map(|endpoints| &endpoints.token) == Some(&stored.endpoints.token)
        });
        let scope = self.or_preset(&fields.scope, |preset| preset.scope(kind));
        let scope = match scope {
            // A provider may know what an application is to get.
            "" if kind == Kind::Application => Some(String::new()),
            scope => self.parse("scope", scope, plain),
        };
        let authorities = self.authorities();
        let grant = match (kind, account) {
            (_, Some(account)) => Some(Grant::ServiceAccount(account)),
            (Kind::Application, None) => self.client(stored, true).map(Grant::Application),
            (Kind::DeviceCode, None) => self.client(stored, false).map(Grant::DeviceCode),
            _ => self.client(stored, false).map(Grant::AuthorizationCode),
        };
        Some(OAuth {
            grant: grant?,
            endpoints: endpoints?,
            scope: scope?,
            tenant: self.or_preset(&fields.tenant, |preset| preset.tenant).to_owned(),
            authority: self
                .or_preset(&fields.authority, |preset| preset.authority)
                .to_owned(),
            issuer: given(&fields.issuer).unwrap_or_default().to_owned(),
            authorities: authorities?,
        })
    }

    /// The key file names where tokens are issued, unless a field does; so it is never sent anywhere itself.
    fn service_account(&mut self, stored: Option<&OAuth>) -> Option<ServiceAccount> {
        match secret(&self.fields.service_account_password) {
            Some(text) if text.len() <= LONGEST_PEM => match ServiceAccount::parse(text) {
                Ok(account) => Some(account),
                Err(invalid) => {
                    self.refuse("service_account_password", invalid.to_string());
                    None
                }
            },
            Some(_) => {
                self.refuse(
                    "service_account_password",
                    format!("it is longer than {LONGEST_PEM} bytes"),
                );
                None
            }
            None => match stored.map(|stored| &stored.grant) {
                Some(Grant::ServiceAccount(account)) => Some(account.clone()),
                _ => {
                    let advice = "give the key file (JSON) of the service account";
                    let refusal =
                        Refusal::new("service_account_password", ErrorKey::PasswordRequired, advice);
                    self.refusals.push(refusal);
                    None
                }
            },
        }
    }

    fn endpoints(&mut self, kind: Kind, account: Option<&ServiceAccount>) -> Option<Endpoints> {
        let fields = self.fields;
        let tenant = self.or_preset(&fields.tenant, |preset| preset.tenant);
        let authority = self.or_preset(&fields.authority, |preset| preset.authority);
        let base = match authority.is_empty() {
            true => None,
            false => Some(self.tenant(kind, authority, tenant)?),
        };
        let of_tenant = |path: &str| base.as_ref().and_then(|base| base.join(path).ok());
        let token = match (
            self.or_preset(&fields.token_endpoint, |preset| preset.token_endpoint),
            account,
        ) {
            (
                "",
                Some(ServiceAccount {
                    token_endpoint: Some(endpoint),
                    ..
                }),
            ) => Some(endpoint.clone()),
            ("", _) if base.is_some() => of_tenant("oauth2/v2.0/token"),
            (text, _) => self.parse("token_endpoint", text, HttpsUrl::parse),
        };
        let authorization = match self.or_preset(&fields.authorization_endpoint, |preset| {
            preset.authorization_endpoint
        }) {
            "" if base.is_some() => Some(of_tenant("oauth2/v2.0/authorize")),
            "" if kind != Kind::AuthorizationCode => Some(None),
            text => self
                .parse("authorization_endpoint", text, HttpsUrl::parse)
                .map(Some),
        };
        let device = match self.or_preset(&fields.device_endpoint, |preset| preset.device_endpoint) {
            "" if base.is_some() => Some(of_tenant("oauth2/v2.0/devicecode")),
            "" if kind != Kind::DeviceCode => Some(None),
            text => self.parse("device_endpoint", text, HttpsUrl::parse).map(Some),
        };
        Some(Endpoints {
            token: token?,
            authorization: authorization?,
            device: device?,
        })
    }

    fn tenant(&mut self, kind: Kind, authority: &str, tenant: &str) -> Option<HttpsUrl> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let everybody = ["common", "consumers", "organizations"].contains(&tenant);
        let base = self.parse("authority", authority, HttpsUrl::parse);
        let tenant = self.parse("tenant", tenant, |text| {
            if !text.chars().all(plain) || text.starts_with('.') {
                return Err(Invalid("expected the organisation's id or one of its domains".into()));
            }
            if everybody && kind == Kind::Application {
                return Err(Invalid(
                    "an application signs in to one organisation: give that organisation's id or one of its domains".into(),
                ));
            }
            Ok(text.to_owned())
        });
        base?.join(&tenant?).ok()
    }

    fn authorities(&mut self) -> Option<String> {
        let text = given(&self.fields.authority_certificates).unwrap_or_default();
        if text.is_empty() {
            return Some(String::new());
        }
        let sound = text.len() <= LONGEST_PEM
            && x509_parser::pem::Pem::iter_from_buffer(text.as_bytes())
                .all(|pem| pem.is_ok_and(|pem| pem.label == "CERTIFICATE" && pem.parse_x509().is_ok()))
            && text.contains("-----BEGIN CERTIFICATE-----");
        if !sound {
            self.refuse(
                "authority_certificates",
                "expected a list of certificates in PEM form",
            );
            return None;
        }
        Some(text.to_owned())
    }
}
