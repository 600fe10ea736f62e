// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::error::Result;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::instance;
use crate::common::platform::Origin;

/// Brings an instance back to life from its backup (contract section 3).
pub struct RestoreModule;

impl Action for RestoreModule {
    const NAME: &'static str = "restore-module";
    const ABOUT: &'static str = "Takes the settings over from the instance of the backup, and starts";
    type Input = Origin;
    type Output = ();

    fn run(context: &Context, origin: Origin) -> Result<()> {
        instance::take_over(context, &origin)
    }
}
