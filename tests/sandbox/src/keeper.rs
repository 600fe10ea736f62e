// SPDX-License-Identifier: GPL-3.0-or-later
//! Ends everything when the sandbox ends, also when that is by `kill -9`.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// A process of its own group that waits for this one to go away and then clears up.
#[derive(Debug)]
pub(crate) struct Keeper {
    child: Child,
}

impl Keeper {
    /// Starts the keeper of the folder `base`.
    pub(crate) fn start(base: &Path) -> anyhow::Result<Self> {
        let child = Command::new("sh")
            .args(["-c", include_str!("keeper.sh"), "sandbox-keeper"])
            .arg(base)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start the sandbox's keeper")?;
        Ok(Self { child })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
