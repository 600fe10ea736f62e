// SPDX-License-Identifier: GPL-3.0-or-later
//! As whom Dovecot runs.

use std::process::Command;

use anyhow::{Context, bail};

/// As root the server runs under this user: Dovecot opens no mailbox as root.
const UNPRIVILEGED: &str = "nobody";

/// The user who owns the mail.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) user: String,
    pub(super) group: String,
    /// User and group id, when they are not ours.
    pub(super) ids: Option<(u32, u32)>,
}

impl Owner {
    pub(super) fn detect() -> anyhow::Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self {
                user: identity(&["-un"])?,
                group: identity(&["-gn"])?,
                ids: None,
            });
        }
        let ids = (
            identity(&["-u", UNPRIVILEGED])?.parse()?,
            identity(&["-g", UNPRIVILEGED])?.parse()?,
        );
        Ok(Self {
            user: UNPRIVILEGED.into(),
            group: identity(&["-gn", UNPRIVILEGED])?,
            ids: Some(ids),
        })
    }

    /// A command that runs under this user.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = match self.ids {
            None => Command::new(program),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.args([
                    &format!("--reuid={user}"),
                    &format!("--regid={group}"),
                    "--clear-groups",
                    program,
                ]);
                command
            }
        };
        command.env("PATH", crate::system_path());
        command
    }
}

fn identity(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("id")
        .args(arguments)
        .output()
        .context("cannot run id")?;
    if !output.status.success() {
        bail!(
            "id {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
