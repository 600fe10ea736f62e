// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::agent::{directory, journal};
use ns8_imapsync::error::Result;
use schemars::JsonSchema;
use serde::Serialize;

use crate::common::context::Context;
use crate::common::frame::Action;
use crate::common::nothing::Nothing;
use crate::common::settings;

/// Tells which mail server is chosen, and which there are (contract section 3).
pub struct GetConfiguration;

/// The settings.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    mail_server: String,
    mail_host: String,
    #[serde(rename = "mail_server_URL")]
    mail_servers: Vec<Choice>,
    sync_engine: String,
}

/// A choice of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Choice {
    name: String,
    label: String,
    value: String,
}

impl Action for GetConfiguration {
    const NAME: &'static str = "get-configuration";
    const ABOUT: &'static str = "Tells which mail server is chosen, and which there are";
    type Input = Nothing;
    type Output = Configuration;

    fn run(context: &Context, _: Nothing) -> Result<Configuration> {
        let environment = context.environment.read()?;
        let setting = |name| environment.get(name).unwrap_or_default().to_owned();
        let servers = directory::mail_servers(&context.agent).unwrap_or_else(|error| {
            journal::error(error);
            Vec::new()
        });
        let choice = |server: directory::MailServer| Choice {
            label: server.label(),
            value: format!("{},{}", server.module_uuid, server.host),
            name: server.module_id,
        };
        Ok(Configuration {
            mail_server: setting(settings::MAIL_SERVER),
            mail_host: setting(settings::MAIL_HOST),
            mail_servers: servers.into_iter().map(choice).collect(),
            sync_engine: environment
                .get(settings::SYNC_ENGINE)
                .unwrap_or(settings::AUTO)
                .to_owned(),
        })
    }
}
