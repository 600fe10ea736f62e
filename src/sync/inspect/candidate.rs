// SPDX-License-Identifier: GPL-3.0-or-later
//! A task that is not written yet, on its way into the container to be tested.

use serde::{Deserialize, Serialize};

use crate::imap;
use crate::secret::SecretText;
use crate::source::Sources;
use crate::sync::access::Access;
use crate::sync::account::{Account, Failure, RemoteServer, accepted};
use crate::sync::folder_mapping::Selection;
use crate::task::{
    Exclusions, FolderMode, FolderOptions, LocalUser, Port, RemoteHost, RemoteUser, Security, SourceId,
    Store, Trust, parse_password,
};

/// A task that is not written yet, as `syncctl validation -` and `syncctl list-folders -` read it.
#[derive(Serialize, Deserialize)]
pub struct Candidate {
    /// The remote side.
    pub remote: RemoteFields,
    /// The local side.
    pub local: Option<LocalFields>,
    /// Which folders.
    pub foldersynchronization: Option<String>,
    /// Which of them not.
    pub exclude: Option<String>,
}

/// The remote side of a candidate.
#[derive(Serialize, Deserialize)]
pub struct RemoteFields {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: Port,
    /// How the connection is protected.
    pub security: String,
    /// The account.
    pub user: String,
    /// Its password, or what the source signs in with.
    #[serde(serialize_with = "SecretText::write")]
    pub password: SecretText,
    /// The source that signs in, where that is not the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Which certificate is accepted.
    #[serde(default, rename = "certificate")]
    pub trust: Trust,
    /// A server that nothing is known of is shown before it gets the password.
    #[serde(default)]
    pub confirm_certificate: bool,
}

/// The local side of a candidate.
#[derive(Serialize, Deserialize)]
pub struct LocalFields {
    /// Whose mailbox it is.
    pub user: String,
}

impl Candidate {
    /// The folders it takes.
    ///
    /// # Errors
    /// What is not understood.
    pub fn selection(&self) -> Result<Selection, Failure> {
        let mode = FolderMode::parse(self.foldersynchronization.as_deref().unwrap_or("all"));
        let exclusions = Exclusions::parse(self.exclude.as_deref().unwrap_or_default()).map_err(invalid)?;
        Ok(Selection {
            mode: mode.map_err(invalid)?,
            excluded: exclusions.matchers().map_err(invalid)?,
            options: FolderOptions::default(),
        })
    }

    /// Whose local mailbox it is.
    ///
    /// # Errors
    /// When it is not said, or not understood.
    pub fn local_user(&self) -> Result<LocalUser, Failure> {
        let local = self.local.as_ref();
        let local = local.ok_or_else(|| Failure::local("the field local is missing"))?;
        LocalUser::parse(&local.user).map_err(invalid)
    }
}

impl RemoteFields {
    /// How it logs in.
    ///
    /// # Errors
    /// What is not understood, or a source that gives no access.
    pub fn account(&self, store: &Store) -> Result<Account, Failure> {
        let host = RemoteHost::parse(&self.host).map_err(invalid)?;
        let user = RemoteUser::parse(&self.user).map_err(invalid)?;
        let security = Security::parse(&self.security).map_err(invalid)?;
        let password = parse_password(self.password.expose()).map_err(invalid)?;
        let server = RemoteServer {
            host: &host,
            port: self.port,
            security,
            trust: match (&self.trust, self.confirm_certificate) {
                (Trust::Unknown, true) => imap::Trust::Ask,
                (known, _) => accepted(known),
            },
        };
        let Some(id) = &self.source else {
            return Ok(Account::remote(&server, &user, Access::password(&user, password)));
        };
        let id = SourceId::parse(id).map_err(invalid)?;
        let access = Access::of_source(store, &id, &user, password)?;
        let mut account = Account::remote(&server, &user, access);
        account.reach_as(&Sources::of(store).load(&id).map_err(invalid)?);
        Ok(account)
    }
}

fn invalid(what: impl ToString) -> Failure {
    Failure::local(what.to_string())
}
