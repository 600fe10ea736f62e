// SPDX-License-Identifier: GPL-3.0-or-later

use super::settings;
use ns8_imapsync::agent::Agent;
use ns8_imapsync::agent::commands::CommandDescriptor;
use ns8_imapsync::agent::environment::EnvironmentFile;
use ns8_imapsync::error::{ErrorKey, Refusal, Result};
use ns8_imapsync::source::Sources;
use ns8_imapsync::task::{Layout, Store};

/// The instance that an applet works for.
pub(crate) struct Context {
    /// What the platform says about us.
    pub agent: Agent,
    /// Where the platform listens.
    pub commands: CommandDescriptor,
    /// The settings, shared with the platform.
    pub environment: EnvironmentFile,
    /// The tasks.
    pub store: Store,
    /// The sources.
    pub sources: Sources,
}

impl Context {
    /// The instance whose environment this process was started with.
    pub(crate) fn new(commands: CommandDescriptor) -> Self {
        let agent = Agent::from_process();
        let store = Store::new(Layout::in_state(&agent.state));
        Self {
            commands,
            environment: EnvironmentFile::in_state(&agent.state),
            sources: Sources::of(&store),
            store,
            agent,
        }
    }

    /// The address of the mail server for cron files; `None` while schedules are paused.
    ///
    /// # Errors
    /// As [`Self::mail_host`].
    pub(crate) fn schedule_host(&self) -> Result<Option<String>> {
        let host = self.mail_host()?;
        Ok((!settings::schedules_paused(&self.environment.read()?)).then_some(host))
    }

    /// The address of the mail server.
    ///
    /// # Errors
    /// `mail_server_not_configured` before configure-module has run.
    pub(crate) fn mail_host(&self) -> Result<String> {
        match self.environment.read()?.get("MAIL_HOST") {
            Some(host) => Ok(host.to_owned()),
            None => Err(Refusal::new(
                "localuser",
                ErrorKey::MailServerNotConfigured,
                "no mail server is chosen yet; run configure-module first",
            )
            .into()),
        }
    }
}
