// SPDX-License-Identifier: GPL-3.0-or-later
//! What a new, restored, cloned or updated instance needs.

use std::path::PathBuf;

use ns8_imapsync::agent::{directory, journal};
use ns8_imapsync::container::Service;
use ns8_imapsync::error::Result;

use super::context::Context;
use super::platform::Origin;
use super::settings;

/// The role of other modules that people use for themselves.
const SELF_SERVICE: &str = "selfadm";

/// How much of the action the start of the service is; other steps count as 1.
const SERVICE_WEIGHT: u32 = 5;

/// Lets the role run create-task (contract section 2).
///
/// # Errors
/// When Redis does not let us.
pub fn grant(context: &Context) -> Result<()> {
    directory::grant(&context.agent, SELF_SERVICE, &["create-task"])
}

/// Takes over the settings of the instance that this one was, and starts the service. An instance that was
/// never configured waits for configure-module.
///
/// # Errors
/// Whatever keeps the settings from being written or the service from starting.
pub fn take_over(context: &Context, origin: &Origin) -> Result<()> {
    // Starting the service takes longer than the platform's steps around this one.
    if let Some(step) = step() {
        context.commands.weight(&step, SERVICE_WEIGHT);
    }
    context.store.create_folders()?;
    grant(context)?;
    let changes: Vec<_> = settings::ALL
        .iter()
        .filter_map(|name| Some((*name, Some(origin.setting(name)?))))
        .collect();
    context.environment.change(&changes)?;
    if context.environment.read()?.get(settings::MAIL_SERVER).is_none() {
        journal::notice("no mail server was chosen before; run configure-module");
        return Ok(());
    }
    Service::find()?.enable_now()
}

/// The name that the agent knows the running step by.
fn step() -> Option<String> {
    let path = PathBuf::from(std::env::args_os().next()?);
    Some(path.file_name()?.to_str()?.to_owned())
}
