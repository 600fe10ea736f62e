// SPDX-License-Identifier: GPL-3.0-or-later
//! What the platform gives: who we are, where it says things, where it wants them said.
//!
//! - [`Agent`]: the variables a step is started with (contract section 1)
//! - [`environment`]: the file `state/environment`, shared with other programs
//! - [`commands`]: the descriptor for status and progress · [`journal`]: what people read
//! - [`directory`]: look-ups in the cluster's Redis · [`cluster`]: actions of other modules

pub mod cluster;
pub mod commands;
pub mod directory;
pub mod environment;
pub mod journal;

use std::path::PathBuf;

use anyhow::Context as _;
use secrecy::SecretString;

/// The variables that the agent starts a step with.
#[derive(Debug, Clone, Default)]
pub struct Agent {
    /// `module/imapsync1`.
    pub id: Option<String>,
    /// The state folder.
    pub state: PathBuf,
    /// The action being run, so that actions of other modules appear below it.
    pub task: Option<String>,
    /// The node that this instance lives on.
    pub node: Option<String>,
    /// `host:port` of the cluster's Redis.
    pub redis_address: Option<String>,
    /// The user of this instance, in Redis and in the cluster's API.
    pub redis_user: Option<String>,
    /// That user's password.
    pub redis_password: Option<SecretString>,
    /// The cluster's API, when it is not at its usual place.
    pub cluster_api: Option<String>,
}

impl Agent {
    /// Reads the variables of this process.
    ///
    /// Outside the agent (a helper in a shell) most of them are missing; code that needs one says so.
    pub fn from_process() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        Self {
            id: given("AGENT_ID").or_else(|| Some(format!("module/{}", given("MODULE_ID")?))),
            state: given("AGENT_STATE_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from),
            task: given("AGENT_TASK_ID"),
            node: given("NODE_ID"),
            redis_address: given("REDIS_ADDRESS"),
            redis_user: given("REDIS_USER"),
            redis_password: given("REDIS_PASSWORD").map(SecretString::from),
            cluster_api: given("CLUSTER_API_URL"),
        }
    }

    /// Our name in the cluster, `module/imapsync1`.
    ///
    /// # Errors
    /// Outside the agent's environment.
    pub fn id(&self) -> anyhow::Result<&str> {
        self.id
            .as_deref()
            .context("AGENT_ID is not set: run this through the agent or with runagent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_missing() {
        let agent = Agent::from_variables(|name| match name {
            "MODULE_ID" => Some("imapsync1".to_owned()),
            "AGENT_STATE_DIR" => Some(String::new()),
            _ => None,
        });
        assert_eq!(agent.id().unwrap(), "module/imapsync1");
        assert_eq!(agent.state, PathBuf::from("."));
        assert!(
            Agent::default()
                .id()
                .unwrap_err()
                .to_string()
                .contains("runagent")
        );
    }
}
