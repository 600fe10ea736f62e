// SPDX-License-Identifier: GPL-3.0-or-later
//! What a new, restored, cloned or updated instance needs.

use std::path::PathBuf;

use anyhow::Context as _;
use ns8_imapsync::agent::{directory, journal};
use ns8_imapsync::container::Service;
use ns8_imapsync::error::Result;
use ns8_imapsync::supervisor::queue_file::QueueFile;
use ns8_imapsync::sync::state;
use ns8_imapsync::task::LocalPin;

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
pub(crate) fn grant(context: &Context) -> Result<()> {
    directory::grant(&context.agent, SELF_SERVICE, &["create-task"])
}

/// Takes over the settings of the instance that this one was, and has the service started. An instance that was
/// never configured waits for configure-module. With `original_lives` it starts nothing by itself:
/// both would pull the same mail, each without knowing what the other has deleted.
///
/// # Errors
/// Whatever keeps the settings from being written or the service from starting.
pub(crate) fn take_over(context: &Context, origin: &Origin, original_lives: bool) -> Result<()> {
    // Starting the service takes longer than the platform's steps around this one.
    if let Some(step) = step() {
        context.commands.weight(&step, SERVICE_WEIGHT);
    }
    context.store.create_folders()?;
    grant(context)?;
    let mut changes: Vec<_> = settings::ALL
        .iter()
        .filter_map(|name| Some((*name, Some(origin.setting(name)?))))
        .collect();
    if original_lives {
        changes.push((settings::SCHEDULES_PAUSED, Some("1")));
        let original = origin.setting("MODULE_UUID").unwrap_or_default();
        context.store.set_original(Some(original))?;
        // What waited there goes on there.
        QueueFile::of(&context.store)
            .forget()
            .context("cannot forget the queue of the original instance")?;
        journal::warning(
            "the original instance is alive, so schedules are paused here; resume-schedules ends that",
        );
    }
    context.environment.change(&changes)?;
    if context.environment.read()?.get(settings::MAIL_SERVER).is_none() {
        journal::notice("no mail server was chosen before; run configure-module");
        return Ok(());
    }
    // A restored file may speak of another server at the same address.
    LocalPin::forget(&context.store).context("cannot forget the certificate of the mail server")?;
    // The mail module may be restored after this one: the unit tries again until it is there.
    let service = Service::find()?;
    service.enable()?;
    service.start_soon()
}

/// Tells the ledgers that this instance, or the original one, may have gone on since they were copied.
pub(crate) fn note_restored(context: &Context) {
    let failed = match state::note_restored(context.store.folder()) {
        Ok(failed) => failed,
        Err(error) => {
            journal::warning(format_args!(
                "cannot record that the ledgers come from a backup: {error}; run compare-again for all tasks"
            ));
            return;
        }
    };
    for (path, error) in failed {
        journal::warning(format_args!(
            "{}: cannot record that this ledger comes from a backup: {error}; run compare-again for the tasks of this \
             user",
            path.display()
        ));
    }
}

/// Ends that nothing is deleted in a copy of an instance, once the original is gone.
///
/// # Errors
/// Whatever the file system says.
pub(crate) fn look_for_original(context: &Context) -> Result<()> {
    let Some(uuid) = context.store.original() else {
        return Ok(());
    };
    let lives = match uuid.as_str() {
        "" => Ok(false),
        uuid => directory::has_another(&context.agent, uuid),
    };
    match lives {
        Ok(false) => return context.store.set_original(None),
        Ok(true) => journal::warning(
            "the original instance is still there: until it is removed, tasks of this one delete nothing on either side",
        ),
        Err(error) => journal::warning(format_args!(
            "the original instance cannot be looked for: {error}"
        )),
    }
    Ok(())
}

/// The name that the agent knows the running step by.
fn step() -> Option<String> {
    let path = PathBuf::from(std::env::args_os().next()?);
    Some(path.file_name()?.to_str()?.to_owned())
}
