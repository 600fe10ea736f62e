// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::error::{ErrorKey, Refusal, Result};

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::nothing::Anything;

/// The former name of browse-folders. The platform lets readers run what is named `list-…`, and this signs in to a
/// server with whatever password it is given.
pub(crate) struct ListFolders;

impl Action for ListFolders {
    const NAME: &'static str = "list-folders";
    const ABOUT: &'static str = "Deprecated: refuses, and names browse-folders";
    type Input = Anything;
    type Output = ();

    fn run(_: &Context, _: Anything) -> Result<()> {
        Err(Refusal::new(
            "(root)",
            ErrorKey::UseBrowseFolders,
            "list-folders was renamed: call browse-folders",
        )
        .into())
    }
}
