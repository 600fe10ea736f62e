// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::control::runs;
use ns8_imapsync::error::Result;
use ns8_imapsync::files;
use ns8_imapsync::task::FileKind;

use crate::common::action::Action;
use crate::common::context::Context;
use crate::common::selection::{Results, Selection};

/// Forgets what is known of a task's mail: its next run compares both sides, and what is local then counts as older than
/// the task.
pub(crate) struct CompareAgain;

impl Action for CompareAgain {
    const NAME: &'static str = "compare-again";
    const ABOUT: &'static str = "Forgets what is known of a task's mail; its next run compares both sides";
    type Input = Selection;
    type Output = Option<Results>;

    fn run(context: &Context, selection: Selection) -> Result<Option<Results>> {
        selection.apply(&context.store, |name| {
            let _lock = runs::take(&context.store, name)?;
            files::remove(&context.store.path(name, FileKind::State))?;
            Ok("forgotten")
        })
    }
}
