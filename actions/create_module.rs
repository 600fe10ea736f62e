// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::error::Result;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::instance;
use crate::common::platform::Ignored;

/// Prepares a new instance (contract section 2).
pub(crate) struct CreateModule;

impl Action for CreateModule {
    const NAME: &'static str = "create-module";
    const ABOUT: &'static str = "Prepares a new instance: its folders, and who may run what";
    type Input = Ignored;
    type Output = ();

    fn run(context: &Context, _: Ignored) -> Result<()> {
        context.store.create_folders()?;
        instance::grant(context)
    }
}
