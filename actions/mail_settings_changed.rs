// SPDX-License-Identifier: GPL-3.0-or-later

use anyhow::Context as _;
use ns8_imapsync::agent::directory;
use ns8_imapsync::container::Service;
use ns8_imapsync::error::Result;
use ns8_imapsync::task::LocalPin;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::settings;

/// The event of a mail module whose settings changed (contract section 3).
pub(crate) struct MailSettingsChanged;

/// Which mail module.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Event {
    module_uuid: String,
}

impl Action for MailSettingsChanged {
    const NAME: &'static str = "mail-settings-changed";
    const ABOUT: &'static str = "Follows our mail server to its new address";
    type Input = Event;
    type Output = ();

    fn run(context: &Context, event: Event) -> Result<()> {
        let environment = context.environment.read()?;
        if environment.get(settings::MAIL_SERVER) != Some(event.module_uuid.as_str()) {
            return Ok(());
        }
        // A server that is not there for now keeps its address.
        let servers = directory::services(&context.agent, &event.module_uuid)?;
        let host = environment.get(settings::MAIL_HOST).unwrap_or_default();
        if let Some(server) = servers.last()
            && !servers.iter().any(|server| server.is_at(host))
        {
            context
                .environment
                .change(&[(settings::MAIL_HOST, Some(server.host.as_str()))])?;
        }
        // With its settings its certificate may have changed.
        LocalPin::forget(&context.store).context("cannot forget the certificate of the mail server")?;
        Service::find()?.try_restart()
    }
}
