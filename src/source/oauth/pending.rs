// SPDX-License-Identifier: GPL-3.0-or-later
//! Sign-ins that were begun and are not completed yet: a file each in `imapsync/.sources/.sign-ins/`.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::json;

use super::TokenError;
use crate::clock::now;
use crate::files;
use crate::secret::{SecretText, Zeroizing};
use crate::source::Sources;
use crate::task::SecretString;

const PRIVATE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// A sign-in under way. What it holds is for us and the provider only.
pub(super) struct Pending {
    pub source: String,
    pub mailbox: String,
    pub expires_at: i64,
    /// When the provider may be asked again.
    pub next_question: i64,
    pub interval: u64,
    pub kept: Kept,
}

impl Pending {
    /// The same with the next question later, and from then on so many seconds more between two.
    pub(super) fn postponed(self, slower: u64) -> Self {
        let interval = self.interval.saturating_add(slower);
        Self {
            interval,
            next_question: now().saturating_add(i64::try_from(interval).unwrap_or(i64::MAX)),
            ..self
        }
    }
}

pub(super) enum Kept {
    Device(SecretString),
    Browser {
        verifier: SecretString,
        redirect: String,
    },
}

#[derive(Deserialize)]
struct Stored {
    source: String,
    mailbox: String,
    expires_at: i64,
    #[serde(default)]
    next_question: i64,
    #[serde(default)]
    interval: u64,
    #[serde(default)]
    device: Option<SecretText>,
    #[serde(default)]
    verifier: Option<SecretText>,
    #[serde(default)]
    redirect: Option<String>,
}

fn folder(sources: &Sources) -> PathBuf {
    sources.folder().join(".sign-ins")
}

/// A state becomes part of a file name.
fn path(sources: &Sources, state: &str) -> Option<PathBuf> {
    let sound = (16..=64).contains(&state.len())
        && state
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    sound.then(|| folder(sources).join(format!("{state}.json")))
}

pub(super) fn write(sources: &Sources, state: &str, pending: &Pending) -> Result<(), TokenError> {
    let folder = folder(sources);
    let path = path(sources, state).ok_or_else(|| failed("the sign-in's name is invalid"))?;
    let mut stored = json!({
        "source": pending.source,
        "mailbox": pending.mailbox,
        "expires_at": pending.expires_at,
        "next_question": pending.next_question,
        "interval": pending.interval,
    });
    match &pending.kept {
        Kept::Device(code) => stored["device"] = code.expose_secret().into(),
        Kept::Browser { verifier, redirect } => {
            stored["verifier"] = verifier.expose_secret().into();
            stored["redirect"] = redirect.as_str().into();
        }
    }
    let text = Zeroizing::new(stored.to_string());
    crate::secret::wipe(&mut stored);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_FOLDER)
        .create(&folder)
        .and_then(|()| files::write_atomic(&folder, &path, text.as_bytes(), PRIVATE))
        .map_err(|error| failed(&format!("the sign-in cannot be written: {error}")))
}

/// A sign-in of that state; `None` when none was begun, or it is over.
pub(super) fn read(sources: &Sources, state: &str) -> Result<Option<Pending>, TokenError> {
    let Some(path) = path(sources, state) else {
        return Ok(None);
    };
    let text = files::read(&path).map_err(|error| failed(&format!("the sign-in cannot be read: {error}")))?;
    let Some(text) = text.map(Zeroizing::new) else {
        return Ok(None);
    };
    let stored: Stored =
        serde_json::from_slice(&text).map_err(|_| failed("the sign-in is damaged; begin again"))?;
    let kept = match (stored.device, stored.verifier, stored.redirect) {
        (Some(code), ..) => Kept::Device(code.into_secret()),
        (None, Some(verifier), Some(redirect)) => Kept::Browser {
            verifier: verifier.into_secret(),
            redirect,
        },
        _ => return Err(failed("the sign-in is damaged; begin again")),
    };
    Ok(Some(Pending {
        source: stored.source,
        mailbox: stored.mailbox,
        expires_at: stored.expires_at,
        next_question: stored.next_question,
        interval: stored.interval,
        kept,
    }))
}

pub(super) fn remove(sources: &Sources, state: &str) {
    if let Some(path) = path(sources, state) {
        // What stays is swept up when it has expired.
        let _ = files::remove(&path);
    }
}

/// Clears away sign-ins that no one completed.
pub(super) fn sweep(sources: &Sources) {
    let Ok(entries) = fs::read_dir(folder(sources)) else {
        return;
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if has_expired(&path) {
            let _ = files::remove(&path);
        }
    }
}

fn has_expired(path: &Path) -> bool {
    let text = files::read(path).ok().flatten().map(Zeroizing::new);
    let stored = text.and_then(|text| serde_json::from_slice::<Stored>(&text).ok());
    stored.is_none_or(|stored| stored.expires_at < now())
}

fn failed(reason: &str) -> TokenError {
    TokenError::Failed(reason.to_owned())
}
