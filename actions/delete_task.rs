// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::{runs, sources};
use ns8_imapsync::error::Result;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::selection::{Results, Selection};

/// Deletes tasks with all their files (contract section 3).
pub(crate) struct DeleteTask;

impl Action for DeleteTask {
    const NAME: &'static str = "delete-task";
    const ABOUT: &'static str = "Deletes a task, all tasks of a user, or a list of tasks; no mail is touched";
    type Input = Selection;
    type Output = Option<Results>;

    fn run(context: &Context, selection: Selection) -> Result<Option<Results>> {
        let results = selection.apply(&context.store, |name| {
            let lock = runs::take(&context.store, name)?;
            let link = context.store.options(name).source;
            runs::retire(&context.store, name);
            context.store.remove(lock, name)?;
            if let Some(link) = link {
                sources::forget_sign_in(&context.sources, &link)?;
            }
            Ok("deleted")
        });
        context.store.remove_idle_ledgers()?;
        results
    }
}
