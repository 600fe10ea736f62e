// SPDX-License-Identifier: GPL-3.0-or-later
//! The node as plain data: where its folders are and what environment its agent has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::mail::Side;

/// The variable that marks every process of a sandbox, so that all of them can be found and ended.
pub const MARK: &str = "NS8_SANDBOX";

/// Folders and environment of one node; written to a file so that another process can act in it too.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    base: PathBuf,
    /// What the agent hands to every step (contract section 1), without the task's own variables.
    pub environment: BTreeMap<String, String>,
}

impl Node {
    /// A node below the folder `base`, with an empty environment.
    pub fn new(base: &Path) -> Self {
        Self {
            base: base.to_path_buf(),
            environment: BTreeMap::new(),
        }
    }

    /// Reads the description that [`Node::save`] wrote.
    pub fn load(base: &Path) -> anyhow::Result<Self> {
        let path = base.join("node.json");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("there is no running sandbox at {}", base.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a node's description", path.display()))
    }

    /// Writes the description for other processes, and the environment for the stand-ins of host programs.
    pub fn save(&self) -> anyhow::Result<()> {
        std::fs::write(self.base.join("node.json"), serde_json::to_string_pretty(self)?)?;
        let lines: String = self
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        std::fs::write(self.base.join("agent.env"), lines)?;
        Ok(())
    }

    /// The folder that holds everything of this node.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The module user's home.
    pub fn home(&self) -> PathBuf {
        self.base.join("home")
    }

    /// `AGENT_INSTALL_DIR`: where the image root is unpacked.
    pub fn install_dir(&self) -> PathBuf {
        self.home().join(".config")
    }

    /// `AGENT_STATE_DIR`.
    pub fn state(&self) -> PathBuf {
        self.install_dir().join("state")
    }

    /// Folders with actions, the platform's first; steps of both are merged by file name.
    pub fn action_dirs(&self) -> [PathBuf; 2] {
        [
            self.base.join("platform/actions"),
            self.install_dir().join("actions"),
        ]
    }

    /// Folders with event handlers.
    pub fn event_dirs(&self) -> [PathBuf; 2] {
        [
            self.base.join("platform/events"),
            self.install_dir().join("events"),
        ]
    }

    /// What the stand-in of the container keeps: its root, its journal, whether it runs.
    pub fn container(&self) -> PathBuf {
        self.base.join("container")
    }

    /// Stand-ins of host programs (`podman`, `systemctl`, `runagent`), on `PATH` before the real ones.
    pub fn shims(&self) -> PathBuf {
        self.base.join("shims")
    }

    /// The folder of one mail server.
    pub fn server(&self, side: Side) -> PathBuf {
        self.base.join(side.name())
    }

    /// The lines of `state/environment`; empty when there is no such file yet.
    pub fn state_environment(&self) -> BTreeMap<String, String> {
        let text = std::fs::read_to_string(self.state().join("environment")).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}
