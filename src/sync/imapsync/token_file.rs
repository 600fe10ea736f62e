// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.token`: the access token that imapsync reads whenever it logs in. It is kept fresh while imapsync runs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};

use crate::files;
use crate::imap::Credentials;
use crate::sync::account::{Account, Failure};
use crate::sync::side::Side;
use crate::task::FileKind;
use crate::task::TaskName;

/// Tokens are renewed some minutes before their end.
const PACE: Duration = Duration::from_secs(30);

/// The file; removed when this is dropped.
pub(super) struct TokenFile<'a> {
    account: &'a Account,
    folder: &'a Path,
    path: PathBuf,
    written: Option<SecretString>,
    looked: Instant,
}

impl<'a> TokenFile<'a> {
    /// Writes a token that is good now.
    ///
    /// # Errors
    /// When there is none, or it cannot be written.
    pub(super) async fn write(
        account: &'a Account,
        folder: &'a Path,
        name: &TaskName,
    ) -> Result<Self, Failure> {
        let mut file = Self {
            account,
            folder,
            path: folder.join(name.file(FileKind::Token)),
            written: None,
            looked: Instant::now(),
        };
        file.renew().await?;
        Ok(file)
    }

    /// Writes another token before the last one ends. One that cannot be got is asked for again later: the last one
    /// may still do.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) async fn keep_fresh(&mut self) -> Result<(), Failure> {
        if self.looked.elapsed() < PACE {
            return Ok(());
        }
        self.looked = Instant::now();
        match self.renew().await {
            Err(failure) if failure.key.is_none() => Err(failure),
            _ => Ok(()),
        }
    }

    async fn renew(&mut self) -> Result<(), Failure> {
        let offer = self
            .account
            .offer(&self.account.endpoint, None)
            .await
            .map_err(|error| Failure::from_imap(Side::Remote, &error))?;
        let Credentials::Token { token, .. } = offer.credentials else {
            return Ok(());
        };
        let text = token.expose_secret();
        if self.written.as_ref().map(|written| written.expose_secret()) != Some(text) {
            files::write_atomic(self.folder, &self.path, text.as_bytes(), 0o600)
                .map_err(|error| Failure::local(format!("cannot write the access token: {error}")))?;
            self.written = Some(token);
        }
        Ok(())
    }
}

impl Drop for TokenFile<'_> {
    fn drop(&mut self) {
        // What stays is removed with the next run, or with the task.
        let _ = files::remove(&self.path);
    }
}
