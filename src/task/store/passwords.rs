// SPDX-License-Identifier: GPL-3.0-or-later
//! The files with passwords.

use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::{EDIT_ATTEMPTS, PRIVATE, Store};
use crate::error::Result;
use crate::files;
use crate::task::FileKind;
use crate::task::{Task, commit};

impl Store {
    /// The remote password that belongs to a task as it was read; `None` when there is none.
    ///
    /// Password and file change together: without that check, a reader of both during an edit could send
    /// the new password to the old server.
    ///
    /// # Errors
    /// When the file cannot be read, or the task was changed meanwhile.
    pub fn password(&self, task: &Task) -> Result<Option<SecretString>> {
        let name = task.name();
        for _ in 0..EDIT_ATTEMPTS {
            let password = self.secret(&name.file(FileKind::Password))?;
            if !commit::is_pending(&self.layout.tasks, &name) {
                return match self.load(&name)? {
                    Some(current) if !current.same_account(task) => {
                        Err(anyhow::anyhow!("{name} was changed meanwhile; try again").into())
                    }
                    _ => Ok(password),
                };
            }
            // An edit is under way, or was cut off: the next holder of the lock finishes it.
            self.acquire(&name, Duration::ZERO)?;
        }
        Err(anyhow::anyhow!("{name} is being edited; try again").into())
    }

    /// The password of the local server's master user; `None` before the service has started once.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn master_password(&self) -> Result<Option<SecretString>> {
        self.secret("vmail.pwd")
    }

    /// Stores the password of the local server's master user.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save_master_password(&self, password: &SecretString) -> Result<()> {
        let target = self.layout.tasks.join("vmail.pwd");
        files::write_atomic(
            &self.layout.tasks,
            &target,
            password.expose_secret().as_bytes(),
            PRIVATE,
        )
        .context("cannot write vmail.pwd")?;
        Ok(())
    }

    /// The first line of a password file, which is what imapsync takes.
    fn secret(&self, file: &str) -> Result<Option<SecretString>> {
        let read =
            files::read(&self.layout.tasks.join(file)).with_context(|| format!("cannot read {file}"))?;
        let Some(bytes) = read else { return Ok(None) };
        let text =
            SecretString::from(String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{file} is not UTF-8"))?);
        let line = text.expose_secret().lines().next().unwrap_or_default();
        Ok(Some(SecretString::from(line)))
    }
}
