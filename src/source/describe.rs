// SPDX-License-Identifier: GPL-3.0-or-later

use schemars::JsonSchema;
use serde::Serialize;

use crate::imap::Protocols;
use crate::task::Bandwidth;

use super::{Client, ClientAuthentication, Entry, Grant, HttpsUrl, Kind, OAuth, SignIn, Source};

/// A source as anybody may see it: every field but the secrets, under the names of [`super::SourceFields`].
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub struct Description {
    /// Its id.
    pub source_id: String,
    /// What people call it.
    pub label: String,
    /// The preset it was made from; empty when it was made from none.
    pub preset: String,
    /// The IMAP server.
    pub hostname: String,
    /// Its port.
    pub port: u16,
    /// How connections to it are protected.
    #[schemars(extend("enum" = ["", "tls", "ssl"]))]
    pub security: &'static str,
    /// The fingerprint of the certificate that was accepted.
    pub certificate: Option<String>,
    /// How many connections a run may have to it; 0 leaves it to the module.
    pub connections: u8,
    /// How many runs of its tasks may work at once; 0 leaves it to the module.
    pub runs: u8,
    /// How many KiB a second all runs of its tasks together may pull from it; 0 is no limit.
    pub bandwidth: u32,
    /// Whether it may speak encryption that is not safe any more.
    pub old_encryption: bool,
    /// The proxy on the way to it; `direct` for none; empty for what holds for the instance.
    pub proxy: String,
    /// Who logs in at the proxy.
    pub proxy_user: String,
    /// How tasks of this source sign in.
    pub sign_in: Kind,
    /// Whether somebody has to sign in for each mailbox.
    pub needs_person: bool,
    /// Whether a secret is stored, whichever it is.
    pub has_secret: bool,
    /// administrator: whose account opens all mailboxes.
    pub admin_user: String,
    /// administrator: `template` or `authzid`.
    pub admin_method: String,
    /// administrator: how the login name is made.
    pub login_template: String,
    /// OAuth: the organisation at Microsoft.
    pub tenant: String,
    /// OAuth: Microsoft's login server.
    pub authority: String,
    /// OAuth: the provider whose discovery document told the endpoints.
    pub issuer: String,
    /// OAuth: where tokens are issued.
    pub token_endpoint: String,
    /// OAuth: where people sign in.
    pub authorization_endpoint: String,
    /// OAuth: where codes for another device are issued.
    pub device_endpoint: String,
    /// OAuth: what is asked for.
    pub scope: String,
    /// OAuth: the application's id; that of the service account, which the domain's administrator authorizes.
    pub client_id: String,
    /// OAuth: `post` or `basic`.
    pub client_authentication: String,
    /// OAuth: the last day on which the application's secret or certificate is good, where that is known.
    pub client_secret_expires: Option<String>,
    /// The same as a number of days from now; negative when it is over.
    pub secret_expires_in_days: Option<i64>,
    /// application: the certificate.
    pub client_certificate: Option<CertificateDescription>,
    /// service-account: its address.
    pub service_account: String,
    /// OAuth: certificates of the authorities that vouch for the provider.
    pub authority_certificates: String,
}

/// An application's certificate.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub struct CertificateDescription {
    /// The certificate (PEM).
    pub pem: String,
    /// Whom it names.
    pub subject: String,
    /// SHA-256 of its DER form, lower-case hex.
    pub sha256: String,
    /// The last day on which it is good.
    pub not_after: String,
}

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

impl Source {
    /// What anybody may see of it, at a moment in seconds since 1970.
    pub fn describe(&self, now: i64) -> Description {
        let mut description = Description {
            source_id: self.id.to_string(),
            label: self.label.clone(),
            preset: self.preset.clone(),
            hostname: self.host.to_string(),
            port: self.port.get(),
            security: self.security.as_str(),
            certificate: self.certificate.clone(),
            connections: self.connections.map_or(0, std::num::NonZero::get),
            runs: self.runs.map_or(0, std::num::NonZero::get),
            bandwidth: Bandwidth::kib(self.bandwidth),
            old_encryption: self.protocols == Protocols::Old,
            proxy: self.route.as_str().to_owned(),
            proxy_user: self.route.user().to_owned(),
            sign_in: self.kind(),
            needs_person: self.oauth().is_some_and(OAuth::needs_person),
            has_secret: false,
            admin_user: String::new(),
            admin_method: String::new(),
            login_template: String::new(),
            tenant: String::new(),
            authority: String::new(),
            issuer: String::new(),
            token_endpoint: String::new(),
            authorization_endpoint: String::new(),
            device_endpoint: String::new(),
            scope: String::new(),
            client_id: String::new(),
            client_authentication: String::new(),
            client_secret_expires: None,
            secret_expires_in_days: None,
            client_certificate: None,
            service_account: String::new(),
            authority_certificates: String::new(),
        };
        match &self.sign_in {
            SignIn::OwnPassword => {}
            SignIn::Administrator(administrator) => {
                description.has_secret = true;
                description.admin_user = administrator.user.to_string();
                match &administrator.entry {
                    Entry::Template(template) => {
                        description.admin_method = "template".to_owned();
                        description.login_template = template.to_string();
                    }
                    Entry::Authzid => description.admin_method = "authzid".to_owned(),
                }
            }
            SignIn::OAuth(oauth) => description.add_oauth(oauth, now),
        }
        description
    }
}

impl Description {
    fn add_oauth(&mut self, oauth: &OAuth, now: i64) {
        let text = |url: &Option<HttpsUrl>| url.as_ref().map(ToString::to_string).unwrap_or_default();
        self.tenant.clone_from(&oauth.tenant);
        self.authority.clone_from(&oauth.authority);
        self.issuer.clone_from(&oauth.issuer);
        self.token_endpoint = oauth.endpoints.token.to_string();
        self.authorization_endpoint = text(&oauth.endpoints.authorization);
        self.device_endpoint = text(&oauth.endpoints.device);
        self.scope.clone_from(&oauth.scope);
        self.authority_certificates.clone_from(&oauth.authorities);
        match &oauth.grant {
            Grant::ServiceAccount(account) => {
                self.has_secret = true;
                self.client_id.clone_from(&account.client_id);
                self.service_account.clone_from(&account.email);
            }
            Grant::Application(client) | Grant::DeviceCode(client) | Grant::AuthorizationCode(client) => {
                self.add_client(client, now);
            }
        }
    }

    fn add_client(&mut self, client: &Client, now: i64) {
        self.client_id.clone_from(&client.id);
        let day = |moment: i64| {
            let moment = jiff::Timestamp::from_second(moment).ok()?;
            Some(moment.to_zoned(jiff::tz::TimeZone::UTC).date())
        };
        let expires = match &client.authentication {
            ClientAuthentication::None => None,
            ClientAuthentication::Secret { expires, basic, .. } => {
                self.has_secret = true;
                self.client_authentication = if *basic { "basic" } else { "post" }.to_owned();
                *expires
            }
            ClientAuthentication::Certificate(certificate) => {
                self.has_secret = true;
                let not_after = day(certificate.not_after);
                self.client_certificate = Some(CertificateDescription {
                    pem: certificate.certificate.clone(),
                    subject: certificate.subject.clone(),
                    sha256: certificate
                        .sha256
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect(),
                    not_after: not_after.map(|day| day.to_string()).unwrap_or_default(),
                });
                not_after
            }
        };
        self.client_secret_expires = expires.map(|day| day.to_string());
        self.secret_expires_in_days = expires.and_then(|day| {
            let end = day
                .to_zoned(jiff::tz::TimeZone::UTC)
                .ok()?
                .timestamp()
                .as_second();
            Some((end - now).div_euclid(SECONDS_A_DAY) + 1)
        });
    }
}
