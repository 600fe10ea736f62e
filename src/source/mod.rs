// SPDX-License-Identifier: GPL-3.0-or-later
//! A source: a remote server and how to sign in there, described once for many tasks.
//!
//! - values: [`Source`], [`SignIn`], [`LoginTemplate`], [`OAuth`], [`HttpsUrl`]; [`preset`] knows the providers
//! - [`SourceFields`] is what comes in and what the file holds, [`Description`] what goes out, without any secret
//! - [`Sources`]: all sources of an instance on disk, `imapsync/.sources/`
//! - [`oauth`]: how access tokens are got, kept and renewed

mod administrator;
mod client;
mod describe;
mod fields;
mod https;
pub mod oauth;
mod oauth_client;
pub mod preset;
mod read;
mod route;
mod service_account;
mod store;
mod template;
mod write;

pub use administrator::{Administrator, Entry};
pub use client::{Client, ClientAuthentication, ClientCertificate};
pub use describe::{CertificateDescription, Description};
pub use fields::SourceFields;
pub use https::HttpsUrl;
pub use oauth_client::{Endpoints, Grant, OAuth};
pub use route::Route;
pub use service_account::ServiceAccount;
pub use store::{SourceLock, Sources, TOKENS_ENDING};
pub use template::LoginTemplate;

use std::num::NonZeroU8;

use schemars::JsonSchema;
use serde::Serialize;

use crate::imap::Protocols;
use crate::task::{Bandwidth, Invalid, Port, RemoteHost, RemoteUser, SecretString, Security, SourceId};

/// A remote server and how to sign in there.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// What people call it.
    pub label: String,
    /// The preset it was made from; empty when it was made from none.
    pub preset: String,
    /// The IMAP server.
    pub host: RemoteHost,
    /// The IMAP server's port.
    pub port: Port,
    /// How connections to it are protected.
    pub security: Security,
    /// The fingerprint of its certificate that stands for an authority's word.
    pub certificate: Option<String>,
    /// How many connections a run may have to it at once.
    pub connections: Option<NonZeroU8>,
    /// How many runs of its tasks may work at once.
    pub runs: Option<NonZeroU8>,
    /// How much all runs of its tasks together may pull from it in a second.
    pub bandwidth: Option<Bandwidth>,
    /// Which encryption is good enough for it.
    pub protocols: Protocols,
    /// How it is reached.
    pub route: Route,
    /// How to sign in.
    pub sign_in: SignIn,
}

/// How the tasks of a source sign in.
#[derive(Debug, Clone)]
pub enum SignIn {
    /// Each with its own password.
    OwnPassword,
    /// All of them with one account that opens every mailbox.
    Administrator(Administrator),
    /// With access tokens.
    OAuth(Box<OAuth>),
}

/// The kinds of signing in, as the field `sign_in` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Each task has its own password.
    Password,
    /// One account opens all mailboxes.
    Administrator,
    /// OAuth 2.0 for a whole organisation: the application has access to its mailboxes.
    Application,
    /// OAuth 2.0 for a whole domain: a service account acts for its users.
    ServiceAccount,
    /// OAuth 2.0 for one mailbox: its owner enters a code at the provider.
    DeviceCode,
    /// OAuth 2.0 for one mailbox: its owner signs in at the provider and comes back.
    AuthorizationCode,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Password,
        Self::Administrator,
        Self::Application,
        Self::ServiceAccount,
        Self::DeviceCode,
        Self::AuthorizationCode,
    ];

    /// The field `sign_in`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Administrator => "administrator",
            Self::Application => "application",
            Self::ServiceAccount => "service-account",
            Self::DeviceCode => "device-code",
            Self::AuthorizationCode => "authorization-code",
        }
    }

    /// Reads the field `sign_in`.
    ///
    /// # Errors
    /// For any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            Invalid(format!("expected one of {names}"))
        })
    }
}

/// What a task of a source logs in with.
#[derive(Debug, Clone)]
pub enum Access {
    /// The task's own password.
    OwnPassword,
    /// This password, which belongs to the source.
    Password(SecretString),
    /// This password of an administrator, who acts for the login name of the task (SASL PLAIN with an authorization
    /// identity, RFC 4616).
    OnBehalf {
        /// The administrator.
        admin: String,
        /// The administrator's password.
        password: SecretString,
    },
    /// An access token.
    Token,
}

impl Source {
    /// How its tasks sign in.
    pub fn kind(&self) -> Kind {
        match &self.sign_in {
            SignIn::OwnPassword => Kind::Password,
            SignIn::Administrator(_) => Kind::Administrator,
            SignIn::OAuth(oauth) => oauth.kind(),
        }
    }

    /// The login name of the task that pulls a mailbox.
    ///
    /// # Errors
    /// When the source's template makes none of it.
    pub fn login(&self, mailbox: &RemoteUser) -> Result<RemoteUser, Invalid> {
        match &self.sign_in {
            SignIn::Administrator(administrator) => administrator.login(mailbox),
            SignIn::OwnPassword | SignIn::OAuth(_) => Ok(mailbox.clone()),
        }
    }

    /// What its tasks log in with.
    pub fn access(&self) -> Access {
        match &self.sign_in {
            SignIn::OwnPassword => Access::OwnPassword,
            SignIn::Administrator(administrator) => administrator.access(),
            SignIn::OAuth(_) => Access::Token,
        }
    }

    /// How it gets access tokens, when it does.
    pub fn oauth(&self) -> Option<&OAuth> {
        match &self.sign_in {
            SignIn::OAuth(oauth) => Some(oauth),
            SignIn::OwnPassword | SignIn::Administrator(_) => None,
        }
    }

    /// Whether another one has its mail at the same place, so that a secret of one may be sent there by the other.
    pub fn same_server(&self, other: &Self) -> bool {
        self.host.is_same(&other.host) && self.port == other.port
    }
}
