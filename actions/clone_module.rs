// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::error::Result;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::instance;
use crate::common::platform::Origin;

/// Starts an instance that was copied or moved to another node (contract section 3).
pub(crate) struct CloneModule;

impl Action for CloneModule {
    const NAME: &'static str = "clone-module";
    const ABOUT: &'static str = "Takes the settings over from the cloned instance, and starts";
    type Input = Origin;
    type Output = ();

    fn run(context: &Context, origin: Origin) -> Result<()> {
        let is_beside = !origin.is_replaced();
        if is_beside {
            instance::note_restored(context);
        }
        instance::take_over(context, &origin, is_beside)
    }
}
