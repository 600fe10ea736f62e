// SPDX-License-Identifier: GPL-3.0-or-later
//! Installs the module from an assembled image root, as the platform unpacks it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, anyhow, bail};

/// Copies the image root `from` into `to` (`AGENT_INSTALL_DIR`): folders, files with their modes, symlinks.
pub(crate) fn unpack(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in from
        .read_dir()
        .with_context(|| format!("cannot read the image root {}", from.display()))?
    {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            unpack(&source, &target)?;
        } else if kind.is_symlink() {
            symlink(std::fs::read_link(&source)?, &target)?;
        } else if entry.metadata()?.permissions().mode() & 0o111 == 0 || !link(&source, &target) {
            std::fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

/// Programs are big and never written to: a second name saves the copying where it can.
fn link(source: &Path, target: &Path) -> bool {
    std::fs::hard_link(source, target).is_ok()
}

/// The image root to install: the one that `SANDBOX_IMAGEROOT` names (`test-module.sh` sets it to what
/// `build-images.sh` assembled), or one made of the checkout and a debug build of the program.
pub fn imageroot() -> anyhow::Result<PathBuf> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    if let Some(dir) = std::env::var_os("SANDBOX_IMAGEROOT") {
        return Ok(dir.into());
    }
    MADE.get_or_init(|| assemble().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(|error| anyhow!(error))
}

/// The project's folder.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn assemble() -> anyhow::Result<PathBuf> {
    let project = project().canonicalize()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project.join("target"), PathBuf::from);
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "ns8-imapsync-actions"])
        .current_dir(&project)
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!(
            "cannot build the program:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    // A folder of this process alone, for several test programs may get here at once; what earlier ones left goes.
    for old in target.read_dir()?.flatten() {
        let name = old.file_name().to_string_lossy().into_owned();
        let owner = name
            .strip_prefix("imageroot-")
            .and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            std::fs::remove_dir_all(old.path())?;
        }
    }
    let dir = target.join(format!("imageroot-{}", std::process::id()));
    unpack(&project.join("imageroot"), &dir)?;
    std::fs::create_dir_all(dir.join("bin"))?;
    let program = target.join("debug/ns8-imapsync");
    if !link(&program, &dir.join("bin/ns8-imapsync")) {
        std::fs::copy(program, dir.join("bin/ns8-imapsync"))?;
    }
    Ok(dir)
}
