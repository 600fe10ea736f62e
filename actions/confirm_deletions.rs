// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::error::Result;
use ns8_imapsync::files;
use ns8_imapsync::task::FileKind;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::selection::{Results, Selection};

/// Confirms the local deletions that the last run held back: the next run deletes exactly those, if they still are to be.
pub(crate) struct ConfirmDeletions;

impl Action for ConfirmDeletions {
    const NAME: &'static str = "confirm-deletions";
    const ABOUT: &'static str = "Confirms the local deletions that a task's last run held back";
    type Input = Selection;
    type Output = Option<Results>;

    fn run(context: &Context, selection: Selection) -> Result<Option<Results>> {
        selection.apply(&context.store, |name| {
            let store = &context.store;
            files::write_atomic(store.folder(), &store.path(name, FileKind::Confirm), b"", 0o600)?;
            Ok("confirmed")
        })
    }
}
