// SPDX-License-Identifier: GPL-3.0-or-later
//! The stand-in of the container and of the host programs around it (`podman`, `systemctl`, `runagent`).
//!
//! There is no container here. The same program runs under the name `/usr/local/bin/syncctl` of the
//! container's root, with the container's environment, and only while the service is started.

use std::os::unix::fs::{PermissionsExt, symlink};

use anyhow::Context;

use crate::node::{MARK, Node};

const SHIMS: [(&str, &str); 3] = [
    ("podman", include_str!("shims/podman")),
    ("systemctl", include_str!("shims/systemctl")),
    ("runagent", include_str!("shims/runagent")),
];

/// Writes the stand-ins, and the container's root with its program and environment.
pub(crate) fn prepare(node: &Node, mail_port: u16) -> anyhow::Result<()> {
    let base = node
        .base()
        .to_str()
        .context("the sandbox's folder has a name that is no UTF-8")?;
    std::fs::create_dir_all(node.shims())?;
    for (name, text) in SHIMS {
        let path = node.shims().join(name);
        std::fs::write(&path, text.replace("@BASE@", base))?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
    }
    let bin = node.container().join("root/usr/local/bin");
    std::fs::create_dir_all(&bin)?;
    symlink(node.install_dir().join("bin/ns8-imapsync"), bin.join("syncctl"))?;
    let environment = format!(
        "PATH={}\nIMAPSYNC_DIR={}\nMAIL_PORT={mail_port}\n{MARK}={base}\nNS8_CONTAINER={base}\n",
        crate::system_path(),
        node.state().join("imapsync").display(),
    );
    std::fs::write(node.container().join("environment"), environment)?;
    std::fs::write(node.container().join("journal"), "")?;
    Ok(())
}

/// The container's environment while it runs.
pub(crate) fn environment(node: &Node) -> Option<Vec<(String, String)>> {
    let text = std::fs::read_to_string(node.container().join("running")).ok()?;
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Some(
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    )
}

/// A command line as it stands in a cron file, with the container's paths turned into this machine's.
pub(crate) fn host_command(node: &Node, command: &str) -> String {
    let bin = node.container().join("root/usr/local/bin");
    command.replace("/usr/local/bin/", &format!("{}/", bin.display()))
}
