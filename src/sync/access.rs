// SPDX-License-Identifier: GPL-3.0-or-later
//! What an account logs in with, asked for again with every connection: tokens expire.

use secrecy::{ExposeSecret as _, SecretString};

use super::account::Failure;
use super::exit_code::Exit;
use super::instance;
use crate::error::ErrorKey;
use crate::imap::{self, Credentials, Mask};
use crate::source::oauth::{Network, Token, TokenError, Tokens};
use crate::source::{self, Sources};
use crate::task::FileKind;
use crate::task::{RemoteUser, SourceId, Store, Task};

/// What an account logs in with.
pub enum Access {
    /// The same at every login.
    Fixed(Credentials),
    /// A token that is good at that moment.
    Token {
        /// Whose mailbox is opened.
        user: String,
        /// Where tokens come from.
        tokens: Box<Tokens>,
        /// Hides each token that has been offered to a server.
        offered: Mask,
    },
}

/// What one login is tried with.
pub(super) struct Offer {
    pub credentials: Credentials,
    /// The token, where it may have been refused for its age.
    pub aged: Option<SecretString>,
}

impl Access {
    /// A password.
    pub fn password(user: &RemoteUser, password: SecretString) -> Self {
        Self::Fixed(Credentials::Password {
            user: user.to_string(),
            password,
        })
    }

    /// What a source says, for a login name and a mailbox; `own` is the task's own password.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn of_source(
        store: &Store,
        id: &SourceId,
        user: &RemoteUser,
        own: SecretString,
    ) -> Result<Self, Failure> {
        let sources = Sources::of(store);
        let source = sources.load(id).map_err(|error| Failure {
            exit: Exit::NoInput,
            key: Some(ErrorKey::SourceNotFound),
            message: error.to_string(),
        })?;
        let network = Network::of_settings(instance::setting);
        let tokens = Tokens::of(&sources, &source, user, &network);
        Ok(match (source.access(), tokens) {
            (source::Access::Token, Some(tokens)) => Self::Token {
                user: user.to_string(),
                tokens: Box::new(tokens),
                offered: Mask::default(),
            },
            (source::Access::OnBehalf { admin, password }, _) => Self::Fixed(Credentials::Delegated {
                user: user.to_string(),
                admin,
                password,
            }),
            (source::Access::Password(password), _) => Self::password(user, password),
            (source::Access::OwnPassword | source::Access::Token, _) => Self::password(user, own),
        })
    }

    /// What a task logs in with.
    ///
    /// # Errors
    /// When its password is missing, or its source.
    pub fn of_task(store: &Store, task: &Task) -> Result<Self, Failure> {
        let name = task.name();
        let password = store
            .password(task)
            .map_err(|error| Failure::local(error.to_string()))?;
        let link = store.options(&name).source;
        let missing = || Failure {
            exit: Exit::AuthenticationUser1,
            key: Some(ErrorKey::PasswordRequired),
            message: format!(
                "the password file {} is missing: edit the task and enter the password",
                name.file(FileKind::Password)
            ),
        };
        match link {
            Some(link) => Self::of_source(store, &link.id, &task.remote_user, password.unwrap_or_default()),
            None => Ok(Self::password(&task.remote_user, password.ok_or_else(missing)?)),
        }
    }

    /// What to log in with now. `refused` is a token that the server did not take.
    pub(super) async fn offer(&self, refused: Option<&SecretString>) -> Result<Offer, imap::Error> {
        match self {
            Self::Fixed(credentials) => Ok(Offer {
                credentials: credentials.clone(),
                aged: None,
            }),
            Self::Token { user, tokens, .. } => {
                let token = token(tokens, refused).await?;
                Ok(Offer {
                    aged: Some(token.secret.clone()).filter(|_| refused.is_none() && token.has_aged()),
                    credentials: Credentials::Token {
                        user: user.clone(),
                        token: token.secret,
                    },
                })
            }
        }
    }

    /// Hides what is logged in with: tokens, which are not known before, as soon as each of them is offered.
    pub fn mask(&self) -> Mask {
        match self {
            Self::Fixed(credentials) => credentials.mask(),
            Self::Token { offered, .. } => offered.clone(),
        }
    }

    /// Has all copies of the mask hide what a server is about to be told.
    pub(super) fn hide(&self, told: &Mask) {
        match self {
            // It is hidden from the start.
            Self::Fixed(_) => {}
            Self::Token { offered, .. } => offered.add(told),
        }
    }

    /// Where tokens come from, where they do.
    pub fn tokens(&self) -> Option<&Tokens> {
        match self {
            Self::Fixed(_) => None,
            Self::Token { tokens, .. } => Some(tokens),
        }
    }
}

/// A token that is valid now, fetched on a thread where waiting blocks no one.
async fn token(tokens: &Tokens, refused: Option<&SecretString>) -> Result<Token, imap::Error> {
    let tokens = tokens.clone();
    let refused = refused.map(|token| SecretString::from(token.expose_secret()));
    tokio::task::spawn_blocking(move || tokens.get(refused.as_ref()))
        .await
        .unwrap_or_else(|error| Err(TokenError::Failed(format!("no token was issued: {error}"))))
        .map_err(|error| imap::Error::NoCredentials {
            key: error.key(),
            message: error.to_string(),
        })
}
