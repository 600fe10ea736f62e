// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::agent::{directory, journal};
use ns8_imapsync::control::backup;
use ns8_imapsync::error::Result;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::instance;
use crate::common::platform::Origin;

/// Brings an instance back to life from its backup (contract section 3).
pub(crate) struct RestoreModule;

impl Action for RestoreModule {
    const NAME: &'static str = "restore-module";
    const ABOUT: &'static str = "Takes the settings over from the instance of the backup, and starts";
    type Input = Origin;
    type Output = ();

    fn run(context: &Context, origin: Origin) -> Result<()> {
        backup::put_back(&context.agent.state, context.store.folder())?;
        instance::note_restored(context);
        instance::take_over(context, &origin, is_beside(context, &origin))
    }
}

/// Whether the instance of the backup is still there. One that cannot be looked for may be.
fn is_beside(context: &Context, origin: &Origin) -> bool {
    let Some(uuid) = origin.setting("MODULE_UUID").filter(|_| !origin.is_replaced()) else {
        return false;
    };
    directory::has_another(&context.agent, uuid).unwrap_or_else(|error| {
        journal::warning(format_args!(
            "the instance of the backup cannot be looked for: {error}"
        ));
        true
    })
}
