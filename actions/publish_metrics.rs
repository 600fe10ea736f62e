// SPDX-License-Identifier: GPL-3.0-or-later
//! Tells the cluster's metrics module where the metrics of this instance are, when to raise an alert, and how to
//! show them (contract section 4a). An instance without its own port publishes nothing.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{ArgMatches, Command};
use ns8_imapsync::agent::{directory, journal};
use ns8_imapsync::error::Result;
use ns8_imapsync::files;

use crate::common::context::Context;
use crate::common::frame;

/// Where the container serves them.
const PORT_INSIDE: u16 = 9187;
/// What the unit adds to the container's options.
const OPTIONS: &str = "metrics.env";
const READABLE: u32 = 0o644;
const NAME: &str = "imapsync";
const RULES: &str = include_str!("../imageroot/etc/metrics/alert-rules.yml");
const DASHBOARD: &str = include_str!("../imageroot/etc/metrics/dashboard.json");

/// No arguments.
pub(crate) fn arguments(command: Command) -> Command {
    command.after_help("The service does this whenever it starts.")
}

/// Publishes them.
pub(crate) fn run(_: &ArgMatches) -> ExitCode {
    frame::helper(publish)
}

fn publish(context: &Context) -> Result<()> {
    let port = context
        .environment
        .read()?
        .get("TCP_PORT")
        .and_then(|port| port.parse::<u16>().ok());
    let options = port.map_or(String::new(), |port| {
        format!("PUBLISH=--publish={port}:{PORT_INSIDE}\n")
    });
    let state = &context.agent.state;
    files::write_atomic(state, &state.join(OPTIONS), options.as_bytes(), READABLE)
        .with_context(|| format!("cannot write {OPTIONS}"))?;
    let Some(port) = port else {
        journal::notice("the platform gave this instance no port, so its metrics are not published");
        return Ok(());
    };
    let address = directory::node_address(&context.agent)?;
    let id = context.agent.id()?.trim_start_matches("module/").to_owned();
    let target = format!("- targets: ['{address}:{port}']\n  labels:\n    module_id: {id}\n");
    for (key, text, event) in [
        ("metrics_targets", target.as_str(), "metrics-target-changed"),
        ("metrics_alert_rules", RULES, "metrics-alert-rules-changed"),
        ("metrics_dashboards", DASHBOARD, "metrics-dashboard-changed"),
    ] {
        directory::publish(&context.agent, key, NAME, text, event)?;
    }
    Ok(())
}
