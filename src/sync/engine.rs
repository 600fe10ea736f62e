// SPDX-License-Identifier: GPL-3.0-or-later
//! Which engine moves the mail.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::sync::account::Failure;

/// What moves the mail of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The one in here.
    Native,
    /// Stock imapsync, found there.
    Imapsync(PathBuf),
}

impl Engine {
    /// The engine that the setting asks for: `imapsync` or `native`, which is also what `auto` and none mean.
    ///
    /// # Errors
    /// When it is not there, or no one knows it.
    pub fn choose(setting: Option<&str>) -> Result<Self, Failure> {
        match setting.unwrap_or("auto") {
            "auto" | "" | "native" => Ok(Self::Native),
            "imapsync" => which::which("imapsync").map(Self::Imapsync).map_err(|_| {
                Failure::local("SYNC_ENGINE is imapsync, which is not installed here: choose auto or native")
            }),
            _ => Err(Failure::local(
                "invalid SYNC_ENGINE: expected auto, imapsync or native",
            )),
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Imapsync(_) => "imapsync",
        }
    }

    /// Its version.
    ///
    /// # Errors
    /// When the program does not tell.
    pub fn version(&self) -> Result<String, Failure> {
        let program = match self {
            Self::Native => return Ok(env!("CARGO_PKG_VERSION").to_owned()),
            Self::Imapsync(program) => program,
        };
        let told = Command::new(program)
            .arg("--version")
            .stdin(Stdio::null())
            .output();
        let told =
            told.map_err(|error| Failure::local(format!("cannot run {}: {error}", program.display())))?;
        let text = String::from_utf8_lossy(&told.stdout);
        match text.lines().next().map(str::trim) {
            Some(version) if told.status.success() && !version.is_empty() => Ok(version.to_owned()),
            _ => Err(Failure::local(format!(
                "{} does not tell its version",
                program.display()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_decides_and_nonsense_is_refused() {
        assert_eq!(Engine::choose(Some("native")).unwrap(), Engine::Native);
        assert!(Engine::choose(Some("mbsync")).is_err());
        for setting in [None, Some(""), Some("auto")] {
            assert_eq!(Engine::choose(setting).unwrap(), Engine::Native);
        }
        assert_eq!(Engine::Native.version().unwrap(), env!("CARGO_PKG_VERSION"));
    }
}
