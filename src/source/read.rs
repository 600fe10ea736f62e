// SPDX-License-Identifier: GPL-3.0-or-later
//! From fields to a source.

use std::num::NonZeroU8;

use secrecy::SecretString;

use super::fields::{given, secret};
use super::preset::{self, Preset};
use super::{
    Administrator, Client, ClientAuthentication, Endpoints, Entry, Grant, HttpsUrl, Kind, LoginTemplate,
    OAuth, Route, ServiceAccount, SignIn, Source, SourceFields,
};
use crate::error::{Error, ErrorKey, Refusal, Result};
use crate::imap::Protocols;
use crate::source::client::{ClientCertificate, Mismatch};
use crate::task::{
    Invalid, Port, RemoteHost, RemoteUser, Security, SourceId, parse_fingerprint, parse_password,
};

/// The longest text of any field but certificates and keys, in bytes.
const LONGEST: usize = 1024;
/// The longest certificate, chain of certificates or key, in bytes.
const LONGEST_PEM: usize = 64 * 1024;
/// As many connections as any provider allows.
const MOST_CONNECTIONS: i64 = 16;

impl Source {
    /// Reads the fields of a source. A secret that is missing is taken from the source that they edit, unless it would
    /// be sent somewhere else than before.
    ///
    /// # Errors
    /// All refusals at once.
    pub fn read(id: SourceId, fields: &SourceFields, former: Option<&Self>) -> Result<Self> {
        let mut reader = Reader::new(fields);
        let Some(kind) = reader.kind() else {
            return Err(Error::Refused(reader.refusals));
        };
        let label = reader.label();
        let host = reader.parse(
            "hostname",
            reader.or_preset(&fields.hostname, |preset| preset.hostname),
            RemoteHost::parse,
        );
        let port = reader.port();
        let security = reader.text_or_preset(&fields.security, |preset| preset.security);
        let security = reader.parse("security", security, Security::parse);
        let certificate = reader.certificate();
        let connections = reader.connections();
        let protocols = match fields.old_encryption {
            Some(true) => Protocols::Old,
            Some(false) | None => Protocols::Current,
        };
        let route = reader.route(former);
        // A stored secret goes to where it went before, and no less protected.
        let former_here = former.filter(|former| {
            host.as_ref() == Some(&former.host)
                && port.as_ref() == Some(&former.port)
                && security.is_some_and(|security| !security.is_weaker_than(former.security))
                && certificate.as_ref() == Some(&former.certificate)
                && (protocols == former.protocols || protocols == Protocols::Current)
                && route.as_ref().map(Route::as_str) == Some(former.route.as_str())
        });
        reader.had_secret = former.and_then(Source::oauth).and_then(|oauth| {
            let client = oauth.client()?;
            matches!(client.authentication, ClientAuthentication::Secret { .. }).then(|| client.id.clone())
        });
        let sign_in = match kind {
            Kind::Password => Some(SignIn::OwnPassword),
            Kind::Administrator => reader.administrator(former_here).map(SignIn::Administrator),
            _ => reader
                .oauth(kind, former_here)
                .map(|oauth| SignIn::OAuth(Box::new(oauth))),
        };
        match (
            label,
            host,
            port,
            security,
            certificate,
            connections,
            route,
            sign_in,
        ) {
            (
                Some(label),
                Some(host),
                Some(port),
                Some(security),
                Some(certificate),
                Some(connections),
                Some(route),
                Some(sign_in),
            ) if reader.refusals.is_empty() => Ok(Self {
                id,
                label,
                preset: reader.preset.map_or("", |preset| preset.id).to_owned(),
                host,
                port,
                security,
                certificate,
                connections,
                protocols,
                route,
                sign_in,
            }),
            _ => Err(Error::Refused(reader.refusals)),
        }
    }
}

struct Reader<'a> {
    fields: &'a SourceFields,
    preset: Option<&'static Preset>,
    /// The application that authenticated with a secret so far.
    had_secret: Option<String>,
    refusals: Vec<Refusal>,
}

impl<'a> Reader<'a> {
    fn new(fields: &'a SourceFields) -> Self {
        let mut refusals = Vec::new();
        let preset = given(&fields.preset).and_then(|id| {
            let found = preset::find(id);
            if found.is_none() {
                refusals.push(Refusal::new(
                    "preset",
                    ErrorKey::Invalid("preset"),
                    "there is no such preset; list-sources tells which there are",
                ));
            }
            found
        });
        Self {
            fields,
            preset,
            had_secret: None,
            refusals,
        }
    }

    fn refuse(&mut self, name: &'static str, advice: impl Into<String>) {
        self.refusals
            .push(Refusal::new(name, ErrorKey::Invalid(name), advice));
    }

    fn or_preset(&self, field: &'a Option<String>, of: impl FnOnce(&Preset) -> &'static str) -> &'a str {
        given(field).unwrap_or_else(|| self.preset.map_or("", of))
    }

    /// As above, for a field in which empty is a value of its own.
    fn text_or_preset(&self, field: &'a Option<String>, of: impl FnOnce(&Preset) -> &'static str) -> &'a str {
        field.as_deref().unwrap_or_else(|| self.preset.map_or("", of))
    }

    fn parse<T>(
        &mut self,
        name: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        if text.is_empty() && name != "security" {
            self.refusals.push(Refusal::required(name));
            return None;
        }
        let parsed = match text.len() > LONGEST {
            true => Err(Invalid(format!("it is longer than {LONGEST} bytes"))),
            false => parse(text),
        };
        match parsed {
            Ok(value) => Some(value),
            Err(invalid) => {
                let value = if text.len() > LONGEST { "" } else { text };
                let refusal = Refusal::new(name, ErrorKey::Invalid(name), invalid.to_string());
                self.refusals.push(refusal.with_value(value));
                None
            }
        }
    }

    fn kind(&mut self) -> Option<Kind> {
        let usual = self.preset.and_then(|preset| preset.sign_ins.first());
        match (given(&self.fields.sign_in), usual) {
            (None, Some(usual)) => Some(usual.sign_in),
            (text, _) => self.parse("sign_in", text.unwrap_or_default(), Kind::parse),
        }
    }

    fn label(&mut self) -> Option<String> {
        let label = given(&self.fields.label).or(self.preset.map(|preset| preset.label));
        self.parse("label", label.unwrap_or_default(), plain)
    }

    fn port(&mut self) -> Option<Port> {
        let number = self
            .fields
            .port
            .or(self.preset.map(|preset| i64::from(preset.port)));
        let Some(number) = number else {
            self.refusals.push(Refusal::required("port"));
            return None;
        };
        let port = u16::try_from(number).ok().and_then(Port::new);
        if port.is_none() {
            self.refuse("port", "a port is a number from 1 to 65535");
        }
        port
    }

    #[expect(clippy::option_option, reason = "refused, not given, given")]
    fn certificate(&mut self) -> Option<Option<String>> {
        match given(&self.fields.certificate) {
            None => Some(None),
            Some(text) => self.parse("certificate", text, parse_fingerprint).map(Some),
        }
    }

    #[expect(clippy::option_option, reason = "refused, not given, given")]
    fn connections(&mut self) -> Option<Option<NonZeroU8>> {
        let number = self.fields.connections.unwrap_or_default();
        match u8::try_from(number) {
            Ok(number) if i64::from(number) <= MOST_CONNECTIONS => Some(NonZeroU8::new(number)),
            _ => {
                self.refuse(
                    "connections",
                    format!("it is a number from 0 to {MOST_CONNECTIONS}"),
                );
                None
            }
        }
    }

    fn route(&mut self, former: Option<&Source>) -> Option<Route> {
        let fields = self.fields;
        let Some(text) = &fields.proxy else {
            return Some(former.map(|former| former.route.clone()).unwrap_or_default());
        };
        let route = match text.trim() {
            "" => Route::default(),
            text => self.parse("proxy", text, Route::parse)?,
        };
        let (Some(user), Route::Proxy { address, .. }) = (given(&fields.proxy_user), &route) else {
            return Some(route);
        };
        let user = self.parse("proxy_user", user, plain)?;
        let stored = former
            .map(|former| &former.route)
            .filter(|former| former.as_str() == address && former.user() == user)
            .and_then(Route::password);
        let advice = "give the password at the proxy: it is new, or its address or user changed";
        let password = self.secret("proxy_password", secret(&fields.proxy_password), stored, advice)?;
        Some(Route::Proxy {
            address: address.clone(),
            login: Some((user, password)),
        })
    }

    /// A secret: the one given, or the one stored, or a refusal.
    fn secret(
        &mut self,
        name: &'static str,
        given: Option<&str>,
        stored: Option<&SecretString>,
        advice: &str,
    ) -> Option<SecretString> {
        match (given, stored) {
            (Some(text), _) if text.len() > LONGEST => {
                self.refuse(name, format!("it is longer than {LONGEST} bytes"));
                None
            }
            (Some(text), _) => match parse_password(text) {
                Ok(secret) => Some(secret),
                Err(invalid) => {
                    self.refuse(name, invalid.to_string());
                    None
                }
            },
            (None, Some(stored)) => Some(stored.clone()),
            (None, None) => {
                self.refusals
                    .push(Refusal::new(name, ErrorKey::PasswordRequired, advice));
                None
            }
        }
    }

    fn administrator(&mut self, former: Option<&Source>) -> Option<Administrator> {
        let fields = self.fields;
        let user = self.parse(
            "admin_user",
            given(&fields.admin_user).unwrap_or_default(),
            RemoteUser::parse,
        );
        let entry = match self.or_preset(&fields.admin_method, |preset| preset.admin_method) {
            "authzid" => Some(Entry::Authzid),
            "" | "template" => {
                let template = self.or_preset(&fields.login_template, |preset| preset.login_template);
                self.parse("login_template", template, LoginTemplate::parse)
                    .map(Entry::Template)
            }
            _ => {
                self.refuse("admin_method", "it is template or authzid");
                None
            }
        };
        let stored = former.and_then(|former| match &former.sign_in {
            SignIn::Administrator(stored) if Some(&stored.user) == user.as_ref() => Some(&stored.password),
            _ => None,
        });
        let advice =
            "give the administrator's password: the source is new, or its server or administrator changed";
        let password = self.secret("admin_password", secret(&fields.admin_password), stored, advice);
        Some(Administrator {
            user: user?,
            password: password?,
            entry: entry?,
        })
    }

    fn oauth(&mut self, kind: Kind, former: Option<&Source>) -> Option<OAuth> {
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
                return Err(Invalid("it is the organisation's id or one of its domains".into()));
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
                "it is no list of certificates in PEM form",
            );
            return None;
        }
        Some(text.to_owned())
    }

    fn client(&mut self, stored: Option<&OAuth>, must_authenticate: bool) -> Option<Client> {
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
                self.refuse("client_authentication", "it is post or basic");
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
                    .map_err(|_| Invalid("it is a day such as 2027-05-31".into()))
            })?),
        };
        Some(ClientAuthentication::Secret {
            secret,
            expires,
            basic,
        })
    }
}

/// Any text of one line.
fn plain(text: &str) -> Result<String, Invalid> {
    parse_password(text)?;
    Ok(text.to_owned())
}
