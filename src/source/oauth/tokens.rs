// SPDX-License-Identifier: GPL-3.0-or-later
//! The tokens of a source on disk, renewed once for all processes.
//!
//! One file per mailbox, or one for the source where an application opens all of them. The one who renews a token holds the
//! lock next to the file; everybody else waits for it, and then finds the new one. A new refresh token is on the disk
//! before the access token that came with it is used: a process that dies loses no sign-in.

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::request::{self, Issued, Refusal, Voucher};
use super::{Denial, Explained, Network, TokenError};
use crate::clock::now;
use crate::files;
use crate::secret::{ROOM, SecretText, Zeroizing};
use crate::source::{ClientAuthentication, Grant, OAuth, Source, Sources};
use crate::task::RemoteUser;

const PRIVATE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;
/// Longer than one question to the provider takes at most.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);
/// A token is renewed so many seconds before its end, but not in the first half of a short life.
const BEFORE_END: i64 = 5 * 60;
/// So long a refusal stands that no sign-in can change: a wrong secret is not tried again with every run.
const REFUSAL_STANDS: i64 = 5 * 60;

/// An access token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token.
    pub secret: SecretString,
    /// When it was got, in seconds since 1970.
    pub obtained_at: i64,
}

impl Token {
    /// Whether it has been around for a while, so that a refusal may be about its age.
    pub fn has_aged(&self) -> bool {
        // A clock that was set back says nothing.
        !(0..AGE).contains(&(now() - self.obtained_at))
    }
}

const AGE: i64 = 30;

/// The tokens by which one mailbox of a source is opened.
#[derive(Debug, Clone)]
pub struct Tokens {
    oauth: OAuth,
    /// Where the tokens are shown.
    server: String,
    folder: PathBuf,
    key: String,
    mailbox: RemoteUser,
    network: Network,
}

/// What a file holds.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Stored {
    /// What the tokens were issued for; those of another application or provider are none.
    issued_for: String,
    access: Option<SecretText>,
    obtained_at: i64,
    expires_at: i64,
    refresh: Option<SecretText>,
    denied: Option<Denied>,
}

#[derive(Serialize)]
struct Written<'a> {
    issued_for: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<&'a str>,
    obtained_at: i64,
    expires_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<&'a Denied>,
}

/// The last refusal.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Denied {
    at: i64,
    denial: Denial,
}

impl Tokens {
    /// The tokens for a mailbox of a source; `None` where the source has none.
    pub fn of(sources: &Sources, source: &Source, mailbox: &RemoteUser, network: &Network) -> Option<Self> {
        let oauth = source.oauth()?.clone();
        let key = match oauth.grant {
            Grant::Application(_) => "application".to_owned(),
            _ => hex(&Sha256::digest(mailbox.as_str().to_lowercase())[..16]),
        };
        Some(Self {
            folder: sources.tokens(&source.id),
            server: source.host.to_string(),
            oauth,
            key,
            mailbox: mailbox.clone(),
            network: network.clone(),
        })
    }

    /// A token that is good now. One that a server refused is given as `refused`, and renewed. Blocks.
    ///
    /// # Errors
    /// Why there is none.
    pub fn get(&self, refused: Option<&SecretString>) -> Result<Token, TokenError> {
        if let Some(token) = self.usable(&self.read()?, refused) {
            return Ok(token);
        }
        let _lock = self.lock()?;
        let stored = self.read()?;
        if let Some(token) = self.usable(&stored, refused) {
            return Ok(token);
        }
        if let Some(denied) = self.standing(&stored) {
            return Err(TokenError::Denied(denied.denial.clone()));
        }
        self.renew(&stored)
    }

    /// A new token, whatever is stored; what was refused before is asked again. Blocks.
    ///
    /// # Errors
    /// Why there is none.
    pub fn renewed(&self) -> Result<Token, TokenError> {
        let _lock = self.lock()?;
        self.renew(&self.read()?)
    }

    /// Stores what somebody's sign-in has brought.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn sign_in(&self, issued: &Issued) -> Result<(), TokenError> {
        let _lock = self.lock()?;
        self.keep(issued, None).map(|_| ())
    }

    /// Forgets the sign-in of a mailbox; the tokens of an application are for all mailboxes, and stay.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn forget(&self) -> std::io::Result<()> {
        match self.oauth.grant {
            Grant::Application(_) => Ok(()),
            _ => files::remove(&self.path()),
        }
    }

    /// Why the mailbox cannot be opened, as far as is known without asking anybody.
    pub fn known_denial(&self) -> Option<Denial> {
        let stored = self.read().ok()?;
        if let Some(denied) = self.standing(&stored) {
            return Some(denied.denial.clone());
        }
        let never = self.oauth.needs_person() && !self.is_ours(&stored);
        never.then(never_signed_in)
    }

    fn renew(&self, stored: &Stored) -> Result<Token, TokenError> {
        let refresh = stored.refresh.as_ref().filter(|_| self.is_ours(stored));
        let refresh = refresh.map(|text| SecretString::from(text.expose()));
        let voucher = match (&refresh, self.oauth.needs_person()) {
            (Some(token), true) => Voucher::Refresh(token),
            (None, true) if self.is_ours(stored) => {
                let lost = self.standing(stored).map(|denied| denied.denial.clone());
                return Err(TokenError::Denied(lost.unwrap_or_else(no_refresh_token)));
            }
            (None, true) => return Err(TokenError::Denied(never_signed_in())),
            (_, false) => Voucher::Own {
                mailbox: self.mailbox.as_str(),
            },
        };
        match request::ask(&self.oauth, &voucher, &self.network)? {
            Ok(issued) => self.keep(&issued, refresh.as_ref()),
            Err(refusal) => Err(TokenError::Denied(self.note(stored, refusal)?)),
        }
    }

    fn keep(&self, issued: &Issued, former: Option<&SecretString>) -> Result<Token, TokenError> {
        let refresh = issued.refresh.as_ref().or(former);
        let obtained_at = now();
        self.write(&Written {
            issued_for: &self.issued_for(),
            access: Some(issued.access.expose_secret()),
            obtained_at,
            expires_at: issued.expires_at,
            refresh: refresh.map(|token| token.expose_secret()),
            denied: None,
        })?;
        Ok(Token {
            secret: issued.access.clone(),
            obtained_at,
        })
    }

    /// Remembers a refusal, so that no one runs into it again and again.
    fn note(&self, stored: &Stored, refusal: Refusal) -> Result<Denial, TokenError> {
        let denial = refusal.denial(&self.oauth);
        let ours = self.is_ours(stored);
        let text = |secret: &Option<SecretText>| {
            let secret = secret.as_ref().filter(|_| ours)?;
            Some(Zeroizing::new(secret.expose().to_owned()))
        };
        let (access, refresh) = (text(&stored.access), text(&stored.refresh));
        self.write(&Written {
            issued_for: &self.issued_for(),
            access: access.as_ref().map(|text| text.as_str()),
            obtained_at: stored.obtained_at,
            expires_at: stored.expires_at,
            // What was refused for good is not handed in again.
            refresh: refresh
                .as_ref()
                .filter(|_| !denial.sign_in_needed)
                .map(|text| text.as_str()),
            denied: Some(&Denied {
                at: now(),
                denial: denial.clone(),
            }),
        })?;
        Ok(denial)
    }

    fn is_ours(&self, stored: &Stored) -> bool {
        stored.issued_for == self.issued_for()
    }

    fn usable(&self, stored: &Stored, refused: Option<&SecretString>) -> Option<Token> {
        let access = stored.access.as_ref().filter(|_| self.is_ours(stored))?;
        let now = now();
        let life = stored.expires_at - stored.obtained_at;
        // A token from the future tells of a clock that was set back: no one knows how old it is.
        let good = stored.obtained_at <= now && now < stored.expires_at - BEFORE_END.min(life / 2);
        let is_refused = refused.is_some_and(|refused| refused.expose_secret() == access.expose());
        (good && !is_refused).then(|| Token {
            secret: access.expose().into(),
            obtained_at: stored.obtained_at,
        })
    }

    fn standing<'a>(&self, stored: &'a Stored) -> Option<&'a Denied> {
        let denied = stored.denied.as_ref().filter(|_| self.is_ours(stored))?;
        let age = now() - denied.at;
        (denied.denial.sign_in_needed || (0..REFUSAL_STANDS).contains(&age)).then_some(denied)
    }

    /// Tokens belong to who asked, where, for what, and to the server they are shown. A person's sign-in outlives the
    /// application's secret.
    fn issued_for(&self) -> String {
        let mut digest = Sha256::new();
        let mut add = |text: &str| {
            digest.update(text.len().to_be_bytes());
            digest.update(text);
        };
        add(self.oauth.endpoints.token.as_str());
        add(&self.oauth.scope);
        add(&self.server);
        match &self.oauth.grant {
            Grant::ServiceAccount(account) => add(account.file.expose_secret()),
            Grant::DeviceCode(client) | Grant::AuthorizationCode(client) => add(&client.id),
            Grant::Application(client) => {
                add(&client.id);
                match &client.authentication {
                    ClientAuthentication::None => {}
                    ClientAuthentication::Secret { secret, .. } => add(secret.expose_secret()),
                    ClientAuthentication::Certificate(certificate) => add(&certificate.certificate),
                }
            }
        }
        hex(&digest.finalize())
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.key))
    }

    fn read(&self) -> Result<Stored, TokenError> {
        let text = files::read(&self.path()).map_err(|error| failed(&self.path(), &error))?;
        // What is damaged is no token; what serde says may repeat one.
        let stored = text.and_then(|text| serde_json::from_slice(&Zeroizing::new(text)).ok());
        Ok(stored.unwrap_or_default())
    }

    fn write(&self, written: &Written<'_>) -> Result<(), TokenError> {
        let path = self.path();
        let mut text = Zeroizing::new(Vec::with_capacity(ROOM));
        serde_json::to_writer(&mut *text, written)
            .map_err(std::io::Error::from)
            .and_then(|()| files::write_atomic(&self.folder, &path, &text, PRIVATE))
            .map_err(|error| failed(&path, &error))
    }

    fn lock(&self) -> Result<File, TokenError> {
        let path = self.folder.join(format!(".{}.lock", self.key));
        let open = || {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(PRIVATE_FOLDER)
                .create(&self.folder)?;
            let file = files::open_lock(&path)?;
            files::lock(&file, LOCK_TIMEOUT)?;
            Ok(file)
        };
        open().map_err(|error: std::io::Error| failed(&path, &error))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> TokenError {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    TokenError::Failed(format!(
        "cannot read or write the tokens of the source ({name}): {error}"
    ))
}

fn never_signed_in() -> Denial {
    Denial {
        explained: Explained {
            provider_code: String::new(),
            message: "no one has signed in for this mailbox yet".to_owned(),
            advice: "sign in".to_owned(),
        },
        sign_in_needed: true,
    }
}

fn no_refresh_token() -> Denial {
    Denial {
        explained: Explained {
            provider_code: String::new(),
            message: "the access has expired, and the provider gave nothing to renew it with".to_owned(),
            advice:
                "add offline_access to the scope of the source if the provider knows it, then sign in again"
                    .to_owned(),
        },
        sign_in_needed: true,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
