// SPDX-License-Identifier: GPL-3.0-or-later
//! The container engine of this machine, if it has one that works.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, anyhow, bail};

/// A container engine that works, with our image in it.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    program: PathBuf,
    variables: Vec<(String, String)>,
    image: String,
}

impl Engine {
    /// Looks for it, installs what it lacks, and builds the image. Where there can be none, one line says why.
    pub(crate) fn find() -> anyhow::Result<Option<Self>> {
        static FOUND: OnceLock<Result<Option<Engine>, String>> = OnceLock::new();
        FOUND
            .get_or_init(|| Self::look().map_err(|error| format!("{error:#}")))
            .clone()
            .map_err(|error| anyhow!(error))
    }

    fn look() -> anyhow::Result<Option<Self>> {
        let Some(imageroot) = std::env::var_os("SANDBOX_IMAGEROOT") else {
            tell("no real container here: ./test-module.sh builds the program for it\n");
            return Ok(None);
        };
        let program = Path::new(&imageroot).join("bin/ns8-imapsync").canonicalize()?;
        let output = Command::new(sandbox::project().join("tests/container/engine.sh"))
            .arg(&program)
            .output()
            .context("cannot run engine.sh")?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => {}
            Some(3) => {
                tell(&said);
                return Ok(None);
            }
            _ => bail!("engine.sh failed: {said}"),
        }
        let text = String::from_utf8(output.stdout)?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let (image, variables): (Vec<_>, Vec<_>) = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .partition(|(name, _)| name == "IMAPSYNC_BINARY_IMAGE");
        let (_, image) = image.into_iter().next().context("engine.sh names no image")?;
        Ok(Some(Self {
            program,
            variables,
            image,
        }))
    }

    /// The static program in the image.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// What podman has to find in its environment.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        self.variables.clone()
    }

    /// The image that the container is made of.
    pub(crate) fn image(&self) -> &str {
        &self.image
    }
}

/// Past the test harness, which shows the output of failed tests only.
pub(crate) fn tell(line: &str) {
    // No one reads it: then no one misses it.
    let _ = std::io::stderr().write_all(line.as_bytes());
}
