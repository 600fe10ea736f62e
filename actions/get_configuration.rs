// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::agent::{directory, journal};
use ns8_imapsync::container::{Container, Engine};
use ns8_imapsync::error::Result;
use ns8_imapsync::task::Bandwidth;
use schemars::JsonSchema;
use serde::Serialize;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::nothing::Nothing;
use crate::common::settings;

/// Tells which mail server is chosen, and which there are (contract section 3).
pub(crate) struct GetConfiguration;

/// The settings.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configuration {
    mail_server: String,
    mail_host: String,
    #[serde(rename = "mail_server_URL")]
    mail_servers: Vec<Choice>,
    /// auto, imapsync or native.
    sync_engine: String,
    /// How many runs there are at once; 0 leaves it to the module.
    max_concurrent_syncs: u32,
    /// How many KiB a second all runs together may pull; 0 is no limit.
    bandwidth: u32,
    /// Whether cron starts nothing, until resume-schedules: the original of this instance is alive.
    schedules_paused: bool,
    /// What runs use now; null while the service does not run.
    engine_used: Option<String>,
    /// Its version.
    engine_version: Option<String>,
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
        let configured = environment.get(settings::MAIL_SERVER).is_some();
        // Neither of both waits for the other.
        let (servers, engine) = std::thread::scope(|scope| {
            let engine = scope.spawn(|| configured.then(engine).flatten());
            let servers = directory::mail_servers(&context.agent).unwrap_or_else(|error| {
                journal::error(error);
                Vec::new()
            });
            (servers, engine.join().ok().flatten())
        });
        let (engine_used, engine_version) = engine.map(|engine| (engine.engine, engine.version)).unzip();
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
            max_concurrent_syncs: environment
                .get(settings::MAX_CONCURRENT_SYNCS)
                .and_then(|number| number.parse().ok())
                .unwrap_or_default(),
            bandwidth: Bandwidth::kib(context.store.bandwidth()),
            schedules_paused: settings::schedules_paused(&environment),
            engine_used,
            engine_version,
        })
    }
}

/// A service that does not run has no engine, which is no error here.
fn engine() -> Option<Engine> {
    match Container::find().and_then(|container| container.engine()) {
        Ok(engine) => Some(engine),
        Err(error) => {
            journal::notice(format_args!("the engine is not known: {error}"));
            None
        }
    }
}
