// SPDX-License-Identifier: GPL-3.0-or-later

use ns8_imapsync::container::Container;
use ns8_imapsync::error::Result;
use ns8_imapsync::sync::inspect::preview::Preview;

use crate::common::action::Action;
use crate::common::answer::Answer;
use crate::common::context::Context;
use crate::common::selection::TaskReference;

/// Tells what a run would do, and does nothing.
pub(crate) struct PreviewTask;

impl Action for PreviewTask {
    const NAME: &'static str = "preview-task";
    const ABOUT: &'static str = "Tells what a run of a task would do";
    type Input = TaskReference;
    type Output = Answer<Preview>;

    fn run(context: &Context, task: TaskReference) -> Result<Answer<Preview>> {
        let name = task.find(&context.store)?;
        Container::find()?.answer(&["start", "--dry-run", name.as_str()], None)
    }
}
