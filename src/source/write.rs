// SPDX-License-Identifier: GPL-3.0-or-later
//! From a source to the file that holds it, secrets included.

use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use super::{ClientAuthentication, Entry, Grant, OAuth, SignIn, Source};
use crate::imap::Protocols;
use crate::secret::{self, ROOM, Zeroizing};

impl Source {
    /// The text of its file: fields that are read again as they came in.
    pub(super) fn stored(&self) -> serde_json::Result<Zeroizing<Vec<u8>>> {
        let mut fields = Value::Object(self.fields());
        let mut text = Zeroizing::new(Vec::with_capacity(ROOM));
        let written = serde_json::to_writer(&mut *text, &fields);
        secret::wipe(&mut fields);
        written.map(|()| text)
    }

    /// Whether another one says the same, secrets included.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self.stored(), other.stored()) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
    }

    /// Whether another one says the same but for how much, and how many runs, may pull from it, of which something differs.
    pub fn has_other_limits_alone(&self, other: &Self) -> bool {
        let with_its = Self {
            bandwidth: other.bandwidth,
            runs: other.runs,
            ..self.clone()
        };
        !self.is_like(other) && with_its.is_like(other)
    }

    fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut add = |more: Value| {
            if let Value::Object(more) = more {
                fields.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
            }
        };
        add(json!({
            "source_id": self.id.as_str(),
            "label": self.label,
            "preset": self.preset,
            "hostname": self.host.as_str(),
            "port": self.port,
            "security": self.security.as_str(),
            "certificate": self.certificate,
            "connections": self.connections,
            "runs": self.runs,
            "bandwidth": self.bandwidth,
            "old_encryption": self.protocols == Protocols::Old,
            "proxy": self.route.as_str(),
            "proxy_user": self.route.user(),
            "proxy_password": self.route.password().map(|password| password.expose_secret()),
            "sign_in": self.kind(),
        }));
        match &self.sign_in {
            SignIn::OwnPassword => {}
            SignIn::Administrator(administrator) => {
                add(json!({
                    "admin_user": administrator.user.as_str(),
                    "admin_password": administrator.password.expose_secret(),
                }));
                add(match &administrator.entry {
                    Entry::Template(template) => {
                        json!({"admin_method": "template", "login_template": template.as_str()})
                    }
                    Entry::Authzid => json!({"admin_method": "authzid"}),
                });
            }
            SignIn::OAuth(oauth) => {
                add(addresses(oauth));
                add(credentials(oauth));
            }
        }
        fields
    }
}

fn addresses(oauth: &OAuth) -> Value {
    let OAuth { endpoints, .. } = oauth;
    json!({
        "tenant": oauth.tenant,
        "authority": oauth.authority,
        "issuer": oauth.issuer,
        "token_endpoint": endpoints.token.as_str(),
        "authorization_endpoint": endpoints.authorization.as_ref().map(super::HttpsUrl::as_str),
        "device_endpoint": endpoints.device.as_ref().map(super::HttpsUrl::as_str),
        "scope": oauth.scope,
        "authority_certificates": oauth.authorities,
    })
}

fn credentials(oauth: &OAuth) -> Value {
    let client = match &oauth.grant {
        Grant::ServiceAccount(account) => {
            return json!({"service_account_password": account.file.expose_secret()});
        }
        Grant::Application(client) | Grant::DeviceCode(client) | Grant::AuthorizationCode(client) => client,
    };
    match &client.authentication {
        ClientAuthentication::None => json!({"client_id": client.id}),
        ClientAuthentication::Secret {
            secret,
            expires,
            basic,
        } => json!({
            "client_id": client.id,
            "client_secret_password": secret.expose_secret(),
            "client_secret_expires": expires.map(|day| day.to_string()),
            "client_authentication": if *basic { "basic" } else { "post" },
        }),
        ClientAuthentication::Certificate(certificate) => json!({
            "client_id": client.id,
            "client_certificate": certificate.certificate,
            "client_key_password": certificate.key.expose_secret(),
        }),
    }
}
