// SPDX-License-Identifier: GPL-3.0-or-later

use super::{Client, HttpsUrl, Kind, ServiceAccount};

/// How access tokens are got from a provider.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// On what grounds.
    pub grant: Grant,
    /// Where.
    pub endpoints: Endpoints,
    /// What is asked for; separated by blanks.
    pub scope: String,
    /// The organisation at Microsoft, as it was given; empty elsewhere.
    pub tenant: String,
    /// Microsoft's login server, as it was given; empty elsewhere.
    pub authority: String,
    /// The provider whose discovery document told the endpoints; empty where they were given.
    pub issuer: String,
    /// Certificates (PEM) of the authorities that vouch for the provider; empty where the world's do.
    pub authorities: String,
}

/// On what grounds a token is issued.
#[derive(Debug, Clone)]
pub enum Grant {
    /// The application has access to all mailboxes (client credentials).
    Application(Client),
    /// The service account acts for its users (JWT bearer, RFC 7523).
    ServiceAccount(ServiceAccount),
    /// The mailbox's owner entered a code at the provider (RFC 8628).
    DeviceCode(Client),
    /// The mailbox's owner signed in at the provider (RFC 7636).
    AuthorizationCode(Client),
}

/// The addresses of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Where tokens are issued.
    pub token: HttpsUrl,
    /// Where people sign in.
    pub authorization: Option<HttpsUrl>,
    /// Where codes for another device are issued.
    pub device: Option<HttpsUrl>,
}

impl OAuth {
    pub(super) fn kind(&self) -> Kind {
        match self.grant {
            Grant::Application(_) => Kind::Application,
            Grant::ServiceAccount(_) => Kind::ServiceAccount,
            Grant::DeviceCode(_) => Kind::DeviceCode,
            Grant::AuthorizationCode(_) => Kind::AuthorizationCode,
        }
    }

    /// Who asks for tokens, where that is an application.
    pub fn client(&self) -> Option<&Client> {
        match &self.grant {
            Grant::Application(client) | Grant::DeviceCode(client) | Grant::AuthorizationCode(client) => {
                Some(client)
            }
            Grant::ServiceAccount(_) => None,
        }
    }

    /// Whether somebody has to sign in at the provider before a mailbox can be opened.
    pub fn needs_person(&self) -> bool {
        matches!(self.grant, Grant::DeviceCode(_) | Grant::AuthorizationCode(_))
    }
}
