// SPDX-License-Identifier: GPL-3.0-or-later
//! What is known of providers, so that no one has to look it up. It fills in fields; every one can be another.

use schemars::JsonSchema;
use serde::Serialize;

use super::Kind;

/// What a kind of source starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Its id.
    pub id: &'static str,
    /// Its name, for where there is no translation.
    pub label: &'static str,
    /// The IMAP server; empty where it is the organisation's own.
    pub hostname: &'static str,
    /// Its port.
    pub port: u16,
    /// How connections to it are protected, as the field `security` has it.
    #[schemars(extend("enum" = ["", "tls", "ssl"]))]
    pub security: &'static str,
    /// The ways to sign in, the usual one first.
    pub sign_ins: &'static [Way],
    /// OAuth: the organisation at Microsoft; empty where it has to be given, or there is none.
    pub tenant: &'static str,
    /// OAuth: Microsoft's login server.
    pub authority: &'static str,
    /// OAuth: where tokens are issued.
    pub token_endpoint: &'static str,
    /// OAuth: where people sign in.
    pub authorization_endpoint: &'static str,
    /// OAuth: where codes for another device are issued.
    pub device_endpoint: &'static str,
    /// administrator: how the login name is made.
    pub login_template: &'static str,
    /// administrator: `template` or `authzid`.
    pub admin_method: &'static str,
}

/// One way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// As the field `sign_in` has it.
    pub sign_in: Kind,
    /// OAuth: what is asked for.
    pub scope: &'static str,
}

const fn way(sign_in: Kind, scope: &'static str) -> Way {
    Way { sign_in, scope }
}

const MICROSOFT: &str = "https://login.microsoftonline.com";
const DELEGATED: &str = "https://outlook.office.com/IMAP.AccessAsUser.All offline_access";
const WITHOUT_USER: &str = "https://outlook.office365.com/.default";
const GOOGLE_MAIL: &str = "https://mail.google.com/";
const OPENID: &str = "openid offline_access";

/// An IMAP server of which nothing is known.
const PLAIN: Preset = Preset {
    id: "imap",
    label: "IMAP server",
    hostname: "",
    port: 993,
    security: "ssl",
    sign_ins: &[way(Kind::Password, ""), way(Kind::Administrator, "")],
    tenant: "",
    authority: "",
    token_endpoint: "",
    authorization_endpoint: "",
    device_endpoint: "",
    login_template: "",
    admin_method: "template",
};

/// All presets, in the order in which people are offered them.
pub static PRESETS: [Preset; 10] = [
    Preset {
        id: "microsoft-organisation",
        label: "Microsoft 365 (organisation)",
        hostname: "outlook.office365.com",
        sign_ins: &[
            way(Kind::Application, WITHOUT_USER),
            way(Kind::DeviceCode, DELEGATED),
            way(Kind::AuthorizationCode, DELEGATED),
        ],
        authority: MICROSOFT,
        ..PLAIN
    },
    Preset {
        id: "microsoft-personal",
        label: "Outlook.com, Hotmail (personal Microsoft accounts)",
        hostname: "outlook.office365.com",
        sign_ins: &[
            way(Kind::DeviceCode, DELEGATED),
            way(Kind::AuthorizationCode, DELEGATED),
        ],
        tenant: "consumers",
        authority: MICROSOFT,
        ..PLAIN
    },
    Preset {
        id: "google-workspace",
        label: "Google Workspace (domain)",
        hostname: "imap.gmail.com",
        sign_ins: &[
            way(Kind::ServiceAccount, GOOGLE_MAIL),
            way(Kind::AuthorizationCode, GOOGLE_MAIL),
        ],
        token_endpoint: "https://oauth2.googleapis.com/token",
        authorization_endpoint: "https://accounts.google.com/o/oauth2/v2/auth",
        ..PLAIN
    },
    Preset {
        id: "google-account",
        label: "Gmail (one account)",
        hostname: "imap.gmail.com",
        // The device flow of this provider does not give access to mail.
        sign_ins: &[way(Kind::AuthorizationCode, GOOGLE_MAIL), way(Kind::Password, "")],
        token_endpoint: "https://oauth2.googleapis.com/token",
        authorization_endpoint: "https://accounts.google.com/o/oauth2/v2/auth",
        ..PLAIN
    },
    Preset {
        id: "yahoo",
        label: "Yahoo",
        hostname: "imap.mail.yahoo.com",
        sign_ins: &[way(Kind::AuthorizationCode, "mail-r"), way(Kind::Password, "")],
        token_endpoint: "https://api.login.yahoo.com/oauth2/get_token",
        authorization_endpoint: "https://api.login.yahoo.com/oauth2/request_auth",
        ..PLAIN
    },
    Preset {
        id: "oauth",
        label: "Another OAuth 2.0 or OpenID provider",
        sign_ins: &[
            way(Kind::AuthorizationCode, OPENID),
            way(Kind::DeviceCode, OPENID),
            way(Kind::Application, ""),
            way(Kind::ServiceAccount, ""),
        ],
        ..PLAIN
    },
    PLAIN,
    Preset {
        id: "dovecot",
        label: "Dovecot (master user)",
        sign_ins: &[way(Kind::Administrator, "")],
        login_template: "{user}*{admin}",
        ..PLAIN
    },
    Preset {
        id: "cyrus",
        label: "Cyrus (administrator)",
        sign_ins: &[way(Kind::Administrator, "")],
        admin_method: "authzid",
        ..PLAIN
    },
    Preset {
        id: "zimbra",
        label: "Zimbra (administrator)",
        sign_ins: &[way(Kind::Administrator, "")],
        admin_method: "authzid",
        ..PLAIN
    },
];

/// The preset of that id.
pub fn find(id: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.id == id)
}

impl Preset {
    /// What is asked for when signing in that way.
    pub fn scope(&self, kind: Kind) -> &'static str {
        let way = self.sign_ins.iter().find(|way| way.sign_in == kind);
        way.map_or("", |way| way.scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::LoginTemplate;
    use crate::source::https::HttpsUrl;
    use crate::task::{RemoteHost, Security};

    #[test]
    fn every_preset_is_sound() {
        for (index, preset) in PRESETS.iter().enumerate() {
            let id = preset.id;
            assert!(PRESETS[index + 1..].iter().all(|other| other.id != id), "{id}");
            assert!(!preset.sign_ins.is_empty(), "{id}");
            assert!(preset.hostname.is_empty() || RemoteHost::parse(preset.hostname).is_ok());
            assert!(Security::parse(preset.security).is_ok());
            assert!(preset.login_template.is_empty() || LoginTemplate::parse(preset.login_template).is_ok());
            let urls = [
                preset.authority,
                preset.token_endpoint,
                preset.authorization_endpoint,
                preset.device_endpoint,
            ];
            for url in urls.iter().filter(|url| !url.is_empty()) {
                assert!(HttpsUrl::parse(url).is_ok(), "{url}");
            }
        }
        assert_eq!(
            find("yahoo").map(|preset| preset.hostname),
            Some("imap.mail.yahoo.com")
        );
        assert_eq!(find("nobody"), None);
    }
}
