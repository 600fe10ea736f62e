// SPDX-License-Identifier: GPL-3.0-or-later
//! A task that is not written yet, as it comes by stdin.

use std::io::Read as _;

use ns8_imapsync::imap;
use ns8_imapsync::secret::{ROOM, SecretText, Zeroizing};
use ns8_imapsync::source::Sources;
use ns8_imapsync::sync::access::Access;
use ns8_imapsync::sync::account::{Account, Failure, RemoteServer, accepted};
use ns8_imapsync::sync::folder_mapping::Selection;
use ns8_imapsync::task::{
    Exclusions, FolderMode, FolderOptions, Port, RemoteHost, RemoteUser, Security, SourceId, Store, Trust,
    parse_password,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::failed;

/// Reads JSON from stdin that may hold a secret.
pub fn read_json<T: DeserializeOwned>(what: &str) -> Result<T, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(ROOM));
    std::io::stdin()
        .take(1024 * 1024)
        .read_to_string(&mut text)
        .map_err(failed)?;
    // What serde says may repeat a value, which may be the secret.
    serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        failed(format!("stdin is not {what} (line {line}, column {column})"))
    })
}

/// A task that is not written yet. It holds a password, hence no `Debug`.
#[derive(Deserialize)]
pub struct Candidate {
    /// The remote side.
    pub remote: RemoteFields,
    /// The local side.
    pub local: Option<LocalFields>,
    foldersynchronization: Option<String>,
    exclude: Option<String>,
}

/// The remote side of a candidate.
#[derive(Deserialize)]
pub struct RemoteFields {
    host: String,
    port: Port,
    security: String,
    user: String,
    password: SecretText,
    /// Which certificate is accepted.
    #[serde(default, rename = "certificate")]
    trust: Trust,
    /// A server that nothing is known of is shown before it gets the password.
    #[serde(default)]
    confirm_certificate: bool,
    source: Option<String>,
}

/// The local side of a candidate.
#[derive(Deserialize)]
pub struct LocalFields {
    /// Whose mailbox it is.
    pub user: String,
}

impl Candidate {
    /// The folders it takes.
    pub fn selection(&self) -> Result<Selection, Failure> {
        let mode =
            FolderMode::parse(self.foldersynchronization.as_deref().unwrap_or("all")).map_err(failed)?;
        let exclusions = Exclusions::parse(self.exclude.as_deref().unwrap_or_default()).map_err(failed)?;
        Ok(Selection {
            mode,
            excluded: exclusions.matchers().map_err(failed)?,
            options: FolderOptions::default(),
        })
    }
}

impl RemoteFields {
    /// How it logs in.
    pub fn account(&self, store: &Store) -> Result<Account, Failure> {
        let host = RemoteHost::parse(&self.host).map_err(failed)?;
        let user = RemoteUser::parse(&self.user).map_err(failed)?;
        let security = Security::parse(&self.security).map_err(failed)?;
        let password = parse_password(self.password.expose()).map_err(failed)?;
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
        let id = SourceId::parse(id).map_err(failed)?;
        let access = Access::of_source(store, &id, &user, password)?;
        let mut account = Account::remote(&server, &user, access);
        account.reach_as(&Sources::of(store).load(&id).map_err(failed)?);
        Ok(account)
    }
}
