// SPDX-License-Identifier: GPL-3.0-or-later

use super::{Access, LoginTemplate};
use crate::task::{Invalid, RemoteUser, SecretString};

/// One account that opens every mailbox of a server.
#[derive(Debug, Clone)]
pub struct Administrator {
    /// Its login name.
    pub user: RemoteUser,
    /// Its password.
    pub password: SecretString,
    /// How it gets into somebody's mailbox.
    pub entry: Entry,
}

/// How an administrator gets into somebody's mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// By a login name made from both names.
    Template(LoginTemplate),
    /// By naming both in the login: SASL PLAIN with an authorization identity.
    Authzid,
}

impl Administrator {
    pub(super) fn login(&self, mailbox: &RemoteUser) -> Result<RemoteUser, Invalid> {
        match &self.entry {
            Entry::Template(template) => template.login(mailbox, self.user.as_str()),
            Entry::Authzid => Ok(mailbox.clone()),
        }
    }

    pub(super) fn access(&self) -> Access {
        let password = self.password.clone();
        match self.entry {
            Entry::Template(_) => Access::Password(password),
            Entry::Authzid => Access::OnBehalf {
                admin: self.user.as_str().to_owned(),
                password,
            },
        }
    }
}
