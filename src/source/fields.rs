// SPDX-License-Identifier: GPL-3.0-or-later

use schemars::JsonSchema;
use serde::Deserialize;

use crate::secret::SecretText;

/// The fields of a source, as save-source takes them and as its file holds them.
///
/// The names of secret fields end in `password`, so that the platform masks them in what it records.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("additionalProperties" = false))]
pub struct SourceFields {
    /// The source's id; a new source gets one when this is missing.
    pub source_id: Option<String>,
    /// What people call the source.
    pub label: Option<String>,
    /// The preset that the source is made from; its values stand for fields that are missing or empty.
    pub preset: Option<String>,
    /// The IMAP server: a name or an IP address.
    pub hostname: Option<String>,
    /// The IMAP server's port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i64>,
    /// STARTTLS (tls), TLS (ssl), or whatever the server offers (empty).
    #[schemars(extend("enum" = ["", "tls", "ssl", null]))]
    pub security: Option<String>,
    /// Fingerprint (SHA-256, hex) of the IMAP server's certificate that the administrator accepts.
    pub certificate: Option<String>,
    /// How many connections a run may have to the IMAP server at once, no more than the module has anyway; missing or 0
    /// leaves it to the module.
    #[schemars(range(min = 0, max = 16))]
    pub connections: Option<i64>,
    /// How many runs of the tasks of this source may work at once; missing or 0 leaves it to the module. Runs that wait follow
    /// a change.
    #[schemars(range(min = 0, max = 64))]
    pub runs: Option<i64>,
    /// How many KiB (1,024 bytes) a second all runs of the tasks of this source together may pull from it; missing or 0 is no
    /// limit. Runs at work follow a change.
    #[schemars(range(min = 0, max = 10_485_760))]
    pub bandwidth: Option<i64>,
    /// Whether the IMAP server may speak encryption that is not safe any more, for one that cannot be updated: TLS 1.0 and
    /// 1.1, short keys, old ciphers. Missing is false.
    pub old_encryption: Option<bool>,
    /// The proxy on the way to the IMAP server, socks5://host:port or http://host:port; direct for none, whatever holds for
    /// the instance; empty for what holds for the instance. An edit without it leaves it unchanged.
    pub proxy: Option<String>,
    /// Who logs in at the proxy.
    pub proxy_user: Option<String>,
    /// The password there; empty on an edit leaves it unchanged.
    pub proxy_password: Option<SecretText>,
    /// How tasks of this source sign in.
    #[schemars(extend("enum" = [
        "password", "administrator", "application", "service-account", "device-code", "authorization-code", null
    ]))]
    pub sign_in: Option<String>,
    /// administrator: whose account opens all mailboxes.
    pub admin_user: Option<String>,
    /// administrator: the password of that account; empty on an edit leaves it unchanged.
    pub admin_password: Option<SecretText>,
    /// administrator: by a login name made from login_template (template), or by naming both the administrator and the
    /// mailbox in the login (authzid: SASL PLAIN with an authorization identity).
    #[schemars(extend("enum" = ["template", "authzid", null]))]
    pub admin_method: Option<String>,
    /// administrator: the login name, made of {user}, {local}, {domain} and {admin}.
    pub login_template: Option<String>,
    /// OAuth: the organisation at Microsoft: its id, one of its domains, organizations, common or consumers.
    pub tenant: Option<String>,
    /// OAuth: Microsoft's login server; another one in national clouds.
    pub authority: Option<String>,
    /// OAuth: an OpenID provider whose discovery document tells the endpoints.
    pub issuer: Option<String>,
    /// OAuth: where tokens are issued.
    pub token_endpoint: Option<String>,
    /// authorization-code: where people sign in.
    pub authorization_endpoint: Option<String>,
    /// device-code: where codes are issued.
    pub device_endpoint: Option<String>,
    /// OAuth: what is asked for.
    pub scope: Option<String>,
    /// OAuth: the application's id at the provider.
    pub client_id: Option<String>,
    /// OAuth: the application's secret; empty on an edit leaves it unchanged.
    pub client_secret_password: Option<SecretText>,
    /// OAuth: the last day on which that secret is good, 2027-05-31.
    pub client_secret_expires: Option<String>,
    /// OAuth: whether the application's secret goes along in the body of a request (post) or in its head (basic).
    #[schemars(extend("enum" = ["post", "basic", null]))]
    pub client_authentication: Option<String>,
    /// application: the application's certificate (PEM), instead of a secret.
    pub client_certificate: Option<String>,
    /// application: the private key of that certificate (PEM); empty on an edit leaves it unchanged.
    pub client_key_password: Option<SecretText>,
    /// service-account: the key file (JSON) of the service account; empty on an edit leaves it unchanged.
    pub service_account_password: Option<SecretText>,
    /// OAuth: certificates (PEM) of the authorities that vouch for the provider, where it is a company's own.
    pub authority_certificates: Option<String>,
}

/// A text that was given and is not empty.
pub(super) fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// A secret that was given and is not empty.
pub(super) fn secret(field: &Option<SecretText>) -> Option<&str> {
    field
        .as_ref()
        .map(SecretText::expose)
        .filter(|text| !text.is_empty())
}
