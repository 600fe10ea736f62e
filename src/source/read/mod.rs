// SPDX-License-Identifier: GPL-3.0-or-later
//! From fields to a source. What the kinds of OAuth 2.0 need of them is in [`oauth`] and [`client`].

mod client;
mod oauth;

use std::num::NonZeroU8;

use secrecy::SecretString;

use crate::error::{Error, ErrorKey, Refusal, Result};
use crate::imap::Protocols;
use crate::source::fields::{given, secret};
use crate::source::preset::{self, Preset};
use crate::source::{
    Administrator, ClientAuthentication, Entry, Kind, LoginTemplate, Route, SignIn, Source, SourceFields,
};
use crate::task::{
    Bandwidth, Invalid, Port, RemoteHost, RemoteUser, Security, SourceId, parse_fingerprint, parse_password,
};

/// The longest text of any field but certificates and keys, in bytes.
const LONGEST: usize = 1024;
/// As many connections as any provider allows.
const MOST_CONNECTIONS: u8 = 16;
/// More than work at once of all sources together where no one has set anything.
const MOST_RUNS: u8 = 64;

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
        let connections = reader.count("connections", fields.connections, MOST_CONNECTIONS);
        let runs = reader.count("runs", fields.runs, MOST_RUNS);
        let bandwidth = reader.bandwidth();
        let protocols = match fields.old_encryption {
            Some(true) => Protocols::Old,
            Some(false) | None => Protocols::Current,
        };
        let route = reader.route(former);
        // A stored secret goes to where it went before, and no less protected.
        let former_here = former.filter(|former| {
            host.as_ref().is_some_and(|host| host.is_same(&former.host))
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
            runs,
            bandwidth,
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
                Some(runs),
                Some(bandwidth),
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
                runs,
                bandwidth,
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

    /// As above, for a field in which empty is a value too.
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
            self.refuse("port", "expected a port from 1 to 65535");
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
    fn count(&mut self, parameter: &'static str, number: Option<i64>, most: u8) -> Option<Option<NonZeroU8>> {
        match u8::try_from(number.unwrap_or_default()) {
            Ok(number) if number <= most => Some(NonZeroU8::new(number)),
            _ => {
                self.refuse(parameter, format!("expected a number from 0 to {most}"));
                None
            }
        }
    }

    #[expect(clippy::option_option, reason = "refused, not given, given")]
    fn bandwidth(&mut self) -> Option<Option<Bandwidth>> {
        let limit = Bandwidth::parse(self.fields.bandwidth.unwrap_or_default());
        limit
            .map_err(|invalid| self.refuse("bandwidth", invalid.to_string()))
            .ok()
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
                self.refuse("admin_method", "expected template or authzid");
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
}

/// Any text of one line.
fn plain(text: &str) -> Result<String, Invalid> {
    parse_password(text)?;
    Ok(text.to_owned())
}
