// SPDX-License-Identifier: GPL-3.0-or-later
//! How to prove who one is.

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use crate::imap::mask::Mask;

/// How to prove who one is. It has no `Debug`: it holds secrets.
#[derive(Clone)]
pub enum Credentials {
    /// User name and password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// An administrator's account that opens the user's mailbox (SASL PLAIN with an authorization identity, RFC 4616).
    Delegated {
        /// Whose mailbox is opened.
        user: String,
        /// Who opens it.
        admin: String,
        /// The administrator's password.
        password: SecretString,
    },
    /// An OAuth 2.0 access token (SASL OAUTHBEARER, RFC 7628, or XOAUTH2).
    Token {
        /// Whose mailbox is opened.
        user: String,
        /// The token.
        token: SecretString,
    },
}

impl Credentials {
    /// Whose mailbox is opened.
    pub fn user(&self) -> &str {
        match self {
            Self::Password { user, .. } | Self::Delegated { user, .. } | Self::Token { user, .. } => user,
        }
    }

    /// What no text may show.
    pub fn secret(&self) -> &SecretString {
        match self {
            Self::Password { password, .. } | Self::Delegated { password, .. } => password,
            Self::Token { token, .. } => token,
        }
    }

    /// Hides the secret, and the messages that carry it, in what a server says.
    pub fn mask(&self) -> Mask {
        let message = match self {
            Self::Token { .. } => xoauth2(self.user(), self.secret()),
            Self::Password { .. } | Self::Delegated { .. } => {
                let (authorization, authentication) = self.identities();
                plain(authorization, authentication, self.secret())
            }
        };
        Mask::new([self.secret().expose_secret()], [message.as_slice()])
    }

    /// Who is to be acted as, where that is somebody else, and who logs in.
    pub(super) fn identities(&self) -> (&str, &str) {
        match self {
            Self::Delegated { user, admin, .. } => (user, admin),
            Self::Password { user, .. } | Self::Token { user, .. } => ("", user),
        }
    }
}

/// The message of SASL PLAIN (RFC 4616).
pub(super) fn plain(
    authorization: &str,
    authentication: &str,
    password: &SecretString,
) -> Zeroizing<Vec<u8>> {
    let parts = [
        authorization.as_bytes(),
        b"\0",
        authentication.as_bytes(),
        b"\0",
        password.expose_secret().as_bytes(),
    ];
    joined(&parts)
}

/// The message of XOAUTH2.
pub(super) fn xoauth2(user: &str, token: &SecretString) -> Zeroizing<Vec<u8>> {
    let parts = [
        b"user=",
        user.as_bytes(),
        b"\x01auth=Bearer ",
        token.expose_secret().as_bytes(),
        b"\x01\x01",
    ];
    joined(&parts)
}

/// The message of OAUTHBEARER (RFC 7628, 3.1).
pub(super) fn oauthbearer(user: &str, host: &str, port: u16, token: &SecretString) -> Zeroizing<Vec<u8>> {
    let user = escaped(user);
    let port = port.to_string();
    let parts = [
        b"n,a=",
        user.as_bytes(),
        b",\x01host=",
        host.as_bytes(),
        b"\x01port=",
        port.as_bytes(),
        b"\x01auth=Bearer ",
        token.expose_secret().as_bytes(),
        b"\x01\x01",
    ];
    joined(&parts)
}

/// A name in a GS2 header or a SCRAM message (RFC 5801, 4; RFC 5802, 5.1).
pub(super) fn escaped(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// One piece that is as large as it will be from the start: growing would leave copies behind.
pub(super) fn joined(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}
