// SPDX-License-Identifier: GPL-3.0-or-later

use anyhow::Context as _;
use ns8_imapsync::agent::directory;
use ns8_imapsync::container::Service;
use ns8_imapsync::error::{ErrorKey, Refusal, Result};
use ns8_imapsync::task::{LocalPin, RemoteHost};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::fields::Gather;
use crate::common::input::repeated;
use crate::common::settings;

/// Binds the instance to a mail server (contract section 3).
pub(crate) struct ConfigureModule;

/// Which mail server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configuration {
    /// The uuid of the mail module.
    #[schemars(length(min = 1))]
    mail_server: String,
    /// The address of the mail server.
    #[schemars(regex(pattern = r"\."), extend("format" = "hostname"))]
    mail_host: String,
    /// What moves the mail: imapsync, the module's own engine, or whichever is there.
    #[serde(default)]
    #[schemars(extend("enum" = ["auto", "imapsync", "native", null]))]
    sync_engine: Option<String>,
    /// How many runs there are at once; 0 leaves it to the module.
    #[serde(default)]
    #[schemars(range(min = 0, max = 64))]
    max_concurrent_syncs: Option<i64>,
    /// How many KiB (1,024 bytes) a second all runs together may pull; 0 is no limit. Runs at work follow a change of it, and
    /// where nothing else changes the service is not started again.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10_485_760))]
    bandwidth: Option<i64>,
}

impl Action for ConfigureModule {
    const NAME: &'static str = "configure-module";
    const ABOUT: &'static str = "Binds the instance to a mail server and starts it";
    type Input = Configuration;
    type Output = ();

    fn run(context: &Context, input: Configuration) -> Result<()> {
        let mut gather = Gather::default();
        if !RemoteHost::parse(&input.mail_host).is_ok_and(|host| host.as_str().contains('.')) {
            gather.refuse(
                Refusal::new(
                    "mail_host",
                    ErrorKey::MailHostFormat,
                    "expected an IPv4 address or a host name with a dot in it",
                )
                .with_value(repeated(&input.mail_host)),
            );
        }
        let engine = input
            .sync_engine
            .as_deref()
            .map(|name| settings::engine(&mut gather, name));
        let limit = input
            .max_concurrent_syncs
            .map(|number| settings::limit(&mut gather, number));
        let bandwidth = gather.bandwidth(input.bandwidth);
        gather.end()?;
        // The host at that address gets the password that opens every mailbox.
        let servers = directory::services(&context.agent, &input.mail_server)?;
        if servers.is_empty() {
            return Err(Refusal::new(
                "mail_server",
                ErrorKey::MailServerIsNotValid,
                "no mail module of the cluster has that uuid; get-configuration shows those there are",
            )
            .with_value(repeated(&input.mail_server))
            .into());
        }
        if !servers.iter().any(|server| server.is_at(&input.mail_host)) {
            return Err(Refusal::new(
                "mail_host",
                ErrorKey::MailServerIsNotValid,
                "that is not the address of the mail module; get-configuration shows the one it has",
            )
            .with_value(repeated(&input.mail_host))
            .into());
        }
        let limit = limit.flatten().map(|number| number.to_string());
        let mut changes = vec![
            (settings::MAIL_SERVER, Some(input.mail_server.as_str())),
            (settings::MAIL_HOST, Some(input.mail_host.as_str())),
        ];
        if let Some(engine) = engine {
            changes.push((settings::SYNC_ENGINE, engine));
        }
        if input.max_concurrent_syncs.is_some() {
            changes.push((settings::MAX_CONCURRENT_SYNCS, limit.as_deref()));
        }
        context.store.create_folders()?;
        let former = context.environment.read()?;
        let same = changes.iter().all(|(name, value)| former.get(name) == *value);
        if let Some(bandwidth) = bandwidth.filter(|bandwidth| *bandwidth != context.store.bandwidth()) {
            context.store.save_bandwidth(bandwidth)?;
            if same {
                return Ok(());
            }
        }
        context.environment.change(&changes)?;
        // Whatever certificate the server shows next is the one that the administrator means.
        LocalPin::forget(&context.store).context("cannot forget the certificate of the mail server")?;
        context.commands.progress(30);
        let service = Service::find()?;
        service.enable()?;
        service.restart()
    }
}
